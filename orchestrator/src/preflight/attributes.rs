//! What a file carries besides its bytes, its owner and its mode: capabilities, access lists, labels, notes.
//!
//! A copy without its capabilities cannot bind port 80 as an ordinary user, and one without its access list may be
//! executed by the wrong people, so there is none without them. A label (SELinux, Smack) is the security module's
//! affair, which may give the copy the right one by its folder, and forbid to set it: that is only told.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;

/// The longest list of names and the longest value that Linux allows.
const BYTES_MAX: usize = 64 * 1024;

/// Speaks of the bytes of one file, so it would be a lie on another.
const OF_CONTENT: [&str; 2] = ["security.ima", "security.evm"];

/// Gives `to` the attributes of `like`, and what to warn of.
pub(super) fn carry_over(like: &Path, to: &File) -> io::Result<Vec<String>> {
    let like = File::open(like)?;
    let names = names(&like)?;
    // What a folder hands down to new files.
    for name in self::names(to)?.iter().filter(|name| is_needed(name) && !names.contains(name)) {
        fremovexattr(to, name.as_str())?;
    }
    let mut warnings = Vec::new();
    for name in names.iter().filter(|name| !OF_CONTENT.contains(&name.as_str())) {
        let told = |error: Errno| format!("the attribute {name} could not be carried over: {error}");
        match copy(&like, to, name) {
            Ok(()) => {}
            Err(error) if is_needed(name) => return Err(io::Error::new(error.kind(), told(error))),
            Err(error) => warnings.push(told(error)),
        }
    }
    Ok(warnings)
}

/// True for what decides who may execute the file, and what it may do then.
fn is_needed(name: &str) -> bool {
    name == "security.capability" || name.starts_with("system.")
}

fn copy(like: &File, to: &File, name: &str) -> Result<(), Errno> {
    let value = whole(|buffer| fgetxattr(like, name, buffer))?;
    let is_there = whole(|buffer| fgetxattr(to, name, buffer)).is_ok_and(|known| known == value);
    if is_there { Ok(()) } else { fsetxattr(to, name, &value, XattrFlags::empty()) }
}

/// The names of all attributes; none where the file system knows none.
fn names(file: impl AsFd) -> io::Result<Vec<String>> {
    let list = match whole(|buffer| flistxattr(&file, buffer)) {
        Ok(list) => list,
        Err(Errno::NOTSUP | Errno::NOSYS) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let names = list.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

fn whole(read: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; BYTES_MAX];
    let length = read(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_may_lack_a_label_but_no_capability_and_no_access_list() {
        assert!(is_needed("security.capability"));
        assert!(is_needed("system.posix_acl_access"));
        assert!(!is_needed("security.selinux"));
        assert!(!is_needed("user.note"));
    }
}
