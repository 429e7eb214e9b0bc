//! D: workers that are told to quit.

use std::fs;
use std::io::{Read as _, Write as _};

use rustix::process::Signal;

use crate::stage::{Conf, Stage, ask, ask_and_keep, rest, wait_for, waits};

/// checks: D1 D2 D3 D4
pub(super) fn idle_connections_are_closed_and_silent_ones_served(stage: &Stage) {
    let master = stage.start(1);
    let worker = stage.workers(master, 1);
    let mut idle = stage.silent(&worker);
    let kept = ask_and_keep(&mut idle, "one");
    assert!(kept.contains("Connection: keep-alive\r\n"), "{kept}");
    let mut silent = stage.silent(&worker);
    let mut half = stage.silent(&worker);
    half.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
    stage.signal(master, Signal::QUIT);
    assert_eq!(stage.draining(master, 1), worker);
    assert_eq!(rest(&mut idle), "", "closed at once");
    assert!(stage.log_of(worker[0]).contains("] gracefully shutting down\n"));
    assert!(stage.listeners(worker[0]).is_empty());
    half.write_all(b"st: a\r\n\r\n").unwrap();
    silent.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let word = if stage.since(1, 21, 6) { "Connection: close\r\n" } else { "Connection: keep-alive\r\n" };
    for mut stream in [half, silent] {
        let answer = rest(&mut stream);
        assert!(answer.contains(word) && answer.ends_with("one"), "{answer}");
    }
    stage.gone(master);
}

/// checks: D3 D6
pub(super) fn a_silent_client_holds_a_worker_until_its_header_times_out(stage: &Stage) {
    stage.configure(Conf { server: "client_header_timeout 400ms;", ..Conf::default() });
    let master = stage.start(1);
    let worker = stage.workers(master, 1)[0];
    let mut silent = stage.silent(&[worker]);
    stage.signal(master, Signal::QUIT);
    // On a slow machine the time may have passed before the signal: no title is waited for.
    stage.logged("] gracefully shutting down\n");
    assert_eq!(rest(&mut silent), "");
    stage.gone(master);
    let log = stage.log_of(worker);
    assert!(log.ends_with("[notice] exiting\n[notice] exit\n"), "{log}");
}

/// checks: D3
pub(super) fn a_request_that_comes_late_is_not_answered(stage: &Stage) {
    let server = "client_header_timeout 1s; access_log FOLDER/access.log;";
    stage.configure(Conf { server, ..Conf::default() });
    let master = stage.start(1);
    let worker = stage.workers(master, 1);
    let mut silent = stage.silent(&worker);
    let mut half = stage.silent(&worker);
    half.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
    let mut kept = stage.silent(&worker);
    ask_and_keep(&mut kept, "one");
    kept.write_all(b"GET / HT").unwrap();
    for stream in [&mut silent, &mut half, &mut kept] {
        assert_eq!(rest(stream), "");
    }
    assert!(!stage.log_of(worker[0]).contains("[error]"), "a client's slowness is no error");
    // The fake has no access log; nginx's knows who has begun a request.
    if stage.subject.is_real {
        wait_for("the access log", || (stage.text("access.log").lines().count() == 3).then_some(()));
        assert_eq!(stage.text("access.log").matches("\" 408 0 \"").count(), 2);
    }
}

/// checks: D9
pub(super) fn a_lingering_connection_keeps_a_worker(stage: &Stage) {
    let server = "lingering_close always; lingering_timeout 20s; keepalive_timeout 0;";
    stage.configure(Conf { server, ..Conf::default() });
    let master = stage.start(1);
    let worker = stage.workers(master, 1);
    let mut stream = stage.connect();
    // The end of what it says, and not of what it hears.
    assert!(ask(&mut stream).ends_with("one"));
    stage.signal(master, Signal::QUIT);
    assert_eq!(stage.draining(master, 1), worker);
    stream.write_all(b"more").unwrap();
    drop(stream);
    stage.gone(master);
}

/// checks: D7
pub(super) fn worker_shutdown_timeout_cuts_what_is_left(stage: &Stage) {
    let location = format!("limit_rate 500; return 200 \"{}\";", "x".repeat(3000));
    let main = "worker_shutdown_timeout 300ms;";
    stage.configure(Conf { main, location: &location, ..Conf::default() });
    let master = stage.start(1);
    let mut stream = stage.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 100]).unwrap();
    stage.signal(master, Signal::QUIT);
    assert!(rest(&mut stream).len() < 3000);
    stage.gone(master);
    stage.logged("exited with code 0\n");
}

/// checks: D8
pub(super) fn keepalive_min_timeout_keeps_a_connection_from_being_idle(stage: &Stage) {
    if !stage.since(1, 27, 4) {
        stage.configure(Conf { server: "keepalive_min_timeout 30s;", ..Conf::default() });
        let ended = stage.nginx(&["-t"]);
        assert!(ended.err.contains("unknown directive \"keepalive_min_timeout\""), "{ended:?}");
        return;
    }
    stage.configure(Conf { server: "keepalive_min_timeout 30s;", ..Conf::default() });
    let master = stage.start(1);
    let mut kept = stage.silent(&stage.workers(master, 1));
    ask_and_keep(&mut kept, "one");
    stage.signal(master, Signal::QUIT);
    stage.draining(master, 1);
    let answer = ask(&mut kept);
    assert!(answer.contains("Connection: close\r\n") && answer.ends_with("one"), "{answer}");
    stage.gone(master);
}

/// checks: D10 R8
pub(super) fn the_last_holder_of_a_socket_resets_what_is_queued(stage: &Stage) {
    let old = stage.start(1);
    let new = stage.upgrade(old, 1);
    for master in [old, new] {
        stage.signal(master, Signal::WINCH);
        stage.workers(master, 0);
    }
    let mut queued = stage.connect();
    stage.signal(new, Signal::QUIT);
    // The old master starts workers again, and they find it.
    assert!(ask(&mut queued).ends_with("one"));
    stage.signal(old, Signal::WINCH);
    stage.workers(old, 0);
    wait_for("the drain", || (stage.processes().len() == 1).then_some(()));
    let mut queued = stage.connect();
    stage.barrier(old);
    assert!(waits(&queued));
    stage.signal(old, Signal::QUIT);
    let error = queued.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// checks: D11 D12
pub(super) fn reuseport_gives_each_worker_a_socket(stage: &Stage) {
    stage.configure(Conf { workers: 2, ..Conf::default() });
    let text = stage.text("nginx.conf").replace(":8099;", ":8099 reuseport;");
    stage.write("nginx.conf", &text);
    let old = stage.start(2);
    let sockets = stage.listeners(old);
    assert_eq!(sockets.len(), 2);
    let crashed = stage.workers(old, 2)[0];
    stage.signal(crashed, Signal::KILL);
    stage.logged(&format!("worker process {crashed} exited on signal 9"));
    stage.workers(old, 2);
    assert_eq!(stage.listeners(old), sockets, "it waited in the master");

    stage.write("nginx.conf", &text.replace("worker_processes 2", "worker_processes 1"));
    let new = stage.upgrade(old, 1);
    assert_eq!(stage.listeners(new).len(), 1);
    assert!(sockets.contains(&stage.listeners(new)[0]));
    stage.signal(old, Signal::WINCH);
    stage.workers(old, 0);
    let clients: Vec<_> = (0..40).map(|_| stage.connect()).collect();
    for mut client in &clients {
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    }
    // Those who found the worker are answered in turn; the others are stranded until the old master ends.
    stage.signal(old, Signal::QUIT);
    stage.gone(old);
    let (mut served, mut reset) = (0, 0);
    for mut client in clients {
        let mut answer = Vec::new();
        match client.read_to_end(&mut answer) {
            Ok(_) => served += 1,
            Err(_) => reset += 1,
        }
    }
    assert!(served > 0 && reset > 0, "{served} served, {reset} reset");
}

/// checks: D13
pub(super) fn a_shared_socket_wakes_one_worker(stage: &Stage) {
    stage.configure(Conf { workers: 2, ..Conf::default() });
    let master = stage.start(2);
    let workers = stage.workers(master, 2);
    for worker in &workers {
        // EPOLLEXCLUSIVE
        wait_for("an exclusive wait", || {
            let infos = fs::read_dir(format!("/proc/{worker}/fdinfo")).unwrap().flatten();
            let lines: String = infos.filter_map(|info| fs::read_to_string(info.path()).ok()).collect();
            let events =
                lines.lines().filter_map(|line| line.split_once("events:")?.1.split_whitespace().next());
            let mut events = events.filter_map(|text| u32::from_str_radix(text, 16).ok());
            events.any(|events| events & (1 << 28) != 0).then_some(())
        });
    }
    let wake_ups = || -> u64 { workers.iter().map(|&worker| wake_ups(worker)).sum() };
    let before = wake_ups();
    // They stay open: their ends would wake workers too.
    let clients: Vec<_> = (0..CLIENTS).map(|_| stage.silent(&workers)).collect();
    let woken = wake_ups() - before;
    // If both woke for each client, it would be twice as many as there are clients.
    assert!(woken * 2 < CLIENTS * 3, "{woken} for {} clients", clients.len());
}

const CLIENTS: u64 = 30;

/// How often the process has gone to sleep.
fn wake_ups(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status
        .split_once("\nvoluntary_ctxt_switches:")
        .unwrap()
        .1
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}
