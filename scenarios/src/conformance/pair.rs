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

/// A release as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The oldest that is found.
    Oldest,
    /// The newest.
    Newest,
    /// This one.
    Version(Version),
}

/// A pair as it is asked for: `1.22.1:1.26.3`, `1.26.3:newest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The old release.
    pub old: Which,
    /// The new one.
    pub new: Which,
}

/// A text that is no pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a pair of releases as 1.22.1:1.26.3 or oldest:newest")]
pub struct NoPair;

impl Wanted {
    /// The oldest and the newest; one release is a pair with itself.
    pub const WIDEST: Self = Self { old: Which::Oldest, new: Which::Newest };

    /// These two, if both are among the releases, which are sorted by age.
    #[must_use]
    pub fn among(self, found: &[Found]) -> Option<Pair> {
        let version = |which| match which {
            Which::Oldest => found.first().map(|found| found.version),
            Which::Newest => found.last().map(|found| found.version),
            Which::Version(wanted) => {
                found.iter().map(|found| found.version).find(|version| *version == wanted)
            }
        };
        Some(Pair { old: version(self.old)?, new: version(self.new)? })
    }
}

impl FromStr for Wanted {
    type Err = NoPair;

    fn from_str(text: &str) -> Result<Self, NoPair> {
        let (old, new) = text.split_once(':').ok_or(NoPair)?;
        let which = |word: &str| match word {
            "oldest" => Ok(Which::Oldest),
            "newest" => Ok(Which::Newest),
            version => version.parse().map(Which::Version).map_err(|_| NoPair),
        };
        Ok(Self { old: which(old)?, new: which(new)? })
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.old, self.new)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.old, self.new)
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oldest => f.write_str("oldest"),
            Self::Newest => f.write_str("newest"),
            Self::Version(version) => version.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_found_by_version_and_by_age_or_not_at_all() {
        let found = ["1.18.0", "1.22.1"]
            .map(|version| Found { version: version.parse().unwrap(), path: "nginx".into() });
        let pair = |text: &str| {
            let wanted: Wanted = text.parse().unwrap();
            assert_eq!(wanted.to_string(), text);
            wanted.among(&found).map(|pair| pair.to_string())
        };

        assert_eq!(pair("oldest:newest"), Some("1.18.0:1.22.1".into()));
        assert_eq!(pair("1.22.1:newest"), Some("1.22.1:1.22.1".into()));
        assert_eq!(pair("1.22.1:1.26.3"), None);
        assert_eq!("1.22.1".parse::<Wanted>(), Err(NoPair));
    }
}
