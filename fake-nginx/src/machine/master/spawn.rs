//! Children are born: workers by fork, a new binary by fork and exec.
//!
//! # Source
//! `ngx_start_worker_processes` and `ngx_pass_open_channel` in `src/os/unix/ngx_process_cycle.c`,
//! `ngx_spawn_process` and `ngx_execute_proc` in `src/os/unix/ngx_process.c`, nginx 1.14 to 1.30.

use super::{Child, Master, NewBinary, Point, Step as MasterStep, reap};
use crate::machine::effect::{Command, Effect, Offspring, Slot};
use crate::machine::line::{Errno, Kind, Line};
use crate::machine::reply::Reply;
use crate::machine::signal::Pid;
use crate::machine::worker::{Origin, Worker};
use crate::machine::{Process, Turn, unanswered};

/// Who waits for the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Then {
    /// The loop that starts all workers.
    Worker { index: u16, just: bool, then: Point },
    /// The reaping, which put a worker into its old slot.
    Respawn { slot: u16 },
    /// The upgrade.
    NewBinary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Start that worker and those after it.
    Workers { index: u16, just: bool, then: Point },
    /// Make a channel for the child.
    Channel { slot: u16, kind: Kind, then: Then },
    /// The channel is there.
    Fork { slot: u16, kind: Kind, then: Then },
    /// Forked.
    Forked { slot: u16, kind: Kind, then: Then },
    /// The failure is told; the channel goes.
    CloseChannel { slot: u16, then: Then },
    /// There is no child.
    Failed { then: Then },
    /// Tell those in other slots about the channel.
    Pass { slot: u16, to: u16, then: Then },
    /// In the child: exec failed.
    NotExecuted,
    /// In the child: that was told.
    Quit,
}

impl Master {
    pub(super) fn start_workers(&mut self, just: bool, then: Point) -> Option<Turn> {
        self.log(MasterStep::Spawn(Step::Workers { index: 0, just, then }), Line::StartWorkerProcesses)
    }

    pub(super) fn spawn(&mut self, step: Step, reply: &Reply) -> Option<Turn> {
        match step {
            Step::Workers { index, just, then } => {
                if index >= self.cycle.workers {
                    return self.to(MasterStep::At(then));
                }
                self.spawn_child(Kind::Worker(index), Then::Worker { index, just, then })
            }
            Step::Channel { slot, kind, then } => {
                self.go(spawn(Step::Fork { slot, kind, then }), Effect::OpenChannel(Slot(slot)))
            }
            Step::Fork { slot, kind, then } => match reply.outcome() {
                Err(errno) => self.log(spawn(Step::Failed { then }), Line::ChannelFailed { kind, errno }),
                Ok(()) => self.go(spawn(Step::Forked { slot, kind, then }), Effect::Fork(Offspring::Worker)),
            },
            Step::Forked { slot, kind, then } => self.forked(slot, kind, then, reply),
            Step::CloseChannel { slot, then } => {
                self.go(spawn(Step::Failed { then }), Effect::CloseChannel(Slot(slot)))
            }
            Step::Failed { then } => self.not_spawned(then),
            Step::Pass { slot, to, then } => self.pass(slot, to, then),
            Step::NotExecuted => {
                let &Reply::Failed(errno) = reply else { unanswered(&step, reply) };
                self.log(spawn(Step::Quit), Line::ExecFailed { errno })
            }
            Step::Quit => self.go(spawn(Step::Quit), Effect::Exit(1)),
        }
    }

    /// Spawns into the first free slot.
    pub(super) fn spawn_child(&mut self, kind: Kind, then: Then) -> Option<Turn> {
        let free = self.children.iter().position(|child| child.pid.is_none());
        let slot = slot_number(free.unwrap_or(self.children.len()));
        self.spawn_into(slot, kind, then)
    }

    /// Spawns into that slot. A new binary gets no channel.
    pub(super) fn spawn_into(&mut self, slot: u16, kind: Kind, then: Then) -> Option<Turn> {
        match kind {
            Kind::Worker(_) => self.to(spawn(Step::Channel { slot, kind, then })),
            Kind::NewBinary => {
                self.go(spawn(Step::Forked { slot, kind, then }), Effect::Fork(Offspring::NewBinary))
            }
        }
    }

    fn forked(&mut self, slot: u16, kind: Kind, then: Then, reply: &Reply) -> Option<Turn> {
        match (reply, kind) {
            (&Reply::Forked(pid), _) => {
                self.enter(slot, kind, then, pid);
                self.log(spawn(Step::Pass { slot, to: 0, then }), Line::Started { kind, pid })
            }
            (Reply::Child, Kind::Worker(index)) => {
                Some(Turn::Become(Process::Worker(self.worker(slot, index))))
            }
            (Reply::Child, Kind::NewBinary) => {
                let sockets = self.cycle.listening.iter().filter_map(|listening| listening.fd).collect();
                self.go(spawn(Step::NotExecuted), Effect::Exec { conf: self.cycle.conf, sockets })
            }
            (&Reply::Failed(errno), _) => self.not_forked(slot, kind, then, errno),
            _ => unanswered(&self.step, reply),
        }
    }

    fn worker(&self, slot: u16, index: u16) -> Worker {
        Worker::new(Origin {
            cycle: self.cycle.clone(),
            profile: self.profile,
            fault: self.fault,
            defects: self.defects,
            slot: Slot(slot),
            index,
            is_daemonized: self.is_daemonized,
            has_reopen_pending: self.flags.reopen,
        })
    }

    /// Writes the child into the table. A respawned one keeps the bits of its slot.
    fn enter(&mut self, slot: u16, kind: Kind, then: Then, pid: Pid) {
        let is_worker = matches!(kind, Kind::Worker(_));
        let is_just_spawned = matches!(then, Then::Worker { just: true, .. });
        let child = Child {
            pid: Some(pid),
            kind,
            respawn: is_worker,
            is_just_spawned,
            is_detached: !is_worker,
            is_exiting: false,
            has_exited: false,
            has_channel: is_worker,
        };
        match self.children.get_mut(usize::from(slot)) {
            Some(old) if matches!(then, Then::Respawn { .. }) => {
                let (is_just_spawned, is_exiting) = (old.is_just_spawned, old.is_exiting);
                *old = Child { is_just_spawned, is_exiting, ..child };
            }
            Some(free) => *free = child,
            None => self.children.push(child),
        }
    }

    fn not_forked(&mut self, slot: u16, kind: Kind, then: Then, errno: Errno) -> Option<Turn> {
        let line = Line::ForkFailed { kind: Some(kind), errno };
        if let Some(child) = self.children.get_mut(usize::from(slot)) {
            child.has_channel = false;
        }
        match kind {
            Kind::Worker(_) => self.log(spawn(Step::CloseChannel { slot, then }), line),
            Kind::NewBinary => self.log(spawn(Step::Failed { then }), line),
        }
    }

    fn not_spawned(&mut self, then: Then) -> Option<Turn> {
        match then {
            Then::Worker { index, just, then } => {
                self.to(spawn(Step::Workers { index: index + 1, just, then }))
            }
            Then::Respawn { slot } => self.to(MasterStep::Reap(reap::Step::NotRespawned { slot })),
            Then::NewBinary => self.not_started(),
        }
    }

    /// Everybody else with a channel learns of the new one.
    fn pass(&mut self, slot: u16, to: u16, then: Then) -> Option<Turn> {
        if then != Then::NewBinary
            && let Some(other) = self.children.get(usize::from(to))
        {
            let next = spawn(Step::Pass { slot, to: to + 1, then });
            if to == slot || other.pid.is_none() || !other.has_channel {
                return self.to(next);
            }
            return self.go(next, Effect::Tell { to: Slot(to), command: Command::OpenChannel(Slot(slot)) });
        }
        match then {
            Then::Worker { index, just, then } => {
                self.to(spawn(Step::Workers { index: index + 1, just, then }))
            }
            Then::Respawn { slot } => self.to(MasterStep::Reap(reap::Step::Respawned { slot })),
            Then::NewBinary => {
                if let Some(pid) = self.children[usize::from(slot)].pid {
                    self.new_binary = NewBinary::Runs(pid);
                }
                self.to(MasterStep::At(Point::Noaccept))
            }
        }
    }
}

const fn spawn(step: Step) -> MasterStep {
    MasterStep::Spawn(step)
}

fn slot_number(index: usize) -> u16 {
    u16::try_from(index).expect("a process table has at most 1024 slots")
}
