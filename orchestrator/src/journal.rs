//! The journal: a plan and what is remembered of it, on disk, replaced as a whole.
//!
//! One file per running nginx, keyed by its pid file's real path. It is written beside, synced, renamed over
//! and the folder synced, so a reader finds the one before or the one after. Room for it is taken before the
//! first action.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::host::linux::{PLAIN, open_plain};
use crate::machine::{Memory, Plan};
use crate::state;

/// The version of the journal. Another one is refused: an upgrade is finished by the `oldbin` that began it.
pub const SCHEMA: u32 = 4;

/// Room for the largest journal: two identities of a hundred bytes for each of 1024 workers, nginx's limit.
const RESERVED_BYTES: usize = 256 * 1024;

/// More than any journal holds: a longer file is none, and is cut.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The boot to which pids and times belong.
    pub boot: String,
    /// What is under way.
    pub plan: Plan,
    /// How far.
    pub memory: Memory,
}

/// Why there is no journal to go by.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder or a file in it could not be used.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder is no safe place.
    #[error("{} is no folder for a journal: {why}", path.display())]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Another `oldbin` works on the same nginx.
    #[error("another oldbin works on this nginx: {} is locked", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// The file is cut, or was written by somebody else.
    #[error("{} is no journal of oldbin: {reason}", path.display())]
    Broken {
        /// Which.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// Another version of oldbin wrote it.
    #[error("{} has format {found}, this oldbin reads {SCHEMA}", path.display())]
    Schema {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: u64,
    },
}

impl JournalError {
    /// The file or folder that it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::NotOurs { path, .. }
            | Self::Locked { path }
            | Self::Broken { path, .. }
            | Self::Schema { path, .. } => path,
        }
    }
}

/// The journal of one nginx.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    beside: PathBuf,
    folder: PathBuf,
    lock: Option<OwnedFd>,
}

impl Journal {
    /// The journal in `state_dir` of the nginx whose pid file is `pid_file` (its real path).
    #[must_use]
    pub fn of(state_dir: &Path, pid_file: &Path) -> Self {
        let digest = Sha256::digest(pid_file.as_os_str().as_bytes());
        let key: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self {
            path: state_dir.join(format!("{key}.journal.json")),
            beside: state_dir.join(format!("{key}.journal.next")),
            folder: state_dir.to_owned(),
            lock: None,
        }
    }

    /// The journal in this very file, to be read.
    pub(crate) fn at(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(path).to_owned();
        Self { path: path.to_owned(), beside: path.to_owned(), folder, lock: None }
    }

    /// Keeps every other `oldbin` away until this value is dropped. Makes the folder if it is not there.
    ///
    /// # Errors
    /// [`JournalError::Locked`] if another one is at work.
    pub fn lock(&mut self) -> Result<(), JournalError> {
        state::make(&self.folder)?;
        let path = self.path.with_extension("lock");
        let io = |source| JournalError::Io { path: path.clone(), source };
        let mut options = fs::OpenOptions::new();
        let options = options.create(true).append(true).mode(0o600).custom_flags(PLAIN);
        let file = options.open(&path).map_err(io)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| JournalError::Locked { path: path.clone() })?;
        self.lock = Some(file.into());
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; `None`: nothing was ever begun here.
    ///
    /// # Errors
    /// [`JournalError::Broken`] and [`JournalError::Schema`] if it cannot be understood.
    pub fn read(&self) -> Result<Option<Entry>, JournalError> {
        let io = |source| JournalError::Io { path: self.path.clone(), source };
        let file = match open_plain(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io(source)),
        };
        let mut text = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut text).map_err(io)?;
        let broken = |error: serde_json::Error| JournalError::Broken {
            path: self.path.clone(),
            reason: error.to_string(),
        };
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(broken)?;
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(found) if found != u64::from(SCHEMA) => {
                Err(JournalError::Schema { path: self.path.clone(), found })
            }
            Some(_) | None => serde_json::from_value(value).map(Some).map_err(broken),
        }
    }

    /// Takes room on the disk for one more journal.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn reserve(&self) -> io::Result<()> {
        let file = self.open_beside()?;
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVED_BYTES as u64)
            .or_else(|_| (&file).write_all(&vec![0; RESERVED_BYTES]).map_err(|_| rustix::io::Errno::NOSPC))?;
        file.sync_all()
    }

    /// Replaces what is on disk.
    ///
    /// # Errors
    /// Whatever the file system says; then the one before is still there.
    pub fn write(&self, entry: &Entry) -> io::Result<()> {
        let text = serde_json::to_vec(entry)?;
        let mut file = self.open_beside()?;
        file.write_all(&text)?;
        // Cut only behind the text: the reserved room is given back when it is no longer needed.
        file.set_len(text.len() as u64)?;
        file.sync_data()?;
        fs::rename(&self.beside, &self.path)?;
        File::open(&self.folder)?.sync_all()
    }

    fn open_beside(&self) -> io::Result<File> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600).custom_flags(PLAIN).open(&self.beside)
    }
}
