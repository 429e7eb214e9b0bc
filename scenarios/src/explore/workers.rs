//! Plays scripts on several threads, and hands what they counted and found to one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use super::{Failure, Tally, World};
use crate::live::LiveError;
use crate::live::clock::Clock;

/// How often the one who waits looks whether somebody wants it to end.
const LOOK_MS: u64 = 50;

/// Which scripts are played.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// The first seed.
    pub seed: u64,
    /// How many.
    pub scripts: u64,
    /// How long at most.
    pub for_ms: Option<u64>,
    /// How many at once.
    pub jobs: usize,
}

/// What the one who waits wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Go on.
    No,
    /// Finish what is under way.
    Now,
}

/// What a thread has to tell.
struct News {
    tally: Tally,
    failures: Vec<Failure>,
}

/// What all threads share.
struct Shared<'a> {
    run: &'a Run,
    next: AtomicU64,
    is_over: AtomicBool,
    clock: Clock,
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
    let shared =
        Shared { run, next: AtomicU64::new(0), is_over: AtomicBool::new(false), clock: Clock::start() };
    let (send, news) = mpsc::channel();
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    let mut error = None;
    thread::scope(|scope| {
        for _ in 0..run.jobs.max(1) {
            let send = send.clone();
            let shared = &shared;
            scope.spawn(move || shared.play(world, &send));
        }
        drop(send);
        loop {
            match news.recv_timeout(Duration::from_millis(LOOK_MS)) {
                Ok(Ok(News { tally: more, failures: found })) => {
                    tally.add(&more);
                    failures.extend(found);
                }
                Ok(Err(broken)) => {
                    shared.is_over.store(true, Ordering::Relaxed);
                    error.get_or_insert(broken);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if look(&tally, &failures) == Stop::Now {
                shared.is_over.store(true, Ordering::Relaxed);
            }
        }
    });
    failures.sort_by_key(|failure| failure.seed);
    error.map_or(Ok((tally, failures)), Err)
}

impl Shared<'_> {
    /// One thread: takes seeds as long as there are any.
    fn play(&self, world: &dyn World, send: &Sender<Result<News, LiveError>>) {
        while !self.is_out_of_time() {
            let first = self.next.fetch_add(world.batch(), Ordering::Relaxed);
            if first >= self.run.scripts {
                return;
            }
            let mut news = News { tally: Tally::default(), failures: Vec::new() };
            for nth in first..(first + world.batch()).min(self.run.scripts) {
                match world.play(self.run.seed.wrapping_add(nth), &mut news.tally) {
                    Ok(failure) => news.failures.extend(failure),
                    Err(error) => {
                        let _ = send.send(Err(error));
                        return;
                    }
                }
            }
            if send.send(Ok(news)).is_err() {
                return;
            }
        }
    }

    fn is_out_of_time(&self) -> bool {
        let is_late = self.run.for_ms.is_some_and(|for_ms| self.clock.now_us() >= for_ms * 1_000);
        is_late || self.is_over.load(Ordering::Relaxed)
    }
}
