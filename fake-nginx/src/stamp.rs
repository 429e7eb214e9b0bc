//! The identity of a fake: a few bytes behind the ELF image of a copy of the running executable.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::release::{Override, Profile, Version};

/// Who a stamped copy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The release that it plays.
    pub version: Version,
    /// What a distribution changed.
    pub overrides: Vec<Override>,
    /// What it does wrong, if anything.
    pub fault: Option<Fault>,
    /// Deliberate defects of its machine, for the tests of the tests.
    pub defects: Vec<String>,
    /// What `-V` tells.
    pub configure_arguments: String,
    /// The built-in prefix; ends in a slash.
    pub prefix: PathBuf,
    /// The built-in configuration file, relative to the prefix unless absolute.
    pub conf: PathBuf,
    /// The built-in pid file.
    pub pid: PathBuf,
    /// The built-in error log; `stderr` is standard error.
    pub error_log: PathBuf,
}

impl Stamp {
    /// A faultless `version` as built from nginx.org's source without arguments.
    #[must_use]
    pub fn new(version: Version) -> Self {
        Self {
            version,
            overrides: Vec::new(),
            fault: None,
            defects: Vec::new(),
            configure_arguments: String::new(),
            prefix: "/usr/local/nginx/".into(),
            conf: "conf/nginx.conf".into(),
            pid: "logs/nginx.pid".into(),
            error_log: "logs/error.log".into(),
        }
    }

    /// What it does differently from other releases.
    #[must_use]
    pub fn profile(&self) -> Profile {
        Profile::of(self.version).with(&self.overrides)
    }
}

/// Why a stamp was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    /// A file operation failed.
    #[error("cannot {} {}: {source}", what, path.display())]
    Io {
        /// The verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The bytes behind the image end like a stamp and are none.
    #[error("{} ends like a stamped fake, but its stamp cannot be read: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
}

/// Writes a copy of the running executable that carries `stamp`.
///
/// # Errors
/// When a file operation fails; then `output` is as it was.
pub fn write(stamp: &Stamp, output: &Path) -> Result<(), StampError> {
    let _ = (stamp, output);
    unimplemented!("stamps are not written yet")
}

/// The stamp of the running executable, if it has one.
///
/// # Errors
/// When the executable cannot be read or its stamp is damaged.
pub fn read_own() -> Result<Option<Stamp>, StampError> {
    unimplemented!("stamps are not read yet")
}

/// A folder with one file per distinct stamp, handed out as hard links.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// A cache in `folder`, which is made when needed.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Puts a stamped copy at `output`.
    ///
    /// # Errors
    /// When a file operation fails.
    pub fn place(&self, stamp: &Stamp, output: &Path) -> Result<(), StampError> {
        let _ = &self.folder;
        write(stamp, output)
    }
}
