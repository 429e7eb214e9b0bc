//! Plays the sequences of a run, and puts together what they found.

use super::{Compared, Seen, Sequence, Verifier, draw};
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

/// Plays a run; returns how many were the same, and those that were not, by their seeds. `look` is told both numbers
/// several times a second.
///
/// # Errors
/// The first [`LiveError`] of any thread.
pub fn verify(
    verifier: &Verifier,
    run: &Run,
    mut look: impl FnMut(u64, usize) -> Stop,
) -> Result<(u64, Vec<Found>), LiveError> {
    let extent = Extent { count: run.sequences, batch: 1, for_ms: run.for_ms, jobs: run.jobs };
    let (mut same, mut found) = (0, Vec::new());
    pool::play(
        &extent,
        |numbers| play(verifier, run, numbers.start),
        |news| {
            match news {
                Some(None) => same += 1,
                Some(Some(one)) => found.push(one),
                None => {}
            }
            look(same, found.len())
        },
    )?;
    found.sort_by_key(|found| found.seed);
    Ok((same, found))
}

fn play(verifier: &Verifier, run: &Run, nth: u64) -> Result<Option<Found>, LiveError> {
    let seed = run.seed.wrapping_add(nth);
    let sequence = draw(&mut Seeded::new(seed), run.steps_max);
    match verifier.verify(&sequence)? {
        Compared::Same => Ok(None),
        Compared::Differs(seen) => Ok(Some(Found { seed, sequence, seen: *seen })),
    }
}
