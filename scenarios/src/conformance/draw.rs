//! Sequences from seeds.
//!
//! Signals come most often, and USR2 to the old master first of all: without a second generation there is little to
//! see. Of what else there is, each sequence has a half of its own, so that what is rare comes close together. A start
//! while nginx runs is rare, and so are addresses that cannot be had: nginx tries to bind for two and a half seconds.
//! Most sequences begin with a daemon that has nothing unusual about it.

use std::collections::BTreeSet;

use strum::VariantArray;

use super::step::OPTIONS;
use super::{
    Binary, Configured, Connect, Hold, Listens, PidFileIs, PidPath, Runs, Sequence, Signal, Site, Step, Whom,
};
use crate::model::choice::{About, Chooser, Seeded, number};

/// How long a sequence is at most, unless somebody says otherwise.
pub const STEPS_MAX: usize = 12;
/// The most workers that a configuration asks for.
const WORKERS_MAX: usize = 2;

/// One kind of step, as it is drawn.
type Kind = fn(&mut dyn Chooser) -> Step;

/// How often each kind comes; what belongs together stands together.
const KINDS: [&[(usize, Kind)]; 6] = [
    &[
        (12, |_| Step::Signal(Signal::Usr2, Whom::OldMaster)),
        (16, |chooser| Step::Signal(one_of(chooser, &TO_MASTERS), one_of(chooser, &MASTERS))),
        (8, |chooser| Step::Signal(one_of(chooser, Signal::VARIANTS), one_of(chooser, &WORKERS))),
        (8, two_signals),
    ],
    &[(6, |_| Step::Install(Binary::New)), (4, |chooser| Step::Install(one_of(chooser, Binary::VARIANTS)))],
    &[
        (3, |chooser| Step::Configure(Configured::Workers(workers(chooser)))),
        (5, |chooser| Step::Configure(Configured::Listens(listens(chooser)))),
        (2, |chooser| Step::Configure(Configured::Runs(one_of(chooser, Runs::VARIANTS)))),
        (4, |chooser| Step::Configure(Configured::Pid(one_of(chooser, PidPath::VARIANTS)))),
        (2, |_| Step::Configure(Configured::Broken)),
    ],
    &[
        (4, |_| Step::PidFile(PidFileIs::Absent)),
        (2, |chooser| Step::PidFile(one_of(chooser, PidFileIs::VARIANTS))),
    ],
    &[(8, |chooser| Step::CommandLine(one_of(chooser, &OPTIONS).to_owned())), (2, |_| Step::Start)],
    &[
        (3, |_| Step::Connect(Connect::Tcp)),
        (1, |_| Step::Connect(Connect::Unix)),
        (14, |chooser| Step::Hold(one_of(chooser, Hold::VARIANTS), one_of(chooser, &TAKERS))),
        (6, |_| Step::Finish),
    ],
];
/// What masters are told: seldom what ends everything.
const TO_MASTERS: [Signal; 10] = [
    Signal::Hup,
    Signal::Hup,
    Signal::Hup,
    Signal::Winch,
    Signal::Winch,
    Signal::Usr1,
    Signal::Usr2,
    Signal::Quit,
    Signal::Term,
    Signal::Kill,
];
/// What comes together; in which order makes no difference. No KILL, which leaves nothing to see of the other, and no
/// USR1: a worker that is told to reopen and to go does the first or both at once, as it wakes.
const TOGETHER: [(Signal, Signal); 17] = [
    (Signal::Hup, Signal::Winch),
    (Signal::Hup, Signal::Winch),
    (Signal::Hup, Signal::Winch),
    (Signal::Hup, Signal::Usr2),
    (Signal::Hup, Signal::Usr2),
    (Signal::Hup, Signal::Quit),
    (Signal::Hup, Signal::Quit),
    (Signal::Winch, Signal::Usr2),
    (Signal::Winch, Signal::Usr2),
    (Signal::Winch, Signal::Quit),
    (Signal::Winch, Signal::Quit),
    (Signal::Usr2, Signal::Quit),
    (Signal::Usr2, Signal::Quit),
    (Signal::Term, Signal::Hup),
    (Signal::Term, Signal::Winch),
    (Signal::Term, Signal::Quit),
    (Signal::Term, Signal::Usr2),
];
const MASTERS: [Whom; 3] = [Whom::OldMaster, Whom::OldMaster, Whom::NewMaster];
const WORKERS: [Whom; 4] = [Whom::OldWorker, Whom::LastOldWorker, Whom::NewWorker, Whom::LastNewWorker];
/// Who takes connections; a master only if it is its own worker.
const TAKERS: [Whom; 7] = [
    Whom::OldWorker,
    Whom::OldWorker,
    Whom::OldWorker,
    Whom::LastOldWorker,
    Whom::NewWorker,
    Whom::LastNewWorker,
    Whom::OldMaster,
];
/// Draws a sequence of two to `steps_max` steps.
pub fn draw(chooser: &mut dyn Chooser, steps_max: usize) -> Sequence {
    let site = site(chooser);
    let count = 2 + number(chooser, steps_max.saturating_sub(1), About::Script);
    let kinds: Vec<(usize, Kind)> = KINDS
        .into_iter()
        .enumerate()
        .filter(|(at, _)| *at == 0 || number(chooser, 2, About::Script) == 0)
        .flat_map(|(_, kinds)| kinds.iter().copied())
        .collect();
    let steps = (0..count.min(steps_max.max(1))).map(|_| step(chooser, &kinds)).collect();
    Sequence { site, steps }
}

/// Every kind of step that can be drawn, as [`Step::kind`] names it.
pub(super) fn kinds() -> BTreeSet<String> {
    // A thousand sequences hold every one of these several times; a test says so of fewer.
    (0..1_000)
        .flat_map(|seed| draw(&mut Seeded::new(seed), STEPS_MAX).steps)
        .map(|step| step.kind())
        .collect()
}

fn site(chooser: &mut dyn Chooser) -> Site {
    let workers = workers(chooser);
    let is_plain = number(chooser, 2, About::Script) == 0;
    let listens = if is_plain { Listens::Plain } else { listens(chooser) };
    let runs = match number(chooser, 10, About::Script) {
        0 => Runs::Single,
        1 => Runs::Foreground,
        _ => Runs::Daemon,
    };
    Site { workers, listens, runs, pid: PidPath::Usual }
}

fn step(chooser: &mut dyn Chooser, kinds: &[(usize, Kind)]) -> Step {
    let mut nth = number(chooser, kinds.iter().map(|(often, _)| often).sum(), About::Script);
    for (often, kind) in kinds {
        if nth < *often {
            return kind(chooser);
        }
        nth -= often;
    }
    Step::Connect(Connect::Tcp)
}

fn two_signals(chooser: &mut dyn Chooser) -> Step {
    let (one, other) = one_of(chooser, &TOGETHER);
    Step::Signals(one, other, one_of(chooser, &MASTERS))
}

fn workers(chooser: &mut dyn Chooser) -> u16 {
    u16::try_from(1 + number(chooser, WORKERS_MAX, About::Script)).unwrap_or(1)
}

/// Seldom what cannot be had.
fn listens(chooser: &mut dyn Chooser) -> Listens {
    let weighted = [
        Listens::Plain,
        Listens::Two,
        Listens::Two,
        Listens::Unix,
        Listens::Unix,
        Listens::Unix,
        Listens::Reuseport,
        Listens::Reuseport,
        Listens::Reuseport,
        Listens::Wide,
    ];
    one_of(chooser, &weighted)
}

fn one_of<T: Copy>(chooser: &mut dyn Chooser, all: &[T]) -> T {
    all[number(chooser, all.len(), About::Script)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_sequence_and_every_step_is_read_as_it_is_written() {
        for seed in 0..500 {
            let sequence = draw(&mut Seeded::new(seed), STEPS_MAX);
            assert_eq!(sequence, draw(&mut Seeded::new(seed), STEPS_MAX));
            assert!((2..=STEPS_MAX).contains(&sequence.steps.len()));
            for step in sequence.steps {
                assert_eq!(step.to_string().parse(), Ok(step));
            }
        }
    }

    #[test]
    fn a_third_of_the_sequences_that_kinds_are_taken_from_hold_them_all() {
        let drawn = (0..300).flat_map(|seed| draw(&mut Seeded::new(seed), STEPS_MAX).steps);

        assert_eq!(drawn.map(|step| step.kind()).collect::<BTreeSet<_>>(), kinds());
    }
}
