//! Changes of a profile by name: what a distribution patched, or what a test wants otherwise.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::release::{Profile, Version};

/// The oldest release that the tests compare with a real one; what is older is told from sources alone.
pub const OLDEST_PROVEN: Version = Version::new(1, 18, 0);

/// A flag of a profile that can be said by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Flag {
    /// [`Profile::logs_sender`]
    LogsSender,
    /// [`Profile::gate_by_original_parent`]
    GateByOriginalParent,
    /// [`Profile::reuseport_after_parse`]
    ReuseportAfterParse,
    /// [`Profile::has_port_ranges`]
    HasPortRanges,
    /// [`Profile::unlinks_unix_by_generation`]
    UnlinksUnixByGeneration,
    /// [`Profile::has_error_log_option`]
    HasErrorLogOption,
    /// [`Profile::closes_while_draining`]
    ClosesWhileDraining,
    /// [`Profile::clones_sockets_without_master`]
    ClonesSocketsWithoutMaster,
    /// [`Profile::single_crashes_on_inherited`]
    SingleCrashesOnInherited,
    /// [`Profile::quiet_after_term`]
    QuietAfterTerm,
    /// [`Profile::debian_pidfile`]
    DebianPidfile,
}

impl Flag {
    /// Its place in a profile.
    pub const fn of(self, profile: &mut Profile) -> &mut bool {
        match self {
            Self::LogsSender => &mut profile.logs_sender,
            Self::GateByOriginalParent => &mut profile.gate_by_original_parent,
            Self::ReuseportAfterParse => &mut profile.reuseport_after_parse,
            Self::HasPortRanges => &mut profile.has_port_ranges,
            Self::UnlinksUnixByGeneration => &mut profile.unlinks_unix_by_generation,
            Self::HasErrorLogOption => &mut profile.has_error_log_option,
            Self::ClosesWhileDraining => &mut profile.closes_while_draining,
            Self::ClonesSocketsWithoutMaster => &mut profile.clones_sockets_without_master,
            Self::SingleCrashesOnInherited => &mut profile.single_crashes_on_inherited,
            Self::QuietAfterTerm => &mut profile.quiet_after_term,
            Self::DebianPidfile => &mut profile.debian_pidfile,
        }
    }

    /// What it means, and since when.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::LogsSender => "a signal's log line tells who sent it (1.13.0)",
            Self::GateByOriginalParent => {
                "USR2 is refused while the original parent lives, not under any (1.13.8)"
            }
            Self::ReuseportAfterParse => "reuseport sockets are cloned when all is read (1.15.2)",
            Self::HasPortRanges => "`listen` takes ranges of ports (1.15.10)",
            Self::UnlinksUnixByGeneration => "QUIT removes unix sockets, but not the old master's (1.19.1)",
            Self::HasErrorLogOption => "option -e (1.19.5)",
            Self::ClosesWhileDraining => "a draining worker answers `Connection: close` (1.21.6)",
            Self::ClonesSocketsWithoutMaster => {
                "reuseport sockets are cloned without a master too (until 1.23.3)"
            }
            Self::SingleCrashesOnInherited => {
                "a new binary with `master_process off` dies of SIGSEGV (until 1.23.3)"
            }
            Self::QuietAfterTerm => "no alert of open sockets after TERM to a draining worker (1.25.4)",
            Self::DebianPidfile => "the launcher writes the pid file, not the daemon (Debian, Ubuntu)",
        }
    }
}

/// A flag that is set or taken back: `debian-pidfile`, `no-logs-sender`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Override {
    /// Which.
    pub flag: Flag,
    /// Whether it holds.
    pub holds: bool,
}

/// A text that names no flag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no profile has a flag {0:?}; `fake-nginx profile` lists them, and no- in front takes one back")]
pub struct NoFlag(pub String);

impl FromStr for Override {
    type Err = NoFlag;

    fn from_str(text: &str) -> Result<Self, NoFlag> {
        let (name, holds) = text.strip_prefix("no-").map_or((text, true), |name| (name, false));
        let flag = name.parse().map_err(|_| NoFlag(text.to_owned()))?;
        Ok(Self { flag, holds })
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let no = if self.holds { "" } else { "no-" };
        write!(f, "{no}{}", <&str>::from(self.flag))
    }
}

impl TryFrom<String> for Override {
    type Error = NoFlag;

    fn try_from(text: String) -> Result<Self, NoFlag> {
        text.parse()
    }
}

impl From<Override> for String {
    fn from(change: Override) -> Self {
        change.to_string()
    }
}

impl Profile {
    /// The same flags with `overrides` applied, in their order.
    #[must_use]
    pub fn with(mut self, overrides: &[Override]) -> Self {
        for change in overrides {
            *change.flag.of(&mut self) = change.holds;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_can_be_set_and_taken_back_by_the_word_that_it_is_told_by() {
        let profile = Profile::of(Version::new(1, 22, 1));
        for &flag in Flag::VARIANTS {
            for holds in [true, false] {
                let change = Override { flag, holds };
                assert_eq!(change.to_string().parse(), Ok(change));
                assert_eq!(*flag.of(&mut profile.with(&[change])), holds, "{change}");
            }
        }
        assert_eq!("debian".parse::<Override>(), Err(NoFlag("debian".into())));
    }
}
