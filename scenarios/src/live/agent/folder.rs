//! The world's folder: where it is, what lies in it, and how one that a killed run left behind is found.
//!
//! In namespaces it lies on a tmpfs of the run's own, over a folder that nothing in the run needs, so it is gone
//! with the namespace. Elsewhere it is a temporary folder whose name tells who made it.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, geteuid, getpid, pidfd_open, pidfd_send_signal};

use super::super::order::{Order, Paths};
use super::{isolation, proc};
use crate::scenario::Subject;

/// Names of temporary folders begin so; then follow the agent's pid and start time.
const MARK: &str = "oldbin-lab";
/// Folders of the file hierarchy standard that a system rarely uses.
const MOUNT_POINTS: [&str; 4] = ["/mnt", "/media", "/srv", "/opt"];

/// The folder of one run; removed with its handle.
pub(super) struct Folder {
    /// What lies in it.
    pub(super) paths: Paths,
    top: PathBuf,
}

impl Folder {
    /// Makes the folder with everything in it but binaries and configuration.
    pub(super) fn make(order: &Order, in_namespaces: bool) -> io::Result<Self> {
        let mounted = if in_namespaces { mount_point(order) } else { None };
        let top = match mounted {
            Some(point) => point.join("oldbin-lab"),
            None => {
                sweep();
                let own = getpid();
                let started = proc::start_time(own.as_raw_nonzero().get().cast_unsigned()).unwrap_or(0);
                env::temp_dir().join(format!("{MARK}.{}.{started}", own.as_raw_nonzero()))
            }
        };
        // Root's workers are somebody else, and must be able to pass.
        let mode = if geteuid().is_root() { 0o711 } else { 0o700 };
        let make = |path: &Path| DirBuilder::new().mode(mode).create(path);
        make(&top)?;
        let folder = Self { paths: paths(&top), top };
        for name in ["sbin", "staged", "conf", "logs", "state", "releases", "temp"] {
            make(&folder.top.join(name))?;
        }
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.top);
    }
}

fn paths(top: &Path) -> Paths {
    Paths {
        prefix: top.to_owned(),
        binary: top.join("sbin/nginx"),
        new: top.join("staged/nginx"),
        conf: top.join("conf/nginx.conf"),
        pid: top.join("nginx.pid"),
        log: top.join("logs/error.log"),
        state: top.join("state"),
    }
}

/// Mounts a tmpfs where it hides nothing that the run needs.
fn mount_point(order: &Order) -> Option<PathBuf> {
    let mut needed: Vec<PathBuf> = vec![env::current_exe().ok()?, env::current_dir().ok()?];
    if let Some(pair) = &order.pair {
        needed.extend([pair.old.path.clone(), pair.new.path.clone()]);
    }
    for act in &order.scenario.acts {
        if let Subject::Command { program, arguments } = &act.subject {
            needed.push(program.clone());
            needed.extend(arguments.iter().map(PathBuf::from));
        }
    }
    let is_free = |point: &&Path| point.is_dir() && !needed.iter().any(|path| path.starts_with(point));
    let point = MOUNT_POINTS.iter().map(Path::new).find(is_free)?;
    isolation::mount_tmpfs(point).ok()?;
    Some(point.to_owned())
}

/// Ends and removes what agents left behind that are gone: their folders, and the processes that run from them.
fn sweep() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((pid, started)) = name.to_str().and_then(maker) else { continue };
        let is_own =
            entry.metadata().is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == geteuid().as_raw());
        if is_own && proc::start_time(pid) != Some(started) {
            end_processes_from(&entry.path());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The pid and start time of the agent that gave a folder its name.
fn maker(name: &str) -> Option<(u32, u64)> {
    let (pid, started) = name.strip_prefix(MARK)?.strip_prefix('.')?.split_once('.')?;
    Some((pid.parse().ok()?, started.parse().ok()?))
}

/// Kills every process whose executable lies in `folder`; the handle is taken before the last look.
fn end_processes_from(folder: &Path) {
    for pid in proc::all() {
        let runs_from_it = || proc::exe_path(pid).is_some_and(|path| path.starts_with(folder));
        if !runs_from_it() {
            continue;
        }
        let handle =
            Pid::from_raw(pid.cast_signed()).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        if let Some(handle) = handle.filter(|_| runs_from_it()) {
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_who_made_it() {
        assert_eq!(maker("oldbin-lab.12.345"), Some((12, 345)));
        assert_eq!(maker("oldbin-lab-notes"), None);
        assert_eq!(maker("other.12.345"), None);
    }
}
