//! What goes wrong: kills, crashes, reloads, full disks.

use fake_nginx::machine::{Pid, Signal};

use super::World;
use crate::model::choice::{Act, Actor, Name, Who, count};
use crate::model::fault::{Fault, Planned, When};
use crate::model::kernel::{Content, LABORATORY, Path, Proc};
use crate::trace::What;

impl World<'_> {
    /// The faults whose time has come. `natural` is what would happen otherwise.
    pub(super) fn strike(&mut self, natural: Name) -> bool {
        let nth = count(&mut self.naturals, natural);
        if let Some(moments) = &mut self.moments {
            moments.push((natural, nth));
        }
        let mut has_struck = false;
        for planned in std::mem::take(&mut self.planned) {
            let is_due = match planned.when {
                When::Step(step) => step <= self.counts.steps,
                When::Before(name, number) => (name, number) == (natural, nth),
            };
            if is_due && self.inflict(planned.fault) {
                has_struck = true;
                self.struck_before.push(Planned { when: When::Before(natural, nth), ..planned });
            } else {
                let when = if is_due { When::Step(0) } else { planned.when };
                self.planned.push(Planned { when, ..planned });
            }
        }
        has_struck
    }

    /// From now on every natural step is written down.
    pub(in crate::model) fn keep_moments(&mut self) {
        self.moments = Some(Vec::new());
    }

    /// What was written down.
    pub(in crate::model) fn into_moments(self) -> Vec<(Name, u32)> {
        self.moments.unwrap_or_default()
    }

    /// The faults that have struck, each with the step that it came before.
    #[must_use]
    pub fn struck_before(&self) -> &[Planned] {
        &self.struck_before
    }

    /// Makes it go wrong. False: there is nothing to strike yet.
    pub fn inflict(&mut self, fault: Fault) -> bool {
        let struck = match fault {
            Fault::KillOldMaster => self.kill(self.master(Age::Old)),
            Fault::KillNewMaster => self.kill(self.master(Age::New)),
            Fault::KillOldWorker => self.kill(self.worker(Age::Old)),
            Fault::KillNewWorker => self.kill(self.worker(Age::New)),
            Fault::Reload => match self.state.kernel.files().read(Path::PID) {
                Some(Content::Pid(pid)) => {
                    self.with(|kernel, around| kernel.kill(LABORATORY, pid, Signal::Hup, around))
                }
                _ => false,
            },
            Fault::Crash | Fault::Interrupt | Fault::FullDisk => {
                self.struck.push(fault);
                true
            }
        };
        if struck {
            self.counts.faults.push(fault);
            self.note(What::Moment { name: format!("fault.{}", fault.name()) });
            self.digest();
            self.judge(Name { actor: Actor { who: Who::Fault, generation: 0, nth: 0 }, act: Act::Strike });
        }
        struck
    }

    /// kill -9, remembered if it was somebody who accepted.
    pub fn kill(&mut self, whom: Option<Pid>) -> bool {
        let Some(pid) = whom else { return false };
        let Some(process) = self.state.kernel.process(pid) else { return false };
        self.last_worker.is_about_to_be_killed(process);
        self.cut.extend(process.connections.iter().map(|&(_, id)| id));
        self.last_kill = Some(self.counts.steps);
        self.with(|kernel, around| kernel.kill(LABORATORY, pid, Signal::Kill, around))
    }

    fn master(&self, age: Age) -> Option<Pid> {
        let mut masters = self.state.kernel.living().filter(|process| process.actor.who == Who::Master);
        let old = masters.next()?;
        match age {
            Age::Old => Some(old.pid),
            Age::New => masters.last().map(|new| new.pid),
        }
    }

    fn worker(&self, age: Age) -> Option<Pid> {
        let master = self.master(age)?;
        let is_its = |process: &&Proc| process.parent == master && process.actor.who == Who::Worker;
        self.state.kernel.living().find(is_its).map(|worker| worker.pid)
    }

    /// Takes a fault that struck the orchestrator.
    pub(in crate::model) fn take_struck(&mut self, fault: Fault) -> bool {
        let at = self.struck.iter().position(|&struck| struck == fault);
        at.map(|at| self.struck.remove(at)).is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Old,
    New,
}
