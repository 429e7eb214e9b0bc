//! Plays the scripts of a run, and puts together what they counted and found.

use super::{Failure, Tally, World};
use crate::live::LiveError;
use crate::pool::{self, Extent, Stop};
use crate::shard::Shard;

/// Which scripts are played.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// The first seed.
    pub seed: u64,
    /// How many, by all shards together.
    pub scripts: u64,
    /// Which of them are played here.
    pub shard: Shard,
    /// How long at most.
    pub for_ms: Option<u64>,
    /// How many at once.
    pub jobs: usize,
}

/// Plays a run. `look` is told what has been counted and found so far, several times a second.
///
/// The failures come by their seeds.
///
/// # Errors
/// The first [`LiveError`] of any thread.
pub fn explore(
    world: &dyn World,
    run: &Run,
    mut look: impl FnMut(&Tally, &[Failure]) -> Stop,
) -> Result<(Tally, Vec<Failure>), LiveError> {
    let extent = Extent {
        count: run.shard.share(run.seed, run.scripts),
        batch: world.batch(),
        for_ms: run.for_ms,
        jobs: run.jobs,
    };
    let (mut tally, mut failures) = (Tally::default(), Vec::new());
    let play = |numbers: std::ops::Range<u64>| {
        let (mut counted, mut found) = (Tally::default(), Vec::new());
        for nth in numbers {
            found.extend(world.play(run.shard.nth(run.seed, nth), &mut counted)?);
        }
        Ok((counted, found))
    };
    pool::play(&extent, play, |news| {
        if let Some((counted, found)) = news {
            tally.add(&counted);
            failures.extend(found);
        }
        look(&tally, &failures)
    })?;
    failures.sort_by_key(|failure| failure.seed);
    Ok((tally, failures))
}
