//! N: unix paths, IPv6 and UDP.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::net::UnixStream;

use rustix::process::Signal;

use crate::stage::{Conf, Stage, datagram, rest, wait_for};

fn with_path(stage: &Stage) {
    stage.configure(Conf { server: "listen unix:FOLDER/web;", ..Conf::default() });
}

/// checks: N2
pub(super) fn a_lone_master_and_its_unix_path(stage: &Stage) {
    with_path(stage);
    let master = stage.start(1);
    stage.signal(master, Signal::TERM);
    stage.gone(master);
    assert!(!stage.exists("web"), "TERM deletes it");
    let master = stage.start(1);
    stage.signal(master, Signal::QUIT);
    stage.gone(master);
    assert_eq!(stage.exists("web"), !stage.since(1, 19, 1), "QUIT leaves it before 1.19.1");
    if stage.exists("web") {
        stage.remove("web");
    }
    let master = stage.start(1);
    let worker = stage.workers(master, 1)[0];
    stage.signal(master, Signal::KILL);
    stage.gone(master);
    stage.signal(worker, Signal::QUIT);
    stage.gone(worker);
    assert!(stage.exists("web"), "KILL leaves it");
}

/// checks: N2 N3
pub(super) fn two_masters_and_their_unix_path(stage: &Stage) {
    with_path(stage);
    let old = stage.start(1);
    let new = stage.upgrade(old, 1);
    stage.signal(new, Signal::QUIT);
    stage.gone(new);
    stage.vanished("nginx.pid.oldbin");
    assert!(stage.exists("web"), "QUIT to the new master keeps it");
    let new = stage.upgrade(old, 1);
    stage.signal(old, Signal::TERM);
    stage.gone(old);
    assert!(stage.exists("web"), "the old master's end keeps it");
    let third = stage.upgrade(new, 1);
    stage.signal(third, Signal::TERM);
    stage.gone(third);
    assert_eq!(stage.exists("web"), stage.since(1, 19, 1), "TERM to the new master keeps it since 1.19.1");
    stage.vanished("nginx.pid.oldbin");
    if stage.since(1, 19, 1) {
        stage.signal(new, Signal::TERM);
        stage.gone(new);
        assert!(!stage.exists("web"), "alone it deletes what it has inherited");
    }
}

/// checks: N3 N5
pub(super) fn a_unix_path_that_is_gone_is_inherited_and_unreachable(stage: &Stage) {
    with_path(stage);
    let old = stage.start(1);
    stage.remove("web");
    let new = stage.upgrade(old, 1);
    assert!(UnixStream::connect(stage.path("web")).is_err());
    assert!(!stage.exists("web"), "it was not bound anew");
    stage.signal(old, Signal::TERM);
    stage.gone(old);
    stage.signal(new, Signal::TERM);
    stage.gone(new);
    let path = stage.path("web").display().to_string();
    stage.logged(&format!("[emerg] unlink() {path} failed (2: No such file or directory)\n"));
}

/// checks: N4
pub(super) fn an_ipv6_socket_is_inherited(stage: &Stage) {
    let server = format!("listen [::1]:{};", free_port());
    stage.configure(Conf { server: &server, ..Conf::default() });
    let old = stage.start(1);
    let number = server.split("]:").nth(1).unwrap().trim_end_matches(';').parse::<u16>().unwrap();
    let of = format!("00000000000000000000000001000000:{number:04X}");
    let inode = || {
        let text = std::fs::read_to_string("/proc/net/tcp6").unwrap();
        let line = text.lines().find(|line| line.contains(&of) && line.contains(" 0A "))?;
        line.split_whitespace().nth(9).map(str::to_owned)
    };
    // The table may leave out a line while others open and close their sockets.
    let before = wait_for("its line", inode);
    let new = stage.upgrade(old, 1);
    stage.signal(old, Signal::QUIT);
    stage.gone(old);
    assert_eq!(wait_for("its line", inode), before);
    assert!(stage.lives(new));
}

/// `stream` at the stage's address, which says who answers.
fn with_stream(stage: &Stage, workers: u16, parameters: &str) {
    let load = stage.load_stream();
    let address = stage.address();
    let main = format!(
        "{load} stream {{ server {{ listen {address} {parameters}; listen unix:FOLDER/told; return \"$protocol $pid\"; }} }}"
    );
    stage.configure(Conf { workers, main: &main, ..Conf::default() });
}

/// checks: N4
pub(super) fn a_udp_socket_is_inherited_and_left_alone_while_draining(stage: &Stage) {
    with_stream(stage, 1, "udp");
    let old = stage.start(1);
    let (worker, sockets) = (stage.workers(old, 1), stage.datagram_sockets(old));
    assert_eq!(sockets.len(), 1);
    assert_eq!(datagram(&stage.send()), format!("UDP {}", worker[0]));
    let mut told = String::new();
    UnixStream::connect(stage.path("told")).unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, format!("TCP {}", worker[0]), "nothing was asked");
    // Keeps the worker alive behind WINCH.
    let mut silent = stage.silent(&worker);
    let new = stage.upgrade(old, 1);
    stage.signal(old, Signal::WINCH);
    assert_eq!(stage.draining(old, 1), worker);
    stage.logged("] gracefully shutting down\n");
    let of_new = stage.workers(new, 1)[0];
    for pid in [old, new, of_new] {
        assert_eq!(stage.datagram_sockets(pid), sockets, "one socket for both generations");
    }
    wait_for("its close", || stage.datagram_sockets(worker[0]).is_empty().then_some(()));
    for _ in 0..20 {
        assert_eq!(datagram(&stage.send()), format!("UDP {of_new}"));
    }
    // Nobody reads: the masters keep the socket, and what has come waits in it.
    stage.signal(new, Signal::WINCH);
    stage.workers(new, 0);
    stage.gone(of_new);
    let queued = stage.send();
    stage.signal(old, Signal::HUP);
    let back = stage.workers(old, 1);
    assert_eq!(datagram(&queued), format!("UDP {}", back[0]));
    drop(silent.shutdown(std::net::Shutdown::Write));
    rest(&mut silent);
    stage.gone(worker[0]);
}

/// checks: N4 D11
pub(super) fn each_worker_has_a_udp_socket_with_reuseport(stage: &Stage) {
    with_stream(stage, 2, "udp reuseport");
    let old = stage.start(2);
    let sockets = stage.datagram_sockets(old);
    assert_eq!(sockets.len(), 2);
    // By the client's port the kernel chooses the socket, and so the worker.
    let answers: BTreeSet<_> = (0..60).map(|_| datagram(&stage.send())).collect();
    let workers = stage.workers(old, 2);
    assert_eq!(answers, workers.iter().map(|pid| format!("UDP {pid}")).collect());
    let new = stage.upgrade(old, 2);
    assert_eq!(stage.datagram_sockets(new), sockets);
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port()
}
