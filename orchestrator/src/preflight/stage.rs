//! Lays the old and the new binary beside the path that nginx executes, so that each can take its place
//! with one rename and not a byte of disk.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::attributes::carry_over;
use super::swap::Swap;
use crate::discover::Running;
use crate::host::linux::{beside, exe, file_at, file_id, sync_folder};
use crate::machine::{FileId, Plan};
use crate::refusal::Refusal;

/// What lies ready.
pub(super) struct Staged {
    pub(super) before: FileId,
    pub(super) old_link: PathBuf,
    pub(super) old_file: FileId,
    pub(super) new_link: PathBuf,
    pub(super) new_file: FileId,
    /// How the new one will come to the path.
    pub(super) swap: Swap,
    pub(super) warnings: Vec<String>,
}

/// Lays both binaries ready; `is_dry`: only says where they would be.
pub(super) fn stage(master: u32, binary: &Path, new: &Path, is_dry: bool) -> Result<Staged, Refusal> {
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |source| Refusal::Disk { path, source }
    };
    let running = PathBuf::from(format!("/proc/{master}/exe"));
    let before = file_at(binary).ok_or(Refusal::NoNginx)?;
    let (back, swap) = (Swap::of(binary, &running), Swap::of(binary, new));
    // A backup is named by what it holds, so it never takes the place of another one.
    let old_hash = match &back {
        Swap::File => hash(&running).map_err(disk(&running))?,
        Swap::Link(target) => hexadecimal(Sha256::digest(target.as_os_str().as_bytes())),
    };
    let (old_link, new_link) = (beside(binary, &old_hash[..16]), beside(binary, "new"));
    let mut warnings: Vec<_> = swap.warning().into_iter().collect();
    if is_dry {
        return Ok(Staged { before, old_link, old_file: before, new_link, new_file: before, swap, warnings });
    }
    let laid = match &swap {
        Swap::File => lay_file(master, new, &new_link, binary),
        Swap::Link(target) => lay_link(target, &new_link, binary),
    };
    warnings.extend(laid.map_err(disk(&new_link))?);
    let kept = match &back {
        Swap::File => keep_file(&running, &old_link, binary, &old_hash),
        Swap::Link(target) => lay_link(target, &old_link, binary),
    };
    warnings.extend(kept.inspect_err(|_| drop(fs::remove_file(&new_link))).map_err(disk(&old_link))?);
    // Whoever installed the one or the other need not have waited for the disk, and nothing is copied that has a name there.
    for link in [&old_link, &new_link] {
        File::open(link).and_then(|file| file.sync_all()).map_err(disk(link))?;
    }
    sync_folder(binary).map_err(disk(binary))?;
    let id = |path: &Path| fs::metadata(path).map(|meta| file_id(&meta)).map_err(disk(path));
    let (old_file, new_file) = (id(&old_link)?, id(&new_link)?);
    Ok(Staged { before, old_link, old_file, new_link, new_file, swap, warnings })
}

/// Keeps the running file by the name of its hash, and gives what to warn of. A file that has this name is the right one, or is damaged.
fn keep_file(running: &Path, backup: &Path, binary: &Path, known: &str) -> io::Result<Vec<String>> {
    if !backup.is_symlink() && hash(backup).is_ok_and(|found| found == known) {
        return Ok(Vec::new());
    }
    let _ = fs::remove_file(backup);
    let is_in_place = !binary.is_symlink() && file_at(binary) == file_at(running);
    let linked = if is_in_place { fs::hard_link(binary, backup) } else { Err(io::Error::other("replaced")) };
    linked.map(|()| Vec::new()).or_else(|_| copy(running, backup, binary))
}

/// Lays the new file ready, and gives what to warn of; if it is at the path already, it gets a second name.
fn lay_file(master: u32, new: &Path, to: &Path, binary: &Path) -> io::Result<Vec<String>> {
    let _ = fs::remove_file(to);
    let is_installed = !binary.is_symlink() && file_at(binary) != exe(master) && hash(binary)? == hash(new)?;
    let linked = if is_installed { fs::hard_link(binary, to) } else { Err(io::Error::other("elsewhere")) };
    linked.map(|()| Vec::new()).or_else(|_| copy(new, to, binary))
}

/// Lays a symbolic link ready that says `target` and belongs to whom the one at `like` belongs to.
fn lay_link(target: &Path, to: &Path, like: &Path) -> io::Result<Vec<String>> {
    if fs::read_link(to).is_ok_and(|words| words == target) {
        return Ok(Vec::new());
    }
    let (next, like) = (beside(to, "copy"), fs::symlink_metadata(like)?);
    let _ = fs::remove_file(&next);
    symlink(target, &next)?;
    let now = fs::symlink_metadata(&next)?;
    let is_owned = (now.uid(), now.gid()) == (like.uid(), like.gid());
    let owned = if is_owned { Ok(()) } else { lchown(&next, Some(like.uid()), Some(like.gid())) };
    let laid = owned.and_then(|()| fs::rename(&next, to));
    if laid.is_err() {
        let _ = fs::remove_file(&next);
    }
    laid.map(|()| Vec::new())
}

/// True if what runs holds what this file holds, whatever its name.
#[must_use]
pub fn executes(running: &Running, file: &Path) -> bool {
    let running = hash(Path::new(&format!("/proc/{}/exe", running.master.identity.pid)));
    running.ok().zip(hash(file).ok()).is_some_and(|(running, kept)| running == kept)
}

/// Removes what is no longer needed: the second name of the new binary. The backup of the old one stays.
pub fn unstage(plan: &Plan) {
    let _ = fs::remove_file(&plan.new_link);
}

/// Removes what a run left that was killed before its first announcement. True if there was something.
///
/// # Errors
/// The first file that cannot be removed.
pub fn sweep(binary: &Path) -> io::Result<bool> {
    let new_link = beside(binary, "new");
    let mut was_there = false;
    for path in [beside(&new_link, "copy"), new_link] {
        match fs::remove_file(&path) {
            Ok(()) => was_there = true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(was_there)
}

/// A copy with the owner, the attributes and the mode of `like`. Gives what to warn of.
fn copy(from: &Path, to: &Path, like: &Path) -> io::Result<Vec<String>> {
    let like_meta = fs::metadata(like)?;
    let mut source = File::open(from)?;
    let beside = beside(to, "copy");
    let _ = fs::remove_file(&beside);
    let mut target = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    // Bytes and a new owner take capabilities away, and an access list is part of the mode: in this order.
    let mut fill = || {
        io::copy(&mut source, &mut target)?;
        own(&target, &like_meta)?;
        let warnings = carry_over(like, &target)?;
        target.set_permissions(fs::Permissions::from_mode(like_meta.mode() & 0o7777))?;
        fs::rename(&beside, to)?;
        Ok(warnings)
    };
    let copied = fill();
    if copied.is_err() {
        let _ = fs::remove_file(&beside);
    }
    copied
}

fn own(file: &File, like: &fs::Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    fchown(file, Some(like.uid()), Some(like.gid()))
}

/// What the file holds, in hexadecimal.
fn hash(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => digest.update(&buffer[..count]),
        }
    }
    Ok(hexadecimal(digest.finalize()))
}

fn hexadecimal(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
