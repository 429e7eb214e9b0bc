//! Random scripts on real processes.

use super::judge::wrong;
use super::{Draw, Failure, Shrunk, Tally, World, shrink};
use crate::live::{self, Isolation, LiveError, Setting, nginx, storm};
use crate::model::binaries::BINARIES;
use crate::model::fault::{Blow, Fault};
use crate::model::script::Script;
use crate::mutant::{self, Mutant};
use crate::scenario::WorldKind;
use crate::trace::Trace;

/// A live world.
#[derive(Debug, Clone)]
pub struct Live {
    world: WorldKind,
    releases: Vec<nginx::Found>,
    mutants: Vec<Mutant>,
    draw: Draw,
}

impl Live {
    /// `Fake` or `Real`, with these deliberate mistakes, none in most runs.
    #[must_use]
    pub fn new(world: WorldKind, mutants: Vec<Mutant>) -> Self {
        let releases = if world == WorldKind::Real { nginx::releases() } else { Vec::new() };
        Self { world, releases, mutants, draw: Draw::default() }
    }

    /// Draws its scripts like this.
    #[must_use]
    pub fn drawing(self, draw: Draw) -> Self {
        Self { draw, ..self }
    }

    /// The faults that can be done to processes from outside.
    #[must_use]
    pub fn faults() -> Vec<Fault> {
        // Nobody can make a process exit by itself.
        Fault::drawn().filter(|fault| !matches!(fault, Fault::Blow(Blow::Exit, _))).collect()
    }

    /// Plays a script once.
    ///
    /// # Errors
    /// [`LiveError`] if there is no trace.
    pub fn run(&self, script: &Script, seed: u64) -> Result<Trace, LiveError> {
        let setting = Setting {
            world: self.world,
            releases: self.releases.clone(),
            runbooks: std::collections::BTreeMap::new(),
            seed,
            mutants: self.mutants.clone(),
            isolation: Isolation::Best,
            tells_moments: false,
            replay: self.replay(seed),
        };
        live::play(script, &setting)
    }

    /// The command that plays the script of a seed again.
    fn replay(&self, seed: u64) -> String {
        let mutants = mutant::as_arguments(&self.mutants);
        let draw = self.draw.as_arguments(seed);
        format!("oldbin-lab explore --world {} --seed {seed} --scripts 1{draw}{mutants}", self.world)
    }
}

impl World for Live {
    fn play(&self, seed: u64, tally: &mut Tally) -> Result<Option<Failure>, LiveError> {
        let mut script = Script::draw(&mut *self.draw.strategy.chooser(seed), self.draw.faults);
        if !storm::can_play(BINARIES[script.binary]) {
            script.binary = 0;
        }
        let trace = self.run(&script, seed)?;
        let why = wrong(&script, &trace);
        tally.take_live(&script, &trace, why.is_some());
        Ok(why.map(|why| Failure { seed, script, why, trace: Some(trace) }))
    }

    fn shrink(&self, failure: &Failure) -> Result<Option<Shrunk>, LiveError> {
        shrink::live(self, failure).map(|script| Some(Shrunk::Live(Box::new(script))))
    }

    fn batch(&self) -> u64 {
        1
    }
}
