//! Files that are sent to clients: opened by the worker, never read into memory.
//!
//! # Source
//! `ngx_open_and_stat_file` in `src/core/ngx_open_file_cache.c`, `ngx_linux_sendfile_chain` in
//! `src/os/unix/ngx_linux_sendfile_chain.c`, nginx 1.18 to 1.30.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::libc;
use rustix::io::Errno;

use crate::http::{Files, Found};

/// The file that an answer is made of.
#[derive(Debug, Default)]
pub(super) struct OpenFile(Option<File>);

impl Files for OpenFile {
    fn open(&mut self, path: &Path) -> io::Result<Found> {
        // A pipe without a writer must not hold the worker up.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let found = found(&file.metadata()?);
        self.0 = Some(file);
        Ok(found)
    }

    fn look(&mut self, path: &Path) -> io::Result<Found> {
        Ok(found(&std::fs::metadata(path)?))
    }
}

fn found(metadata: &Metadata) -> Found {
    if metadata.is_file() {
        Found::File { size: metadata.size(), modified_s: metadata.mtime() }
    } else if metadata.is_dir() {
        Found::Folder
    } else {
        Found::Other
    }
}

impl OpenFile {
    /// sendfile(2), once. Nothing sent of a file means that it has become shorter.
    pub(super) fn send(&self, socket: BorrowedFd<'_>, from: u64, bytes_max: u64) -> Result<usize, Errno> {
        let Some(file) = &self.0 else { return Err(Errno::BADF) };
        let mut offset = from;
        let count = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        match rustix::fs::sendfile(socket, file.as_fd(), Some(&mut offset), count)? {
            0 => Err(Errno::IO),
            count => Ok(count),
        }
    }
}
