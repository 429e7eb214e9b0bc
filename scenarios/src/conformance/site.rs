//! What nginx is told to be: the settings that a sequence begins with and changes.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Everything that the configuration of a sequence may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// `worker_processes`.
    pub workers: u16,
    /// The `listen` directives.
    pub listens: Listens,
    /// `daemon` and `master_process`.
    pub runs: Runs,
    /// The `pid` directive.
    pub pid: PidPath,
}

/// Where nginx listens. The port is the same everywhere.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Listens {
    /// At 127.0.0.1.
    #[default]
    Plain,
    /// There and at 127.0.0.2.
    Two,
    /// There and at a unix socket.
    Unix,
    /// There, with a socket for each worker.
    Reuseport,
    /// At every address, which cannot be had while 127.0.0.1 is taken.
    Wide,
}

/// What the first process of nginx becomes.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Runs {
    /// A daemon.
    #[default]
    Daemon,
    /// `daemon off`: a master whose parent lives.
    Foreground,
    /// `master_process off`: a daemon that serves by itself.
    Single,
}

/// Which file holds the pid.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum PidPath {
    /// `nginx.pid`.
    #[default]
    Usual,
    /// `other.pid`.
    Other,
}

impl Site {
    /// A daemon with so many workers, and nothing unusual.
    #[must_use]
    pub fn plain(workers: u16) -> Self {
        Self { workers, listens: Listens::Plain, runs: Runs::Daemon, pid: PidPath::Usual }
    }
}

/// As it is told: only what is unusual.
impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} workers", self.workers)?;
        if self.listens != Listens::Plain {
            write!(f, ", listens {}", <&str>::from(self.listens))?;
        }
        if self.runs != Runs::Daemon {
            write!(f, ", runs {}", <&str>::from(self.runs))?;
        }
        Ok(())
    }
}
