//! What a subject says that it has done.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a subject says that it has done. A claim is a promise, and one invariant asks whether it is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// The new binary serves alone.
    Upgraded,
    /// The new binary serves alone; the old master was told to quit and ends with its last connection.
    Draining,
    /// The new binary serves, the old master is kept in reserve without workers.
    Held,
    /// The old binary serves alone, as before, and is the file at the binary's path.
    RolledBack,
    /// Nothing was touched.
    Refused,
    /// Neither is certain; a person must look.
    Stuck,
    /// It gave up and promises nothing (a script's non-zero exit).
    Failed,
}

impl Claim {
    /// Every claim, in the order of their definition.
    pub const ALL: [Self; 7] = [
        Self::Upgraded,
        Self::Draining,
        Self::Held,
        Self::RolledBack,
        Self::Refused,
        Self::Stuck,
        Self::Failed,
    ];

    /// Its name in files and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upgraded => "upgraded",
            Self::Draining => "draining",
            Self::Held => "held",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
            Self::Stuck => "stuck",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Claim {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|claim| claim.name() == text).ok_or(())
    }
}
