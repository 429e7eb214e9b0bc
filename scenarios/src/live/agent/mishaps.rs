//! What goes wrong at named moments: who is struck, who pauses, and what of it the trace tells.

use std::collections::BTreeSet;

use fake_nginx::control::Answer;
use rustix::process::{Signal, pidfd_send_signal};

use super::Stop;
use super::control::{Control, Reached, Reporter};
use super::reactor::Source;
use super::world::World;
use crate::invariants::STRUCK;
use crate::model::choice::{Act, Name, Who};
use crate::model::fault::{Blow, Fault, Order, Whom};
use crate::scenario::{Mishap, Until, Wrong, fault_named, is_forcible};
use crate::trace::What;

/// What is to go wrong, and what is to be told of moments.
#[derive(Debug, Default)]
pub(super) struct Mishaps {
    planned: Vec<Planned>,
    paused: Vec<Paused>,
    /// The subject's next change of a file fails.
    disk_is_full: bool,
    /// It is to be killed at its next moment.
    subject_is_doomed: bool,
    /// True if the trace has every moment.
    tells_all: bool,
    /// The moments that it has in any case.
    told: BTreeSet<String>,
    has_begun: bool,
    /// True for a random script, whose faults excuse what follows from them; a story says itself what holds.
    pub(super) are_excuses: bool,
}

#[derive(Debug)]
struct Planned {
    mishap: Mishap,
    /// Its moment has been reached, and there was nobody to strike.
    is_overdue: bool,
}

#[derive(Debug)]
struct Paused {
    reached: Reached,
    until: Until,
    at_us: u64,
}

impl Mishaps {
    /// What is planned; the trace tells the moments in `told`, or all of them.
    pub(super) fn new(planned: &[Mishap], told: &[String], tells_all: bool) -> Self {
        let planned = planned.iter().map(|mishap| Planned { mishap: mishap.clone(), is_overdue: false });
        let told = told.iter().cloned().collect();
        Self { planned: planned.collect(), told, tells_all, ..Self::default() }
    }

    /// When the first pause ends that ends at a time.
    pub(super) fn next_us(&self) -> u64 {
        let timed = self.paused.iter().filter_map(|paused| match paused.until {
            Until::Ms(ms) => Some(paused.at_us + ms * 1_000),
            Until::Moment(_) => None,
        });
        timed.min().unwrap_or(u64::MAX)
    }

    /// True if somebody waits for an answer, and so does not rest.
    pub(super) fn is_anybody_paused(&self) -> bool {
        !self.paused.is_empty()
    }

    /// Those whose pause is over, now or with this moment.
    fn released(&mut self, now_us: u64, moment: Option<&str>) -> Vec<Reached> {
        let is_over = |paused: &Paused| match &paused.until {
            Until::Ms(ms) => paused.at_us + ms * 1_000 <= now_us,
            Until::Moment(until) => moment == Some(until.as_str()),
        };
        self.paused.extract_if(.., |paused| is_over(paused)).map(|paused| paused.reached).collect()
    }
}

impl World {
    /// Processes are told to stop at their moments from now on.
    pub(super) fn stop_at_moments(&mut self, mishaps: Mishaps) -> Result<(), Stop> {
        let control =
            Control::listen(&self.paths.control).map_err(Stop::broken("make the control socket"))?;
        self.reactor
            .add(control.listener(), Source::Control)
            .map_err(Stop::broken("watch the control socket"))?;
        self.control = Some(control);
        self.mishaps = mishaps;
        Ok(())
    }

    /// From now on moments are counted, and what is planned for them strikes.
    pub(super) fn begin_mishaps(&mut self) {
        self.mishaps.has_begun = true;
        if let Some(control) = &mut self.control {
            control.begin();
        }
    }

    /// Nobody is asked any more: everybody goes on.
    pub(super) fn end_control(&mut self) {
        self.control = None;
        self.mishaps = Mishaps::default();
    }

    /// Somebody connects to the control socket.
    pub(super) fn welcome(&mut self) -> Result<(), Stop> {
        let Some(control) = &mut self.control else { return Ok(()) };
        while let Some((number, connection)) = control.accept() {
            self.reactor.add_controlled(connection, number).map_err(Stop::broken("watch a process"))?;
        }
        Ok(())
    }

    /// A process reports.
    pub(super) fn reported(&mut self, connection: u32) {
        let Some(control) = &mut self.control else { return };
        match control.hear(connection) {
            Some(reached) => self.reached(reached),
            None => {
                if let Some(socket) = control.forget(connection) {
                    self.reactor.remove(socket);
                }
                self.mishaps.paused.retain(|paused| paused.reached.connection != connection);
            }
        }
    }

    /// Ends the pauses that are over.
    pub(super) fn end_pauses(&mut self) {
        let now_us = self.clock.now_us();
        for reached in self.mishaps.released(now_us, None) {
            self.answer(reached, Answer::GoOn);
        }
    }

    fn answer(&self, reached: Reached, answer: Answer) {
        if let Some(control) = &self.control {
            control.answer(reached.connection, answer);
        }
    }

    fn reached(&mut self, reached: Reached) {
        if !self.mishaps.has_begun {
            self.answer(reached, Answer::GoOn);
            return;
        }
        let name = reached.name.to_string();
        if is_forcible(reached.name) && (self.mishaps.tells_all || self.mishaps.told.remove(&name)) {
            self.observer.note(What::Moment { name: name.clone() });
        }
        for other in self.mishaps.released(self.clock.now_us(), Some(&name)) {
            self.answer(other, Answer::GoOn);
        }
        if let Some(answer) = self.strike_at(reached, &name) {
            self.answer(reached, answer);
        }
    }

    /// Strikes what is due, and says how the process goes on; `None`: it pauses.
    fn strike_at(&mut self, reached: Reached, name: &str) -> Option<Answer> {
        let mut answer = Some(Answer::GoOn);
        for mut planned in std::mem::take(&mut self.mishaps.planned) {
            let is_due =
                planned.is_overdue || (planned.mishap.at == name && planned.mishap.nth == reached.nth);
            if !is_due {
                self.mishaps.planned.push(planned);
                continue;
            }
            let has_struck = match &planned.mishap.what {
                Wrong::Crash => {
                    answer = Some(Answer::Crash);
                    true
                }
                &Wrong::Exit { status } => {
                    answer = Some(Answer::Exit(status));
                    true
                }
                Wrong::Pause(until) => {
                    let at_us = self.clock.now_us();
                    self.mishaps.paused.push(Paused { reached, until: until.clone(), at_us });
                    answer = None;
                    true
                }
                Wrong::Elsewhere { fault, which } => {
                    let which = *which;
                    fault_named(fault).is_some_and(|fault| self.inflict(fault, which))
                }
            };
            if has_struck {
                let name = match &planned.mishap.what {
                    Wrong::Elsewhere { fault, .. } if self.mishaps.are_excuses => struck(fault),
                    Wrong::Elsewhere { .. } | Wrong::Crash | Wrong::Exit { .. } | Wrong::Pause(_) => {
                        planned.mishap.moment()
                    }
                };
                self.observer.note(What::Moment { name });
            } else {
                planned.is_overdue = true;
                self.mishaps.planned.push(planned);
            }
        }
        let of_subject = reached.name.actor.who == Who::Subject;
        if of_subject && std::mem::take(&mut self.mishaps.subject_is_doomed) {
            return Some(Answer::Crash);
        }
        if of_subject && is_change(reached.name) && std::mem::take(&mut self.mishaps.disk_is_full) {
            return Some(Answer::Fail);
        }
        answer
    }

    /// Makes it go wrong. False: there is nobody to strike yet. `which` counts from 1.
    fn inflict(&mut self, fault: Fault, which: u8) -> bool {
        match fault {
            Fault::FullDisk => {
                self.mishaps.disk_is_full = true;
                self.subject().is_some()
            }
            // Its death must not overtake what it does now.
            Fault::Crash => {
                self.mishaps.subject_is_doomed = true;
                self.subject().is_some()
            }
            Fault::Interrupt => {
                self.subject().is_some_and(|pid| self.signal_reporter(pid, "INT", Signal::INT))
            }
            Fault::Reload => {
                self.named_master().is_some_and(|pid| self.signal_reporter(pid, "HUP", Signal::HUP))
            }
            Fault::Reopen => {
                self.named_master().is_some_and(|pid| self.signal_reporter(pid, "USR1", Signal::USR1))
            }
            Fault::Package | Fault::ReusedPid | Fault::SecondOperator | Fault::PowerFailure => false,
            Fault::SecondUsr2 => {
                let masters = self.masters_by_age();
                masters.len() > 1 && self.signal_reporter(masters[0], "USR2", Signal::USR2)
            }
            Fault::Sent(order, whom) => {
                let (name, signal, masters) = match order {
                    Order::Usr2 => ("USR2", Signal::USR2, 1),
                    Order::Hup => ("HUP", Signal::HUP, 2),
                };
                let pid = self.whom(whom, which).filter(|_| self.masters_by_age().len() >= masters);
                pid.is_some_and(|pid| self.signal_reporter(pid, name, signal))
            }
            Fault::Blow(blow, whom) => {
                let (name, signal) = match blow {
                    Blow::Kill => ("KILL", Signal::KILL),
                    Blow::Term => ("TERM", Signal::TERM),
                    Blow::Quit => ("QUIT", Signal::QUIT),
                    Blow::Winch => ("WINCH", Signal::WINCH),
                    Blow::Exit => return false,
                };
                self.whom(whom, which).is_some_and(|pid| self.signal_reporter(pid, name, signal))
            }
        }
    }

    fn whom(&self, whom: Whom, which: u8) -> Option<u32> {
        let masters = self.masters_by_age();
        match whom {
            Whom::OldMaster => masters.first().copied(),
            Whom::NewMaster => masters.get(1..).and_then(<[u32]>::last).copied(),
            Whom::OldWorker => self.nth_worker(which, |generation, youngest| generation < youngest),
            Whom::NewWorker => self.nth_worker(which, |generation, youngest| generation == youngest),
        }
    }

    fn masters_by_age(&self) -> Vec<u32> {
        let mut masters: Vec<_> = self
            .reporters()
            .filter(|(_, of)| of.actor.who == Who::Master)
            .map(|(pid, of)| (of.actor, pid))
            .collect();
        masters.sort_unstable();
        masters.into_iter().map(|(_, pid)| pid).collect()
    }

    /// As the model picks: with one generation, it is the old one.
    fn nth_worker(&self, which: u8, is_right: impl Fn(u8, u8) -> bool) -> Option<u32> {
        let is_nginx = |of: &Reporter| matches!(of.actor.who, Who::Master | Who::Worker);
        let generations: BTreeSet<u8> =
            self.reporters().filter(|(_, of)| is_nginx(of)).map(|(_, of)| of.actor.generation).collect();
        let youngest = generations.last().copied().filter(|_| generations.len() > 1).unwrap_or(u8::MAX);
        let mut workers: Vec<_> = self
            .reporters()
            .filter(|(_, of)| of.actor.who == Who::Worker && is_right(of.actor.generation, youngest))
            .map(|(pid, of)| (of.actor, pid))
            .collect();
        workers.sort_unstable();
        let nth = usize::from(which.max(1) - 1).checked_rem(workers.len())?;
        workers.get(nth).map(|&(_, pid)| pid)
    }

    /// The subject, if it has reported and runs.
    fn subject(&self) -> Option<u32> {
        self.reporters().find(|(_, of)| of.actor.who == Who::Subject).map(|(pid, _)| pid)
    }

    /// The master that the pid file names.
    fn named_master(&self) -> Option<u32> {
        let text = std::fs::read_to_string(&self.paths.pid).ok()?;
        let named: u32 = text.trim().parse().ok()?;
        self.masters_by_age().into_iter().find(|&pid| pid == named)
    }

    fn reporters(&self) -> impl Iterator<Item = (u32, &Reporter)> {
        self.control.iter().flat_map(Control::living)
    }

    /// Sends a signal to the very process that has reported, and notes it.
    fn signal_reporter(&mut self, pid: u32, name: &str, signal: Signal) -> bool {
        let sent = self
            .reporters()
            .find(|&(other, _)| other == pid)
            .is_some_and(|(_, of)| pidfd_send_signal(&of.handle, signal).is_ok());
        if sent {
            self.observer.sent(pid, name);
        }
        sent
    }
}

/// How a random script's trace tells of a fault.
fn struck(fault: &str) -> String {
    let name = fault_named(fault).map_or_else(|| fault.to_owned(), |fault| fault.name().to_owned());
    format!("{STRUCK}{name}")
}

/// True if this step of the subject needs room on the disk.
const fn is_change(name: Name) -> bool {
    matches!(name.act, Act::Save | Act::Replace)
}
