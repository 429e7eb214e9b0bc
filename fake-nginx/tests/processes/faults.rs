//! Each fault of a stamp, as others see it.

use std::io::{Read as _, Write as _};

use fake_nginx::fault::Fault;
use fake_nginx::machine::Signal as Heard;
use fake_nginx::stamp::Stamp;
use rustix::process::Signal;

use crate::stage::{Stage, release, wait_for};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_new_binary_that_hangs_has_no_pid_file_and_must_be_killed", hangs_at_start),
    ("a_configuration_test_can_fail_where_a_start_does_not", fails_test),
    ("a_master_that_dies_after_a_while_leaves_its_workers_alone", dies_after),
    ("a_lost_signal_is_not_even_logged", loses_signal),
    ("workers_that_exit_with_2_are_not_started_again", workers_exit_for_good),
    ("workers_that_exit_with_1_are_started_again_and_again", workers_exit_again_and_again),
    ("a_worker_that_exits_at_a_request_answers_the_ones_before", workers_exit_after),
    ("a_worker_that_never_drains_outlives_its_last_connection", never_drains),
    ("every_request_is_answered_with_the_stamped_status", answers),
];

const HANGS: Fault = Fault::HangsAtStart;
const FAILS_TEST: Fault = Fault::FailsTest { status: 4 };
const DIES: Fault = Fault::DiesAfter { serve_ms: 1_000, status: 5 };
const LOSES: Fault = Fault::LosesSignal { signal: Heard::Winch };
const FATAL: Fault = Fault::WorkersExitAtStart { live_ms: 20, status: 2 };
const LOOPS: Fault = Fault::WorkersExitAtStart { live_ms: 20, status: 1 };
const SECOND: Fault = Fault::WorkersExitAfter { requests: 2, status: 6 };
const STAYS: Fault = Fault::NeverDrains;
const BUSY: Fault = Fault::Answers { code: 503 };

pub(crate) fn stamps() -> Vec<Stamp> {
    [HANGS, FAILS_TEST, DIES, LOSES, FATAL, LOOPS, SECOND, STAYS, BUSY].map(faulty).to_vec()
}

fn faulty(fault: Fault) -> Stamp {
    Stamp { fault: Some(fault), ..release("1.26.3") }
}

/// A daemon whose workers need not come up.
fn launched(fault: Fault) -> (Stage, i32) {
    let stage = Stage::new(&faulty(fault));
    assert!(stage.nginx(&[]).status.success());
    let master = stage.master("nginx.pid");
    (stage, master)
}

fn hangs_at_start() {
    let stage = Stage::new(&faulty(LOSES));
    let old = stage.start();
    stage.put(&faulty(HANGS));
    stage.signal(old, Signal::USR2);
    let new = wait_for("the new binary", || {
        let is_new = |pid: i32| stage.log().contains(&format!("start new binary process {pid}"));
        stage.processes().iter().map(|process| process.pid).find(|&pid| is_new(pid))
    });
    assert_eq!(stage.master("nginx.pid.oldbin"), old);
    assert!(!stage.path("nginx.pid").exists());

    // The old master's mask came through exec: nothing else reaches it.
    stage.signal(new, Signal::KILL);

    stage.logged(&format!("{new} exited on signal 9"));
    wait_for("the rename", || stage.path("nginx.pid").exists().then_some(()));
    assert_eq!(stage.master("nginx.pid"), old);
}

fn fails_test() {
    let stage = Stage::new(&faulty(FAILS_TEST));
    let tested = stage.nginx(&["-t"]);
    assert_eq!(tested.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&tested.stderr).contains("test failed"), "{tested:?}");

    stage.start();

    assert!(stage.get().contains("200 OK"));
}

fn dies_after() {
    let (stage, master) = launched(DIES);

    stage.gone(master);

    let workers = stage.processes();
    assert_eq!(workers.len(), 2, "{workers:?}");
    assert!(workers.iter().all(|worker| worker.parent != master));
    assert!(stage.get().contains("200 OK"));
}

fn loses_signal() {
    let stage = Stage::new(&faulty(LOSES));
    let master = stage.start();
    let workers = stage.workers_of(master, 2);

    stage.signal(master, Signal::WINCH);
    // Taken with WINCH, or behind it.
    stage.signal(master, Signal::USR1);
    stage.logged("reopening logs");

    assert!(!stage.log().contains("SIGWINCH"), "{}", stage.log());
    assert_eq!(stage.workers_of(master, 2), workers);
}

/// checks: W3
fn workers_exit_for_good() {
    let (stage, master) = launched(FATAL);

    wait_for("both ends", || (stage.log().matches("cannot be respawned").count() == 2).then_some(()));

    let left: Vec<_> = stage.processes().iter().map(|process| process.pid).collect();
    assert_eq!(left, [master]);
}

/// checks: W2
fn workers_exit_again_and_again() {
    let (stage, master) = launched(LOOPS);

    wait_for("six ends", || (stage.log().matches("exited with code 1").count() >= 6).then_some(()));

    stage.signal(master, Signal::QUIT);
    stage.gone(master);
}

fn workers_exit_after() {
    let stage = Stage::new(&faulty(SECOND));
    stage.start();
    // Two workers: at the latest the third request is somebody's second.
    let answers: Vec<String> = (0..3)
        .map(|_| {
            let mut stream = stage.connect();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            // A worker that exits with a request unread resets its connection.
            let _ = stream.read_to_string(&mut answer);
            answer
        })
        .collect();

    assert!(answers[0].contains("200 OK"), "{answers:?}");
    assert!(answers.iter().any(String::is_empty), "{answers:?}");
    stage.logged("exited with code 6");
}

fn never_drains() {
    let stage = Stage::new(&faulty(STAYS));
    let master = stage.start();
    let old = stage.workers_of(master, 2);
    stage.signal(master, Signal::HUP);
    let is_draining = |pid: &i32| stage.log_of(*pid).contains("gracefully shutting down");
    wait_for("the drain", || old.iter().all(is_draining).then_some(()));

    stage.signal(master, Signal::USR1);

    // Whoever still takes commands has not ended, although it has no connection.
    let reopens = |pid: &i32| stage.log_of(*pid).contains("reopening logs");
    wait_for("an answer of those who drain", || old.iter().all(reopens).then_some(()));
    for pid in old {
        stage.signal(pid, Signal::TERM);
        stage.gone(pid);
    }
}

fn answers() {
    let stage = Stage::new(&faulty(BUSY));
    stage.start();
    let answer = stage.get();
    assert!(answer.starts_with("HTTP/1.1 503 Service Temporarily Unavailable\r\n"), "{answer}");
}
