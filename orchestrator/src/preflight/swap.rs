//! What a binary's path will hold: a file, or a symbolic link that says where the file is.
//!
//! Either lies ready beside the path and takes its place with one rename, so the plan need not know which it is.

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::linux::{beside, file_at};

/// Folders that are emptied by a restart, or by whoever cleans up.
const FLEETING: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run"];

/// How a binary comes to its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// As a file of its own: a copy, or another name of one that is there.
    File,
    /// By a symbolic link that says this.
    Link(PathBuf),
}

impl Swap {
    /// How `file` comes to the path `binary`, which keeps its kind.
    pub(super) fn of(binary: &Path, file: &Path) -> Self {
        if !binary.is_symlink() {
            return Self::File;
        }
        // What the link says now, or what one that lies ready beside it says, word for word.
        let is_staged = file.is_symlink() && is_beside(binary, file);
        let words = if is_staged { fs::read_link(file) } else { fs::read_link(binary) };
        if is_staged || file_at(binary) == file_at(file) {
            return words.map_or(Self::File, Self::Link);
        }
        // A running binary may have no name left.
        match fs::canonicalize(file) {
            Ok(real) if file_at(&real) == file_at(file) => Self::Link(real),
            Ok(_) | Err(_) => Self::File,
        }
    }

    /// What to warn of, before this takes the path.
    pub(super) fn warning(&self) -> Option<String> {
        let Self::Link(target) = self else { return None };
        let is_fleeting = FLEETING.iter().any(|folder| target.starts_with(folder));
        is_fleeting.then(|| format!("the link will point to {}, which may vanish", target.display()))
    }
}

/// True if `file` is a name that this program made beside `binary`.
fn is_beside(binary: &Path, file: &Path) -> bool {
    let prefix = beside(binary, "");
    file.to_string_lossy().starts_with(&*prefix.to_string_lossy())
}
