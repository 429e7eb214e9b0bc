//! Nothing outlives a run, whoever is killed.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::Timespec;
use scenarios::live::{self, Isolation};
use scenarios::scenario::WorldKind;
use tempfile::TempDir;

use crate::world::{Place, run, scenario, setting, shell, some_load, upgrade};

/// First argument of a laboratory that a test can kill; then follow the mode and what it does.
pub(crate) const LABORATORY: &str = "__laboratory";

pub(crate) const TRIALS: &[(&str, fn())] = &[
    ("a_killed_laboratory_leaves_nothing", || a_killed_laboratory_leaves_nothing("namespaces")),
    ("a_killed_laboratory_without_namespaces_leaves_nothing", || {
        a_killed_laboratory_leaves_nothing("subreaper")
    }),
    ("what_a_killed_agent_left_is_swept_by_the_next_run", what_a_killed_agent_left_is_swept_by_the_next_run),
    ("an_ordinary_user_can_do_it_too", an_ordinary_user_can_do_it_too),
];

/// Runs one scenario: `upgrade`, or one that waits for ever and says so through `ready`.
pub(crate) fn laboratory() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let isolation = if arguments[0] == "subreaper" { Isolation::Subreaper } else { Isolation::Best };
    let place = Place { world: WorldKind::Fake, isolation };
    if arguments[1] == "upgrade" {
        let trace = run(place, some_load(), upgrade());
        eprintln!("{}", trace.header.isolation);
        return ExitCode::SUCCESS;
    }
    let folder = &arguments[1];
    let wait = shell(&format!("echo > {folder}/ready; exec cat {folder}/never"));
    let _ = live::run(&scenario(some_load()), &setting(place, vec![wait]));
    ExitCode::FAILURE
}

fn a_killed_laboratory_leaves_nothing(mode: &str) {
    let temp = TempDir::new().unwrap();
    let mut laboratory = start_and_wait(mode, temp.path());
    let all = handles(laboratory.id());
    assert!(all.len() >= 6, "agent, nginx and its workers, load, subject: {}", all.len());

    laboratory.kill().unwrap();
    laboratory.wait().unwrap();

    all_end(&all);
    assert_eq!(worlds_in(temp.path()), BTreeSet::new());
}

fn what_a_killed_agent_left_is_swept_by_the_next_run() {
    let temp = TempDir::new().unwrap();
    let mut laboratory = start_and_wait("subreaper", temp.path());
    let all = handles(laboratory.id());
    let agent = &children(laboratory.id())[0];
    pidfd_send_signal(open(*agent).unwrap(), Signal::KILL).unwrap();
    laboratory.wait().unwrap();
    assert_eq!(worlds_in(temp.path()).len(), 1, "nobody was left to remove it");

    let next = command("subreaper", "upgrade", temp.path()).output().unwrap();

    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
    // Only nginx runs from the world's folder; what the subject started is no mark of ours.
    fs::write(temp.path().join("never"), "").unwrap();
    all_end(&all);
    assert_eq!(worlds_in(temp.path()), BTreeSet::new());
}

fn an_ordinary_user_can_do_it_too() {
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        // Then every other test has shown it.
        return;
    }
    let temp = TempDir::new().unwrap();
    let executable = temp.path().join("laboratory");
    // By a child: a fork of another test's thread would keep the file open for writing, and it could not be run.
    let own = std::env::current_exe().unwrap();
    assert!(Command::new("cp").args([&own, &executable]).status().unwrap().success());
    for path in [temp.path(), &executable] {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    for mode in ["namespaces", "subreaper"] {
        let ended = Command::new(&executable)
            .args([LABORATORY, mode, "upgrade"])
            .current_dir(temp.path())
            .env("TMPDIR", temp.path())
            .uid(NOBODY)
            .gid(NOBODY)
            .output()
            .unwrap();
        assert!(ended.status.success(), "{mode}: {}", String::from_utf8_lossy(&ended.stderr));
    }
    assert_eq!(worlds_in(temp.path()), BTreeSet::new());
}

fn command(mode: &str, what: &str, temp: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args([LABORATORY, mode, what]).env("TMPDIR", temp);
    command
}

/// A laboratory whose subject is at work, and will be for ever.
fn start_and_wait(mode: &str, temp: &Path) -> Child {
    for name in ["ready", "never"] {
        mkfifo(&temp.join(name), Mode::S_IRWXU).unwrap();
    }
    let what = temp.to_str().unwrap();
    let child = command(mode, what, temp).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Blocks until the subject writes.
    fs::read(temp.join("ready")).unwrap();
    child
}

/// Handles of every descendant.
fn handles(pid: u32) -> Vec<OwnedFd> {
    let mut found = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for child in children(parent) {
            found.extend(open(child));
            parents.push(child);
        }
    }
    found
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().map(|word| word.parse().unwrap()).collect::<Vec<u32>>())
        .collect()
}

fn open(pid: u32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid.cast_signed())?, PidfdFlags::empty()).ok()
}

/// Waits until all of them have ended.
fn all_end(handles: &[OwnedFd]) {
    // An agent that loses its laboratory ends nginx fast, and kills what is left after a second.
    let ten_seconds = Timespec { tv_sec: 10, tv_nsec: 0 };
    for handle in handles {
        let ended = poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&ten_seconds)).unwrap();
        assert_eq!(ended, 1, "a process has outlived the run");
    }
}

/// The worlds' folders that are left.
fn worlds_in(temp: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(temp).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}
