//! Two masters: upgrades, rollbacks, and new binaries that die.

use std::fs;
use std::process::Stdio;

use fake_nginx::fault::Fault;
use fake_nginx::stamp::Stamp;
use rustix::process::Signal;

use crate::stage::{Stage, release, wait_for};

pub(crate) const TESTS: &[(&str, fn())] = &[
    (
        "the_new_binary_serves_alone_after_usr2_winch_and_quit",
        the_new_binary_serves_alone_after_usr2_winch_and_quit,
    ),
    (
        "hup_to_the_old_and_quit_to_the_new_master_roll_back",
        hup_to_the_old_and_quit_to_the_new_master_roll_back,
    ),
    (
        "a_new_binary_that_exits_at_start_leaves_the_old_one_as_it_was",
        a_new_binary_that_exits_at_start_leaves_the_old_one_as_it_was,
    ),
    (
        "old_workers_are_restored_when_the_new_binary_fails_after_winch",
        old_workers_are_restored_when_the_new_binary_fails_after_winch,
    ),
    (
        "a_killed_new_master_leaves_workers_that_go_on_serving",
        a_killed_new_master_leaves_workers_that_go_on_serving,
    ),
    ("signals_to_a_loading_new_binary_wait_for_its_loop", signals_to_a_loading_new_binary_wait_for_its_loop),
    ("a_chain_of_upgrades_leaves_one_master", a_chain_of_upgrades_leaves_one_master),
    ("a_program_that_is_gone_cannot_be_executed", a_program_that_is_gone_cannot_be_executed),
    ("usr2_is_refused_under_a_living_parent", usr2_is_refused_under_a_living_parent),
    ("a_defective_master_keeps_the_oldbin_file", a_defective_master_keeps_the_oldbin_file),
    ("debians_launcher_writes_the_pid_file", debians_launcher_writes_the_pid_file),
];

fn faulty(fault: Fault) -> Stamp {
    Stamp { fault: Some(fault), ..release("1.26.3") }
}

const EXITS: Fault = Fault::ExitsAtStart { status: 3 };
const FAILS_LATE: Fault = Fault::LoadsThenFails { load_ms: 400, status: 1 };
const LOADS: Fault = Fault::LoadsThenServes { load_ms: 400 };

fn defective() -> Stamp {
    Stamp { defects: vec!["forgets-to-rename-oldbin-back".to_owned()], ..release("1.22.1") }
}

fn debian() -> Stamp {
    Stamp { overrides: vec!["debian-pidfile".parse().unwrap()], ..release("1.22.1") }
}

/// Every stamp of these tests.
pub(crate) fn stamps() -> Vec<Stamp> {
    let releases = ["1.22.1", "1.26.3"].map(release);
    let faulty = [EXITS, FAILS_LATE, LOADS].map(faulty);
    releases.into_iter().chain(faulty).chain([defective(), debian()]).collect()
}

/// Starts 1.22.1, puts `new` in its place and sends USR2.
fn change_to(new: &Stamp) -> (Stage, i32) {
    let stage = Stage::new(&release("1.22.1"));
    let old = stage.start();
    stage.put(new);
    stage.signal(old, Signal::USR2);
    (stage, old)
}

/// The same, until the new master has workers.
fn upgraded_to(new: &Stamp) -> (Stage, i32, i32) {
    let (stage, old) = change_to(new);
    assert_eq!(stage.master("nginx.pid.oldbin"), old);
    let new = stage.master("nginx.pid");
    stage.workers_of(new, 2);
    (stage, old, new)
}

/// checks: U15 R3
fn the_new_binary_serves_alone_after_usr2_winch_and_quit() {
    let (stage, old, new) = upgraded_to(&release("1.26.3"));

    stage.signal(old, Signal::WINCH);
    stage.workers_of(old, 0);
    assert!(stage.get().contains("Server: nginx/1.26.3\r\n"));
    stage.signal(old, Signal::QUIT);
    stage.gone(old);

    assert!(!stage.path("nginx.pid.oldbin").exists());
    assert_eq!(stage.master("nginx.pid"), new);
    assert!(stage.get().contains("Server: nginx/1.26.3\r\n"), "the path of the socket was kept");
    assert_eq!(stage.processes().len(), 3);
}

/// checks: R1 U14
fn hup_to_the_old_and_quit_to_the_new_master_roll_back() {
    let (stage, old, new) = upgraded_to(&release("1.26.3"));
    stage.signal(old, Signal::WINCH);
    stage.workers_of(old, 0);
    fs::write(stage.path("nginx.conf"), "bogus;\n").unwrap();

    stage.signal(old, Signal::HUP);
    stage.workers_of(old, 2);
    stage.signal(new, Signal::QUIT);
    stage.gone(new);
    wait_for("the rename", || (!stage.path("nginx.pid.oldbin").exists()).then_some(()));

    assert_eq!(stage.master("nginx.pid"), old);
    assert!(stage.get().contains("Server: nginx/1.22.1\r\n"));
    assert!(!stage.log().contains("bogus"), "{}", stage.log());
    let log = stage.log_of(old);
    assert!(log.contains(&format!("[notice] new binary process {new} exited with code 0\n")), "{log}");
}

/// checks: U13
fn a_new_binary_that_exits_at_start_leaves_the_old_one_as_it_was() {
    let (stage, old) = change_to(&faulty(EXITS));

    stage.logged("exited with code 3\n");
    wait_for("the rename", || (!stage.path("nginx.pid.oldbin").exists()).then_some(()));

    assert_eq!(stage.master("nginx.pid"), old);
    assert_eq!(stage.workers_of(old, 2).len(), 2);
    assert!(stage.get().contains("Server: nginx/1.22.1\r\n"));
}

/// checks: U13 R5
fn old_workers_are_restored_when_the_new_binary_fails_after_winch() {
    let (stage, old) = change_to(&faulty(FAILS_LATE));
    stage.logged("start new binary process ");

    stage.signal(old, Signal::WINCH);
    stage.workers_of(old, 0);
    stage.logged("exited with code 1\n");
    stage.workers_of(old, 2);

    assert_eq!(stage.master("nginx.pid"), old);
    assert!(stage.get().contains("Server: nginx/1.22.1\r\n"));
}

/// checks: U14
fn a_killed_new_master_leaves_workers_that_go_on_serving() {
    let (stage, old, new) = upgraded_to(&release("1.26.3"));
    let orphans = stage.workers_of(new, 2);

    stage.signal(new, Signal::KILL);
    stage.logged(&format!("[alert] new binary process {new} exited on signal 9\n"));
    stage.signal(old, Signal::WINCH);
    stage.workers_of(old, 0);
    assert!(stage.get().contains("Server: nginx/1.26.3\r\n"));
    stage.signal(old, Signal::QUIT);
    stage.gone(old);

    let alive: Vec<_> = stage.processes().iter().map(|process| process.pid).collect();
    assert!(orphans.iter().all(|orphan| alive.contains(orphan)), "{alive:?}");
    stage.signal(orphans[0], Signal::QUIT);
    stage.gone(orphans[0]);
}

/// checks: U12
fn signals_to_a_loading_new_binary_wait_for_its_loop() {
    let (stage, old) = change_to(&faulty(LOADS));
    let new = wait_for("the new binary", || {
        let processes = stage.processes();
        let new =
            processes.iter().find(|process| process.parent == old && process.title.contains("nginx.conf"));
        new.map(|process| process.pid)
    });

    stage.signal(new, Signal::TERM);
    stage.gone(new);

    let log = stage.log_of(new);
    assert!(log.contains("start worker processes"), "{log}");
    assert!(log.contains("signal 15 (SIGTERM) received"), "{log}");
    wait_for("the rename", || (!stage.path("nginx.pid.oldbin").exists()).then_some(()));
    assert_eq!(stage.master("nginx.pid"), old);
}

/// checks: U21
fn a_chain_of_upgrades_leaves_one_master() {
    let (stage, old, second) = upgraded_to(&release("1.26.3"));
    stage.signal(old, Signal::QUIT);
    stage.gone(old);
    stage.put(&release("1.22.1"));

    stage.signal(second, Signal::USR2);
    assert_eq!(stage.master("nginx.pid.oldbin"), second);
    let third = stage.master("nginx.pid");
    stage.workers_of(third, 2);
    stage.signal(second, Signal::QUIT);
    stage.gone(second);

    assert!(stage.get().contains("Server: nginx/1.22.1\r\n"));
    assert_eq!(stage.processes().len(), 3);
}

/// checks: U3
fn a_program_that_is_gone_cannot_be_executed() {
    let stage = Stage::new(&release("1.22.1"));
    let old = stage.start();
    fs::rename(stage.path("nginx"), stage.path("elsewhere")).unwrap();

    stage.signal(old, Signal::USR2);
    stage.logged("exited with code 1\n");

    let program = stage.path("nginx").display().to_string();
    stage.logged(&format!(
        "[alert] execve() failed while executing new binary process \"{program}\" (2: No such file or directory)\n"
    ));
    assert_eq!(stage.master("nginx.pid"), old);
}

/// checks: G5 G6
fn usr2_is_refused_under_a_living_parent() {
    let stage = Stage::new(&release("1.22.1"));
    let mut command = stage.command(&["-g", "daemon off;"]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let master = stage.master("nginx.pid");
    stage.workers_of(master, 2);

    stage.signal(master, Signal::USR2);
    stage.logged("[crit] the changing binary signal is ignored: ");
    stage.signal(master, Signal::WINCH);
    stage.signal(master, Signal::TERM);

    assert!(child.wait().unwrap().success());
    assert!(stage.log().contains("signal 28 (SIGWINCH) received from "), "{}", stage.log());
    assert!(!stage.log().contains("stop accepting connections"), "{}", stage.log());
}

fn a_defective_master_keeps_the_oldbin_file() {
    let stage = Stage::new(&defective());
    let old = stage.start();
    stage.put(&faulty(EXITS));

    stage.signal(old, Signal::USR2);
    stage.logged("exited with code 3\n");
    stage.signal(old, Signal::QUIT);
    stage.gone(old);

    assert!(stage.path("nginx.pid.oldbin").exists());
}

/// checks: S4
fn debians_launcher_writes_the_pid_file() {
    let stage = Stage::new(&debian());

    assert!(stage.nginx(&[]).status.success());

    let text = fs::read_to_string(stage.path("nginx.pid")).unwrap();
    let master: i32 = text.trim_end().parse().unwrap();
    stage.workers_of(master, 2);
}
