//! The folder of the journals: whose it must be, and which journals are in it.
//!
//! A journal says which files take the binary's path. Whoever can write one can have anything executed by nginx, so a
//! folder that is somebody else's, or that others can write to, is refused before anything in it is believed.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::host::linux::sync_folder;
use crate::journal::{Entry, Journal, JournalError};

/// Write permission for the group and for all others.
const OTHERS_WRITE: u32 = 0o022;

/// Makes the folder if it is not there.
///
/// # Errors
/// As [`check`].
pub fn make(folder: &Path) -> Result<(), JournalError> {
    let io = |source| JournalError::Io { path: folder.to_owned(), source };
    let folder = std::path::absolute(folder).map_err(io)?;
    let made: Vec<&Path> = folder.ancestors().take_while(|one| !one.exists()).collect();
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(io)?;
    // A journal is not on disk before its folder is.
    made.into_iter().try_for_each(sync_folder).map_err(io)?;
    check(&folder)
}

/// A folder that is there must be the caller's, and nobody else may write to it.
///
/// # Errors
/// [`JournalError::NotOurs`].
pub fn check(folder: &Path) -> Result<(), JournalError> {
    let meta = match fs::metadata(folder) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(JournalError::Io { path: folder.to_owned(), source }),
    };
    let not_ours = |why: String| Err(JournalError::NotOurs { path: folder.to_owned(), why });
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return not_ours(format!("it belongs to user {}", meta.uid()));
    }
    if meta.mode() & OTHERS_WRITE != 0 {
        return not_ours(format!("others can write to it (mode {:o})", meta.mode() & 0o7777));
    }
    Ok(())
}

/// Every journal in the folder, by name, or why it cannot be read; none if there is no folder.
#[must_use]
pub fn journals(folder: &Path) -> Vec<Result<Entry, JournalError>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_journal = |path: &PathBuf| path.to_string_lossy().ends_with(".journal.json");
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_journal).collect();
    paths.sort();
    paths.iter().filter_map(|path| Journal::at(path).read().transpose()).collect()
}
