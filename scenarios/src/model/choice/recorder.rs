//! Writes down what another chooser picks.

use std::collections::BTreeMap;
use std::fmt;

use super::{About, Chooser, Label, Name, Replay};

/// One choice that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Choice {
    /// How many ways there were.
    pub n: usize,
    /// What it was about.
    pub about: About,
    /// Which was taken.
    pub taken: usize,
}

/// One choice that was not the natural one, by names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deviation {
    /// The step that would have been natural.
    pub instead_of: Name,
    /// How often that had been the natural one before, and this time: from 1.
    pub nth: u32,
    /// The step that was taken.
    pub take: Name,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} instead of {} #{}", self.take, self.instead_of, self.nth)
    }
}

/// Asks another chooser, and writes down its answers.
#[derive(Debug)]
pub struct Recorder<C> {
    inner: C,
    choices: Vec<Choice>,
    deviations: Vec<Deviation>,
    seen: BTreeMap<Name, u32>,
}

impl<C: Chooser> Recorder<C> {
    /// Records `inner`.
    pub const fn new(inner: C) -> Self {
        Self { inner, choices: Vec::new(), deviations: Vec::new(), seen: BTreeMap::new() }
    }

    /// Who was asked.
    pub(in crate::model) const fn inner(&self) -> &C {
        &self.inner
    }

    /// Every choice, in order.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// A chooser that picks the same again, by names.
    pub fn replay(&self) -> Replay {
        let numbers = self.choices.iter().filter(|choice| choice.about != About::Step);
        Replay::new(self.deviations.clone(), numbers.map(|choice| choice.taken).collect())
    }

    /// The steps that were not the natural ones, in order.
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }
}

impl<C: Chooser> Chooser for Recorder<C> {
    fn choose(&mut self, n: usize, label: Label<'_>) -> usize {
        let taken = self.inner.choose(n, label);
        self.choices.push(Choice { n, about: label.about, taken });
        if let Some(&instead_of) = label.ways.first() {
            let nth = count(&mut self.seen, instead_of);
            if taken != 0 {
                self.deviations.push(Deviation { instead_of, nth, take: label.ways[taken] });
            }
        }
        taken
    }

    fn passes(&mut self, only: Name) {
        self.inner.passes(only);
    }
}

/// One more time that this was the natural step.
pub(in crate::model) fn count(seen: &mut BTreeMap<Name, u32>, name: Name) -> u32 {
    let nth = seen.entry(name).or_insert(0);
    *nth += 1;
    *nth
}
