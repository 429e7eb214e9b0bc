//! The control socket: who reports what, and what the answers do.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use fake_nginx::control::{Answer, PACKET_BYTES_MAX, Report, Role};
use fake_nginx::stamp::Stamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::Signal;

use crate::stage::{Stage, release, wait_for};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("every_process_reports_by_itself_across_fork_and_exec", across_fork_and_exec),
    ("exit_and_crash_end_the_process_before_its_act", ends),
    ("a_paused_worker_meets_its_signals_and_looks_at_them_with_its_next_event", pause),
    ("where_nobody_listens_a_controlled_fake_goes_on", nobody_listens),
    ("when_the_server_dies_everybody_goes_on", server_dies),
];

/// The stamps need their sockets' paths before any stage is set.
const NAMES: [&str; 4] = ["fork", "ends", "pause", "dies"];

fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().to_owned();
        (folder, path)
    });
    path
}

fn controlled(name: &str) -> Stamp {
    Stamp { control: Some(folder().join(name)), ..release("1.24.0") }
}

pub(crate) fn stamps() -> Vec<Stamp> {
    NAMES.into_iter().chain(["nobody"]).map(controlled).collect()
}

/// A server with one connection for each process.
struct Server {
    listener: OwnedFd,
    connections: Vec<OwnedFd>,
    /// All reports, in order.
    reports: Vec<Report>,
}

impl Server {
    fn new(name: &str) -> Self {
        let path = folder().join(name);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        // Workers are nobody.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        net::listen(&listener, 64).unwrap();
        Self { listener, connections: Vec::new(), reports: Vec::new() }
    }

    /// Answers until `is_over`; `None` is no answer. Says whom it has not answered.
    fn serve(
        &mut self,
        mut answer: impl FnMut(&Report) -> Option<Answer>,
        mut is_over: impl FnMut(&[Report]) -> bool,
    ) -> Vec<(usize, Report)> {
        let mut waiting = Vec::new();
        wait_for("the reports", || {
            self.turn(|place, report| {
                let answer = answer(report);
                if answer.is_none() {
                    waiting.push((place, report.clone()));
                }
                answer
            });
            is_over(&self.reports).then_some(())
        });
        waiting
    }

    fn turn(&mut self, mut answer: impl FnMut(usize, &Report) -> Option<Answer>) {
        let mut polled: Vec<_> = self.connections.iter().map(|it| PollFd::new(it, PollFlags::IN)).collect();
        polled.push(PollFd::new(&self.listener, PollFlags::IN));
        let soon = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let _ = poll(&mut polled, Some(&soon));
        let ready: Vec<bool> = polled.iter().map(|it| !it.revents().is_empty()).collect();
        for (place, _) in ready.iter().enumerate().filter(|(place, is)| **is && *place < ready.len() - 1) {
            let mut packet = [0; PACKET_BYTES_MAX];
            let read = net::recv(&self.connections[place], &mut packet[..], RecvFlags::DONTWAIT);
            let Ok((length @ 1.., _)) = read else { continue };
            let report: Report = serde_json::from_slice(&packet[..length]).unwrap();
            self.reports.push(report.clone());
            if let Some(answer) = answer(place, &report) {
                self.send(place, answer);
            }
        }
        while let Ok(connection) = net::accept_with(&self.listener, SocketFlags::CLOEXEC) {
            self.connections.push(connection);
        }
    }

    fn send(&self, place: usize, answer: Answer) {
        let packet = serde_json::to_vec(&answer).unwrap();
        let _ = net::send(&self.connections[place], &packet, SendFlags::NOSIGNAL);
    }

    /// The moments of each process, by pid.
    fn by_process(&self) -> BTreeMap<u32, Vec<(Role, String)>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for report in &self.reports {
            all.entry(report.pid).or_default().push((report.role, report.moment.clone()));
        }
        all
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an answer to a report")]
fn go_on(_: &Report) -> Option<Answer> {
    Some(Answer::GoOn)
}

/// So many workers have reached epoll_ctl(2).
fn workers_watch(reports: &[Report], count: usize) -> bool {
    let is_watching =
        |report: &&Report| matches!(report.role, Role::Worker(_)) && report.moment == "watch-listener";
    reports.iter().filter(is_watching).count() >= count
}

/// Starts the daemon while the server answers.
fn start(stage: &Stage, server: &mut Server) -> i32 {
    let mut launcher = stage.command(&[]).spawn().unwrap();
    server.serve(go_on, |reports| workers_watch(reports, 2));
    server.serve(go_on, |_| launcher.try_wait().unwrap().is_some());
    stage.master("nginx.pid")
}

fn across_fork_and_exec() {
    let stage = Stage::new(&controlled("fork"));
    let mut server = Server::new("fork");
    let master = start(&stage, &mut server);

    stage.signal(master, Signal::USR2);
    server.serve(go_on, |reports| workers_watch(reports, 4));

    let all = server.by_process();
    let words = |of: &[(Role, String)]| of.iter().map(|(_, word)| word.clone()).collect::<Vec<_>>();
    let launcher = all.values().find(|of| of[0].0 == Role::Launcher).unwrap();
    assert_eq!(launcher[0].1, "look-at-parent");
    assert_eq!(words(launcher).last().unwrap(), "exit");
    let old = &all[&master.unsigned_abs()];
    let has_in_order = |of: &[(Role, String)], wanted: &[&str]| {
        let mut rest = of.iter().map(|(_, word)| word.as_str());
        assert!(wanted.iter().all(|word| rest.any(|other| other == *word)), "{wanted:?} in {of:?}");
    };
    has_in_order(
        old,
        &["create-pid-file", "write-pid-file", "fork", "fork", "wake", "rename-to-oldbin", "fork"],
    );
    let new = all.values().find(|of| of[0].1 == "exec").unwrap();
    assert!(new.iter().all(|(role, _)| *role == Role::Master));
    has_in_order(new, &["exec", "look-at-parent", "create-pid-file", "write-pid-file", "fork", "fork"]);
    let roles: Vec<_> =
        all.values().map(|of| of[0].0).filter(|role| matches!(role, Role::Worker(_))).collect();
    assert_eq!(roles.iter().filter(|role| **role == Role::Worker(1)).count(), 2);
    assert_eq!(roles.iter().filter(|role| **role == Role::Worker(2)).count(), 2);
    let woken = server.reports.iter().find(|report| report.moment == "wake").unwrap();
    assert_eq!(woken.signals, ["USR2"]);
}

fn ends() {
    let stage = Stage::new(&controlled("ends"));
    let mut server = Server::new("ends");
    let mut launcher = stage.command(&[]).spawn().unwrap();
    let answer = |report: &Report| {
        let is_at = |worker, word: &str| report.role == Role::Worker(worker) && report.moment == word;
        Some(match () {
            () if is_at(1, "watch-listener") => Answer::Exit(7),
            () if is_at(2, "enter-worker") => Answer::Crash,
            () => Answer::GoOn,
        })
    };

    server.serve(answer, |reports| workers_watch(reports, 3));

    server.serve(go_on, |_| launcher.try_wait().unwrap().is_some());
    let log = stage.log();
    assert!(log.contains("exited with code 7"), "{log}");
    assert!(log.contains("exited on signal 9"), "{log}");
    assert!(server.reports.iter().any(|report| report.role == Role::Worker(4)), "{:?}", server.reports);
}

/// Red when a worker blocks signals outside of epoll_wait(2): nginx does not, and so may sleep on what it has met.
fn pause() {
    let stage = Stage::new(&controlled("pause"));
    let mut server = Server::new("pause");
    let mut launcher = stage.command(&[]).spawn().unwrap();
    let is_first = |report: &Report| report.role == Role::Worker(1) && report.moment == "watch-listener";

    let waiting = server.serve(
        |report| if is_first(report) { None } else { go_on(report) },
        |reports| workers_watch(reports, 2),
    );
    let [(place, report)] = waiting.as_slice() else { panic!("{waiting:?}") };
    let pid = report.pid.cast_signed();
    server.serve(go_on, |_| launcher.try_wait().unwrap().is_some());
    stage.signal(pid, Signal::TERM);
    // Whatever the signal does, it does before the next answer of somebody else.
    let master = stage.master("nginx.pid");
    stage.signal(master, Signal::USR1);
    server.serve(go_on, |reports| reports.iter().any(|it| it.signals == ["USR1"]));
    assert!(stage.processes().iter().any(|it| it.pid == pid), "it waits");
    assert_eq!(Stage::pending(pid), 0, "its handler has run");

    server.send(*place, Answer::GoOn);
    // A handler that ran before epoll_wait(2) does not end it.
    server.serve(go_on, |reports| {
        let has_ended = reports.iter().any(|it| it.pid == report.pid && it.moment == "exit");
        if !has_ended {
            stage.signal(pid, Signal::USR1);
        }
        has_ended
    });
    let took = |it: &Report| it.pid == report.pid && it.signals.contains(&"TERM".to_owned());
    assert!(server.reports.iter().any(took), "{:?}", server.reports);
}

fn nobody_listens() {
    let stage = Stage::new(&controlled("nobody"));
    stage.start();
    assert!(stage.get().contains("200 OK"));
}

fn server_dies() {
    let stage = Stage::new(&controlled("dies"));
    let mut server = Server::new("dies");
    let mut launcher = stage.command(&[]).spawn().unwrap();
    let waiting = server.serve(
        |report| if report.role == Role::Launcher { go_on(report) } else { None },
        |reports| reports.iter().any(|report| report.role == Role::Master),
    );
    assert_eq!(waiting.len(), 1);

    drop(server);

    assert!(launcher.wait().unwrap().success());
    let master = stage.master("nginx.pid");
    stage.workers_of(master, 2);
    assert!(stage.get().contains("200 OK"));
}
