//! Dead children: respawned, or forgotten; a dead new binary gives the pid file its name back.
//!
//! # Source
//! `ngx_reap_children` in `src/os/unix/ngx_process_cycle.c`, nginx 1.14 to 1.30.

use super::spawn::Then;
use super::{Master, NewBinary, Point, Step as MasterStep};
use crate::machine::effect::{Command, Effect, Slot};
use crate::machine::line::Line;
use crate::machine::reply::Reply;
use crate::machine::{Defect, Turn};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Look at a slot.
    Look { slot: u16 },
    /// Its channel is closed; tell those in other slots.
    Tell { slot: u16, to: u16 },
    /// Everybody knows; respawn or forget it.
    Decide { slot: u16 },
    /// It was started again.
    Respawned { slot: u16 },
    /// It could not be started again.
    NotRespawned { slot: u16 },
    /// The new binary's end was met by a rename.
    Renamed { slot: u16 },
    /// Clear the slot.
    Forget { slot: u16 },
}

impl Master {
    /// Walks the table; at its end `is_live` says whether anybody is left.
    pub(super) fn reap_children(&mut self) -> Option<Turn> {
        self.is_live = false;
        self.to(reap(Step::Look { slot: 0 }))
    }

    pub(super) fn reap(&mut self, step: Step, reply: &Reply) -> Option<Turn> {
        match step {
            Step::Look { slot } => self.look(slot),
            Step::Tell { slot, to } => self.tell_of_end(slot, to),
            Step::Decide { slot } => self.decide(slot),
            Step::Respawned { slot } => {
                self.is_live = true;
                self.to(reap(Step::Look { slot: slot + 1 }))
            }
            Step::NotRespawned { slot } => {
                let kind = self.children[usize::from(slot)].kind;
                self.log(reap(Step::Look { slot: slot + 1 }), Line::CouldNotRespawn { kind })
            }
            Step::Renamed { slot } => self.renamed(slot, reply),
            Step::Forget { slot } => self.forget(slot),
        }
    }

    fn look(&mut self, slot: u16) -> Option<Turn> {
        let Some(child) = self.children.get_mut(usize::from(slot)) else {
            return self.to(MasterStep::At(Point::AfterReap));
        };
        let next = Step::Look { slot: slot + 1 };
        if child.pid.is_none() {
            return self.to(reap(next));
        }
        if !child.has_exited {
            if child.is_exiting || !child.is_detached {
                self.is_live = true;
            }
            return self.to(reap(next));
        }
        if child.is_detached {
            return self.to(reap(Step::Decide { slot }));
        }
        child.has_channel = false;
        self.go(reap(Step::Tell { slot, to: 0 }), Effect::CloseChannel(Slot(slot)))
    }

    fn tell_of_end(&mut self, slot: u16, to: u16) -> Option<Turn> {
        let Some(other) = self.children.get(usize::from(to)) else {
            return self.to(reap(Step::Decide { slot }));
        };
        let next = reap(Step::Tell { slot, to: to + 1 });
        if other.has_exited || other.pid.is_none() || !other.has_channel {
            return self.to(next);
        }
        self.go(next, Effect::Tell { to: Slot(to), command: Command::CloseChannel(Slot(slot)) })
    }

    fn decide(&mut self, slot: u16) -> Option<Turn> {
        let child = self.children[usize::from(slot)];
        let is_over = self.flags.terminate || self.flags.quit || self.defects.has(Defect::RespawnsNobody);
        if child.respawn && !child.is_exiting && !is_over {
            return self.spawn_into(slot, child.kind, Then::Respawn { slot });
        }
        let is_new_binary = child.pid.is_some_and(|pid| self.new_binary == NewBinary::Runs(pid));
        if !is_new_binary {
            return self.to(reap(Step::Forget { slot }));
        }
        if self.defects.has(Defect::ForgetsToRenameOldbinBack) {
            return self.to(reap(Step::Renamed { slot }));
        }
        self.go(reap(Step::Renamed { slot }), Effect::RenameBack(self.cycle.pid))
    }

    fn renamed(&mut self, slot: u16, reply: &Reply) -> Option<Turn> {
        self.new_binary = NewBinary::None;
        if self.is_noaccepting && !self.defects.has(Defect::WaitsForHup) {
            self.is_restarting = true;
            self.is_noaccepting = false;
        }
        let next = reap(Step::Forget { slot });
        match reply.outcome() {
            Err(errno) => self.log(next, Line::RenameBackAfterExitFailed { path: self.cycle.pid, errno }),
            Ok(()) => self.to(next),
        }
    }

    fn forget(&mut self, slot: u16) -> Option<Turn> {
        if usize::from(slot) + 1 == self.children.len() {
            self.children.pop();
        } else {
            self.children[usize::from(slot)].pid = None;
        }
        self.to(reap(Step::Look { slot: slot + 1 }))
    }
}

const fn reap(step: Step) -> MasterStep {
    MasterStep::Reap(step)
}
