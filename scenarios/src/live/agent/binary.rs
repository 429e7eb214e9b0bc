//! The binaries of a world: puts them in place, and tells which one a file is.
//!
//! A file is recognised by its length and its ends, not by running it: a stamp stands at a file's end, and a
//! copy that is still being written has another length.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fake_nginx::fault::NoFault;
use fake_nginx::release::Version;
use fake_nginx::stamp::{self, Stamp};

use super::super::nginx::version_of;
use super::super::order::{Order, Paths};
use crate::scenario::{Release, WorldKind};

/// Device and inode: which file a process runs, whatever became of its name.
pub(super) type FileId = (u64, u64);

/// What a binary looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Looks {
    length: u64,
    first: Vec<u8>,
    last: Vec<u8>,
}

/// The binaries that a world knows.
pub(super) struct Binaries {
    known: Vec<(Looks, String)>,
    /// The version that serves at the start.
    pub(super) old: String,
    /// The version that the subject is given.
    pub(super) new: String,
}

impl Binaries {
    /// Puts the old binary where nginx is started from, and stages the new one.
    pub(super) fn place(order: &Order, paths: &Paths) -> Result<Self, String> {
        let scenario = &order.scenario;
        let found = order.pair.as_ref();
        let old = place(order, &scenario.old, found.map(|pair| &pair.old), paths, &paths.binary)?;
        let new = place(order, &scenario.new, found.map(|pair| &pair.new), paths, &paths.new)?;
        let look =
            |path: &Path| Looks::of(path).map_err(|error| format!("cannot read {}: {error}", path.display()));
        let known = vec![(look(&paths.binary)?, old.clone()), (look(&paths.new)?, new.clone())];
        Ok(Self { known, old, new })
    }

    /// The version of a file that looks like one of the two that the world was made with.
    pub(super) fn version_of_looks(&self, path: &Path) -> Option<String> {
        let looks = Looks::of(path).ok()?;
        self.known.iter().find(|(known, _)| *known == looks).map(|(_, version)| version.clone())
    }

    /// The version of the file at `path`; `None`: there is no such file, or it is no nginx.
    pub(super) fn version_at(&self, path: &Path) -> Option<String> {
        if let Some(version) = self.version_of_looks(path) {
            return Some(version);
        }
        // A file that is being written cannot be run, and that is the right answer.
        version_of(path).map(|version| version.to_string())
    }
}

impl Looks {
    fn of(path: &Path) -> io::Result<Self> {
        const END: usize = 4096;
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let read = |at: u64| {
            let mut bytes = vec![0; END];
            let read = file.read_at(&mut bytes, at)?;
            bytes.truncate(read);
            io::Result::Ok(bytes)
        };
        Ok(Self { length, first: read(0)?, last: read(length.saturating_sub(END as u64))? })
    }
}

/// Which file is at `path`, if there is one.
pub(super) fn file_id(path: &Path) -> Option<FileId> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// A real binary is copied, so that steps may overwrite it; a fake is stamped.
///
/// A release with a fault is a stamped fake in every world: no real nginx fails on demand.
fn place(
    order: &Order,
    wanted: &Release,
    found: Option<&super::super::nginx::Found>,
    paths: &Paths,
    path: &Path,
) -> Result<String, String> {
    match (order.world, found, &wanted.fault) {
        (WorldKind::Real, Some(found), None) => {
            fs::copy(&found.path, path)
                .and_then(|_| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
                .map_err(|error| format!("cannot copy {}: {error}", found.path.display()))?;
            Ok(found.version.to_string())
        }
        _ => {
            let version = match found {
                Some(found) => found.version,
                None => wanted.version.parse::<Version>().map_err(|error| error.to_string())?,
            };
            let control = order.stops_at_moments().then(|| paths.control.clone());
            stamp_fake(version, wanted.fault.as_deref(), &order.fake_defects, control, path)?;
            Ok(version.to_string())
        }
    }
}

/// The one place where fakes are made.
fn stamp_fake(
    version: Version,
    fault: Option<&str>,
    defects: &[String],
    control: Option<PathBuf>,
    path: &Path,
) -> Result<(), String> {
    let mut identity = Stamp::new(version);
    identity.defects = defects.to_vec();
    identity.control = control;
    identity.fault = fault.map(str::parse).transpose().map_err(|error: NoFault| error.to_string())?;
    stamp::write(&identity, path).map_err(|error| error.to_string())
}
