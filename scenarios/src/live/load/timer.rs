//! What is due when.

use std::collections::BTreeSet;

/// Something that becomes due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The next fresh connection.
    Fresh,
    /// The next request of a lasting client.
    Client(usize),
    /// The end of a connection's patience.
    Patience(u32),
    /// What is written so far.
    Records,
}

/// What is due, by time.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(u64, Due)>);

impl Timers {
    /// Makes `due` due at a time.
    pub(super) fn set(&mut self, at_us: u64, due: Due) {
        self.0.insert((at_us, due));
    }

    /// Takes `due` back.
    pub(super) fn cancel(&mut self, at_us: u64, due: Due) {
        self.0.remove(&(at_us, due));
    }

    /// What is due by now, with the time that it was due.
    pub(super) fn take(&mut self, now_us: u64) -> Option<(u64, Due)> {
        self.0.first().copied().filter(|(at_us, _)| *at_us <= now_us).inspect(|due| {
            self.0.remove(due);
        })
    }

    /// When something is due next.
    pub(super) fn next_us(&self) -> Option<u64> {
        self.0.first().map(|(at_us, _)| *at_us)
    }
}
