//! What a stamped fake does wrong, by names that a scenario file can say.
//!
//! # Units
//! Durations are milliseconds and end in `_ms`; a file says seconds.

use serde::{Deserialize, Serialize};

/// One deliberate misbehaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fault {
    /// `exits-at-start status=1`: the process ends before it reads anything.
    ExitsAtStart {
        /// The exit status.
        status: u8,
    },
    /// `loads-then-fails seconds=3 status=1`: it takes its time to read the configuration, then ends.
    LoadsThenFails {
        /// How long it loads.
        load_ms: u64,
        /// The exit status.
        status: u8,
    },
    /// `loads-then-serves seconds=3`: it takes its time to read the configuration, then all is well.
    LoadsThenServes {
        /// How long it loads.
        load_ms: u64,
    },
}
