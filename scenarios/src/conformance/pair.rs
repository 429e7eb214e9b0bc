//! Which two releases a sequence is played with.

use std::fmt;
use std::str::FromStr;

use fake_nginx::release::Version;

use crate::live::nginx::Found;

/// Serves at the start, and is installed as the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The old release.
    pub old: Version,
    /// The new one.
    pub new: Version,
}

/// A text that is no pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a pair of releases as 1.22.1:1.26.3")]
pub struct NoPair;

impl Pair {
    /// The oldest and the newest of these; one release is a pair with itself.
    #[must_use]
    pub fn widest(found: &[Found]) -> Option<Self> {
        Some(Self { old: found.first()?.version, new: found.last()?.version })
    }

    /// True if both are among these.
    #[must_use]
    pub fn is_among(self, found: &[Found]) -> bool {
        [self.old, self.new].iter().all(|wanted| found.iter().any(|found| found.version == *wanted))
    }
}

impl FromStr for Pair {
    type Err = NoPair;

    fn from_str(text: &str) -> Result<Self, NoPair> {
        let (old, new) = text.split_once(':').ok_or(NoPair)?;
        Ok(Self { old: old.parse().map_err(|_| NoPair)?, new: new.parse().map_err(|_| NoPair)? })
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.old, self.new)
    }
}
