//! The world's folder: where it is, what lies in it, and how one that a killed run left behind is found.
//!
//! In namespaces it lies on a tmpfs of the run's own, over a folder that nothing in the run needs, so it is gone
//! with the namespace. Elsewhere it is a temporary folder whose name tells who made it.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, geteuid, getpid, pidfd_open, pidfd_send_signal};

use super::super::order::{Order, Paths};
use super::{isolation, proc};
use crate::scenario::Subject;

/// Names of temporary folders begin so; then follow the agent's pid namespace, pid and start time.
const MARK: &str = "oldbin-lab";
/// Folders of the file hierarchy standard that a system rarely uses; the temporary folder is the last resort.
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
        let top = if in_namespaces {
            mount_point(order)?.join(MARK)
        } else {
            sweep();
            let own = getpid().as_raw_nonzero().get().cast_unsigned();
            env::temp_dir().join(Maker { namespace: pid_namespace(), pid: own, started: started(own) }.name())
        };
        // Root's workers are somebody else, and must be able to pass.
        let mode = if geteuid().is_root() { 0o711 } else { 0o700 };
        let make = |path: &Path| DirBuilder::new().mode(mode).create(path);
        make(&top)?;
        let folder = Self { paths: paths(&top), top };
        for name in ["sbin", "staged", "conf", "logs", "state", "releases", "temp"] {
            make(&folder.top.join(name))?;
        }
        // The journal's disk, which a random script fills.
        if in_namespaces && order.storm.is_some() {
            isolation::mount_small_tmpfs(&folder.paths.state).map_err(io::Error::other)?;
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
        control: top.join("control"),
    }
}

/// Mounts a tmpfs where it hides nothing that the run needs.
fn mount_point(order: &Order) -> io::Result<PathBuf> {
    let mut needed: Vec<PathBuf> = vec![env::current_exe()?, env::current_dir()?];
    if let Some(pair) = &order.pair {
        needed.extend([pair.old.path.clone(), pair.new.path.clone()]);
    }
    for act in &order.scenario.acts {
        if let Subject::Command { program, arguments } = &act.subject {
            needed.push(program.clone());
            needed.extend(arguments.iter().map(PathBuf::from));
        }
    }
    let is_free = |point: &PathBuf| point.is_dir() && !needed.iter().any(|path| path.starts_with(point));
    let point =
        MOUNT_POINTS.iter().map(PathBuf::from).chain([env::temp_dir()]).find(is_free).ok_or_else(|| {
            io::Error::other("the run needs every folder that a tmpfs could be mounted over")
        })?;
    isolation::mount_tmpfs(&point).map_err(io::Error::other)?;
    Ok(point)
}

/// Ends and removes what agents left behind that are gone: their folders, and the processes that run from them.
fn sweep() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(maker) = name.to_str().and_then(Maker::of) else { continue };
        let is_own = entry.metadata().is_ok_and(|of| of.uid() == geteuid().as_raw());
        // Nobody can tell from here whether an agent of another pid namespace still runs.
        let is_gone = maker.namespace == pid_namespace() && started(maker.pid) != maker.started;
        if is_own && is_gone {
            end_processes_from(&entry.path());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The agent that made a temporary folder, as the folder's name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Maker {
    namespace: u64,
    pid: u32,
    started: u64,
}

impl Maker {
    fn name(self) -> String {
        format!("{MARK}.{}.{}.{}", self.namespace, self.pid, self.started)
    }

    fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(MARK)?.strip_prefix('.')?.split('.');
        let namespace = parts.next()?.parse().ok()?;
        let pid = parts.next()?.parse().ok()?;
        let started = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Self { namespace, pid, started })
    }
}

/// When a process started; 0 if there is none.
fn started(pid: u32) -> u64 {
    proc::start_time(pid).unwrap_or(0)
}

/// The pid namespace that pids are told apart in.
fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |namespace| namespace.ino())
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
        let maker = Maker { namespace: 4_026_531_836, pid: 12, started: 345 };
        assert_eq!(Maker::of(&maker.name()), Some(maker));
        for other in ["oldbin-lab", "oldbin-lab-notes", "other.1.2.3", "oldbin-lab.1.2", "oldbin-lab.1.2.3.4"]
        {
            assert_eq!(Maker::of(other), None, "{other}");
        }
    }
}
