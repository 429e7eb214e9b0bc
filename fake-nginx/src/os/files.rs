//! Pid files.
//!
//! # Source
//! `ngx_create_pidfile` and `ngx_signal_process` in `src/core/ngx_cycle.c`, nginx 1.18 to 1.30.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::machine::{Pid, pid_file};

/// Creates the file if it is not there, and empties it if it is to be written.
pub(super) fn create_pid(path: &Path, is_emptied: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(is_emptied).mode(0o644).open(path)
}

/// Writes the number.
pub(super) fn write_pid(mut file: File, Pid(pid): Pid) -> io::Result<()> {
    file.write_all(format!("{pid}\n").as_bytes())
}

/// What the file holds, as far as nginx reads.
pub(super) fn read_pid(path: &Path) -> io::Result<Result<Pid, String>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(pid_file::BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(pid_file::parse(&bytes).map_err(str::to_owned))
}

/// Renames `path` to `path.oldbin` or back.
pub(super) fn rename_oldbin(path: &str, back: bool) -> io::Result<()> {
    let oldbin = format!("{path}.oldbin");
    if back { fs::rename(oldbin, path) } else { fs::rename(path, oldbin) }
}
