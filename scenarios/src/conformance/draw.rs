//! Sequences from seeds.
//!
//! Signals come most often, and USR2 to the old master first of all: without a second generation there is little to
//! see. A start while nginx runs is rare, because nginx tries to bind for two and a half seconds.

use super::step::OPTIONS;
use super::{Binary, Configured, Hold, PidFileIs, Sequence, Signal, Step, Whom};
use crate::model::choice::{About, Chooser, number};

/// How long a sequence is at most, unless somebody says otherwise.
pub const STEPS_MAX: usize = 12;
/// The most workers that a configuration asks for.
const WORKERS_MAX: usize = 2;

/// One kind of step, as it is drawn.
type Kind = fn(&mut dyn Chooser) -> Step;

/// How often each kind comes, of [`total`].
const KINDS: [(usize, Kind); 12] = [
    (5, |_| Step::Signal(Signal::Usr2, Whom::OldMaster)),
    (12, |chooser| Step::Signal(one_of(chooser, Signal::ALL), one_of(chooser, Whom::ALL))),
    (3, two_signals),
    (3, |_| Step::Install(Binary::New)),
    (2, |chooser| Step::Install(one_of(chooser, Binary::ALL))),
    (2, |chooser| Step::Configure(Configured::Workers(workers(chooser)))),
    (1, |_| Step::Configure(Configured::Broken)),
    (1, |chooser| Step::PidFile(one_of(chooser, PidFileIs::ALL))),
    (4, |chooser| Step::CommandLine(one_of(chooser, OPTIONS).to_owned())),
    (1, |_| Step::Start),
    (2, |_| Step::Connect),
    (2, |chooser| Step::Hold(one_of(chooser, Hold::ALL))),
];

/// Draws a sequence of two to `steps_max` steps.
pub fn draw(chooser: &mut dyn Chooser, steps_max: usize) -> Sequence {
    let workers = workers(chooser);
    let count = 2 + number(chooser, steps_max.saturating_sub(1), About::Script);
    let steps = (0..count.min(steps_max.max(1))).map(|_| step(chooser)).collect();
    Sequence { workers, steps }
}

fn step(chooser: &mut dyn Chooser) -> Step {
    let mut nth = number(chooser, total(), About::Script);
    for (often, kind) in KINDS {
        if nth < often {
            return kind(chooser);
        }
        nth -= often;
    }
    Step::Connect
}

fn total() -> usize {
    KINDS.iter().map(|(often, _)| often).sum()
}

/// Two different ones, as KILL leaves nothing to see of the other. Not USR1: a worker that is told to reopen and to go
/// does the first or both at once, as it wakes.
fn two_signals(chooser: &mut dyn Chooser) -> Step {
    let caught = [Signal::Hup, Signal::Quit, Signal::Term, Signal::Winch, Signal::Usr2];
    let one = number(chooser, caught.len(), About::Script);
    let other = (one + 1 + number(chooser, caught.len() - 1, About::Script)) % caught.len();
    let whom = one_of(chooser, [Whom::OldMaster, Whom::OldMaster, Whom::NewMaster]);
    Step::Signals(caught[one], caught[other], whom)
}

fn workers(chooser: &mut dyn Chooser) -> u16 {
    u16::try_from(1 + number(chooser, WORKERS_MAX, About::Script)).unwrap_or(1)
}

fn one_of<T: Copy, const N: usize>(chooser: &mut dyn Chooser, all: [T; N]) -> T {
    all[number(chooser, N, About::Script)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::choice::Seeded;

    #[test]
    fn a_seed_gives_the_same_sequence_and_every_step_is_read_as_it_is_written() {
        for seed in 0..200 {
            let sequence = draw(&mut Seeded::new(seed), STEPS_MAX);
            assert_eq!(sequence, draw(&mut Seeded::new(seed), STEPS_MAX));
            assert!((2..=STEPS_MAX).contains(&sequence.steps.len()));
            for step in sequence.steps {
                assert_eq!(step.to_string().parse(), Ok(step));
            }
        }
    }
}
