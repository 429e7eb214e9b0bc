//! The two pid files.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::order::Paths;
use crate::trace::{Content, PidFile};

/// Both files, with what they held at the last look.
pub(super) struct PidFiles {
    files: [(PidFile, PathBuf, Content); 2],
}

impl PidFiles {
    /// Neither is there yet.
    pub(super) fn new(paths: &Paths) -> Self {
        let mut oldbin = paths.pid.clone().into_os_string();
        oldbin.push(".oldbin");
        Self {
            files: [
                (PidFile::Current, paths.pid.clone(), Content::Absent),
                (PidFile::Oldbin, oldbin.into(), Content::Absent),
            ],
        }
    }

    /// What a change to a name has changed. A file that was removed was absent, even if there is another one by
    /// now: that one's own change comes behind it, in its order.
    pub(super) fn changes(&mut self, name: &str, is_removal: bool) -> Vec<(PidFile, Content)> {
        let mut changes = Vec::new();
        for (file, path, held) in &mut self.files {
            if path.file_name().is_none_or(|own| own != name) {
                continue;
            }
            let content = if is_removal { Content::Absent } else { read(path) };
            if *held != content {
                *held = content.clone();
                changes.push((*file, content));
            }
        }
        changes
    }
}

/// What a pid file holds.
pub(super) fn read(path: &Path) -> Content {
    let Ok(bytes) = fs::read(path) else { return Content::Absent };
    let text = String::from_utf8_lossy(&bytes);
    match text.trim_end() {
        "" => Content::Empty,
        number => number.parse().map_or_else(|_| Content::Garbage(number.to_owned()), Content::Pid),
    }
}
