//! Fakes on Linux that are held at their moments, and go on one at a time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fake_nginx::control::Answer;
use fake_nginx::machine::{Moment, Signal};
use fake_nginx::stamp::{self, Stamp};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal as NixSignal;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use rustix::process::{WaitOptions, wait};
use rustix::time::Timespec;
use scenarios::live::control::Control;
use scenarios::model::choice::{Act, Actor};

use super::sight::{Client, End};
use super::simulated::RELEASES;
use super::turn::Turn;
use crate::proc::Network;

/// Where clients connect to; the network is the player's own.
const PORT: u16 = 8_080;

/// Linux with the names of schedules on it.
pub(super) struct Linux {
    folder: PathBuf,
    /// The inodes of the two binaries.
    pub(super) binaries: Vec<u64>,
    control: Control,
    connections: BTreeMap<u32, OwnedFd>,
    /// Every process that has reported, by its number.
    pub(super) actors: BTreeMap<u32, Actor>,
    /// Who is held, at which moment, and where it is answered.
    pub(super) held: BTreeMap<Actor, (Moment, u32)>,
    /// Listening sockets by inode, in the order in which they were opened.
    pub(super) sockets: Vec<u64>,
    pub(super) network: Network,
    pub(super) clients: Vec<Connected>,
}

/// A client.
pub(super) struct Connected {
    /// `None`: it was refused, or has closed.
    pub(super) stream: Option<TcpStream>,
    pub(super) seen: Client,
}

type Played<T> = Result<T, String>;

fn failed<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String {
    move |error| format!("cannot {what}: {error}")
}

impl Linux {
    /// A machine on which nothing runs; `folder` is an empty file system.
    pub(super) fn new(folder: &Path) -> Played<Self> {
        step_down()?;
        let mut binaries = Vec::new();
        for (version, name) in RELEASES.into_iter().zip(["kept-0", "kept-1"]) {
            let stamp = Stamp {
                control: Some(folder.join("control")),
                prefix: folder.join("site/"),
                conf: folder.join("site/nginx.conf"),
                pid: folder.join("site/nginx.pid"),
                error_log: folder.join("site/error.log"),
                ..Stamp::new(version)
            };
            stamp::write(&stamp, &folder.join(name)).map_err(failed("stamp a binary"))?;
            binaries.push(fs::metadata(folder.join(name)).map_err(failed("look at a binary"))?.ino());
        }
        Ok(Self {
            folder: folder.to_owned(),
            binaries,
            control: listen(folder)?,
            connections: BTreeMap::new(),
            actors: BTreeMap::new(),
            held: BTreeMap::new(),
            sockets: Vec::new(),
            network: Network { is_still: true, ..Network::default() },
            clients: Vec::new(),
        })
    }

    pub(super) fn site(&self, name: &str) -> PathBuf {
        self.folder.join("site").join(name)
    }

    /// Somebody starts nginx, in a folder of its own.
    pub(super) fn begin(&mut self, workers: u16) -> Played<()> {
        let site = self.site("");
        fs::create_dir(&site).map_err(failed("make a folder"))?;
        for (kept, name) in [("kept-0", "nginx"), ("kept-1", "nginx.new")] {
            fs::hard_link(self.folder.join(kept), site.join(name)).map_err(failed("lay a binary ready"))?;
        }
        fs::write(self.site("nginx.conf"), configuration(workers))
            .map_err(failed("write the configuration"))?;
        Command::new(self.site("nginx"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed("start nginx"))?;
        Ok(())
    }

    /// Takes a turn; alarms strike first.
    pub(super) fn take(&mut self, turn: Turn, struck: &[Actor]) -> Played<()> {
        for &actor in struck {
            self.kill(actor, Signal::Alrm)?;
        }
        match turn {
            Turn::Step(name) => {
                let (_, connection) = self.held.remove(&name.actor).ok_or("it is not held")?;
                self.control.answer(connection, Answer::GoOn);
            }
            Turn::Kill(to, signal) => self.kill(to, signal)?,
            Turn::Replace => {
                fs::rename(self.site("nginx.new"), self.site("nginx"))
                    .map_err(failed("replace the binary"))?;
            }
            Turn::Connect { is_kept } => self.connect(is_kept)?,
            Turn::Ask(client) => self.clients[client].ask(true)?,
            Turn::HangUp(client) => {
                // What was not read would make a reset of it.
                self.clients[client].read(&self.actors);
                self.clients[client].stream = None;
            }
            Turn::Pass => {}
        }
        Ok(())
    }

    fn kill(&self, to: Actor, signal: Signal) -> Played<()> {
        let pid = self.actors.iter().rfind(|(_, known)| **known == to).map(|(&pid, _)| pid);
        let pid = nix::unistd::Pid::from_raw(pid.ok_or("nobody has that name")?.cast_signed());
        let signal = NixSignal::try_from(i32::from(signal.number())).map_err(failed("name a signal"))?;
        nix::sys::signal::kill(pid, signal).map_err(failed("send a signal"))
    }

    fn connect(&mut self, is_kept: bool) -> Played<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)
            .map_err(failed("make a client"))?;
        let connected = net::connect(&socket, &SocketAddr::from(([127, 0, 0, 1], PORT)));
        if connected == Err(rustix::io::Errno::CONNREFUSED) {
            self.clients.push(Connected { stream: None, seen: Client::default() });
            return Ok(());
        }
        // Before it is there, it can not ask.
        let mut there = [PollFd::new(&socket, PollFlags::OUT)];
        poll(&mut there, None).map_err(failed("wait for a connection"))?;
        let stream = TcpStream::from(socket);
        let error = stream.take_error().map_err(failed("look at a client"))?;
        let stream = error.is_none().then_some(stream);
        self.clients.push(Connected { stream, seen: Client::default() });
        self.clients.last().map_or(Ok(()), |client| client.ask(is_kept))
    }

    /// Takes in what processes report, or waits a moment for one that does. Whoever has been woken goes on at once.
    pub(super) fn hear(&mut self, within_us: i64) -> Played<()> {
        let numbers: Vec<u32> = self.connections.keys().copied().collect();
        let ready: Vec<bool> = {
            let mut polled: Vec<_> =
                self.connections.values().map(|line| PollFd::new(line, PollFlags::IN)).collect();
            let listener = self.control.listener();
            polled.push(PollFd::new(&listener, PollFlags::IN));
            let within = Timespec { tv_sec: 0, tv_nsec: within_us * 1_000 };
            poll(&mut polled, Some(&within)).map_err(failed("wait for reports"))?;
            polled.iter().map(|line| !line.revents().is_empty()).collect()
        };
        for (number, _) in numbers.into_iter().zip(&ready).filter(|(_, is_ready)| **is_ready) {
            self.hear_one(number)?;
        }
        if ready.last() == Some(&true)
            && let Some((number, line)) = self.control.accept()
        {
            let line = line.try_clone_to_owned().map_err(failed("keep a connection"))?;
            self.connections.insert(number, line);
        }
        Ok(())
    }

    fn hear_one(&mut self, number: u32) -> Played<()> {
        let Some(reached) = self.control.hear(number) else {
            self.control.forget(number);
            self.connections.remove(&number);
            self.held.retain(|_, (_, connection)| *connection != number);
            return Ok(());
        };
        let Act::Nginx(moment) = reached.name.act else {
            return Err(format!("{} is no moment", reached.name));
        };
        self.actors.insert(reached.pid, reached.name.actor);
        if matches!(moment, Moment::Wake | Moment::TakeEvents) {
            self.control.answer(number, Answer::GoOn);
        } else {
            self.held.insert(reached.name.actor, (moment, number));
        }
        Ok(())
    }

    /// What pid 1 does: whoever is nobody's child any more is waited for.
    pub(super) fn reap() {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    }

    /// Ends whoever is left, and forgets everything.
    pub(super) fn end(&mut self) -> Played<()> {
        self.clients.clear();
        // It is the first process of its namespace, which this leaves alone.
        let everybody = nix::unistd::Pid::from_raw(-1);
        let _ = nix::sys::signal::kill(everybody, NixSignal::SIGKILL);
        while wait(WaitOptions::empty()).is_ok() {}
        self.connections.clear();
        self.control = listen(&self.folder)?;
        self.actors.clear();
        self.held.clear();
        self.sockets.clear();
        self.network = Network { is_still: true, ..Network::default() };
        fs::remove_dir_all(self.site("")).map_err(failed("clear the folder"))
    }
}

impl Connected {
    fn ask(&self, is_kept: bool) -> Played<()> {
        let Some(mut stream) = self.stream.as_ref() else { return Ok(()) };
        let close = if is_kept { "" } else { "Connection: close\r\n" };
        let request = format!("GET / HTTP/1.1\r\nHost: here\r\n{close}\r\n");
        stream.write_all(request.as_bytes()).map_err(failed("ask"))
    }

    /// Reads all that has come.
    pub(super) fn read(&mut self, actors: &BTreeMap<u32, Actor>) {
        let Some(stream) = self.stream.as_mut().filter(|_| self.seen.end == End::Open) else { return };
        let mut buffer = [0; 4_096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => self.seen.end = End::Finished,
                Ok(count) => {
                    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                    self.seen.answers.extend(answers(&text, actors));
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.seen.end = End::Reset,
            }
            return;
        }
    }
}

/// Who says that it has answered: a process and its release. An answer comes in one piece.
fn answers(text: &str, actors: &BTreeMap<u32, Actor>) -> Vec<(Actor, u8)> {
    let answer = |body: &str| {
        let (pid, version) = body.lines().next()?.split_once(' ')?;
        let binary = RELEASES.iter().position(|release| release.to_string() == version)?;
        Some((*actors.get(&pid.parse().ok()?)?, u8::try_from(binary).ok()?))
    };
    text.split("\r\n\r\n").skip(1).filter_map(answer).collect()
}

/// An ordinary user is root in the player's namespaces. nginx must not believe that, or it would become somebody who is
/// not there.
fn step_down() -> Played<()> {
    let outer = |map: &str| {
        let map = fs::read_to_string(format!("/proc/self/{map}")).unwrap_or_default();
        map.split_whitespace().nth(1).and_then(|word| word.parse::<u32>().ok()).unwrap_or(0)
    };
    let (uid, gid) = (outer("uid_map"), outer("gid_map"));
    if uid == 0 {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWUSER).map_err(failed("leave root"))?;
    // Refused where it is denied already, which is as good.
    let _ = fs::write("/proc/self/setgroups", "deny");
    fs::write("/proc/self/uid_map", format!("{uid} 0 1")).map_err(failed("become a user"))?;
    fs::write("/proc/self/gid_map", format!("{gid} 0 1")).map_err(failed("become a user"))
}

fn listen(folder: &Path) -> Played<Control> {
    let path = folder.join("control");
    let _ = fs::remove_file(&path);
    Control::listen(&path).map_err(failed("listen"))
}

fn configuration(workers: u16) -> String {
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "{user}\nworker_processes {workers};\nevents {{ worker_connections 512; }}\nhttp {{\naccess_log off;\ndefault_type text/plain;\nkeepalive_requests 1000000;\nserver {{\nlisten 127.0.0.1:{PORT};\nlocation / {{ return 200 \"$pid $nginx_version\\n\"; }}\n}}\n}}\n"
    )
}
