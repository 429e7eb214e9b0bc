//! Plays a sequence on both sides, as often as it takes to say whether they are the same.

use std::collections::BTreeMap;

use super::compare::{self, Difference};
use super::{Pair, Sequence, Snapshot};
use crate::live::{self, Isolation, LiveError, Setting, nginx};
use crate::mutant::Mutant;
use crate::scenario::{Expect, Load, Release, Scenario, WorldKind};

/// How often each side plays when the sides differ: a race that real nginx loses once in a few runs is to be seen.
const RUNS_MAX: usize = 8;
/// How long one run may take; a world that never rests is seen as it is.
const DEADLINE_MS: u64 = 120_000;

/// Plays sequences with one pair of releases.
#[derive(Debug, Clone)]
pub struct Verifier {
    pair: Pair,
    releases: Vec<nginx::Found>,
    mutants: Vec<Mutant>,
}

/// What one step led to on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// On the fake, after each step; first at the start.
    pub fake: Vec<Snapshot>,
    /// On real nginx.
    pub real: Vec<Snapshot>,
    /// Where they part.
    pub difference: Difference,
}

/// What a sequence has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// Both sides are the same, but for what real nginx differs in from itself.
    Same,
    /// They are not.
    Differs(Box<Seen>),
}

impl Verifier {
    /// With fakes that have these deliberate defects, none in most runs.
    #[must_use]
    pub fn new(pair: Pair, releases: Vec<nginx::Found>, mutants: Vec<Mutant>) -> Self {
        Self { pair, releases, mutants }
    }

    /// The pair that it plays with.
    #[must_use]
    pub fn pair(&self) -> Pair {
        self.pair
    }

    /// Plays the sequence once on each side, and again as long as they differ.
    ///
    /// # Errors
    /// [`LiveError`] if there is no world to play in.
    pub fn verify(&self, sequence: &Sequence) -> Result<Compared, LiveError> {
        let (mut fakes, mut reals) = (Vec::new(), Vec::new());
        loop {
            fakes.push(self.play(sequence, WorldKind::Fake)?);
            reals.push(self.play(sequence, WorldKind::Real)?);
            let Some((fake, real, difference)) = compare::best(&fakes, &reals) else {
                return Ok(Compared::Same);
            };
            if reals.len() >= RUNS_MAX {
                let (fake, real) = (fakes.swap_remove(fake), reals.swap_remove(real));
                return Ok(Compared::Differs(Box::new(Seen { fake, real, difference })));
            }
        }
    }

    /// Plays it once on one side: what was seen at the start and after each step.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn play(&self, sequence: &Sequence, world: WorldKind) -> Result<Vec<Snapshot>, LiveError> {
        let setting = Setting {
            world,
            releases: self.releases.clone(),
            runbooks: BTreeMap::new(),
            seed: 0,
            mutants: self.mutants.clone(),
            isolation: Isolation::Best,
            tells_moments: false,
            replay: String::new(),
        };
        live::conform(sequence, &scenario(self.pair, sequence), &setting)
    }
}

/// The world that a sequence is played in: a story without acts and without load.
fn scenario(pair: Pair, sequence: &Sequence) -> Scenario {
    let release = |version: String| Release { version, workers: sequence.workers, fault: None };
    Scenario {
        name: "conformance".into(),
        why: "The fake does what nginx does.".into(),
        source: None,
        old: release(pair.old.to_string()),
        new: release(pair.new.to_string()),
        faults: Vec::new(),
        acts: Vec::new(),
        load: Load { fresh_per_second: 0, kept: 0, slow: 0, slow_ms: 0, patience_ms: 0 },
        expect: Expect::default(),
        deadline_ms: DEADLINE_MS,
    }
}
