//! What goes wrong in a run, and when: decided before its first step.
//!
//! A fault that could happen at every step of a random walk happens in the first few. So faults are drawn
//! beforehand, each for a step of its own; if there is nothing to strike at that step, it waits for the next.

use std::fmt;

use super::choice::{About, Chooser, Name, number};

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A process is taken away, by somebody's hand or by its own end.
    Blow(Blow, Whom),
    /// HUP to whoever the pid file names.
    Reload,
    /// USR1 to whoever the pid file names: logs are rotated.
    Reopen,
    /// A package manager puts another release's binary at the path.
    Package,
    /// The number of an nginx that has died is given to a process that is none.
    ReusedPid,
    /// USR2 to the old master while its new binary runs, which nginx refuses.
    SecondUsr2,
    /// The orchestrator is killed.
    Crash,
    /// Ctrl-C.
    Interrupt,
    /// The orchestrator's next change of a file or its journal fails.
    FullDisk,
    /// Somebody who does not use `oldbin` types a signal that takes nobody away.
    Sent(Order, Whom),
    /// Somebody types another command of `oldbin`.
    SecondOperator,
    /// The power fails, and the machine comes up again.
    PowerFailure,
}

/// How a process is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blow {
    /// KILL.
    Kill,
    /// TERM: its requests are cut.
    Term,
    /// QUIT: its requests are answered first.
    Quit,
    /// It calls exit(3) by itself.
    Exit,
    /// WINCH to a master: its workers go, their requests are answered first, and it stays.
    Winch,
}

/// What a master is told that keeps its workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// To start the binary at the path.
    Usr2,
    /// HUP, beside a younger master.
    Hup,
}

/// Which process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whom {
    /// The oldest master.
    OldMaster,
    /// The youngest of several masters, or a new binary that still loads.
    NewMaster,
    /// A worker that is not of the youngest generation; of the only one, if there is but one.
    OldWorker,
    /// A worker of the youngest of several generations.
    NewWorker,
}

use Blow::{Exit, Kill, Quit, Term, Winch};
use Whom::{NewMaster, NewWorker, OldMaster, OldWorker};

/// Every fault by its name; what comes later stands behind [`DRAWN`].
const NAMES: [(Fault, &str); 31] = [
    (Fault::Blow(Kill, OldMaster), "kill-old-master"),
    (Fault::Blow(Kill, NewMaster), "kill-new-master"),
    (Fault::Blow(Kill, OldWorker), "kill-old-worker"),
    (Fault::Blow(Kill, NewWorker), "kill-new-worker"),
    (Fault::Blow(Term, OldMaster), "term-old-master"),
    (Fault::Blow(Term, NewMaster), "term-new-master"),
    (Fault::Blow(Term, OldWorker), "term-old-worker"),
    (Fault::Blow(Term, NewWorker), "term-new-worker"),
    (Fault::Blow(Quit, OldMaster), "quit-old-master"),
    (Fault::Blow(Quit, NewMaster), "quit-new-master"),
    (Fault::Blow(Quit, OldWorker), "quit-old-worker"),
    (Fault::Blow(Quit, NewWorker), "quit-new-worker"),
    (Fault::Blow(Exit, OldMaster), "exit-old-master"),
    (Fault::Blow(Exit, NewMaster), "exit-new-master"),
    (Fault::Blow(Exit, OldWorker), "exit-old-worker"),
    (Fault::Blow(Exit, NewWorker), "exit-new-worker"),
    (Fault::Reload, "reload"),
    (Fault::SecondUsr2, "second-usr2"),
    (Fault::Crash, "crash"),
    (Fault::Interrupt, "interrupt"),
    (Fault::FullDisk, "full-disk"),
    (Fault::Reopen, "reopen"),
    (Fault::Package, "package"),
    (Fault::ReusedPid, "reused-pid"),
    (Fault::Blow(Winch, OldMaster), "winch-old-master"),
    (Fault::Blow(Winch, NewMaster), "winch-new-master"),
    (Fault::Sent(Order::Usr2, OldMaster), "usr2-old-master"),
    (Fault::Sent(Order::Usr2, NewMaster), "usr2-new-master"),
    (Fault::Sent(Order::Hup, OldMaster), "reload-old-master"),
    (Fault::SecondOperator, "second-operator"),
    (Fault::PowerFailure, "power-failure"),
];

/// How many of them random scripts draw from. A seed means the same script for ever.
const DRAWN: usize = 21;

impl Fault {
    /// Every fault.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|&(fault, _)| fault)
    }

    /// Those that random scripts draw from.
    pub fn drawn() -> impl Iterator<Item = Self> {
        Self::all().take(DRAWN)
    }

    /// True if nothing is excused by it: it takes nobody away and gives no process another life, or it leaves nobody of
    /// whom anything could be said.
    #[must_use]
    pub const fn is_harmless(self) -> bool {
        matches!(
            self,
            Self::Reopen | Self::Package | Self::ReusedPid | Self::SecondOperator | Self::PowerFailure
        )
    }

    /// True if it ends a master.
    #[must_use]
    pub const fn is_of_master(self) -> bool {
        matches!(self, Self::Blow(Kill | Term | Quit | Exit, OldMaster | NewMaster))
    }

    /// True if somebody else upgrades by hand, or has taken a generation out of service: what becomes of that is theirs
    /// to say.
    #[must_use]
    pub const fn is_of_another_hand(self) -> bool {
        matches!(self, Self::Blow(Winch, _) | Self::Sent(Order::Usr2, _))
    }

    /// True if it ends a worker.
    #[must_use]
    pub const fn is_of_worker(self) -> bool {
        matches!(self, Self::Blow(_, OldWorker | NewWorker))
    }

    /// True if only a running command can be struck by it.
    #[must_use]
    pub const fn is_of_command(self) -> bool {
        matches!(self, Self::Crash | Self::Interrupt | Self::FullDisk)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(fault, _)| *fault == self).map_or("", |&(_, name)| name)
    }

    /// The fault of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|&(fault, _)| fault)
    }
}

/// A fault with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Planned {
    /// When, or as soon after it as there is something to strike.
    pub when: When,
    /// What.
    pub fault: Fault,
    /// Which of several processes that could be struck, by age, from 0; counted around if there are fewer.
    pub which: u8,
}

/// A time, as a plan says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// After so many steps.
    Step(u32),
    /// When this step would be the natural next one, for the nth time, from 1: outlives a change of the model.
    Before(Name, u32),
}

impl When {
    /// True if its time has come after so many steps, before this one for the nth time.
    pub(super) fn is_due(self, steps: u32, natural: Name, nth: u32) -> bool {
        match self {
            Self::Step(step) => step <= steps,
            Self::Before(name, number) => (name, number) == (natural, nth),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => write!(f, "at step {step}"),
            Self::Before(name, nth) => write!(f, "before {name} #{nth}"),
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault.name())?;
        if self.which > 0 {
            write!(f, " (number {} of them)", self.which + 1)?;
        }
        write!(f, " {}", self.when)
    }
}

/// Among how many workers one is picked.
const WHICH_MAX: usize = 3;

/// Draws at most `count_max` faults of these kinds, each at one of the first `steps` steps.
pub fn plan(chooser: &mut dyn Chooser, kinds: &[Fault], count_max: usize, steps: usize) -> Vec<Planned> {
    if kinds.is_empty() {
        return Vec::new();
    }
    let count = number(chooser, count_max + 1, About::Fault);
    let mut planned: Vec<Planned> = (0..count)
        .map(|_| {
            let fault = kinds[number(chooser, kinds.len(), About::FaultKind)];
            let step = u32::try_from(number(chooser, steps, About::Fault)).unwrap_or(u32::MAX);
            let picks = matches!(fault, Fault::Blow(_, OldWorker | NewWorker));
            let which = if picks { number(chooser, WHICH_MAX, About::Fault) } else { 0 };
            Planned { when: When::Step(step), fault, which: u8::try_from(which).unwrap_or(0) }
        })
        .collect();
    planned.sort_unstable();
    planned
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red when a fault is added in front of another: then every seed would mean another script.
    #[test]
    fn random_scripts_draw_what_they_drew_before() {
        assert_eq!(Fault::drawn().last(), Some(Fault::FullDisk));
        assert!(Fault::drawn().all(|fault| !fault.is_harmless()));
    }

    #[test]
    fn every_name_is_read_as_it_is_written() {
        for fault in Fault::all() {
            assert_eq!(Fault::named(fault.name()), Some(fault));
        }
        assert_eq!(Fault::named("kill-the-cat"), None);
    }
}
