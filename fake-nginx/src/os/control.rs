//! The control socket: every moment is reported there, and nothing is done until it is answered.
//!
//! Each process has a connection of its own: one that came through fork(2) is dropped at the first report of the
//! child, and none outlives exec. Whoever cannot connect, or is no longer answered, goes on for the rest of its
//! life. There is no thread and no handler: a process that waits sits in recvfrom(2), with the signals blocked or
//! let through that it would have had blocked or let through without the socket.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::sys::signal::Signal as NixSignal;
use rustix::io::retry_on_intr;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use super::process;
use super::world::{World, own_pid};
use crate::control::{Answer, PACKET_BYTES_MAX, Report, Role};
use crate::machine::{Effect, Moment, Offspring, Pid, Reply};

/// What a process of a controlled fake knows of itself.
#[derive(Debug)]
pub(super) struct Control {
    path: PathBuf,
    own: Pid,
    parent: Pid,
    role: Role,
    workers_forked: u32,
    /// `None` until the first report, and after a failure `Some(None)`.
    connection: Option<Option<OwnedFd>>,
}

impl Control {
    /// For a process that begins: a new binary if it has inherited sockets.
    pub(super) fn new(path: PathBuf, parent: Pid, is_new_binary: bool) -> Self {
        let role = if is_new_binary { Role::Master } else { Role::Launcher };
        Self { path, own: own_pid(), parent, role, workers_forked: 0, connection: None }
    }

    fn has_forked(&mut self, offspring: Offspring) {
        if offspring == Offspring::Worker {
            self.workers_forked += 1;
        }
    }

    /// In the child of a fork.
    fn is_child(&mut self, offspring: Offspring) {
        self.role = match offspring {
            Offspring::Worker => Role::Worker(self.workers_forked + 1),
            Offspring::Master | Offspring::NewBinary => Role::Master,
        };
        self.parent = self.own;
        self.own = own_pid();
        self.workers_forked = 0;
        self.connection = None;
    }

    /// Reports, and waits for the answer.
    fn ask(&mut self, moment: Moment, signals: Vec<String>) -> Answer {
        let path = &self.path;
        let connection = self.connection.get_or_insert_with(|| connect(path).ok());
        let Some(socket) = connection else { return Answer::GoOn };
        let moment = moment.word().to_owned();
        let report = Report { pid: self.own.0, parent: self.parent.0, role: self.role, moment, signals };
        match exchange(socket, &report) {
            Some(answer) => answer,
            None => {
                *connection = None;
                Answer::GoOn
            }
        }
    }
}

fn connect(path: &std::path::Path) -> rustix::io::Result<OwnedFd> {
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let address = SocketAddrUnix::new(path)?;
    retry_on_intr(|| net::connect(&socket, &address))?;
    Ok(socket)
}

/// `None`: nobody answers any more.
fn exchange(socket: &OwnedFd, report: &Report) -> Option<Answer> {
    let packet = serde_json::to_vec(report).ok()?;
    retry_on_intr(|| net::send(socket, &packet, SendFlags::NOSIGNAL)).ok()?;
    let mut answer = [0; PACKET_BYTES_MAX];
    let (length, _) = retry_on_intr(|| net::recv(socket, &mut answer[..], RecvFlags::empty())).ok()?;
    serde_json::from_slice(answer.get(..length)?).ok()
}

impl World {
    /// Carries an effect out, and reports its moment if there is a control socket.
    pub(super) fn perform(&mut self, effect: Effect) -> Reply {
        let moment = if self.control.is_some() { effect.moment() } else { None };
        let Some(moment) = moment else { return self.carry_out(effect) };
        if !moment.is_wake_up() {
            self.reach(moment, &Reply::Done);
        }
        let offspring = if let Effect::Fork(offspring) = effect { Some(offspring) } else { None };
        let reply = self.carry_out(effect);
        if moment.is_wake_up() {
            self.reach(moment, &reply);
        }
        if let (Some(control), Some(offspring)) = (&mut self.control, offspring) {
            if reply == Reply::Child {
                control.is_child(offspring);
            } else if matches!(reply, Reply::Forked(_)) {
                control.has_forked(offspring);
            }
        }
        reply
    }

    /// A moment is reached; `reply` is what a wait was ended by.
    pub(super) fn reach(&mut self, moment: Moment, reply: &Reply) {
        let Some(control) = &mut self.control else { return };
        let arrivals = if let Reply::Woken(arrivals) | Reply::Events { arrivals, .. } = reply {
            arrivals.as_slice()
        } else {
            &[]
        };
        let name = |signal: crate::machine::Signal| signal.name().trim_start_matches("SIG").to_owned();
        let signals = arrivals.iter().map(|arrival| name(arrival.signal)).collect();
        match control.ask(moment, signals) {
            Answer::GoOn | Answer::Fail => {}
            Answer::Exit(code) => process::exit(code),
            Answer::Crash => process::crash(NixSignal::SIGKILL),
        }
    }

    /// A process that was not forked is a master once it says so: `daemon off`.
    pub(super) fn control_is_master(&mut self) {
        if let Some(control) = &mut self.control {
            control.role = Role::Master;
        }
    }
}
