//! Picks as a recorded run did, by the names of its steps.

use std::collections::BTreeMap;

use super::recorder::count;
use super::{About, Chooser, Deviation, Label, Name};

/// Takes the deviations that it was given, and the natural way everywhere else.
///
/// A deviation that never has its time, or whose step is not possible then, is left out and told by
/// [`Self::finish`]: the model has changed under a kept failure, or an earlier step was left out.
#[derive(Debug, Clone)]
pub struct Replay {
    deviations: BTreeMap<(Name, u32), Name>,
    numbers: Vec<usize>,
    next_number: usize,
    seen: BTreeMap<Name, u32>,
    missed: Vec<Deviation>,
}

/// Deviations that never had their time, or whose step was not possible then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} steps of the replay were not possible, the first: {}", .0.len(), .0[0])]
pub struct NoDeviation(pub Vec<Deviation>);

impl Replay {
    /// Takes `deviations`, and answers choices of numbers (faults, script) with `numbers`.
    #[must_use]
    pub fn new(deviations: impl IntoIterator<Item = Deviation>, numbers: Vec<usize>) -> Self {
        let deviations =
            deviations.into_iter().map(|step| ((step.instead_of, step.nth), step.take)).collect();
        Self { deviations, numbers, next_number: 0, seen: BTreeMap::new(), missed: Vec::new() }
    }

    /// What was not possible.
    ///
    /// # Errors
    /// If that is anything.
    pub fn finish(mut self) -> Result<(), NoDeviation> {
        let left = self.deviations.into_iter();
        self.missed.extend(left.map(|((instead_of, nth), take)| Deviation { instead_of, nth, take }));
        if self.missed.is_empty() { Ok(()) } else { Err(NoDeviation(self.missed)) }
    }
}

impl Chooser for Replay {
    fn choose(&mut self, n: usize, label: Label<'_>) -> usize {
        if label.about != About::Step {
            let number = self.numbers.get(self.next_number).copied().unwrap_or(0);
            self.next_number += 1;
            return number % n;
        }
        let Some(&instead_of) = label.ways.first() else { return 0 };
        let nth = count(&mut self.seen, instead_of);
        let Some(take) = self.deviations.remove(&(instead_of, nth)) else { return 0 };
        label.ways.iter().position(|&way| way == take).unwrap_or_else(|| {
            self.missed.push(Deviation { instead_of, nth, take });
            0
        })
    }
}

#[cfg(test)]
mod tests {
    use fake_nginx::machine::Moment;

    use super::super::{Act, Actor, Recorder, Tape};
    use super::*;

    fn ways() -> [Name; 3] {
        [Moment::Fork, Moment::Exec, Moment::Exit]
            .map(Act::Nginx)
            .map(|act| Name { actor: Actor::SUBJECT, act })
    }

    #[test]
    fn a_recorded_run_is_replayed_by_names() {
        let tape = [0, 2, 5, 1, 0, 0];
        let mut recorder = Recorder::new(Tape::new(&tape));
        let first: Vec<_> = (0..6).map(|_| recorder.choose(3, Label::step(&ways()))).collect();

        let mut replay = Replay::new(recorder.deviations().to_vec(), Vec::new());
        let again: Vec<_> = (0..6).map(|_| replay.choose(3, Label::step(&ways()))).collect();

        assert_eq!(again, first);
        assert_eq!(replay.finish(), Ok(()));
    }

    #[test]
    fn a_step_that_is_not_possible_any_more_is_told() {
        let missing = Name { actor: Actor::SUBJECT, act: Act::Nginx(Moment::Kill) };
        let deviation = Deviation { instead_of: ways()[0], nth: 1, take: missing };
        let mut replay = Replay::new(vec![deviation], Vec::new());

        assert_eq!(replay.choose(3, Label::step(&ways())), 0);
        assert_eq!(replay.finish(), Err(NoDeviation(vec![deviation])));
    }
}
