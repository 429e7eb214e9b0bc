//! One master: start, serve, drain, reload, stop.

use std::fs;
use std::io::{Read as _, Write as _};

use rustix::process::Signal;

use crate::stage::{Stage, release, wait_for};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_daemon_starts_serves_and_quits", a_daemon_starts_serves_and_quits),
    ("the_version_is_the_stamps", the_version_is_the_stamps),
    (
        "a_test_of_the_configuration_tells_by_its_exit_status",
        a_test_of_the_configuration_tells_by_its_exit_status,
    ),
    ("a_signal_to_nobody_is_an_error", a_signal_to_nobody_is_an_error),
    ("hup_serves_the_new_configuration_with_new_workers", hup_serves_the_new_configuration_with_new_workers),
    ("hup_with_a_broken_file_changes_nothing", hup_with_a_broken_file_changes_nothing),
    ("a_killed_worker_is_started_again", a_killed_worker_is_started_again),
    (
        "a_stopped_worker_is_killed_when_term_has_escalated",
        a_stopped_worker_is_killed_when_term_has_escalated,
    ),
    ("a_slow_response_is_finished_by_a_draining_worker", a_slow_response_is_finished_by_a_draining_worker),
    (
        "a_draining_worker_takes_no_connection_from_the_others",
        a_draining_worker_takes_no_connection_from_the_others,
    ),
    ("worker_shutdown_timeout_cuts_a_response_short", worker_shutdown_timeout_cuts_a_response_short),
    ("an_idle_connection_is_closed_when_a_drain_begins", an_idle_connection_is_closed_when_a_drain_begins),
    (
        "what_is_wrong_with_the_whole_is_told_behind_the_syntax",
        what_is_wrong_with_the_whole_is_told_behind_the_syntax,
    ),
    ("a_worker_without_its_working_directory_is_not_started_again", a_worker_without_its_working_directory),
    (
        "a_connection_answered_within_keepalive_min_timeout_is_not_idle",
        a_connection_answered_within_keepalive_min_timeout_is_not_idle,
    ),
    ("pipelined_requests_are_answered_in_their_order", pipelined_requests_are_answered_in_their_order),
    ("usr1_moves_all_logs_to_the_new_file", usr1_moves_all_logs_to_the_new_file),
    ("a_second_nginx_gives_up_after_five_binds", a_second_nginx_gives_up_after_five_binds),
    ("titles_are_nginxs", titles_are_nginxs),
];

/// checks: X1 G3
fn a_daemon_starts_serves_and_quits() {
    let stage = Stage::new(&release("1.22.1"));
    let master = stage.start();

    assert!(stage.get().starts_with("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n"));
    assert!(stage.nginx(&["-s", "quit"]).status.success());
    stage.gone(master);

    assert!(!stage.path("nginx.pid").exists());
    assert!(stage.processes().is_empty());
    let log = stage.log_of(master);
    assert!(log.starts_with("[notice] start worker processes\n[notice] start worker process "), "{log}");
    assert!(log.contains(", shutting down\n"), "{log}");
    assert!(log.ends_with("[notice] exit\n"), "{log}");
}

fn the_version_is_the_stamps() {
    let output = Stage::new(&release("1.26.3")).nginx(&["-v"]);

    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(output.stderr, b"nginx version: nginx/1.26.3\n");
}

/// checks: C4 C7
fn a_test_of_the_configuration_tells_by_its_exit_status() {
    let stage = Stage::new(&release("1.22.1"));
    let path = stage.path("nginx.conf").display().to_string();

    let sound = stage.nginx(&["-t"]);
    fs::write(stage.path("nginx.conf"), "bogus;\n").unwrap();
    let broken = stage.nginx(&["-t"]);

    assert_eq!(sound.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&sound.stderr),
        format!(
            "nginx: the configuration file {path} syntax is ok\nnginx: configuration file {path} test is successful\n"
        )
    );
    assert_eq!(broken.status.code(), Some(1));
    let said = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert!(said.starts_with("nginx: [emerg] unknown directive \"bogus\" in "), "{said}");
    assert!(said.ends_with(&format!("nginx: configuration file {path} test failed\n")), "{said}");
    assert_eq!(fs::read(stage.path("nginx.pid")).unwrap(), b"", "the test leaves an empty pid file");
}

/// checks: C11
fn a_signal_to_nobody_is_an_error() {
    let stage = Stage::new(&release("1.22.1"));

    let nobody = stage.nginx(&["-s", "reload"]);
    fs::write(stage.path("nginx.pid"), "").unwrap();
    let empty = stage.nginx(&["-s", "reload"]);

    let path = stage.path("nginx.pid").display().to_string();
    assert_eq!((nobody.status.code(), empty.status.code()), (Some(1), Some(1)));
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    let end = format!("nginx: [error] open() \"{path}\" failed (2: No such file or directory)\n");
    assert!(said.ends_with(&end), "{said}");
    let said = String::from_utf8_lossy(&empty.stderr).into_owned();
    assert!(said.ends_with(&format!("nginx: [error] invalid PID number \"\" in \"{path}\"\n")), "{said}");
}

/// checks: L2
fn hup_serves_the_new_configuration_with_new_workers() {
    let stage = Stage::new(&release("1.22.1"));
    let master = stage.start();
    let old = stage.workers_of(master, 2);
    stage.configure("", "return 200 \"two\";");

    stage.signal(master, Signal::HUP);
    old.iter().for_each(|&worker| stage.gone(worker));

    assert!(stage.get().ends_with("two"));
    assert_eq!(stage.workers_of(master, 2).len(), 2);
    assert!(stage.log_of(old[0]).contains("gracefully shutting down"), "{}", stage.log());
}

/// checks: L1
fn hup_with_a_broken_file_changes_nothing() {
    let stage = Stage::new(&release("1.22.1"));
    let master = stage.start();
    let old = stage.workers_of(master, 2);
    fs::write(stage.path("nginx.conf"), "bogus;\n").unwrap();

    stage.signal(master, Signal::HUP);
    stage.logged("[emerg] unknown directive \"bogus\"");

    assert!(stage.get().ends_with("one"));
    assert_eq!(stage.workers_of(master, 2), old);
}

/// checks: W1 W2
fn a_killed_worker_is_started_again() {
    let stage = Stage::new(&release("1.22.1"));
    let master = stage.start();
    let worker = stage.workers_of(master, 2)[0];

    stage.signal(worker, Signal::KILL);
    stage.logged(&format!("[alert] worker process {worker} exited on signal 9"));

    assert!(!stage.workers_of(master, 2).contains(&worker));
}

/// checks: G2
fn a_stopped_worker_is_killed_when_term_has_escalated() {
    let stage = Stage::new(&release("1.22.1"));
    let master = stage.start();
    let worker = stage.workers_of(master, 2)[0];
    stage.signal(worker, Signal::STOP);

    stage.signal(master, Signal::TERM);
    stage.gone(master);

    let log = stage.log_of(master);
    assert!(log.contains(&format!("[alert] worker process {worker} exited on signal 9")), "{log}");
    assert_eq!(log.matches("signal 14 (SIGALRM) received\n").count(), 6, "{log}");
}

/// A request whose answer takes two seconds and more, of which the first part has come.
fn slow_request(stage: &Stage) -> std::os::unix::net::UnixStream {
    let mut stream = stage.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut first = [0; 100];
    stream.read_exact(&mut first).unwrap();
    stream
}

fn slow_location() -> String {
    format!("limit_rate 500; return 200 \"{}\";", "x".repeat(1000))
}

fn a_slow_response_is_finished_by_a_draining_worker() {
    let stage = Stage::new(&release("1.22.1"));
    stage.configure("", &slow_location());
    let master = stage.start();
    let mut stream = slow_request(&stage);

    stage.signal(master, Signal::QUIT);
    stage.logged("gracefully shutting down");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    stage.gone(master);

    assert!(rest.ends_with(&[b'x'; 900]), "{}", rest.len());
}

/// Each connection waits for its answer, so nobody else's connection wakes a worker for it.
fn a_draining_worker_takes_no_connection_from_the_others() {
    let stage = Stage::new(&release("1.22.1"));
    stage.configure("", &slow_location());
    let master = stage.start();
    let mut stream = slow_request(&stage);

    stage.configure("", "return 200 ok;");
    stage.signal(master, Signal::HUP);
    let drains = || stage.log().matches("] gracefully shutting down\n").count();
    wait_for("both old workers to drain", || (drains() == 2).then_some(()));
    for _ in 0..8 {
        assert!(stage.get().ends_with("ok"));
    }
    stream.read_to_end(&mut Vec::new()).unwrap();
}

/// checks: D7
fn worker_shutdown_timeout_cuts_a_response_short() {
    let stage = Stage::new(&release("1.22.1"));
    stage.configure("worker_shutdown_timeout 200ms;", &slow_location());
    let master = stage.start();
    let mut stream = slow_request(&stage);

    stage.signal(master, Signal::QUIT);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    stage.gone(master);

    assert!(rest.len() < 1000, "{}", rest.len());
    assert_eq!(stage.log().matches("exited with code 0").count(), 2);
}

/// checks: D2 D3
fn an_idle_connection_is_closed_when_a_drain_begins() {
    let stage = Stage::new(&release("1.22.1"));
    let master = stage.start();
    let mut idle = stage.connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut head = [0; 15];
    idle.read_exact(&mut head).unwrap();
    let workers = stage.workers_of(master, 2);
    let before = stage.descriptors_of(&workers);
    let mut silent = stage.connect();
    wait_for("the accept", || (stage.descriptors_of(&workers) > before).then_some(()));

    stage.signal(master, Signal::QUIT);
    let mut rest = String::new();
    idle.read_to_string(&mut rest).unwrap();
    wait_for("both workers", || (stage.log().matches("gracefully shutting down").count() == 2).then_some(()));

    assert!(rest.ends_with("one"), "{rest}");
    // A connection that has said nothing yet is not idle: it is served.
    silent.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = String::new();
    silent.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("Connection: close") && answer.ends_with("one"), "{answer}");
    stage.gone(master);
}

fn what_is_wrong_with_the_whole_is_told_behind_the_syntax() {
    let stage = Stage::new(&release("1.26.3"));
    fs::write(stage.path("nginx.conf"), "worker_processes 1;\n").unwrap();
    let output = stage.command(&["-t"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);

    let place = |what: &str| said.find(what).unwrap_or_else(|| panic!("{what}: {said}"));
    let syntax = place("syntax is ok");
    let whole = place("[emerg]");
    assert!(syntax < whole && whole < place("test failed"), "{said}");
    assert!(said.contains("no \"events\" section in configuration"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// checks: W3
fn a_worker_without_its_working_directory() {
    let stage = Stage::new(&release("1.26.3"));
    stage.configure("working_directory /nonexistent;", "return 200 \"one\";");
    assert!(stage.nginx(&[]).status.success());
    wait_for("both workers", || (stage.log().matches("cannot be respawned").count() == 2).then_some(()));
    let log = stage.log();
    assert!(log.contains("chdir(\"/nonexistent\") failed (2: No such file or directory)"), "{log}");
    assert!(log.contains("exited with fatal code 2 and cannot be respawned"), "{log}");
    let master = stage.master("nginx.pid");
    stage.signal(master, Signal::QUIT);
    stage.gone(master);
}

/// checks: D8
fn a_connection_answered_within_keepalive_min_timeout_is_not_idle() {
    let stage = Stage::new(&release("1.27.4"));
    stage.configure("", "keepalive_min_timeout 30s; return 200 \"one\";");
    let master = stage.start();
    let mut kept = stage.connect();
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut head = [0; 15];
    kept.read_exact(&mut head).unwrap();

    stage.signal(master, Signal::QUIT);
    wait_for("both workers", || (stage.log().matches("gracefully shutting down").count() == 2).then_some(()));
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut rest = String::new();
    kept.read_to_string(&mut rest).unwrap();

    assert!(rest.contains("Connection: close") && rest.ends_with("one"), "{rest}");
    stage.gone(master);
}

fn pipelined_requests_are_answered_in_their_order() {
    let stage = Stage::new(&release("1.22.1"));
    stage.start();
    let mut stream = stage.connect();

    stream
        .write_all(
            b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
        .unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();

    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert_eq!(answers.matches("Connection: keep-alive").count(), 1, "{answers}");
    assert!(answers.ends_with("one"), "{answers}");
}

/// checks: G12
fn usr1_moves_all_logs_to_the_new_file() {
    let stage = Stage::new(&release("1.22.1"));
    let master = stage.start();
    fs::rename(stage.path("error.log"), stage.path("error.log.1")).unwrap();

    stage.signal(master, Signal::USR1);
    let moved = wait_for("three reopened logs", || {
        let moved = fs::read_to_string(stage.path("error.log.1")).unwrap();
        (moved.matches("] ").count() > 0 && moved.matches("reopening logs\n").count() == 4).then_some(moved)
    });
    stage.signal(master, Signal::QUIT);
    stage.gone(master);

    assert!(moved.contains("(SIGUSR1)"));
    assert!(stage.log().ends_with("[notice] exit\n"), "{}", stage.log());
}

/// checks: S7
fn a_second_nginx_gives_up_after_five_binds() {
    let stage = Stage::new(&release("1.22.1"));
    stage.start();

    let output = stage.nginx(&[]);

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let socket = stage.path("web").display().to_string();
    let line = format!("nginx: [emerg] bind() to unix:{socket} failed (98: Address already in use)\n");
    assert_eq!(said, format!("{}nginx: [emerg] still could not bind()\n", line.repeat(5)));
}

/// checks: S8
fn titles_are_nginxs() {
    let stage = Stage::new(&release("1.22.1"));
    let master = stage.start();

    let mut titles: Vec<_> =
        stage.processes().into_iter().map(|process| (process.pid, process.title)).collect();
    titles.sort();

    let (program, folder) = (stage.path("nginx"), stage.path(""));
    let folder = folder.display().to_string();
    let expected = format!(
        "nginx: master process {} -p {} -c nginx.conf",
        program.display(),
        folder.trim_end_matches('/')
    );
    assert!(titles.contains(&(master, expected)), "{titles:?}");
    assert_eq!(titles.iter().filter(|(_, title)| title == "nginx: worker process").count(), 2);
}
