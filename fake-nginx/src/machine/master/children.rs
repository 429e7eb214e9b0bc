//! The process table, and how a master tells its children.
//!
//! A command goes through the child's channel, so that a worker's log shows no signal; only where the channel
//! fails, and for KILL, it is a signal.
//!
//! # Source
//! `ngx_process_t` in `src/os/unix/ngx_process.h`, `ngx_signal_worker_processes` in
//! `src/os/unix/ngx_process_cycle.c`, nginx 1.14 to 1.30.

use smallvec::SmallVec;

use super::{Master, Point, Step as MasterStep};
use crate::machine::effect::{Command, Effect, Slot};
use crate::machine::line::{Errno, Kind, Line};
use crate::machine::reply::Reply;
use crate::machine::signal::{Pid, Signal};
use crate::machine::{Defect, Turn};

/// A slot of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Child {
    /// Its number; `None` in a free slot.
    pub pid: Option<Pid>,
    /// What it is.
    pub kind: Kind,
    /// Whether its end is followed by another start.
    pub respawn: bool,
    /// Whether the next order passes it by.
    pub is_just_spawned: bool,
    /// Whether it is no worker but a new binary.
    pub is_detached: bool,
    /// Whether it was told to go.
    pub is_exiting: bool,
    /// Whether it has ended and the slot was not cleared yet.
    pub has_exited: bool,
    /// Whether its channel is open.
    pub has_channel: bool,
}

/// The table; its length is nginx's `ngx_last_process`.
pub(super) type Children = SmallVec<[Child; 4]>;

/// What all children are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Order {
    Shutdown,
    Terminate,
    Kill,
    Reopen,
}

impl Order {
    const fn command(self) -> Option<Command> {
        match self {
            Self::Shutdown => Some(Command::Quit),
            Self::Terminate => Some(Command::Terminate),
            Self::Reopen => Some(Command::Reopen),
            Self::Kill => None,
        }
    }

    const fn signal(self) -> Signal {
        match self {
            Self::Shutdown => Signal::Quit,
            Self::Terminate => Signal::Term,
            Self::Reopen => Signal::Usr1,
            Self::Kill => Signal::Kill,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Look at a slot.
    At { slot: u16, order: Order, then: Point },
    /// The channel was written.
    Written { slot: u16, order: Order, then: Point },
    /// The signal was sent.
    Killed { slot: u16, order: Order, then: Point },
}

impl Master {
    /// Gives `order` to every child that it concerns.
    pub(super) fn tell_all(&mut self, order: Order, then: Point) -> Option<Turn> {
        self.to(MasterStep::Tell(Step::At { slot: 0, order, then }))
    }

    pub(super) fn tell(&mut self, step: Step, reply: &Reply) -> Option<Turn> {
        match step {
            Step::At { slot, order, then } => self.tell_slot(slot, order, then),
            Step::Written { slot, order, then } => match reply.outcome() {
                Ok(()) => self.told_child(slot, order, then),
                Err(_) => self.kill(slot, order, then),
            },
            Step::Killed { slot, order, then } => match reply.outcome() {
                Ok(()) => self.told_child(slot, order, then),
                Err(errno) => self.kill_failed(slot, order, then, errno),
            },
        }
    }

    fn tell_slot(&mut self, slot: u16, order: Order, then: Point) -> Option<Turn> {
        let Some(child) = self.children.get_mut(usize::from(slot)) else {
            return self.to(MasterStep::At(then));
        };
        let next = at(slot + 1, order, then);
        if child.is_detached && self.defects.has(Defect::QuitsTheNewBinaryToo) && order == Order::Shutdown {
            return self.kill(slot, order, then);
        }
        if child.is_detached || child.pid.is_none() {
            return self.to(next);
        }
        if child.is_just_spawned {
            child.is_just_spawned = false;
            if !self.defects.has(Defect::TellsFreshWorkersToGo) {
                return self.to(next);
            }
        }
        if child.is_exiting && order == Order::Shutdown {
            return self.to(next);
        }
        match order.command() {
            Some(command) => {
                let step = MasterStep::Tell(Step::Written { slot, order, then });
                self.go(step, Effect::Tell { to: Slot(slot), command })
            }
            None => self.kill(slot, order, then),
        }
    }

    fn kill(&mut self, slot: u16, order: Order, then: Point) -> Option<Turn> {
        let Some(pid) = self.children[usize::from(slot)].pid else {
            return self.to(at(slot + 1, order, then));
        };
        let step = MasterStep::Tell(Step::Killed { slot, order, then });
        self.go(step, Effect::Kill { pid, signal: order.signal() })
    }

    fn kill_failed(&mut self, slot: u16, order: Order, then: Point, errno: Errno) -> Option<Turn> {
        let child = &mut self.children[usize::from(slot)];
        let pid = child.pid.unwrap_or(Pid(0));
        if errno == Errno::ESRCH {
            child.has_exited = true;
            child.is_exiting = false;
            self.flags.reap = true;
        }
        self.log(at(slot + 1, order, then), Line::KillFailed { pid, signal: order.signal(), errno })
    }

    fn told_child(&mut self, slot: u16, order: Order, then: Point) -> Option<Turn> {
        if order != Order::Reopen {
            self.children[usize::from(slot)].is_exiting = true;
        }
        self.to(at(slot + 1, order, then))
    }
}

const fn at(slot: u16, order: Order, then: Point) -> MasterStep {
    MasterStep::Tell(Step::At { slot, order, then })
}
