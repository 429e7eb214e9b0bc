//! The one clock of the live worlds: CLOCK_MONOTONIC, counted from the run's start.
//!
//! Agent, load and subject are processes of one kernel, so a start that is handed over as a number makes their
//! times comparable.

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Microseconds since a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clock {
    start_ns: i64,
}

impl Clock {
    /// A clock that shows 0 now.
    pub(crate) fn start() -> Self {
        Self { start_ns: monotonic_ns() }
    }

    /// A reading of CLOCK_MONOTONIC in microseconds, as a time of this clock.
    pub(crate) fn of_monotonic_us(self, us: u64) -> u64 {
        us.saturating_sub(u64::try_from(self.start_ns / 1_000).unwrap_or(0))
    }

    /// The time since the start.
    pub(crate) fn now_us(self) -> u64 {
        u64::try_from((monotonic_ns() - self.start_ns) / 1_000).unwrap_or(0)
    }
}

fn monotonic_ns() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
