//! U, R: two masters.

use std::fs;
use std::process::Stdio;

use rustix::process::Signal;

use crate::stage::{Conf, QUIC, Stage, ask, wait_for, waits};

/// checks: U1 U9 U15 U21 U24
pub(super) fn an_upgrade_hands_over_the_sockets_and_can_be_repeated(stage: &Stage) {
    let old = stage.start(1);
    let (worker, sockets) = (stage.workers(old, 1)[0], stage.listeners(old));
    stage.configure(Conf { location: "return 200 two;", ..Conf::default() });
    let new = stage.upgrade(old, 1);
    let of_new = stage.workers(new, 1)[0];
    for pid in [old, worker, new, of_new] {
        assert_eq!(stage.listeners(pid), sockets, "one socket for both generations");
    }
    let log = stage.log_of(old);
    assert!(log.contains(&format!("] changing binary\n[notice] start new binary process {new}\n")), "{log}");
    stage.signal(old, Signal::QUIT);
    stage.gone(old);
    assert!(!stage.exists("nginx.pid.oldbin"));
    assert_eq!((stage.pid_in("nginx.pid"), stage.workers(new, 1)), (new, vec![of_new]));
    assert!(stage.get().ends_with("two"));
    let third = stage.upgrade(new, 1);
    assert_eq!(stage.pid_in("nginx.pid.oldbin"), new);
    assert_eq!(stage.listeners(third), sockets);
}

/// checks: U2 U3
pub(super) fn a_start_through_path_cannot_be_upgraded(stage: &Stage) {
    use std::os::unix::process::CommandExt as _;
    let mut command = stage.command(&[]);
    assert_eq!(command.arg0("nginx").output().unwrap().status.code(), Some(0));
    let old = stage.pid_in("nginx.pid");
    stage.workers(old, 1);
    stage.signal(old, Signal::USR2);
    stage.logged(
        "[alert] execve() failed while executing new binary process \"nginx\" (2: No such file or directory)\n",
    );
    let new = stage.new_binary();
    stage.logged(&format!("[notice] new binary process {new} exited with code 1\n"));
    stage.vanished("nginx.pid.oldbin");
    assert_eq!(stage.pid_in("nginx.pid"), old);
    // Clean: USR2 is taken again.
    stage.signal(old, Signal::USR2);
    stage.logged_times("start new binary process ", 2);
}

/// checks: U4 U5 U6 U7 M1
pub(super) fn a_new_binary_gets_sockets_a_mask_and_hardly_an_environment(stage: &Stage) {
    stage.configure(Conf {
        main: "env KEPT; env SET=1;",
        server: "listen unix:FOLDER/web;",
        ..Conf::default()
    });
    let mut command = stage.command(&[]);
    command.env("KEPT", "yes").env("TZ", "UTC").env("PATH", "/bin");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    let old = stage.pid_in("nginx.pid");
    stage.workers(old, 1);
    stage.put("tells");
    stage.signal(old, Signal::USR2);
    stage.logged("exited with code 4\n");
    let text = stage.text("nginx.environ");
    let mut names: Vec<_> = text.split('\0').filter(|text| !text.is_empty()).collect();
    // Builds with QUIC have a variable more, which is empty here.
    assert_eq!(names.contains(&"NGINX_BPF_MAPS="), stage.subject.version() >= QUIC, "{text}");
    names.retain(|text| !text.starts_with("SPARE=") && *text != "NGINX_BPF_MAPS=");
    names.sort_unstable();
    assert_eq!(names.len(), 4, "{text}");
    assert_eq!((names[0], names[2], names[3]), ("KEPT=yes", "SET=1", "TZ=UTC"));
    let numbers: Vec<_> = names[1].strip_prefix("NGINX=").unwrap().split_terminator(';').collect();
    assert_eq!(numbers.len(), 2, "{}", names[1]);
    assert!(names[1].ends_with(';'));

    let status = stage.text("nginx.status");
    let mask = status.split_once("SigBlk:").unwrap().1.trim_start().lines().next().unwrap();
    // HUP INT QUIT USR1 USR2 ALRM TERM CHLD WINCH IO
    let expected = [1, 2, 3, 10, 12, 14, 15, 17, 28, 29].iter().fold(0_u64, |mask, n| mask | (1 << (n - 1)));
    assert_eq!(u64::from_str_radix(mask, 16).unwrap(), expected);
    let stat = stage.text("nginx.stat");
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let old = old.to_string();
    assert_eq!(fields[1..4], [old.as_str(), old.as_str(), old.as_str()], "parent, group, session");
    let fds = stage.text("nginx.fd");
    assert_eq!(fds.matches("socket:[").count(), 2, "{fds}");
    assert_eq!(fds.matches("error.log").count(), 1, "as standard error only: {fds}");
}

/// checks: U8 U5
pub(super) fn what_is_wrong_in_nginx_s_variable_is_told_and_survived(stage: &Stage) {
    let log = stage.path("built-in.log");
    // Before 1.19.5 nobody can say where the built-in log is.
    let options = ["-e", log.to_str().unwrap()];
    let options: &[&str] = if stage.since(1, 19, 5) { &options } else { &[] };
    // There it is standard error, as it cannot be opened, unless this machine has an nginx of its own.
    let is_told = stage.since(1, 19, 5) || !stage.subject.is_real || !fs::exists("/var/log/nginx").unwrap();
    let said = if stage.since(1, 19, 5) { Stdio::null() } else { fs::File::create(&log).unwrap().into() };
    let mut child = stage.command(options).env("NGINX", "99;7").stderr(said).spawn().unwrap();
    let master = stage.pid_in("nginx.pid");
    assert_eq!(master, child.id().cast_signed(), "it is no daemon");
    stage.workers(master, 1);
    let log = stage.text("built-in.log");
    for text in [
        "[notice]",
        "using inherited sockets from \"99;7\"",
        "invalid socket number \"7\" in NGINX environment variable, ignoring",
        "getsockname() of the inherited socket #99 failed (9: Bad file descriptor)",
    ] {
        assert!(log.contains(text) || !is_told, "{text}: {log}");
    }
    stage.signal(master, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// checks: S8
pub(super) fn a_new_master_has_its_command_line_until_it_spawns(stage: &Stage) {
    let old = stage.start(1);
    stage.configure(Conf { server: "listen unix:FOLDER/web;", ..Conf::default() });
    drop(std::os::unix::net::UnixListener::bind(stage.path("web")).unwrap());
    stage.signal(old, Signal::USR2);
    let new = stage.new_binary();
    stage.logged("try again to bind() after 500ms\n");
    let command_line = stage.title(new).replace('\0', " ");
    assert_eq!(stage.title(old), format!("nginx: master process {command_line}"));
    stage.remove("web");
    stage.workers(new, 1);
    assert_eq!(stage.title(new), stage.title(old));
}

/// checks: U10
pub(super) fn a_socket_that_is_not_configured_any_more_is_closed_and_its_path_deleted(stage: &Stage) {
    stage.configure(Conf { server: "listen unix:FOLDER/web;", ..Conf::default() });
    let old = stage.start(1);
    stage.configure(Conf { server: "listen unix:FOLDER/other;", ..Conf::default() });
    stage.upgrade(old, 1);
    assert!(!stage.exists("web") && stage.exists("other"));
    let path = stage.path("web").display().to_string();
    stage.logged(&format!("[warn] deleting socket {path}\n"));
}

/// checks: U11 U12 U26 R1 R2
pub(super) fn while_the_new_binary_starts_signals_wait_and_hup_doubles_workers(stage: &Stage) {
    let old = stage.start(1);
    stage.put_held();
    stage.signal(old, Signal::USR2);
    let new = stage.new_binary();
    wait_for("the script", || stage.lives(new).then_some(()));
    assert!(!stage.exists("nginx.pid") && stage.exists("nginx.pid.oldbin"));
    stage.write("nginx.conf.good", &stage.text("nginx.conf"));
    stage.write("nginx.conf", "bogus;\n");
    stage.signal(old, Signal::HUP);
    stage.workers(old, 2);
    stage.signal(old, Signal::HUP);
    stage.workers(old, 3);
    let log = stage.log_of(old);
    assert!(log.contains(", reconfiguring\n") && !log.contains("] reconfiguring\n"), "{log}");
    stage.write("nginx.conf", &stage.text("nginx.conf.good"));
    stage.signal(new, Signal::TERM);
    stage.release();
    stage.gone(new);
    stage.vanished("nginx.pid.oldbin");
    let log = stage.log_of(new);
    let place = |what: &str| log.find(what).unwrap_or_else(|| panic!("{what}: {log}"));
    assert!(place("] start worker process ") < place("signal 15 (SIGTERM)"), "{log}");
    stage.signal(old, Signal::HUP);
    stage.workers(old, 1);
}

/// checks: U19 G7 S8 U25
pub(super) fn quit_to_the_old_master_does_not_wait_for_the_new_one(stage: &Stage) {
    let old = stage.start(1);
    stage.put_held();
    stage.signal(old, Signal::USR2);
    let new = stage.new_binary();
    wait_for("the script", || stage.lives(new).then_some(()));
    stage.signal(old, Signal::QUIT);
    stage.gone(old);
    assert!(!stage.exists("nginx.pid") && !stage.exists("nginx.pid.oldbin"));
    let mut queued = stage.connect();
    assert!(waits(&queued));
    stage.put(&stage.own());
    stage.release();
    assert!(ask(&mut queued).ends_with("one"));
    assert_eq!(stage.pid_in("nginx.pid"), new);
    assert!(stage.title(new).starts_with("nginx: master process "), "{}", stage.title(new));
    // Its parent was dead when it began: it refuses for ever.
    stage.signal(new, Signal::USR2);
    stage.logged("[crit] the changing binary signal is ignored: ");
    // All its workers gone, the pid file looks as before.
    stage.signal(new, Signal::WINCH);
    stage.workers(new, 0);
    assert_eq!(stage.pid_in("nginx.pid"), new);
}

/// checks: U13 U14 R5 M2
pub(super) fn the_end_of_the_new_binary_brings_the_old_one_back(stage: &Stage) {
    let old = stage.start(1);
    let new = stage.upgrade(old, 1);
    stage.signal(new, Signal::TERM);
    stage.gone(new);
    stage.vanished("nginx.pid.oldbin");
    assert_eq!((stage.pid_in("nginx.pid"), stage.workers(old, 1).len()), (old, 1));

    stage.signal(old, Signal::USR2);
    stage.logged_times("start new binary process ", 2);
    let new = wait_for("the new pid", || Some(stage.pid_in("nginx.pid")).filter(|pid| *pid != old));
    let orphan = stage.workers(new, 1)[0];
    stage.signal(old, Signal::WINCH);
    stage.workers(old, 0);
    stage.signal(new, Signal::KILL);
    stage.logged(&format!("[alert] new binary process {new} exited on signal 9\n"));
    stage.workers(old, 1);
    assert_eq!(stage.pid_in("nginx.pid"), old);
    assert!(stage.lives(orphan) && !stage.exists("nginx.pid.oldbin"));
    stage.signal(orphan, Signal::QUIT);
    stage.gone(orphan);

    stage.put("exits");
    stage.signal(old, Signal::USR2);
    stage.logged("[notice] new binary process");
    stage.logged("exited with code 3\n");
    stage.vanished("nginx.pid.oldbin");
    assert_eq!(
        (stage.pid_in("nginx.pid"), stage.workers(old, 1).len()),
        (old, 1),
        "nobody asked for workers"
    );
}

/// checks: U16 G5
pub(super) fn a_killed_old_master_leaves_its_oldbin_file_and_workers(stage: &Stage) {
    let old = stage.start(1);
    let orphan = stage.workers(old, 1)[0];
    let new = stage.upgrade(old, 1);
    stage.signal(old, Signal::USR2);
    stage.logged("[crit] the changing binary signal is ignored: ");
    stage.signal(old, Signal::KILL);
    stage.gone(old);
    assert_eq!(stage.pid_in("nginx.pid.oldbin"), old);
    assert!(stage.title(orphan) == "nginx: worker process" && !stage.listeners(orphan).is_empty());
    stage.signal(new, Signal::USR2);
    wait_for("the next oldbin file", || (stage.pid_in("nginx.pid.oldbin") == new).then_some(()));
    let third = stage.pid_in("nginx.pid");
    stage.workers(third, 1);
}

/// checks: U17 U18
pub(super) fn while_the_old_master_drains_there_is_no_way_back(stage: &Stage) {
    let old = stage.start(1);
    let mut silent = stage.silent(&stage.workers(old, 1));
    let new = stage.upgrade(old, 1);
    stage.signal(old, Signal::QUIT);
    stage.draining(old, 1);
    stage.signal(new, Signal::USR2);
    stage.logged("[crit] the changing binary signal is ignored: ");
    let first = stage.workers(new, 1)[0];
    stage.signal(new, Signal::HUP);
    stage.gone(first);
    stage.workers(new, 1);
    assert!(stage.exists("nginx.pid.oldbin"));
    stage.signal(new, Signal::TERM);
    stage.gone(new);
    stage.vanished("nginx.pid.oldbin");
    assert_eq!(stage.pid_in("nginx.pid"), old);
    assert!(stage.try_connect().is_err(), "nobody listens");
    assert!(ask(&mut silent).ends_with("one"));
    stage.gone(old);
    assert!(stage.processes().is_empty());
}

/// checks: U20 X1
pub(super) fn usr2_without_a_pid_file_poisons_the_master(stage: &Stage) {
    let master = stage.start(1);
    stage.remove("nginx.pid");
    stage.signal(master, Signal::USR2);
    let path = stage.path("nginx.pid").display().to_string();
    stage.logged(&format!(
        "[alert] rename() {path} to {path}.oldbin failed before executing new binary process \""
    ));
    stage.write("nginx.pid", &format!("{master}\n"));
    stage.signal(master, Signal::HUP);
    stage.workers(master, 2);
    stage.signal(master, Signal::TERM);
    stage.gone(master);
    assert!(stage.exists("nginx.pid"));
    stage.logged(&format!("[alert] unlink() \"{path}.oldbin\" failed (2: No such file or directory)\n"));
}

/// checks: U22
pub(super) fn another_pid_directive_is_for_the_new_master(stage: &Stage) {
    let old = stage.start(1);
    stage.configure(Conf { pid: "other.pid", ..Conf::default() });
    stage.signal(old, Signal::USR2);
    let new = stage.pid_in("other.pid");
    stage.workers(new, 1);
    assert_eq!(stage.pid_in("nginx.pid.oldbin"), old);
    assert!(!stage.exists("nginx.pid"));
    stage.signal(new, Signal::QUIT);
    stage.gone(new);
    stage.vanished("nginx.pid.oldbin");
    assert_eq!(stage.pid_in("nginx.pid"), old);
    assert!(!stage.exists("other.pid"));
}

/// checks: R4 G4
pub(super) fn an_old_master_that_forgot_that_it_lives_orphans_its_workers(stage: &Stage) {
    let old = stage.start(1);
    let new = stage.upgrade(old, 1);
    stage.signal(old, Signal::WINCH);
    stage.workers(old, 0);
    stage.barrier(old);
    stage.signal(old, Signal::HUP);
    let fresh = stage.workers(old, 1)[0];
    stage.signal(old, Signal::QUIT);
    stage.gone(old);
    assert!(stage.lives(fresh) && !stage.listeners(fresh).is_empty());
    assert!(!stage.log_of(fresh).contains("shutting down"), "{}", stage.log());
    assert!(stage.lives(new));
}

/// checks: R5 R6
pub(super) fn quit_to_the_new_master_first_leaves_a_gap(stage: &Stage) {
    let old = stage.start(1);
    let new = stage.upgrade(old, 1);
    stage.signal(old, Signal::WINCH);
    stage.workers(old, 0);
    let mut silent = stage.silent(&stage.workers(new, 1));
    stage.signal(new, Signal::QUIT);
    stage.draining(new, 1);
    let mut queued = stage.connect();
    stage.barrier(old);
    assert!(waits(&queued), "nobody accepts");
    stage.workers(old, 0);
    assert!(ask(&mut silent).ends_with("one"));
    assert!(ask(&mut queued).ends_with("one"));
    stage.workers(old, 1);
}

/// checks: R9 R10 R2
pub(super) fn both_masters_look_after_their_own_workers(stage: &Stage) {
    let old = stage.start(1);
    let program = fs::read_link(format!("/proc/{old}/exe")).unwrap();
    stage.configure(Conf { location: "return 200 two;", ..Conf::default() });
    let new = stage.upgrade(old, 1);
    stage.signal(new, Signal::WINCH);
    stage.workers(new, 0);
    assert!(stage.get().ends_with("one"), "only the old ones accept");
    let worker = stage.workers(old, 1)[0];
    stage.signal(worker, Signal::KILL);
    stage.gone(worker);
    let next = stage.workers(old, 1)[0];
    assert_eq!(fs::read_link(format!("/proc/{next}/exe")).unwrap(), program);
    assert!(stage.get().ends_with("one"), "with the old configuration");
    stage.signal(new, Signal::HUP);
    stage.workers(new, 1);
    // HUP does not ask whether there are workers, and WINCH ends them all.
    stage.signal(old, Signal::HUP);
    stage.workers(old, 2);
    stage.signal(old, Signal::WINCH);
    stage.workers(old, 0);
    assert!(stage.get().ends_with("two"));
}
