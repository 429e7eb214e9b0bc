//! A kernel in memory: what Linux does for nginx, and nothing that nginx decides.
//!
//! It runs [`fake_nginx::machine::Process`], the very code of the fake, for every master and worker: a
//! machine says an [`Effect`](fake_nginx::machine::Effect), the kernel carries it out in one [`step`](Kernel::step) and goes on to the
//! machine's next effect that anybody else can see. Between two steps anything may happen; who takes the next
//! step is not decided here.
//!
//! The state is small, holds numbers instead of names, and can be cloned, compared and hashed; processes are
//! shared until they change. What happens is told as [`Seen`], outside of the state.
//!
//! | file | what it knows |
//! |---|---|
//! | `setting` | what does not change: binaries, configurations, names |
//! | `process`, `life` | processes; fork, exec, exit, orphans, wait |
//! | `signal` | pending sets, masks, handlers |
//! | `file`, `disk` | paths, inodes, pid files; what is open for writing, and the room that is left |
//! | `channel` | what a master tells its workers |
//! | `socket`, `connection`, `epoll` | listening sockets, connections, readiness |
//! | `time` | virtual time |
//! | `notice` | steps that nobody else notices |
//! | `power` | the end of everything that runs |
//! | `carry` | each effect, carried out |
//! | `defects` | deliberate mistakes, for those who ask whether anybody would notice |
//! | `puppets` | the same calls for processes that no machine drives: how this kernel is compared with Linux |
//! | `seen` | what happened |
//!
//! # Source
//! Linux 6.1: `kernel/signal.c`, `kernel/exit.c`, `fs/eventpoll.c`, `net/ipv4/inet_connection_sock.c`.
//!
//! `scenarios/tests/kernel` plays scripts here and on Linux, and compares what is seen after each operation; its `turns`
//! does the same with whole upgrades.
//!
//! # Not modelled
//! Memory, users and permissions, several pid files, process groups, TCP below connect and close. Which queue of a
//! reuseport group a connection comes to (Linux hashes, here it is a choice), the order in which epoll tells what is
//! ready, a default action behind a mask or during sigsuspend, pids of different lengths written into one open file.
//! Births of different generations have no order: of several dead children the one of the lowest generation is waited
//! for first, on Linux the one that was born first.
//!
//! # Units
//! Times are milliseconds since the world began and end in `_ms`.

mod carry;
mod channel;
mod connection;
mod defects;
mod disk;
mod epoll;
mod file;
mod life;
mod notice;
mod power;
mod process;
mod puppets;
mod seen;
mod setting;
mod signal;
mod socket;
#[cfg(test)]
mod tests;
mod time;

use fake_nginx::machine::Pid;
use smallvec::SmallVec;

pub use channel::{ChannelId, Held};
pub use connection::{Connection, Place};
pub use defects::Defect;
pub use disk::BINARY_BLOCKS;
pub use file::{Content, Files, Inode, Path};
pub use process::{Doing, Proc, Shown};
pub use puppets::{Puppets, Woken};
pub use seen::{Ending, Seen};
pub use setting::{ADDRESS, Conf, Image, SOCKETS_MAX, Setting, Slow};
pub use signal::Signals;
pub use socket::Socket;

use super::shared::Shared;
use channel::Channel;

/// Who is never a process here: pid 1, which adopts and reaps orphans.
pub const INIT: Pid = Pid(1);
/// Who sends the signals of subjects and faults.
pub const LABORATORY: Pid = Pid(2);

/// Above all pids of 255 generations.
const NAMELESS_PIDS: u32 = 1_000_000;

/// True for a process that has no place in a generation: a launcher, `nginx -t`.
#[must_use]
pub const fn is_nameless(Pid(pid): Pid) -> bool {
    pid > NAMELESS_PIDS
}

/// Everything that can differ between two instants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kernel {
    now_ms: u64,
    last_pid: u32,
    /// By pid, dead ones that were not waited for included.
    processes: Vec<Shared<Proc>>,
    files: Files,
    /// How many blocks all files together may take.
    room: Option<u32>,
    /// Which of the setting's configurations is in the file.
    conf: u8,
    sockets: SmallVec<[Socket; 2]>,
    last_socket: u16,
    channels: SmallVec<[Channel; 4]>,
    connections: Vec<Connection>,
    last_connection: u32,
    generations: u8,
    /// Masters that were ever born, by generation from 1.
    masters_born: SmallVec<[Pid; 4]>,
    /// Workers that were ever born, by generation from 1.
    workers_born: SmallVec<[u8; 4]>,
}

/// What a step needs besides the state.
#[derive(Debug)]
pub struct Around<'a> {
    /// What does not change.
    pub setting: &'a Setting,
    /// What happened, for those who want to know.
    pub seen: &'a mut Vec<Seen>,
}

impl Around<'_> {
    /// True if the kernel has this deliberate defect.
    fn has(&self, defect: Defect) -> bool {
        self.setting.defect == Some(defect)
    }
}

impl Kernel {
    /// A machine on which nothing runs; the old binary is at its path, the new one staged.
    #[must_use]
    pub fn new() -> Self {
        Self {
            now_ms: 0,
            last_pid: NAMELESS_PIDS,
            processes: Vec::new(),
            files: Files::new(),
            room: None,
            conf: 0,
            sockets: SmallVec::new(),
            last_socket: 0,
            channels: SmallVec::new(),
            connections: Vec::new(),
            last_connection: 0,
            generations: 0,
            masters_born: SmallVec::new(),
            workers_born: SmallVec::new(),
        }
    }

    /// Files.
    #[must_use]
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// Changes files, as somebody with an editor does.
    pub const fn files_mut(&mut self) -> &mut Files {
        &mut self.files
    }

    /// Puts another of the setting's configurations into the file.
    pub const fn write_conf(&mut self, conf: u8) {
        self.conf = conf;
    }

    /// Which of the setting's configurations is in the file.
    #[must_use]
    pub const fn conf(&self) -> u8 {
        self.conf
    }

    /// Every process, by pid; dead ones that were not waited for included.
    pub fn processes(&self) -> impl Iterator<Item = &Proc> {
        self.processes.iter().map(|process| &**process)
    }

    /// Every process that runs.
    pub fn living(&self) -> impl Iterator<Item = &Proc> {
        self.processes().filter(|process| process.is_alive())
    }

    /// The process with that number, if it was not waited for yet.
    #[must_use]
    pub fn process(&self, pid: Pid) -> Option<&Proc> {
        self.index(pid).map(|at| &*self.processes[at])
    }

    /// The generation of a master, alive or not.
    #[must_use]
    pub fn generation_of(&self, master: Pid) -> Option<u8> {
        let at = self.masters_born.iter().position(|&born| born == master)?;
        u8::try_from(at + 1).ok()
    }

    /// The master of a generation, alive or not.
    #[must_use]
    pub fn master_of(&self, generation: u8) -> Option<Pid> {
        self.masters_born.get(usize::from(generation).checked_sub(1)?).copied()
    }

    /// Every connection that one side still has open.
    #[must_use]
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// Listening sockets.
    #[must_use]
    pub fn sockets(&self) -> &[Socket] {
        &self.sockets
    }

    fn index(&self, pid: Pid) -> Option<usize> {
        self.processes.iter().position(|process| process.pid == pid)
    }

    fn at(&mut self, index: usize) -> &mut Proc {
        self.processes[index].make_mut()
    }

    /// Changes a process that is known to be there.
    fn of(&mut self, pid: Pid) -> &mut Proc {
        let index = self.index(pid).expect("a process that acts is there");
        self.at(index)
    }
}

impl Default for Kernel {
    fn default() -> Self {
        Self::new()
    }
}
