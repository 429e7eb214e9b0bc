//! Reads `/proc`. A process may end while it is read, so every answer is an `Option`, and no answer is an error.

use std::fs;
use std::path::PathBuf;

use orchestrator::host::linux::children_of_thread;

/// All processes.
pub(super) fn all() -> Vec<u32> {
    numbers("/proc")
}

/// Every descendant of `pid` with its parent, parents first.
pub(super) fn descendants(pid: u32) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for child in children(parent) {
            found.push((child, parent));
            parents.push(child);
        }
    }
    found
}

/// The children of all threads of `pid`.
fn children(pid: u32) -> Vec<u32> {
    numbers(&format!("/proc/{pid}/task"))
        .into_iter()
        .filter_map(|thread| children_of_thread(pid, thread))
        .flatten()
        .collect()
}

/// The command line as `ps` shows it; empty for a zombie.
pub(super) fn title(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    Some(text.trim_end().to_owned())
}

/// Device and inode of the executable.
pub(super) fn exe_id(pid: u32) -> Option<super::binary::FileId> {
    super::binary::file_id(format!("/proc/{pid}/exe").as_ref())
}

/// The name of the executable; ends in ` (deleted)` if it has none any more.
pub(super) fn exe_path(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// When the process started, in clock ticks since boot.
pub(super) fn start_time(pid: u32) -> Option<u64> {
    stat_field(pid, 22)
}

/// The parent.
pub(super) fn parent(pid: u32) -> Option<u32> {
    stat_field(pid, 4).and_then(|ppid| u32::try_from(ppid).ok())
}

/// A numeric field of `/proc/PID/stat`, numbered as in proc(5), from 4 on.
fn stat_field(pid: u32, number: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = stat.rsplit_once(") ")?.1;
    behind_name.split(' ').nth(number - 3)?.parse().ok()
}

/// What a process does right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doing {
    /// `R`, `S`, `D`, `Z`, …
    pub(super) state: char,
    /// True if a signal waits for it that it does not block for good: where nginx sleeps, it blocks none.
    pub(super) has_pending: bool,
    /// The number of the system call that it sleeps in; `None` where the kernel does not say.
    pub(super) syscall: Option<u64>,
}

/// What `pid` does right now.
pub(super) fn doing(pid: u32) -> Option<Doing> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    let mask = |name| field(name).and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0);
    let pending = (mask("SigPnd") | mask("ShdPnd")) & !mask("SigBlk");
    let syscall = fs::read_to_string(format!("/proc/{pid}/syscall")).ok();
    Some(Doing {
        state: field("State")?.chars().next()?,
        has_pending: pending != 0,
        syscall: syscall.and_then(|text| text.split(' ').next()?.trim().parse().ok()),
    })
}

/// The open descriptors of `pid`, each with what it leads to (`socket:[123]`).
pub(super) fn descriptors(pid: u32) -> Vec<(u32, String)> {
    numbers(&format!("/proc/{pid}/fd"))
        .into_iter()
        .filter_map(|fd| {
            let target = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
            Some((fd, target.to_string_lossy().into_owned()))
        })
        .collect()
}

/// The descriptors that the epoll set behind `fd` of `pid` watches.
pub(super) fn watched(pid: u32, fd: u32) -> Vec<u32> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap_or_default();
    info.lines()
        .filter_map(|line| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok())
        .collect()
}

/// The entries of a folder whose names are numbers.
fn numbers(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let own = std::process::id();
        assert!(all().contains(&own));
        assert!(start_time(own).unwrap() > 0);
        assert!(exe_id(own).is_some());
        assert!("RS".contains(doing(own).unwrap().state));
        assert!(descriptors(own).iter().any(|(fd, _)| *fd == 0));
        assert_eq!(parent(own), Some(std::os::unix::process::parent_id()));
    }
}
