//! M, G, X, W: what masters and workers do with signals and deaths.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::Signal;

use crate::stage::{Conf, Stage, ask, rest, wait_for, waits};

/// checks: M5 M6 M3
pub(super) fn what_stands_behind_a_failed_reload_waits_for_the_next_signal(stage: &Stage) {
    let master = stage.start(1);
    stage.write("nginx.conf", "bogus;\n");
    stage.together(master, &[Signal::HUP, Signal::USR1]);
    stage.logged("unknown directive \"bogus\"");
    let log = stage.log_of(master);
    let place = |what: &str| log.find(what).unwrap_or_else(|| panic!("{what}: {log}"));
    assert!(
        place("(SIGUSR1)") < place("(SIGHUP)") && place("(SIGHUP)") < place("] reconfiguring\n"),
        "{log}"
    );
    assert!(!log.contains("] reopening logs\n"), "{log}");
    // Any signal will do.
    stage.signal(master, Signal::IO);
    stage.logged_times("] reopening logs\n", 2);
}

/// checks: M4 G3 G8 D6 X1
pub(super) fn a_graceful_shutdown_waits_for_its_workers_and_hears_only_term(stage: &Stage) {
    let master = stage.start(1);
    let worker = stage.workers(master, 1)[0];
    let mut silent = stage.silent(&[worker]);
    stage.signal(master, Signal::QUIT);
    stage.draining(master, 1);
    wait_for("nobody to listen", || stage.try_connect().is_err().then_some(()));
    for signal in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::WINCH] {
        stage.signal(master, signal);
    }
    for name in ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH"] {
        wait_for(name, || stage.log_of(master).contains(name).then_some(()));
    }
    assert!(ask(&mut silent).ends_with("one"));
    stage.gone(master);
    assert!(!stage.exists("nginx.pid"));
    let log = stage.log_of(master);
    for text in ["] reconfiguring\n", "] reopening logs\n", "] changing binary\n"] {
        assert!(!log.contains(text), "{log}");
    }
    assert!(log.contains(&format!("[notice] worker process {worker} exited with code 0\n")), "{log}");
    assert!(log.ends_with("[notice] exit\n"), "{log}");
    let drain = stage.log_of(worker);
    assert!(!drain.contains("signal 3") && drain.contains("] gracefully shutting down\n"), "{drain}");
    assert!(drain.ends_with("[notice] exiting\n[notice] exit\n"), "{drain}");
}

/// checks: G2 W1
pub(super) fn term_escalates_to_kill(stage: &Stage) {
    let master = stage.start(1);
    let worker = stage.workers(master, 1)[0];
    stage.signal(worker, Signal::STOP);
    stage.signal(master, Signal::TERM);
    stage.gone(master);
    let log = stage.log_of(master);
    assert!(log.contains(&format!("[alert] worker process {worker} exited on signal 9\n")), "{log}");
    assert_eq!(log.matches("signal 14 (SIGALRM) received\n").count(), 6, "{log}");
}

/// checks: G9 G10 G11
pub(super) fn workers_that_are_ended_behind_their_masters_back_come_back(stage: &Stage) {
    let master = stage.start(1);
    let first = stage.workers(master, 1)[0];
    let mut silent = stage.silent(&[first]);
    stage.signal(first, Signal::TERM);
    assert_eq!(rest(&mut silent), "", "it is cut");
    let another = |than: i32| {
        wait_for("another worker", || {
            let workers = stage.processes().into_iter().filter(|it| it.title == "nginx: worker process");
            workers.map(|it| it.pid).find(|pid| *pid != than)
        })
    };
    let second = another(first);
    stage.logged(&format!("worker process {first} exited with code 0\n"));
    stage.signal(second, Signal::WINCH);
    let third = another(second);
    stage.logged(&format!("worker process {second} exited with code 0\n"));
    assert!(stage.log_of(second).contains("[alert] aborting\n"), "{}", stage.log());
    stage.signal(third, Signal::QUIT);
    another(third);
    assert!(stage.log_of(third).contains("gracefully shutting down"), "{}", stage.log());
    assert_eq!(stage.pid_in("nginx.pid"), master);
}

/// checks: W1 W2 W4
pub(super) fn a_killed_worker_is_replaced_each_time(stage: &Stage) {
    let master = stage.start(1);
    for _ in 0..10 {
        let worker = stage.workers(master, 1)[0];
        stage.signal(worker, Signal::KILL);
        stage.logged(&format!("[alert] worker process {worker} exited on signal 9\n"));
        wait_for("the next", || (stage.workers(master, 1)[0] != worker).then_some(()));
    }
    let log = stage.log_of(master);
    assert_eq!(log.matches("] start worker processes\n").count(), 1, "{log}");
    assert_eq!(log.matches("] start worker process ").count(), 11, "{log}");
}

/// checks: G12 G13
pub(super) fn usr1_reopens_logs_for_the_workers_user(stage: &Stage) {
    stage.configure(Conf { workers: 2, main: "user nobody nogroup;", ..Conf::default() });
    let master = stage.start(2);
    let worker = stage.workers(master, 2)[0];
    fs::rename(stage.path("error.log"), stage.path("error.log.1")).unwrap();
    stage.signal(master, Signal::USR1);
    let reopened = || stage.text("error.log.1").matches("reopening logs\n").count();
    // The handler's line and the loop's, and one of each worker.
    wait_for("all to reopen", || (reopened() == 4).then_some(()));
    if nix::unistd::geteuid().is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid.as_raw();
        assert_eq!(fs::metadata(stage.path("error.log")).unwrap().uid(), nobody);
    }
    // Its brother still has the other end of its channel.
    stage.signal(worker, Signal::KILL);
    stage.logged("signal 29 (SIGIO) received");
}

/// checks: G14
pub(super) fn quit_beats_usr2_and_two_usr2_are_one(stage: &Stage) {
    let master = stage.start(1);
    stage.together(master, &[Signal::USR2, Signal::USR2]);
    let new = stage.new_binary();
    stage.workers(new, 1);
    stage.barrier(master);
    assert_eq!(stage.log_of(master).matches("start new binary process").count(), 1);
    stage.signal(new, Signal::TERM);
    stage.gone(new);
    stage.vanished("nginx.pid.oldbin");
    stage.together(master, &[Signal::USR2, Signal::QUIT]);
    stage.gone(master);
    assert_eq!(stage.log_of(master).matches("start new binary process").count(), 1);
    assert!(!stage.exists("nginx.pid") && !stage.exists("nginx.pid.oldbin"));
}

/// checks: R3 R7 R8
pub(super) fn winch_without_an_upgrade_is_remembered_by_the_next_one(stage: &Stage) {
    let master = stage.start(1);
    let held = stage.workers(master, 1)[0];
    let _silent = stage.silent(&[held]);
    stage.signal(master, Signal::WINCH);
    assert_eq!(stage.draining(master, 1), [held]);
    stage.signal(held, Signal::KILL);
    stage.logged(&format!("worker process {held} exited on signal 9"));
    stage.barrier(master);
    stage.workers(master, 0);
    wait_for("the drain", || (stage.processes().len() == 1).then_some(()));
    stage.signal(master, Signal::WINCH);
    let mut queued = stage.connect();
    queued.set_nodelay(true).unwrap();
    stage.barrier(master);
    assert!(waits(&queued));
    stage.signal(master, Signal::HUP);
    stage.workers(master, 1);
    assert!(ask(&mut queued).ends_with("one"));
    stage.put("exits");
    stage.signal(master, Signal::USR2);
    stage.logged("exited with code 3\n");
    stage.workers(master, 2);
}

/// checks: M3 M5
pub(super) fn hup_and_winch_together_drain_the_fresh_workers_at_the_next_signal(stage: &Stage) {
    let old = stage.start(1);
    let new = stage.upgrade(old, 1);
    stage.together(old, &[Signal::HUP, Signal::WINCH]);
    stage.workers(old, 2);
    assert!(stage.log_of(old).contains("(SIGWINCH)"));
    stage.signal(old, Signal::IO);
    stage.workers(old, 0);
    assert!(stage.lives(new));
}
