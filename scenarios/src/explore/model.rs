//! Random scripts in the model.

use super::{Draw, Failure, Shrunk, Tally, World};
use crate::live::LiveError;
use crate::model::choice::Strategy;
use crate::model::script::{Mistakes, Played, Stages};

/// The model, with the worlds in which nginx serves already.
pub struct Model {
    stages: Stages,
    strategy: Strategy,
}

impl Model {
    /// With these deliberate mistakes, none in most runs.
    #[must_use]
    pub fn new(mistakes: Mistakes, draw: Draw) -> Self {
        Self { stages: Stages::new(mistakes).with_faults(draw.faults), strategy: draw.strategy }
    }
}

impl World for Model {
    fn play(&self, seed: u64, tally: &mut Tally) -> Result<Option<Failure>, LiveError> {
        let played = self.stages.play(&mut *self.strategy.chooser(seed));
        tally.take(&played);
        let Played { script, wrong, .. } = played;
        Ok(wrong.map(|why| Failure { seed, script, why, trace: None }))
    }

    fn shrink(&self, failure: &Failure) -> Result<Option<Shrunk>, LiveError> {
        let (played, recorder) = self.stages.explain(self.strategy.chooser(failure.seed));
        let fails = |played: &Played| played.wrong.is_some();
        Ok(self.stages.shrink(&played, recorder.deviations(), &fails).map(Shrunk::Model))
    }

    fn batch(&self) -> u64 {
        64
    }
}
