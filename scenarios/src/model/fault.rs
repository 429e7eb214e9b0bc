//! What goes wrong in a run, and when: decided before its first step.
//!
//! A fault that could happen at every step of a random walk happens in the first few. So faults are drawn
//! beforehand, each for a step of its own; if there is nothing to strike at that step, it waits for the next.

use std::fmt;

use super::choice::{About, Chooser, Name, number};

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// kill -9 of the oldest master.
    KillOldMaster,
    /// kill -9 of the youngest of several masters, or of a new binary that still loads.
    KillNewMaster,
    /// kill -9 of a worker of the oldest master.
    KillOldWorker,
    /// kill -9 of a worker of the youngest of several masters.
    KillNewWorker,
    /// HUP to whoever the pid file names.
    Reload,
    /// The orchestrator is killed.
    Crash,
    /// Ctrl-C.
    Interrupt,
    /// The orchestrator's next change of a file or its journal fails.
    FullDisk,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 8] = [
        Self::KillOldMaster,
        Self::KillNewMaster,
        Self::KillOldWorker,
        Self::KillNewWorker,
        Self::Reload,
        Self::Crash,
        Self::Interrupt,
        Self::FullDisk,
    ];

    /// True if it ends a master.
    #[must_use]
    pub const fn is_of_master(self) -> bool {
        matches!(self, Self::KillOldMaster | Self::KillNewMaster)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KillOldMaster => "kill-old-master",
            Self::KillNewMaster => "kill-new-master",
            Self::KillOldWorker => "kill-old-worker",
            Self::KillNewWorker => "kill-new-worker",
            Self::Reload => "reload",
            Self::Crash => "crash",
            Self::Interrupt => "interrupt",
            Self::FullDisk => "full-disk",
        }
    }

    /// The fault of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

/// A fault with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Planned {
    /// When, or as soon after it as there is something to strike.
    pub when: When,
    /// What.
    pub fault: Fault,
}

/// A time, as a plan says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// After so many steps.
    Step(u32),
    /// When this step would be the natural next one, for the nth time, from 1: outlives a change of the model.
    Before(Name, u32),
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when {
            When::Step(step) => write!(f, "{} at step {step}", self.fault.name()),
            When::Before(name, nth) => write!(f, "{} before {name} #{nth}", self.fault.name()),
        }
    }
}

/// Draws at most `count_max` faults of these kinds, each at one of the first `steps` steps.
pub fn plan(chooser: &mut dyn Chooser, kinds: &[Fault], count_max: usize, steps: usize) -> Vec<Planned> {
    if kinds.is_empty() {
        return Vec::new();
    }
    let count = number(chooser, count_max + 1, About::Fault);
    let mut planned: Vec<Planned> = (0..count)
        .map(|_| {
            let fault = kinds[number(chooser, kinds.len(), About::Fault)];
            let step = u32::try_from(number(chooser, steps, About::Fault)).unwrap_or(u32::MAX);
            Planned { when: When::Step(step), fault }
        })
        .collect();
    planned.sort_unstable();
    planned
}
