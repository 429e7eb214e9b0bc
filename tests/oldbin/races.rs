//! What is no pid file and no journal though it stands at their paths, and what is another one at the second look.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{FileType, Mode, mknodat};
use rustix::process::{Pid, WaitOptions, waitpid};

use super::site::{self, Said, Site};
use super::{NEW, OLD, new_binary, release, upgrade};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_journal_cut_in_half_or_of_another_version_is_listed_and_says_what_to_do", broken_journals),
    ("what_is_no_file_at_the_path_of_a_pid_file_is_refused_in_a_sentence", odd_pid_files),
    ("what_is_no_file_at_the_path_of_a_journal_is_refused_in_a_sentence", odd_journals),
    ("a_state_folder_that_others_may_write_to_is_refused", open_state_folder),
    ("a_pid_file_that_is_swapped_between_two_looks_is_refused", swapped_pid_file),
];

/// Tests in which a pid is used again.
pub(crate) const ALONE: &[(&str, fn())] =
    &[("a_stranger_with_the_pid_of_a_master_that_has_gone_is_never_signalled", reused_pid)];

fn held() -> Site {
    let site = Site::start(OLD);
    let said = upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]);
    assert_eq!((said.outcome(), said.code), ("held", 0), "{said:?}");
    site
}

fn journal(site: &Site) -> PathBuf {
    let paths = fs::read_dir(site.path("state")).unwrap().map(|entry| entry.unwrap().path());
    paths.into_iter().find(|path| path.to_string_lossy().ends_with(".journal.json")).unwrap()
}

fn refused(said: &Said, why: &str) {
    assert_eq!((said.outcome(), said.code), ("refused", 3), "{said:?}");
    let reason = said.text("reason");
    assert!(reason.contains(why) && !reason.contains('\n'), "{why}: {said:?}");
    assert!(!said.text("remedy").is_empty(), "{said:?}");
}

fn every_command(site: &Site) -> [Said; 4] {
    let [recover, rollback, commit] =
        ["recover", "rollback", "commit"].map(|word| site.oldbin(&[word.into()]));
    [upgrade(site, &new_binary(), &[]), recover, rollback, commit]
}

/// Red when one journal that cannot be read hides everything, or when nobody says how to go on.
fn broken_journals() {
    let site = held();
    let path = journal(&site);
    let whole = fs::read_to_string(&path).unwrap();
    let other = whole.replace("\"schema\":", "\"schema\":9");
    for (text, why) in [(&whole[..whole.len() / 2], "is no journal of oldbin"), (&other, "has format 9")] {
        fs::write(&path, text).unwrap();
        let said = site.oldbin(&["status".into()]);
        assert_eq!((said.outcome(), said.code), ("status", 0), "{said:?}");
        assert_eq!(*said.part("/unreadable/0/journal"), path.to_str().unwrap(), "{said:?}");
        assert!(said.part("/unreadable/0/reason").as_str().unwrap().contains(why), "{said:?}");
        assert_eq!(*said.part("/nginx/0/generations/1/version"), NEW, "{said:?}");
        for said in every_command(&site) {
            refused(&said, why);
            assert!(said.text("remedy").contains("ove the journal away"), "{said:?}");
        }
    }
    fs::remove_file(&path).unwrap();
    let said = site.oldbin(&["recover".into()]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
}

fn fifo(path: &Path) {
    mknodat(rustix::fs::CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

/// A way to lay something at a path, and what is said of it.
type Odd = (fn(&Path), &'static str);

const ODD: [Odd; 3] = [
    (fifo, "it is a fifo"),
    (|path| fs::create_dir(path).unwrap(), "it is a folder"),
    (|path| symlink("elsewhere", path).unwrap(), "it is a symbolic link"),
];

fn take_away(path: &Path) {
    fs::remove_file(path).or_else(|_| fs::remove_dir(path)).unwrap();
}

/// Red when a fifo is waited for, and when nginx is let rename its pid file over a folder.
fn odd_pid_files() {
    let site = Site::start(OLD);
    let pid = fs::read_to_string(site.path("nginx.pid")).unwrap();
    fs::write(site.path("elsewhere"), &pid).unwrap();
    for (file, lays) in [("nginx.pid", &ODD[..]), ("nginx.pid.oldbin", &ODD[..])] {
        for (lay, why) in lays {
            let path = site.path(file);
            let _ = fs::remove_file(&path);
            lay(&path);
            refused(&upgrade(&site, &new_binary(), &[]), why);
            let said = site.oldbin(&["status".into()]);
            assert!([0, 3].contains(&said.code), "{said:?}");
            assert_eq!(site.oldbin(&["recover".into()]).code, 3, "{why}");
            take_away(&path);
        }
        site.write_pid_file(&pid);
    }
    fs::File::create(site.path("nginx.pid")).unwrap().set_len(1 << 40).unwrap();
    refused(&upgrade(&site, &new_binary(), &[]), "it does not hold one decimal pid");
    site.write_pid_file(&pid);
    site.serves_alone(OLD);
}

/// Red when a link is followed, or a fifo waited for.
fn odd_journals() {
    let site = held();
    let path = journal(&site);
    let kept = site.path("elsewhere");
    fs::rename(&path, &kept).unwrap();
    for (lay, why) in ODD {
        lay(&path);
        for said in every_command(&site) {
            refused(&said, why);
        }
        let said = site.oldbin(&["status".into()]);
        assert!(said.part("/unreadable/0/reason").as_str().unwrap().contains(why), "{said:?}");
        take_away(&path);
    }
    fs::rename(&kept, &path).unwrap();
    assert_eq!(site.oldbin(&["commit".into()]).outcome(), "upgraded");
    site.serves_alone(NEW);
}

/// Red when what anybody may have written is believed.
fn open_state_folder() {
    let site = held();
    let folder = site.path("state");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    for said in every_command(&site) {
        refused(&said, "others can write to it (mode 777)");
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&folder, Some(65_534), None).unwrap();
        for said in every_command(&site) {
            refused(&said, "it belongs to user 65534");
        }
        chown(&folder, Some(0), None).unwrap();
    }
    assert_eq!(site.oldbin(&["commit".into()]).outcome(), "upgraded");
    site.serves_alone(NEW);
}

/// The first look finds a pid file; the check, which is asked before the next one, puts a fifo there. Red when the second
/// look waits, or is not taken.
fn swapped_pid_file() {
    let site = Site::start(OLD);
    let path = site.path("nginx.pid");
    let pid = fs::read_to_string(&path).unwrap();
    let swap = format!("rm {path} && mkfifo {path}", path = path.display());
    let said = upgrade(&site, &new_binary(), &["--check", &swap]);
    refused(&said, "the pid file no longer names the master");
    fs::remove_file(&path).unwrap();
    site.write_pid_file(&pid);
    let log = fs::read_to_string(site.path("error.log")).unwrap();
    assert!(!log.contains("SIGUSR2"), "{log}");
    site.serves_alone(OLD);
}

/// A process with this very pid that looks like a master and notes each signal that it gets.
fn stranger(pid: u32, notes: &Path) -> Child {
    let script = format!(
        "for signal in HUP INT QUIT USR1 USR2 TERM WINCH; do trap \"echo $signal >> {notes}\" $signal; done; \
         echo ready > {notes}.ready; while :; do read line; done",
        notes = notes.display()
    );
    for _ in 0..STRANGERS_MAX {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut command = Command::new("/bin/bash");
        command.arg0("nginx: master process /usr/sbin/nginx").args(["-c", &script]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        if child.id() == pid {
            return child;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    panic!("nobody gets the number {pid}")
}

/// Others may fork in between.
const STRANGERS_MAX: u32 = 1_000;

/// Two upgrades, as the first master of all keeps its number in use for its session. Red when a process is told by its
/// number alone.
fn reused_pid() {
    for (command, file, outcome, version) in [
        ("commit", "nginx.pid.oldbin", "upgraded", OLD),
        ("recover", "nginx.pid.oldbin", "upgraded", OLD),
        ("commit", "nginx.pid", "rolled-back", NEW),
        ("rollback", "nginx.pid", "rolled-back", NEW),
    ] {
        let site = held();
        assert_eq!(site.oldbin(&["commit".into()]).outcome(), "upgraded");
        let said = upgrade(&site, &release(OLD).unwrap(), &["--soak", "0", "--hold"]);
        assert_eq!((said.outcome(), said.code), ("held", 0), "{said:?}");
        let gone = site.pid(file);
        site::kill(gone);
        site.until("its number is free", || {
            let _ = waitpid(Pid::from_raw(i32::try_from(gone).unwrap()), WaitOptions::NOHANG);
            !Path::new(&format!("/proc/{gone}")).exists()
        });
        let notes = site.path("notes");
        let mut stranger = stranger(gone, &notes);
        site.until("it is ready", || site.path("notes.ready").exists());
        let said = site.oldbin(&[command.into()]);
        assert!(stranger.try_wait().unwrap().is_none(), "{command}: the stranger is dead: {said:?}");
        assert_eq!(fs::read_to_string(&notes).unwrap_or_default(), "", "{command}: {said:?}");
        assert_eq!(said.outcome(), outcome, "{command}: {said:?}");
        assert_eq!(site.answer(), version);
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        site::end_everybody();
    }
}
