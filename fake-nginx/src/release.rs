//! What one nginx release does that another does not.
//!
//! A [`Profile`] is computed from a [`Version`]; overrides (`debian-pidfile`) name what a distribution's patch
//! changes. A flag is there only if a client, an operator or an upgrade script can see the difference.
//!
//! # Source
//! `CHANGES` of nginx 1.11 to 1.30 and the functions named at each flag. Releases older than 1.18.0 are
//! *unproven*: no such release is at hand in the tests.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A release of nginx: `1.26.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// 1, so far.
    pub major: u16,
    /// Even for stable branches, odd for mainline.
    pub minor: u16,
    /// The release within its branch.
    pub patch: u16,
}

impl Version {
    /// The release `major.minor.patch`.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A text that is no version of nginx.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a version of nginx such as 1.26.3")]
pub struct NoVersion(pub String);

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let mut parts = text.split('.').map(|part| {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            part.parse::<u16>().ok()
        });
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) => {
                Ok(Self { major, minor, patch })
            }
            _ => Err(NoVersion(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Version {
    type Error = NoVersion;

    fn try_from(text: String) -> Result<Self, NoVersion> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

/// What a release does differently, one flag per visible difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Profile {
    /// The release that the flags were computed from.
    pub version: Version,
    /// 1.13.0: `signal N (SIGX) received from P`, before without the sender.
    pub logs_sender: bool,
    /// 1.13.8: USR2 is refused while the original parent lives; before, whenever the parent is not pid 1.
    pub gate_by_original_parent: bool,
    /// 1.15.2: reuseport sockets are cloned after the whole configuration was read.
    pub reuseport_after_parse: bool,
    /// 1.15.10: `listen` takes ranges of ports and all addresses of a host.
    pub has_port_ranges: bool,
    /// 1.19.1: a graceful shutdown removes unix sockets, inherited ones are kept while the old master lives.
    pub unlinks_unix_by_generation: bool,
    /// 1.19.5: option `-e`, and the usage text that names it.
    pub has_error_log_option: bool,
    /// 1.19.10: `keepalive_requests` is 1000 by default; before 100.
    pub keepalive_requests_default: u32,
    /// 1.21.6: a draining worker answers `Connection: close`, and accepted connections are balanced.
    pub closes_while_draining: bool,
    /// Before 1.23.3: reuseport sockets are cloned even with `master_process off`, where nobody accepts from clones.
    pub clones_sockets_without_master: bool,
    /// Before 1.23.3: a single process that inherits sockets dies of SIGSEGV.
    pub single_crashes_on_inherited: bool,
    /// 1.25.4: no alert about open sockets after TERM to a draining worker.
    pub quiet_after_term: bool,
    /// Debian and Ubuntu: the launcher writes the pid file before it exits.
    pub debian_pidfile: bool,
}

impl Profile {
    /// The flags of `version` as nginx.org releases it.
    #[must_use]
    pub fn of(version: Version) -> Self {
        let since = |major, minor, patch| version >= Version::new(major, minor, patch);
        Self {
            version,
            logs_sender: since(1, 13, 0),
            gate_by_original_parent: since(1, 13, 8),
            reuseport_after_parse: since(1, 15, 2),
            has_port_ranges: since(1, 15, 10),
            unlinks_unix_by_generation: since(1, 19, 1),
            has_error_log_option: since(1, 19, 5),
            keepalive_requests_default: if since(1, 19, 10) { 1000 } else { 100 },
            closes_while_draining: since(1, 21, 6),
            clones_sockets_without_master: !since(1, 23, 3),
            single_crashes_on_inherited: !since(1, 23, 3),
            quiet_after_term: since(1, 25, 4),
            debian_pidfile: false,
        }
    }
}
