//! The control socket's server: every process of a stamped fake reports here before it does what others can see.
//!
//! It numbers the reporters as the model does ([`Actor`]), counts the moments by their names, and keeps those who
//! are to pause without an answer. What goes wrong at which moment is decided in `mishaps`.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fake_nginx::control::{Answer, PACKET_BYTES_MAX, Report, Role};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen,
    recv, send, socket_with,
};
use rustix::process::{PidfdFlags, pidfd_open};

use super::world::raw;
use crate::model::choice::{Actor, Name, Who};

/// More processes than ever begin to report at once.
const BACKLOG: i32 = 128;

/// The server.
pub struct Control {
    listener: OwnedFd,
    connections: BTreeMap<u32, OwnedFd>,
    next_connection: u32,
    /// Who has reported, by pid.
    reporters: BTreeMap<u32, Reporter>,
    /// How many workers' masters there were.
    generations: u8,
    counts: BTreeMap<Name, u32>,
}

/// Somebody who has reported.
pub(super) struct Reporter {
    /// What it is.
    pub(super) actor: Actor,
    /// The very process.
    pub(super) handle: OwnedFd,
}

/// A process that has reached a moment, and waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Where it is answered.
    pub connection: u32,
    /// The process.
    pub pid: u32,
    /// The moment.
    pub name: Name,
    /// How often it was reached, this time included.
    pub nth: u32,
}

impl Control {
    /// Listens at `path`, for processes of any user.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn listen(path: &Path) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        bind(&listener, &SocketAddrUnix::new(path)?)?;
        // Root's workers are nobody.
        fs::set_permissions(path, Permissions::from_mode(0o777))?;
        listen(&listener, BACKLOG)?;
        Ok(Self {
            listener,
            connections: BTreeMap::new(),
            next_connection: 0,
            reporters: BTreeMap::new(),
            generations: 0,
            counts: BTreeMap::new(),
        })
    }

    /// What tells that somebody connects.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// A process that connects, and the number of its connection.
    pub fn accept(&mut self) -> Option<(u32, BorrowedFd<'_>)> {
        let connection = retry_on_intr(|| accept_with(&self.listener, SocketFlags::CLOEXEC)).ok()?;
        self.next_connection += 1;
        let number = self.next_connection;
        let connection: &OwnedFd = self.connections.entry(number).or_insert(connection);
        Some((number, connection.as_fd()))
    }

    /// What a process reports; `None`: it is gone, or its words make no sense.
    pub fn hear(&mut self, connection: u32) -> Option<Reached> {
        let socket = self.connections.get(&connection)?;
        let mut packet = [0; PACKET_BYTES_MAX];
        let read = retry_on_intr(|| recv(socket, &mut packet[..], RecvFlags::DONTWAIT));
        let (length, _) = read.ok().filter(|(length, _)| *length > 0)?;
        let report: Report = serde_json::from_slice(packet.get(..length)?).ok()?;
        let actor = self.actor_of(&report)?;
        let name: Name = format!("{actor}.{}", report.moment).parse().ok()?;
        let count = self.counts.entry(name).or_insert(0);
        *count += 1;
        Some(Reached { connection, pid: report.pid, name, nth: *count })
    }

    /// A connection that is of no more use.
    pub fn forget(&mut self, connection: u32) -> Option<OwnedFd> {
        self.connections.remove(&connection)
    }

    /// Answers; that the process is gone by now is no error here.
    pub fn answer(&self, connection: u32, answer: Answer) {
        if let Some(socket) = self.connections.get(&connection)
            && let Ok(packet) = serde_json::to_vec(&answer)
        {
            let _ = send(socket, &packet, SendFlags::NOSIGNAL);
        }
    }

    /// From now on moments are counted anew.
    pub(super) fn begin(&mut self) {
        self.counts.clear();
    }

    /// Those who have reported and live, by age.
    pub(super) fn living(&self) -> impl Iterator<Item = (u32, &Reporter)> {
        self.reporters.iter().filter(|(_, of)| of.is_alive()).map(|(&pid, of)| (pid, of))
    }

    /// Who reports: somebody known, or the next of its kind.
    fn actor_of(&mut self, report: &Report) -> Option<Actor> {
        let who = match report.role {
            Role::Launcher => Who::Launcher,
            Role::Master => Who::Master,
            Role::Worker(_) => Who::Worker,
            Role::Subject => Who::Subject,
        };
        let known = self.reporters.get(&report.pid).filter(|of| of.actor.who == who && of.is_alive());
        if let Some(known) = known {
            return Some(known.actor);
        }
        let actor = match report.role {
            Role::Launcher => Actor { who, generation: self.generations + 1, nth: 0 },
            Role::Subject => Actor::SUBJECT,
            Role::Master => {
                self.generations += 1;
                Actor { who, generation: self.generations, nth: 0 }
            }
            Role::Worker(nth) => {
                let master = self.reporters.get(&report.parent);
                let generation = master.map_or(self.generations, |master| master.actor.generation);
                Actor { who, generation, nth: u8::try_from(nth).unwrap_or(u8::MAX) }
            }
        };
        // It waits for an answer, so the handle is its own.
        let handle = raw(report.pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())?;
        self.reporters.insert(report.pid, Reporter { actor, handle });
        Some(actor)
    }
}

impl Reporter {
    /// True until the process ends.
    fn is_alive(&self) -> bool {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut ended = [PollFd::new(&self.handle, PollFlags::IN)];
        retry_on_intr(|| poll(&mut ended, Some(&at_once))) == Ok(0)
    }
}
