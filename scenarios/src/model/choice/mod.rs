//! The one place through which everything that could go one way or another goes.
//!
//! A world that reaches a fork in the road asks a [`Chooser`] to pick one of n ways. Seeds, proptest tapes,
//! exhaustive search and replay are choosers, nothing more. Way 0 is always the *natural* one (whoever has
//! waited longest goes on, nothing goes wrong), so a tape of zeros is a calm run, and shrinking towards zero
//! shrinks towards few deviations from it.
//!
//! Each way has a [`Name`] that outlives a change of the model: what is kept of a failure is
//! [`Deviation`]s by these names, not positions.

mod name;
mod pct;
mod recorder;
mod replay;
mod seeded;
mod strategy;
mod swarm;
mod tape;

pub use name::{Act, Actor, Name, Who};
pub use pct::Pct;
pub use recorder::{Choice, Deviation, Recorder};
pub use replay::{NoDeviation, Replay};
pub use seeded::Seeded;
pub use strategy::Strategy;
pub use swarm::Swarm;
pub use tape::Tape;

pub(super) use recorder::count;

/// What a choice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// Who takes the next step.
    Step,
    /// What goes wrong in this run, and how often; asked before its first step.
    Fault,
    /// Which kind of thing that is.
    FaultKind,
    /// What the script of this run says; asked before its first step.
    Script,
}

/// What a chooser is told about a choice.
#[derive(Debug, Clone, Copy)]
pub struct Label<'a> {
    /// What it is about.
    pub about: About,
    /// The ways, in order; empty where they are just numbers.
    pub ways: &'a [Name],
}

impl<'a> Label<'a> {
    /// A choice of steps.
    #[must_use]
    pub const fn step(ways: &'a [Name]) -> Self {
        Self { about: About::Step, ways }
    }

    /// A choice of numbers.
    #[must_use]
    pub const fn number(about: About) -> Self {
        Self { about, ways: &[] }
    }
}

/// Picks ways.
pub trait Chooser {
    /// Picks one of `n` ways, `n` being at least 2. The answer is below `n`.
    fn choose(&mut self, n: usize, label: Label<'_>) -> usize;

    /// A step was the only one that was possible. Who picks by numbers need not know.
    fn passes(&mut self, _only: Name) {}
}

impl<C: Chooser + ?Sized> Chooser for &mut C {
    fn choose(&mut self, n: usize, label: Label<'_>) -> usize {
        (**self).choose(n, label)
    }

    fn passes(&mut self, only: Name) {
        (**self).passes(only);
    }
}

impl<C: Chooser + ?Sized> Chooser for Box<C> {
    fn choose(&mut self, n: usize, label: Label<'_>) -> usize {
        (**self).choose(n, label)
    }

    fn passes(&mut self, only: Name) {
        (**self).passes(only);
    }
}

/// Always the natural way: the calm run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Calm;

impl Chooser for Calm {
    fn choose(&mut self, _: usize, _: Label<'_>) -> usize {
        0
    }
}

/// A number below `n`, which may be 1: then nobody is asked.
pub fn number(chooser: &mut dyn Chooser, n: usize, about: About) -> usize {
    if n < 2 { 0 } else { chooser.choose(n, Label::number(about)) }
}
