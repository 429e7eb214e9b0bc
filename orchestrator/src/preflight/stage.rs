//! Lays the old and the new binary beside the path that nginx executes, so that each can take its place
//! with one rename and not a byte of disk.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

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
}

/// Lays both binaries ready; `is_dry`: only says where they would be.
pub(super) fn stage(master: u32, binary: &Path, new: &Path, is_dry: bool) -> Result<Staged, Refusal> {
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |source| Refusal::Disk { path, source }
    };
    let running = PathBuf::from(format!("/proc/{master}/exe"));
    let old_hash = hash(&running).map_err(disk(&running))?;
    let old_link = beside(binary, &old_hash[..16]);
    let new_link = beside(binary, "new");
    let before = file_at(binary).ok_or(Refusal::NoNginx)?;
    if is_dry {
        return Ok(Staged { before, old_link, old_file: before, new_link, new_file: before });
    }
    // A backup is named by what it holds: one that is there already is the right one, or is damaged.
    if hash(&old_link).is_ok_and(|found| found != old_hash) {
        fs::remove_file(&old_link).map_err(disk(&old_link))?;
    }
    if !old_link.exists() {
        let is_in_place = file_at(binary) == exe(master);
        let linked =
            if is_in_place { fs::hard_link(binary, &old_link) } else { Err(io::Error::other("replaced")) };
        linked.or_else(|_| copy(&running, &old_link, binary)).map_err(disk(&old_link))?;
    }
    let _ = fs::remove_file(&new_link);
    let is_installed = file_at(binary) != exe(master)
        && hash(binary).map_err(disk(binary))? == hash(new).map_err(disk(new))?;
    let linked =
        if is_installed { fs::hard_link(binary, &new_link) } else { Err(io::Error::other("elsewhere")) };
    linked.or_else(|_| copy(new, &new_link, binary)).map_err(disk(&new_link))?;
    sync_folder(binary).map_err(disk(binary))?;
    let id = |path: &Path| fs::metadata(path).map(|meta| file_id(&meta)).map_err(disk(path));
    Ok(Staged { before, old_file: id(&old_link)?, new_file: id(&new_link)?, old_link, new_link })
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

/// A copy with the mode, the owner and the capabilities of `like`, on disk when this returns.
fn copy(from: &Path, to: &Path, like: &Path) -> io::Result<()> {
    let like_meta = fs::metadata(like)?;
    let mut source = File::open(from)?;
    let beside = beside(to, "copy");
    let _ = fs::remove_file(&beside);
    let mut target = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let copied = io::copy(&mut source, &mut target)
        .and_then(|_| own(&target, &like_meta))
        .and_then(|()| target.set_permissions(fs::Permissions::from_mode(like_meta.mode() & 0o7777)))
        .and_then(|()| copy_capabilities(like, &target))
        .and_then(|()| target.sync_all())
        .and_then(|()| fs::rename(&beside, to));
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

/// An nginx that binds port 80 as an ordinary user has its right to do so in the file.
fn copy_capabilities(like: &Path, to: &File) -> io::Result<()> {
    const NAME: &str = "security.capability";
    let mut value = [0; 256];
    match rustix::fs::getxattr(like, NAME, &mut value) {
        Ok(length) => {
            rustix::fs::fsetxattr(to, NAME, &value[..length], rustix::fs::XattrFlags::empty())?;
            Ok(())
        }
        Err(_) => Ok(()),
    }
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
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
