//! One process: its machine, and what a kernel keeps for it.

use fake_nginx::machine::{Conn, Effect, ExitStatus, Fd, Moment, Pid, Process, Title};
use smallvec::SmallVec;

use super::channel::Held;
use super::{ChannelId, Inode, Signals};
use crate::model::choice::{Act, Actor, Name, Who};

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Proc {
    /// Its number.
    pub pid: Pid,
    /// Its pid, or another number if that was somebody else's before: two processes never have one birth.
    pub born: u32,
    /// Whose child it is now.
    pub parent: Pid,
    /// What it is, for names.
    pub actor: Actor,
    /// nginx.
    pub machine: Process,
    /// What it does or waits for.
    pub doing: Doing,
    /// When a wait that has an end is over.
    pub until_ms: Option<u64>,
    /// Signals.
    pub signals: Signals,
    /// The file that it executes.
    pub exe: Inode,
    /// What that file held.
    pub image: u8,
    /// What `ps` shows.
    pub shown: Shown,
    /// Its listening sockets.
    pub fds: SmallVec<[(Fd, u16); 2]>,
    /// The listening sockets in its epoll set, with their places in nginx's cycle.
    pub watches: SmallVec<[(Fd, u8); 2]>,
    /// What `NGINX` lists.
    pub inherited: Option<SmallVec<[Fd; 4]>>,
    /// The ends of other processes' channels that it holds, by the slot that they are for.
    pub channels: SmallVec<[Held; 4]>,
    /// Its own end.
    pub own_channel: Option<ChannelId>,
    /// Its connections.
    pub connections: SmallVec<[(Conn, u32); 2]>,
    /// When setitimer(2) strikes.
    pub alarm_ms: Option<u64>,
}

/// What a process does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Doing {
    /// This is its next step, or what it waits in.
    Effect(Effect),
    /// It has opened a pid file, and writes into it next, whatever its name is by then.
    Writing(Inode, Pid),
    /// What it is told: no machine drives it.
    Told,
    /// It has ended, and nobody has waited for it.
    Dead(ExitStatus),
}

/// What `ps` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shown {
    /// The command line, as it was started.
    CommandLine,
    /// A title that it has set, or that its parent had.
    Title(TitleOrder),
}

/// [`Title`], with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TitleOrder {
    /// `nginx: master process`
    Master,
    /// `nginx: worker process`
    Worker,
    /// `nginx: worker process is shutting down`
    ShuttingDown,
}

impl From<Title> for Shown {
    fn from(title: Title) -> Self {
        Self::Title(match title {
            Title::Master => TitleOrder::Master,
            Title::Worker => TitleOrder::Worker,
            Title::ShuttingDown => TitleOrder::ShuttingDown,
        })
    }
}

impl Shown {
    /// It shows itself as a master.
    pub const MASTER: Self = Self::Title(TitleOrder::Master);
    /// It shows itself as a worker.
    pub const WORKER: Self = Self::Title(TitleOrder::Worker);
    /// It shows itself as a worker that shuts down.
    pub const SHUTTING_DOWN: Self = Self::Title(TitleOrder::ShuttingDown);
}

impl Proc {
    /// True until it ends.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        !matches!(self.doing, Doing::Dead(_))
    }

    /// True if it is no nginx, and has only been given a number that one had before.
    #[must_use]
    pub const fn is_stranger(&self) -> bool {
        matches!(self.actor, Actor { who: Who::Launcher, generation: 0, .. })
    }

    /// True if it sleeps in sigsuspend and no signal waits.
    #[must_use]
    pub fn is_asleep(&self) -> bool {
        matches!(self.doing, Doing::Effect(Effect::Sleep)) && !self.signals.is_any_pending()
    }

    /// True if one of its epoll's sockets listens.
    #[must_use]
    pub fn is_accepting(&self) -> bool {
        self.is_alive() && !self.watches.is_empty()
    }

    /// The socket behind a descriptor.
    #[must_use]
    pub fn socket(&self, fd: Fd) -> Option<u16> {
        self.fds.iter().find(|(own, _)| *own == fd).map(|&(_, socket)| socket)
    }

    /// The connection that nginx knows by that number.
    pub(super) fn connection(&self, conn: Conn) -> Option<u32> {
        self.connections.iter().find(|(own, _)| *own == conn).map(|&(_, id)| id)
    }

    /// The name of its next step.
    #[must_use]
    pub const fn next_step(&self) -> Name {
        let moment = match &self.doing {
            Doing::Effect(effect) => effect.moment(),
            Doing::Writing(..) => Some(Moment::WritePid),
            Doing::Told | Doing::Dead(_) => None,
        };
        // Nobody is between two steps with an effect that nobody else can see.
        let moment = match moment {
            Some(moment) => moment,
            None => Moment::Exit,
        };
        Name { actor: self.actor, act: Act::Nginx(moment) }
    }
}
