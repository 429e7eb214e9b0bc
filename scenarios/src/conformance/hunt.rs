//! How many sequences it takes to notice a deliberate defect of the fake: what a pass is worth.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::{Run, Verifier, draw};
use crate::live::LiveError;
use crate::model::choice::Seeded;
use crate::mutant::Mutant;
use crate::pool::{self, Extent, Stop};

/// A defect, and the first sequence that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunted {
    /// The defect.
    pub mutant: Mutant,
    /// After how many sequences, and in which subjects; `None` if none showed it.
    pub noticed: Option<(u64, BTreeSet<String>)>,
}

/// Plays the sequences of a run with each defect, until each was noticed. Real nginx plays each sequence once for all.
///
/// # Errors
/// The first [`LiveError`] of any thread.
pub fn hunt(verifier: &Verifier, mutants: &[Mutant], run: &Run) -> Result<Vec<Hunted>, LiveError> {
    let hunted = mutants.iter().map(|mutant| Hunted { mutant: mutant.clone(), noticed: None });
    let hunted = Mutex::new(hunted.collect::<Vec<_>>());
    let extent = Extent { count: run.sequences, batch: 1, for_ms: run.for_ms, jobs: run.jobs };
    pool::play(
        &extent,
        |numbers| play(verifier, run, numbers.start, &hunted),
        |_: Option<()>| {
            let is_over = locked(&hunted).iter().all(|hunted| hunted.noticed.is_some());
            if is_over { Stop::Now } else { Stop::No }
        },
    )?;
    Ok(hunted.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn play(verifier: &Verifier, run: &Run, nth: u64, hunted: &Mutex<Vec<Hunted>>) -> Result<(), LiveError> {
    let sequence = draw(&mut Seeded::new(run.seed.wrapping_add(nth)), run.steps_max);
    let mut reals = Vec::new();
    let count = locked(hunted).len();
    for at in 0..count {
        let (mutant, known) = {
            let hunted = &locked(hunted)[at];
            (hunted.mutant.clone(), hunted.noticed.as_ref().map(|(after, _)| *after))
        };
        // Only an earlier sequence is news.
        if known.is_some_and(|after| after <= nth + 1) {
            continue;
        }
        let compared = verifier.with(vec![mutant]).verify_beside(&sequence, &mut reals)?;
        if let Some(seen) = compared.differs {
            let noticed = &mut locked(hunted)[at].noticed;
            if noticed.as_ref().is_none_or(|(after, _)| *after > nth + 1) {
                *noticed = Some((nth + 1, seen.difference.subjects));
            }
        }
    }
    Ok(())
}

fn locked(hunted: &Mutex<Vec<Hunted>>) -> std::sync::MutexGuard<'_, Vec<Hunted>> {
    hunted.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
