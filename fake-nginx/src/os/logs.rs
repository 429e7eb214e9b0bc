//! Error logs: files or standard error, by level, and the echo of the start.
//!
//! # Source
//! `ngx_log_error_core` in `src/core/ngx_log.c`, `ngx_reopen_files` in `src/core/ngx_cycle.c`, nginx 1.18 to
//! 1.30.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::clock;
use crate::conf::{ErrorLog, Level, LogTarget, User};

/// The longest line; nginx cuts there.
const LINE_MAX: usize = 2048;

/// The open logs of one configuration, or the built-in one.
#[derive(Debug, Default)]
pub(super) struct Logs {
    logs: Vec<Log>,
}

#[derive(Debug)]
struct Log {
    level: Level,
    /// `None` is standard error.
    file: Option<(PathBuf, File)>,
}

impl Logs {
    /// Opens them.
    pub(super) fn open(entries: &[ErrorLog]) -> Result<Self, (PathBuf, io::Error)> {
        let logs = entries
            .iter()
            .map(|entry| {
                let file = match &entry.target {
                    LogTarget::Stderr => None,
                    LogTarget::File(path) => {
                        Some((path.clone(), append(path).map_err(|error| (path.clone(), error))?))
                    }
                };
                Ok(Log { level: entry.level, file })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { logs })
    }

    /// Standard error alone.
    pub(super) fn stderr(level: Level) -> Self {
        Self { logs: vec![Log { level, file: None }] }
    }

    /// Opens every file again; the old one is kept where that fails. The last failure is told.
    pub(super) fn reopen(&mut self, owner: Option<&User>) -> Result<(), (PathBuf, io::Error)> {
        let mut outcome = Ok(());
        for (path, file) in self.logs.iter_mut().filter_map(|log| log.file.as_mut()) {
            match append(path) {
                Ok(reopened) => {
                    give(&reopened, owner);
                    *file = reopened;
                }
                Err(error) => outcome = Err((path.clone(), error)),
            }
        }
        outcome
    }

    /// Writes a line to each log whose level it has.
    pub(super) fn write(&self, level: Level, pid: u32, tid: u32, text: &str, echo: bool) {
        let mut line = format!("{} [{}] {pid}#{tid}: {text}", clock::log_time(), level.word());
        line.truncate(line.floor_char_boundary(LINE_MAX - 1));
        line.push('\n');
        let mut on_stderr = false;
        for log in self.logs.iter().filter(|log| log.level >= level) {
            match &log.file {
                // A log that cannot be written is not worth dying for; nginx does not either.
                Some((_, file)) => drop((&*file).write_all(line.as_bytes())),
                None => {
                    on_stderr = true;
                    write_stderr(&line);
                }
            }
        }
        if echo && !on_stderr && level <= Level::Warn {
            write_stderr(&format!("nginx: [{}] {text}\n", level.word()));
        }
    }

    /// Makes standard error another name of the first log file.
    pub(super) fn redirect_stderr(&self) {
        if self.logs.iter().any(|log| log.file.is_none()) {
            return;
        }
        if let Some((_, file)) = self.logs.iter().find_map(|log| log.file.as_ref()) {
            let _ = nix::unistd::dup2_stderr(file.as_fd());
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o644).open(path)
}

/// The workers' user must be able to open a log again.
fn give(file: &File, owner: Option<&User>) {
    let (Some(owner), Ok(metadata)) = (owner, file.metadata()) else { return };
    if metadata.uid() != owner.uid {
        drop(std::os::unix::fs::fchown(file, Some(owner.uid), None));
    }
    if metadata.mode() & 0o600 != 0o600 {
        let mode = (metadata.mode() & 0o7777) | 0o600;
        drop(file.set_permissions(std::fs::Permissions::from_mode(mode)));
    }
}

/// Writes without a buffer.
pub(super) fn write_stderr(text: &str) {
    drop(io::stderr().write_all(text.as_bytes()));
}
