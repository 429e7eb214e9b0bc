//! The pid file in foreign hands: gone before USR2, or damaged while both masters run.

use std::fs;

use rustix::process::Signal;

use super::crash_points::beside;
use super::site::{self, Said, Site};
use super::{NEW, OLD, new_binary, upgrade};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_master_whose_pid_file_is_gone_gets_no_usr2", gone_before),
    ("a_master_that_an_earlier_usr2_has_spoilt_is_told_of_and_upgraded", spoilt_before),
    ("a_pid_file_that_vanishes_right_before_usr2_is_told_with_what_became_of_the_master", gone_at_usr2),
    ("a_pid_file_that_is_damaged_while_both_masters_run_is_a_way_back", damaged),
    ("a_pid_file_that_is_damaged_in_a_held_upgrade_is_a_way_back", damaged_while_held),
];

fn log(site: &Site) -> String {
    fs::read_to_string(site.path("error.log")).unwrap()
}

/// Red when USR2 is sent, or when nobody says which master it is.
fn gone_before() {
    let site = Site::start(OLD);
    let master = site.pid("nginx.pid");
    fs::remove_file(site.path("nginx.pid")).unwrap();
    let said = upgrade(&site, &new_binary(), &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("refused", 3), "{said:?}");
    assert!(said.text("reason").contains(&format!("master {master} runs, and its pid file")), "{said:?}");
    assert!(!log(&site).contains("SIGUSR2"));
    site.write_pid_file(&format!("{master}\n"));
    let said = upgrade(&site, &new_binary(), &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
}

const WARNS: &str = "takes reloads for calls for more workers";

/// Red when the log is not read.
fn spoilt_before() {
    let site = Site::start(OLD);
    let master = site.pid("nginx.pid");
    fs::remove_file(site.path("nginx.pid")).unwrap();
    site::signal(master, Signal::USR2);
    site.until("USR2 failed", || log(&site).contains("failed before executing new binary process"));
    site.write_pid_file(&format!("{master}\n"));
    for _ in 0..2 {
        let said = upgrade(&site, &new_binary(), &["--dry-run"]);
        assert!(said.stderr().contains(WARNS), "{said:?}");
    }
    let said = upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]);
    assert_eq!((said.outcome(), said.code), ("held", 0), "{said:?}");
    assert!(said.stderr().contains(WARNS), "{said:?}");
    assert_eq!(site.oldbin(&["rollback".into()]).outcome(), "rolled-back");
    let said = upgrade(&site, &new_binary(), &["--soak", "0"]);
    assert!(!said.stderr().contains(WARNS), "a new binary has set it right: {said:?}");
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
}

/// An upgrade while somebody does this at a point.
fn upgrade_beside(site: &Site, more: &[&str], point: &str, command: &str) -> Said {
    let new = new_binary();
    let words = ["upgrade", "--new", new.to_str().unwrap(), "--soak", "0"];
    beside(site, &words.into_iter().chain(more.iter().copied()).collect::<Vec<_>>(), point, command)
}

/// Red when it ends without a word of what USR2 has done to the master, or when the remedy is none.
fn gone_at_usr2() {
    let site = Site::start(OLD);
    let master = site.pid("nginx.pid");
    let take = format!("rm {}", site.path("nginx.pid").display());
    let said = upgrade_beside(&site, &[], "before changing signal-USR2 1", &take);
    assert_eq!((said.outcome(), said.code), ("stuck", 5), "{said:?}");
    assert!(said.text("reason").contains("USR2 found no pid file"), "{said:?}");
    assert!(said.text("remedy").contains("upgrade again"), "{said:?}");
    assert_eq!(site.answer(), OLD);
    site.write_pid_file(&format!("{master}\n"));
    let said = upgrade(&site, &new_binary(), &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    assert!(said.stderr().contains(WARNS), "{said:?}");
    site.serves_alone(NEW);
}

/// What a stranger may do to a pid file, here called `$pid`.
const DAMAGES: [&str; 5] =
    ["rm $pid", ": > $pid", "echo nonsense > $pid", "echo 1 > $pid", "rm $pid && mkfifo $pid"];

fn damage(site: &Site, how: &str) -> String {
    how.replace("$pid", site.path("nginx.pid").to_str().unwrap())
}

/// Red when nobody looks at the pid file between readiness and the commit point: then it is found out behind it.
fn damaged() {
    for how in DAMAGES {
        let site = Site::start(OLD);
        let load = site.light_load();
        let said = upgrade_beside(&site, &[], "after draining signal-WINCH 1", &damage(&site, how));
        let (_, lost) = load.end();
        assert_eq!((said.outcome(), said.code), ("rolled-back", 4), "{how}: {said:?}");
        assert!(said.text("reason").contains("the pid file no longer names the new master"), "{said:?}");
        assert_eq!(lost, Vec::<String>::new(), "{how}");
        site.serves_alone(OLD);
        site::end_everybody();
    }
}

/// Red when a commit does not look again.
fn damaged_while_held() {
    let site = Site::start(OLD);
    assert_eq!(upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]).outcome(), "held");
    site.write_pid_file("1\n");
    let said = site.oldbin(&["commit".into()]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 4), "{said:?}");
    site.serves_alone(OLD);
}
