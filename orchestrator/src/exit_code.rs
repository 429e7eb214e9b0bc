//! What the exit status of `oldbin` promises.

use crate::machine::Outcome;

/// What the exit status promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// What was asked for is done.
    Done = 0,
    /// Wrong usage.
    Usage = 2,
    /// Refused: nothing was touched.
    Refused = 3,
    /// Rolled back: the old binary serves as before.
    RolledBack = 4,
    /// Stuck: a person must look.
    Stuck = 5,
    /// A bug in this program.
    Bug = 70,
}

impl ExitCode {
    /// The exit status of an outcome, of which `wanted` would be a success.
    #[must_use]
    pub fn of(outcome: Outcome, wanted: Outcome) -> Self {
        if outcome == wanted {
            return Self::Done;
        }
        match outcome {
            Outcome::Upgraded | Outcome::Draining | Outcome::Held => Self::Done,
            Outcome::RolledBack => Self::RolledBack,
            Outcome::Refused => Self::Refused,
            Outcome::Stuck(_) => Self::Stuck,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
