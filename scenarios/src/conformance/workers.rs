//! Plays the sequences of a run, and puts together what they found.

use super::{Compared, Seen, Sequence, Tally, Verifier, draw};
use crate::live::LiveError;
use crate::model::choice::Seeded;
use crate::pool::{self, Extent, Stop};

/// Which sequences are played.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// The first seed; sequence n is drawn from the seed that many behind it.
    pub seed: u64,
    /// How many.
    pub sequences: u64,
    /// How long one is at most.
    pub steps_max: usize,
    /// How long all of it may take.
    pub for_ms: Option<u64>,
    /// How many at once.
    pub jobs: usize,
}

/// A sequence whose two sides differ.
#[derive(Debug, Clone)]
pub struct Found {
    /// From which it was drawn.
    pub seed: u64,
    /// It.
    pub sequence: Sequence,
    /// What was seen.
    pub seen: Seen,
}

/// What a run has shown.
#[derive(Debug, Default)]
pub struct Played {
    /// How many were the same.
    pub same: u64,
    /// Those that were not, by their seeds.
    pub found: Vec<Found>,
    /// What was done, and what real nginx differed in from itself.
    pub tally: Tally,
}

/// Plays a run. `look` is told several times a second how many were the same, and how many were not.
///
/// # Errors
/// The first [`LiveError`] of any thread.
pub fn verify(
    verifier: &Verifier,
    run: &Run,
    mut look: impl FnMut(u64, usize) -> Stop,
) -> Result<Played, LiveError> {
    let extent = Extent { count: run.sequences, batch: 1, for_ms: run.for_ms, jobs: run.jobs };
    let mut played = Played::default();
    pool::play(
        &extent,
        |numbers| play(verifier, run, numbers.start),
        |news| {
            if let Some((seed, sequence, compared)) = news {
                played.tally.count(&sequence, &compared);
                match compared.differs {
                    None => played.same += 1,
                    Some(seen) => played.found.push(Found { seed, sequence, seen: *seen }),
                }
            }
            look(played.same, played.found.len())
        },
    )?;
    played.found.sort_by_key(|found| found.seed);
    Ok(played)
}

fn play(verifier: &Verifier, run: &Run, nth: u64) -> Result<(u64, Sequence, Compared), LiveError> {
    let seed = run.seed.wrapping_add(nth);
    let sequence = draw(&mut Seeded::new(seed), run.steps_max);
    let compared = verifier.verify(&sequence)?;
    Ok((seed, sequence, compared))
}
