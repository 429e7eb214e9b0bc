//! What goes wrong in a random script, and after how many events.
//!
//! An event is something that somebody did and that was seen: a birth, an end, a signal, a pid file, the binary's
//! file, a journal. Log lines are these events' sources, and requests come at their own rate, so neither counts.

use std::fs;
use std::io::Write;

use rustix::process::Signal;

use super::super::storm::Strike;
use super::process::Process;
use super::world::{World, kill};
use crate::invariants::STRUCK;
use crate::model::fault::{Blow, Fault, Order, Whom};
use crate::trace::{Content, Event, PidFile, Role, What};

/// The file that fills the journal's disk.
const FILLER: &str = "filler";

/// The strikes that are still to come.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    planned: Vec<Strike>,
    /// How far the events have been counted.
    counted: usize,
    seen: u32,
}

impl Strikes {
    /// From the event at this position on.
    pub(super) fn new(planned: Vec<Strike>, counted: usize) -> Self {
        Self { planned, counted, seen: 0 }
    }

    fn count(&mut self, events: &[Event]) -> u32 {
        let new = events.get(self.counted..).unwrap_or_default();
        let count = new.iter().filter(|event| counts(&event.what)).count();
        self.seen += u32::try_from(count).unwrap_or(0);
        self.counted = events.len();
        self.seen
    }
}

fn counts(what: &What) -> bool {
    match what {
        What::Born { .. }
        | What::Draining { .. }
        | What::Died { .. }
        | What::Signal { arrived: true, .. }
        | What::PidFile { .. }
        | What::Binary { .. }
        | What::Listening { .. }
        | What::NotListening { .. }
        | What::StepBegan { .. } => true,
        What::Moment { name } => name == "subject.save",
        What::Signal { arrived: false, .. }
        | What::SignalToStranger { .. }
        | What::Request(_)
        | What::Log { .. }
        | What::StepEnded { .. }
        | What::Claimed { .. }
        | What::Quiescent
        | What::Survivor { .. } => false,
    }
}

impl World {
    /// The strikes whose time has come.
    pub(super) fn strike(&mut self) {
        if self.strikes.planned.is_empty() {
            return;
        }
        let seen = self.strikes.count(&self.observer.events);
        for strike in std::mem::take(&mut self.strikes.planned) {
            if strike.event <= seen && self.strike_with(&strike) {
                self.observer.note(What::Moment { name: format!("{STRUCK}{}", strike.fault) });
            } else {
                self.strikes.planned.push(strike);
            }
        }
    }

    /// Makes it go wrong. False: there is nothing to strike yet, or nobody can do that from outside.
    fn strike_with(&mut self, strike: &Strike) -> bool {
        match Fault::named(&strike.fault) {
            Some(Fault::Crash) => self.subject.is_some_and(|pid| kill(pid, Signal::KILL)),
            Some(Fault::Interrupt) => self.subject.is_some_and(|pid| kill(pid, Signal::INT)),
            Some(Fault::FullDisk) => self.subject.is_some() && self.take_room(),
            Some(Fault::Reload) => {
                self.observed_by_pid_file().is_some_and(|master| self.signal(master, "HUP", Signal::HUP))
            }
            Some(Fault::Reopen) => {
                self.observed_by_pid_file().is_some_and(|master| self.signal(master, "USR1", Signal::USR1))
            }
            Some(Fault::SecondUsr2) => {
                self.upgrading_master().is_some_and(|master| self.signal(master, "USR2", Signal::USR2))
            }
            Some(Fault::Sent(order, whom)) => {
                let (name, signal, masters) = match order {
                    Order::Usr2 => ("USR2", Signal::USR2, 1),
                    Order::Hup => ("HUP", Signal::HUP, 2),
                };
                let is_there = self.living(|process| process.role == Role::Master).len() >= masters;
                let pid = self.observed(whom, 0).filter(|_| is_there);
                pid.is_some_and(|pid| self.signal(pid, name, signal))
            }
            Some(Fault::Blow(blow, whom)) => {
                let (name, signal) = match blow {
                    Blow::Kill => ("KILL", Signal::KILL),
                    Blow::Term => ("TERM", Signal::TERM),
                    Blow::Quit => ("QUIT", Signal::QUIT),
                    Blow::Winch => ("WINCH", Signal::WINCH),
                    Blow::Exit => return false,
                };
                self.observed(whom, strike.which).is_some_and(|pid| self.signal(pid, name, signal))
            }
            Some(Fault::Package | Fault::ReusedPid | Fault::SecondOperator | Fault::PowerFailure) | None => {
                false
            }
        }
    }

    /// Who is meant, by age; `which` of several workers.
    pub(super) fn observed(&self, whom: Whom, which: u8) -> Option<u32> {
        let masters = self.living(|process| process.role == Role::Master);
        match whom {
            Whom::OldMaster => masters.first().copied(),
            Whom::NewMaster => masters.iter().skip(1).last().copied(),
            Whom::OldWorker => self.nth_observed_worker(which, |generation, youngest| generation < youngest),
            Whom::NewWorker => self.nth_observed_worker(which, |generation, youngest| generation == youngest),
        }
    }

    /// A worker by age, among those whose generation is right.
    fn nth_observed_worker(&self, which: u8, is_right: impl Fn(u32, u32) -> bool) -> Option<u32> {
        let living = || self.observer.processes.values().filter(|process| process.is_alive());
        let youngest = living().map(|process| process.generation).max()?;
        // With one generation, it is the old one.
        let has_older = living().any(|process| process.generation < youngest);
        let youngest = if has_older { youngest } else { u32::MAX };
        let workers =
            self.living(|process| process.role == Role::Worker && is_right(process.generation, youngest));
        let nth = usize::from(which).checked_rem(workers.len())?;
        workers.get(nth).copied()
    }

    /// Those who live, by their age.
    fn living(&self, is_meant: impl Fn(&Process) -> bool) -> Vec<u32> {
        let processes = self.observer.processes.iter();
        let mut found: Vec<_> = processes
            .filter(|(_, process)| process.is_alive() && is_meant(process))
            .map(|(&pid, process)| (process.generation, pid))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, pid)| pid).collect()
    }

    /// A master whose new binary runs.
    fn upgrading_master(&self) -> Option<u32> {
        let old = self.living(|process| process.role == Role::Master).first().copied()?;
        let mut others = self.observer.processes.values();
        others.any(|new| new.is_alive() && new.role == Role::Master && new.parent == old).then_some(old)
    }

    /// The master that the pid file names.
    fn observed_by_pid_file(&self) -> Option<u32> {
        let last = self.observer.events.iter().rev().find_map(|event| {
            let What::PidFile { file: PidFile::Current, content } = &event.what else { return None };
            Some(content.clone())
        });
        let Some(Content::Pid(pid)) = last else { return None };
        let named = self.observer.processes.get(&pid)?;
        (named.is_alive() && named.role == Role::Master).then_some(pid)
    }

    /// Fills the journal's disk, if it has one of its own.
    fn take_room(&self) -> bool {
        let Ok(state) = rustix::fs::statvfs(&self.paths.state) else { return false };
        let Ok(above) = rustix::fs::statvfs(&self.paths.prefix) else { return false };
        if state.f_fsid == above.f_fsid && state.f_blocks == above.f_blocks {
            return false;
        }
        let Ok(mut filler) = fs::File::create(self.paths.state.join(FILLER)) else { return false };
        while filler.write_all(&[0; 4_096]).is_ok() {}
        true
    }

    /// Gives the room back.
    pub(super) fn give_room(&self) {
        let _ = fs::remove_file(self.paths.state.join(FILLER));
    }
}
