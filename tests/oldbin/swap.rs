//! What stands at the binary's path: a file with all that it carries, or a symbolic link that is flipped, there and back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use rustix::fs::XattrFlags;
use rustix::process::Signal;

use super::crash_points::beside;
use super::site::{self, Site, release};
use super::{NEW, OLD, new_binary, script, upgrade};

/// Where the link says that the old release is, seen from its folder.
const WORDS: &str = "../opt/nginx-old/nginx";

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_link_is_flipped_and_flipped_back_word_for_word", flipped),
    ("of_a_chain_only_the_link_that_the_master_names_is_flipped", chained),
    ("a_link_is_flipped_back_when_the_new_binary_exits_at_start", flipped_back_after_exit),
    ("a_killed_flip_is_recovered_or_rolled_back", killed_flip),
    ("a_link_that_a_script_flipped_before_usr2_is_recovered_or_rolled_back", flipped_by_hand),
    ("an_old_release_that_its_package_removed_comes_back_from_the_running_process", removed_release),
    ("a_dry_run_says_where_the_link_would_point", dry_flip),
    ("a_package_s_file_that_takes_the_path_before_usr2_stays_there", package_before_usr2),
    ("a_package_s_file_that_takes_the_path_before_the_swap_is_refused", package_before_swap),
    ("owner_mode_and_every_attribute_are_carried_over", decorated),
    ("an_access_list_that_the_folder_hands_down_is_not_kept", plain_in_a_generous_folder),
];

/// An nginx whose path is a link to its release in another folder.
fn linked() -> Site {
    Site::start_behind(OLD, |site| {
        fs::create_dir_all(site.path("opt/nginx-old")).unwrap();
        fs::rename(site.path("sbin/nginx"), site.path("opt/nginx-old/nginx")).unwrap();
        symlink(WORDS, site.path("sbin/nginx")).unwrap();
    })
}

fn words(site: &Site) -> String {
    fs::read_link(site.path("sbin/nginx")).unwrap().to_str().unwrap().to_owned()
}

/// The link says so, and no release was written over.
fn points_to(site: &Site, target: &Path, version: &str) {
    assert_eq!(Path::new(&words(site)), target);
    assert!(fs::read(site.path("opt/nginx-old/nginx")).unwrap() == fs::read(release(OLD).unwrap()).unwrap());
    site.serves_alone(version);
}

fn flipped() {
    let site = linked();
    let real = fs::canonicalize(new_binary()).unwrap();
    for _ in 0..2 {
        let said = upgrade(&site, &new_binary(), &["--soak", "0"]);
        assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
        points_to(&site, &real, NEW);
        let said = site.oldbin(&["rollback".into(), "--soak".into(), "0".into()]);
        assert_eq!((said.outcome(), said.code), ("rolled-back", 0), "{said:?}");
        points_to(&site, Path::new(WORDS), OLD);
        let said = upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]);
        assert_eq!((said.outcome(), said.code), ("held", 0), "{said:?}");
        assert_eq!(Path::new(&words(&site)), real);
        let said = site.oldbin(&["rollback".into()]);
        assert_eq!((said.outcome(), said.code), ("rolled-back", 0), "{said:?}");
        points_to(&site, Path::new(WORDS), OLD);
    }
}

/// As `update-alternatives` lays them: the first link is nginx's, the second somebody else's.
fn chained() {
    let site = Site::start_behind(OLD, |site| {
        fs::create_dir_all(site.path("opt/nginx-old")).unwrap();
        fs::create_dir(site.path("alternatives")).unwrap();
        fs::rename(site.path("sbin/nginx"), site.path("opt/nginx-old/nginx")).unwrap();
        symlink(WORDS, site.path("alternatives/nginx")).unwrap();
        symlink("../alternatives/nginx", site.path("sbin/nginx")).unwrap();
    });
    let said = upgrade(&site, &new_binary(), &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    points_to(&site, &fs::canonicalize(new_binary()).unwrap(), NEW);
    assert_eq!(fs::read_link(site.path("alternatives/nginx")).unwrap(), Path::new(WORDS));
    let said = site.oldbin(&["rollback".into(), "--soak".into(), "0".into()]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 0), "{said:?}");
    points_to(&site, Path::new("../alternatives/nginx"), OLD);
}

fn flipped_back_after_exit() {
    let site = linked();
    let said = upgrade(&site, &script(&site, "exit 1"), &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 4), "{said:?}");
    points_to(&site, Path::new(WORDS), OLD);
}

fn killed_flip() {
    let real = fs::canonicalize(new_binary()).unwrap();
    for (command, target, version) in [("recover", real.as_path(), NEW), ("rollback", Path::new(WORDS), OLD)]
    {
        let site = linked();
        let running = site.start_oldbin(&["upgrade", "--new", new_binary().to_str().unwrap(), "--soak", "1"]);
        site.wait_for("\"soaking\"");
        running.kill();
        let said = site.oldbin(&[command.into()]);
        assert_eq!(said.code, 0, "{command}: {said:?}");
        points_to(&site, target, version);
        site::end_everybody();
    }
}

/// What a script does: the link first, then USR2, and then it dies.
fn flipped_by_hand() {
    for (command, outcome, version) in [("recover", "upgraded", NEW), ("rollback", "rolled-back", OLD)] {
        let site = linked();
        flip(&site, &new_binary());
        site.signal_master(Signal::USR2);
        site.until("both serve", || site.path("nginx.pid.oldbin").exists() && site.has_workers());
        let said = site.oldbin(&[command.into()]);
        assert_eq!((said.outcome(), said.code), (outcome, 0), "{command}: {said:?}");
        // Nobody knows any more that the old words were relative.
        let old = site.path("opt/nginx-old/nginx");
        points_to(&site, if version == NEW { new_binary() } else { old }.as_path(), version);
        site::end_everybody();
    }
}

fn flip(site: &Site, to: &Path) {
    symlink(to, site.path("sbin/next")).unwrap();
    fs::rename(site.path("sbin/next"), site.path("sbin/nginx")).unwrap();
}

fn removed_release() {
    let site = linked();
    flip(&site, &new_binary());
    fs::remove_dir_all(site.path("opt/nginx-old")).unwrap();
    for hold in [true, false] {
        let more: &[&str] = if hold { &["--soak", "0", "--hold"] } else { &["--soak", "0"] };
        let said = upgrade(&site, &site.path("sbin/nginx"), more);
        assert_eq!(said.code, 0, "{said:?}");
        let said = site.oldbin(&["rollback".into(), "--soak".into(), "0".into()]);
        assert_eq!((said.outcome(), said.code), ("rolled-back", 0), "{said:?}");
        site.serves_alone(OLD);
        fs::remove_file(site.path("sbin/nginx")).unwrap();
        symlink(new_binary(), site.path("sbin/nginx")).unwrap();
    }
}

fn dry_flip() {
    let site = linked();
    let before = site.listing();
    let said = upgrade(&site, &new_binary(), &["--dry-run"]);
    assert_eq!((said.outcome(), said.code), ("planned", 0), "{said:?}");
    let target = fs::canonicalize(new_binary()).unwrap();
    assert!(said.stderr().contains("would flip the link"), "{said:?}");
    assert!(said.stderr().contains(target.to_str().unwrap()), "{said:?}");
    let is_fleeting = target.starts_with("/tmp");
    assert_eq!(said.stderr().contains("may vanish"), is_fleeting, "{said:?}");
    assert_eq!(site.listing(), before);
    points_to(&site, Path::new(WORDS), OLD);
}

/// What a package manager does while `oldbin` is at this point.
fn package(site: &Site, point: &str) -> site::Said {
    let (next, path) = (site.path("sbin/nginx.dpkg-new"), site.path("sbin/nginx"));
    let (next, path, new) = (next.display(), path.display(), new_binary());
    let command = format!("cp {} {next} && mv {next} {path}", new.display());
    let words = ["upgrade", "--new", new.to_str().unwrap(), "--soak", "0"];
    let said = beside(site, &words, point, &command);
    let is_there = || fs::read(site.path("sbin/nginx")).unwrap() == fs::read(new_binary()).unwrap();
    assert!(is_there(), "the package's file is gone: {said:?}");
    assert!(!said.text("remedy").is_empty(), "{said:?}");
    assert_eq!(site.answer(), OLD);
    assert!(!site.path("nginx.pid.oldbin").exists());
    said
}

/// USR2 starts the package's file, which is not the one that was promised. Red when the way back writes over it, or when
/// nobody says that it is there.
fn package_before_usr2() {
    let site = Site::start(OLD);
    let said = package(&site, "before changing signal-USR2 1");
    assert_eq!((said.outcome(), said.code), ("rolled-back", 4), "{said:?}");
    assert!(said.text("reason").contains("does not execute the new file"), "{said:?}");
    assert!(said.text("reason").contains("somebody else's file is at the binary's path"), "{said:?}");
}

/// Red when the swap does not look once more at what it takes away.
fn package_before_swap() {
    let site = Site::start(OLD);
    let said = package(&site, "before installing replace 1");
    assert_eq!((said.outcome(), said.code), ("refused", 3), "{said:?}");
    assert!(said.text("reason").contains("another file is at the binary's path"), "{said:?}");
}

/// What an administrator may have given to the file; each as far as this user and this file system may.
fn decorate(path: &Path) -> BTreeMap<String, Vec<u8>> {
    // Version 2, then tag, rights and number of each entry: the owner, a user, the group, the mask, all others.
    let entries = [(1, 7, !0), (2, 5, 65_534), (4, 5, !0), (0x10, 5, !0), (0x20, 5, !0)];
    let entry = |(tag, rights, number): (u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &number.to_le_bytes()].concat()
    };
    let list = [2_u32.to_le_bytes().to_vec(), entries.map(entry).concat()].concat();
    // CAP_NET_BIND_SERVICE, effective and permitted, version 2.
    let capability = [0x0200_0001_u32, 1 << 10, 0, 0, 0].map(u32::to_le_bytes).concat();
    let all = [
        ("security.capability", capability),
        ("security.note", b"a label".to_vec()),
        ("system.posix_acl_access", list),
        ("user.note", b"keep me".to_vec()),
    ];
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, mode).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(path, Some(65_534), Some(65_534)).unwrap();
    }
    for (name, value) in all {
        let _ = rustix::fs::setxattr(path, name, &value, XattrFlags::empty());
    }
    attributes(path)
}

fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut buffer = vec![0; 64 * 1024];
    let length = rustix::fs::listxattr(path, &mut buffer).unwrap_or_default();
    let names = String::from_utf8(buffer[..length].to_vec()).unwrap();
    let value = |name: &str| {
        let mut value = vec![0; 1024];
        let length = rustix::fs::getxattr(path, name, &mut value).unwrap();
        (name.to_owned(), value[..length].to_vec())
    };
    names.split_terminator('\0').map(value).collect()
}

fn owner_and_mode(path: &Path) -> (u32, u32, u32) {
    let meta = fs::metadata(path).unwrap();
    (meta.uid(), meta.gid(), meta.mode())
}

fn decorated() {
    let site = Site::start(OLD);
    let path = site.path("sbin/nginx");
    let before = (decorate(&path), owner_and_mode(&path));
    assert!(!before.0.is_empty(), "this file system knows no attributes: set TMPDIR to another one");
    let said = upgrade(&site, &new_binary(), &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
    assert_eq!((attributes(&path), owner_and_mode(&path)), before);
    let said = site.oldbin(&["rollback".into(), "--soak".into(), "0".into()]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 0), "{said:?}");
    site.serves_alone(OLD);
    assert_eq!((attributes(&path), owner_and_mode(&path)), before);
}

/// A folder may hand an access list down to every new file; a binary that has none must not get one.
fn plain_in_a_generous_folder() {
    let site = Site::start(OLD);
    let path = site.path("sbin/nginx");
    let before = (attributes(&path), owner_and_mode(&path));
    decorate(&site.path("sbin"));
    let list =
        attributes(&site.path("sbin")).remove("system.posix_acl_access").expect("no access lists here");
    let flags = XattrFlags::empty();
    rustix::fs::setxattr(site.path("sbin"), "system.posix_acl_default", &list, flags).unwrap();
    let said = upgrade(&site, &new_binary(), &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    assert_eq!((attributes(&path), owner_and_mode(&path)), before);
}
