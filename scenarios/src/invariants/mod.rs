//! What must hold, judged from a trace and nothing else.
//!
//! One set of invariants judges all worlds and all subjects. An invariant answers with a [`Finding`]; where
//! the trace lacks the evidence, the answer is *unchecked*, never *held*. [`INVARIANTS`] lists them all.
//!
//! # Evidence
//! Live worlds look again and again, so what they write down may come a few milliseconds late
//! ([`SIGHT_MS`]); what has to be true at one instant is looked for that long.
//!
//! # Units
//! Times are microseconds since the run began and end in `_us`.

mod answers_come_from_the_claimed_release;
mod claim_is_true;
mod document;
mod excuse;
mod fresh_connection_finds_a_worker;
mod moment;
mod no_accepted_request_is_lost;
mod no_signal_to_a_stranger;
mod nothing_outlives_the_run;
mod one_generation_at_the_end;
mod pid_files_name_live_masters;
mod registry;
mod rest;
mod state;
#[cfg(test)]
pub(crate) mod tests;

pub use document::document;
pub use moment::{MOMENTS, Moment};
pub use registry::{INVARIANTS, Invariant, Kind};
pub use state::{Process, Side, State};

pub(crate) use excuse::STRUCK;
pub(crate) use rest::{end, last_claim};

/// How late a live world may see what has happened.
///
/// Covers a look on a timer of at most 5 ms on a machine that is busy with other things. Too short accuses a
/// subject that spoke the truth; too long overlooks a claim that was early by less than this.
pub const SIGHT_MS: u64 = 50;

/// One invariant's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It held.
    Held,
    /// It did not.
    Violated {
        /// The position of the first event that shows it.
        event: usize,
        /// That event's time.
        at_us: u64,
        /// What is wrong, in one line.
        why: String,
    },
    /// The trace cannot tell.
    Unchecked {
        /// What is missing.
        why: String,
    },
}

impl Finding {
    /// A violation that the event at this position of the trace shows.
    pub(crate) fn violated(trace: &crate::trace::Trace, event: usize, why: impl Into<String>) -> Self {
        let at_us = trace.events.get(event).map_or(0, |event| event.at_us);
        Self::Violated { event, at_us, why: why.into() }
    }

    /// An answer that the trace cannot give.
    pub(crate) fn unchecked(why: impl Into<String>) -> Self {
        Self::Unchecked { why: why.into() }
    }

    /// True for [`Finding::Violated`].
    #[must_use]
    pub fn is_violated(&self) -> bool {
        matches!(self, Self::Violated { .. })
    }
}
