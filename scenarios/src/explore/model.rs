//! Random scripts in the model.

use super::{Failure, Shrunk, Tally, World};
use crate::live::LiveError;
use crate::model::choice::Seeded;
use crate::model::script::{Mistakes, Played, Stages};

/// The model, with the worlds in which nginx serves already.
pub struct Model {
    stages: Stages,
}

impl Model {
    /// With these deliberate mistakes, none in most runs.
    #[must_use]
    pub fn new(mistakes: Mistakes) -> Self {
        Self { stages: Stages::new(mistakes) }
    }
}

impl World for Model {
    fn play(&self, seed: u64, tally: &mut Tally) -> Result<Option<Failure>, LiveError> {
        let played = self.stages.play(&mut Seeded::new(seed));
        tally.take(&played);
        let Played { script, wrong, .. } = played;
        Ok(wrong.map(|why| Failure { seed, script, why, trace: None }))
    }

    fn shrink(&self, failure: &Failure) -> Result<Option<Shrunk>, LiveError> {
        let (played, recorder) = self.stages.explain(Seeded::new(failure.seed));
        let fails = |played: &Played| played.wrong.is_some();
        Ok(self.stages.shrink(&played, recorder.deviations(), &fails).map(Shrunk::Model))
    }

    fn batch(&self) -> u64 {
        64
    }
}
