//! Plays a sequence on both sides, as often as it takes to say whether they are the same.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::{self, Difference, Excused};
use super::{Pair, Sequence, Snapshot};
use crate::live::{self, Isolation, LiveError, Setting, nginx};
use crate::mutant::Mutant;
use crate::scenario::{Expect, Load, Release, Scenario, WorldKind};

/// How often each side plays when the sides differ: a race that real nginx loses once in a few runs is to be seen.
const RUNS_MAX: usize = 8;
/// How long one run may take; a world that never rests is seen as it is.
const DEADLINE_MS: u64 = 120_000;

/// How a step begins to tell that it did nothing.
pub(crate) const IDLE: &str = "nothing done: ";

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
pub struct Compared {
    /// The steps that had nobody to act on, by position.
    pub idle: BTreeSet<usize>,
    /// What real nginx differs in from itself, and so was not compared.
    pub excused: Excused,
    /// Where the two sides part, beyond that; `None` if they are the same.
    pub differs: Option<Box<Seen>>,
}

impl Verifier {
    /// With fakes that have these deliberate defects, none in most runs.
    #[must_use]
    pub fn new(pair: Pair, releases: Vec<nginx::Found>, mutants: Vec<Mutant>) -> Self {
        Self { pair, releases, mutants }
    }

    /// The same, with fakes that have other deliberate defects.
    #[must_use]
    pub fn with(&self, mutants: Vec<Mutant>) -> Self {
        Self { mutants, ..self.clone() }
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
        self.verify_beside(sequence, &mut Vec::new())
    }

    /// The same, beside runs of real nginx that are there already; more are added where they are needed.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn verify_beside(
        &self,
        sequence: &Sequence,
        reals: &mut Vec<Vec<Snapshot>>,
    ) -> Result<Compared, LiveError> {
        let mut fakes = Vec::new();
        loop {
            fakes.push(self.play(sequence, WorldKind::Fake)?);
            if reals.len() < fakes.len() {
                reals.push(self.play(sequence, WorldKind::Real)?);
            }
            let differs = match compare::best(&fakes, reals) {
                None => None,
                Some(_) if fakes.len() < RUNS_MAX => continue,
                Some((fake, real, difference)) => {
                    let (fake, real) = (fakes.swap_remove(fake), reals[real].clone());
                    Some(Box::new(Seen { fake, real, difference }))
                }
            };
            return Ok(Compared { idle: idle(&reals[0]), excused: compare::excused(reals), differs });
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

/// The steps behind which a run says that nothing was done; snapshot 0 is the start.
fn idle(run: &[Snapshot]) -> BTreeSet<usize> {
    let steps = run.iter().skip(1).enumerate();
    steps
        .filter(|(_, seen)| seen.of("step").iter().any(|said| said.starts_with(IDLE)))
        .map(|(at, _)| at)
        .collect()
}

/// The world that a sequence is played in: a story without acts and without load.
fn scenario(pair: Pair, sequence: &Sequence) -> Scenario {
    let release =
        |version: String| Release { version, workers: sequence.site.workers, reuseport: false, fault: None };
    Scenario {
        name: "conformance".into(),
        why: "The fake does what nginx does.".into(),
        source: None,
        shows: Vec::new(),
        worlds: None,
        old: release(pair.old.to_string()),
        new: release(pair.new.to_string()),
        faults: Vec::new(),
        acts: Vec::new(),
        load: Load { fresh_per_second: 0, kept: 0, slow: 0, slow_ms: 0, patience_ms: 0 },
        expect: Expect::default(),
        deadline_ms: DEADLINE_MS,
    }
}
