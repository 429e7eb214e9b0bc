//! Plays numbered things on several threads, and hands what comes of them to one; and the seed that they begin with.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::live::LiveError;
use crate::live::clock::Clock;

/// How often the one who waits looks whether somebody wants it to end.
const LOOK_MS: u64 = 50;

/// How much is played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// How many, numbered from 0.
    pub(crate) count: u64,
    /// How many one thread takes at a time.
    pub(crate) batch: u64,
    /// How long at most.
    pub(crate) for_ms: Option<u64>,
    /// How many at once.
    pub(crate) jobs: usize,
}

/// What the one who waits wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Go on.
    No,
    /// Finish what is under way.
    Now,
}

/// A seed that nobody has tried, short enough to be typed.
#[must_use]
pub fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish() >> 32
}

/// Plays all numbers. `take` gets what came of each batch, and several times a second nothing.
///
/// # Errors
/// The first [`LiveError`] of any thread.
pub(crate) fn play<N: Send>(
    extent: &Extent,
    play: impl Fn(Range<u64>) -> Result<N, LiveError> + Sync,
    mut take: impl FnMut(Option<N>) -> Stop,
) -> Result<(), LiveError> {
    let (next, is_over, clock) = (AtomicU64::new(0), AtomicBool::new(false), Clock::start());
    let is_late = || extent.for_ms.is_some_and(|for_ms| clock.now_us() >= for_ms * 1_000);
    let (send, news) = mpsc::channel();
    let mut error = None;
    thread::scope(|scope| {
        for _ in 0..extent.jobs.max(1) {
            let (send, next, is_over, is_late, play) = (send.clone(), &next, &is_over, &is_late, &play);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) && !is_late() {
                    let first = next.fetch_add(extent.batch, Ordering::Relaxed);
                    if first >= extent.count {
                        return;
                    }
                    let played = play(first..(first + extent.batch).min(extent.count));
                    let is_broken = played.is_err();
                    if send.send(played).is_err() || is_broken {
                        return;
                    }
                }
            });
        }
        drop(send);
        loop {
            let wish = match news.recv_timeout(Duration::from_millis(LOOK_MS)) {
                Ok(Ok(news)) => take(Some(news)),
                Ok(Err(broken)) => {
                    error.get_or_insert(broken);
                    Stop::Now
                }
                Err(RecvTimeoutError::Timeout) => take(None),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if wish == Stop::Now {
                is_over.store(true, Ordering::Relaxed);
            }
        }
    });
    error.map_or(Ok(()), Err)
}
