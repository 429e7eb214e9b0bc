//! Plays sequences on several threads, and hands what they found to one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::{Compared, Seen, Sequence, Verifier, draw};
use crate::explore::Stop;
use crate::live::LiveError;
use crate::live::clock::Clock;
use crate::model::choice::Seeded;

/// How often the one who waits looks whether somebody wants it to end.
const LOOK_MS: u64 = 50;

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
    let (next, is_over, clock) = (AtomicU64::new(0), AtomicBool::new(false), Clock::start());
    let is_late = || run.for_ms.is_some_and(|for_ms| clock.now_us() >= for_ms * 1_000);
    let (send, news) = mpsc::channel();
    let (mut same, mut found, mut broken) = (0, Vec::new(), None);
    thread::scope(|scope| {
        for _ in 0..run.jobs.max(1) {
            let (send, next, is_over, is_late) = (send.clone(), &next, &is_over, &is_late);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) && !is_late() {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= run.sequences || send.send(play(verifier, run, nth)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        loop {
            match news.recv_timeout(Duration::from_millis(LOOK_MS)) {
                Ok(Ok(None)) => same += 1,
                Ok(Ok(Some(one))) => found.push(one),
                Ok(Err(error)) => {
                    is_over.store(true, Ordering::Relaxed);
                    broken.get_or_insert(error);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if look(same, found.len()) == Stop::Now {
                is_over.store(true, Ordering::Relaxed);
            }
        }
    });
    found.sort_by_key(|found| found.seed);
    broken.map_or(Ok((same, found)), Err)
}

fn play(verifier: &Verifier, run: &Run, nth: u64) -> Result<Option<Found>, LiveError> {
    let seed = run.seed.wrapping_add(nth);
    let sequence = draw(&mut Seeded::new(seed), run.steps_max);
    match verifier.verify(&sequence)? {
        Compared::Same => Ok(None),
        Compared::Differs(seen) => Ok(Some(Found { seed, sequence, seen: *seen })),
    }
}
