//! What an answer may ask about files, and the name under which a path lies on disk.
//!
//! Nothing here touches a file: whoever answers brings something that implements [`Files`].
//!
//! # Source
//! `ngx_http_map_uri_to_path` in `src/http/ngx_http_core_module.c` and `ngx_open_and_stat_file` in
//! `src/core/ngx_open_file_cache.c`, nginx 1.18 to 1.30.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::variables::Scope;
use crate::conf::LocationMatch;

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file with a content.
    File {
        /// How long it is.
        size: u64,
        /// When it was last changed, in seconds since 1970.
        modified_s: i64,
    },
    /// A folder.
    Folder,
    /// A pipe, a device, a socket.
    Other,
}

/// The files of the worker.
pub trait Files {
    /// open(2) and fstat(2). The file stays open until the next one is opened: an answer's pieces are of it.
    ///
    /// # Errors
    /// Those of the system.
    fn open(&mut self, path: &Path) -> io::Result<Found>;

    /// stat(2).
    ///
    /// # Errors
    /// Those of the system.
    fn look(&mut self, path: &Path) -> io::Result<Found>;
}

/// A world without files.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NoFiles;

#[cfg(test)]
impl Files for NoFiles {
    fn open(&mut self, _: &Path) -> io::Result<Found> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn look(&mut self, _: &Path) -> io::Result<Found> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// The folder that stands for the place, and what is left of `path` below it.
pub(super) fn split<'p>(scope: &Scope<'_>, path: &'p [u8]) -> (Vec<u8>, &'p [u8]) {
    match &scope.place.content.root {
        None => (format!("{}html", scope.conf.prefix).into_bytes(), path),
        Some(root) => {
            let folder = root.path.render(|name| scope.value(name));
            let from = match &scope.place.matches {
                _ if !root.is_alias => 0,
                // Such an alias is the whole name.
                LocationMatch::Regex(_) => usize::MAX,
                LocationMatch::Prefix(name) | LocationMatch::Exact(name) | LocationMatch::Named(name) => {
                    name.len()
                }
            };
            (folder, path.get(from..).unwrap_or_default())
        }
    }
}

/// The file of `path`.
pub(super) fn map(scope: &Scope<'_>, path: &[u8]) -> Vec<u8> {
    let (folder, rest) = split(scope, path);
    [folder.as_slice(), rest].concat()
}

/// The bytes as a name of a file.
pub(super) fn name(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}
