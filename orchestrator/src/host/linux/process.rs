//! Processes, as /proc shows them.
//!
//! # Source
//! `proc_pid_stat(5)`, `proc_pid_status(5)`; nginx's titles from `ngx_setproctitle.c` and
//! `ngx_process_cycle.c`, unchanged from 1.14 to 1.31.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::machine::{FileId, Identity, Process, Title};

/// What `/proc/PID/stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: char,
    pub(crate) parent: u32,
    pub(crate) session: u32,
    pub(crate) started: u64,
    /// It has begun to end: nothing of its program runs any more.
    pub(crate) is_exiting: bool,
}

/// `PF_EXITING` among the flags.
const EXITING: u64 = 0x4;
/// How long the kernel may take to end a process that has begun to: it closes files, and may have to wait for a core.
const EXIT_MS_MAX: u64 = 2_000;

/// `None`: there is no such process.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The command may hold blanks and parentheses; the last one ends it.
    let end = text.iter().rposition(|&byte| byte == b')')?;
    let rest = String::from_utf8_lossy(text.get(end + 1..)?).into_owned();
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let flags: u64 = fields.nth(2)?.parse().ok()?;
    let started = fields.nth(12)?.parse().ok()?;
    Some(Stat { state, parent, session, started, is_exiting: flags & EXITING != 0 })
}

/// What the process executes; `None`: not allowed to see, or gone.
pub(crate) fn exe(pid: u32) -> Option<FileId> {
    fs::metadata(format!("/proc/{pid}/exe")).ok().map(|meta| file_id(&meta))
}

/// What a file is.
pub(crate) fn file_id(meta: &fs::Metadata) -> FileId {
    FileId { device: meta.dev(), inode: meta.ino() }
}

/// As which user and group the process acts.
pub(crate) fn owner(pid: u32) -> Option<(u32, u32)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    // Real, effective, saved, of files.
    let effective = |name: &str| {
        let numbers = status.lines().find_map(|line| line.strip_prefix(name))?;
        numbers.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    Some((effective("Uid:")?, effective("Gid:")?))
}

/// The process's command line, as words joined by blanks.
pub(crate) fn command_line(pid: u32) -> String {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let end = text.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    String::from_utf8_lossy(&text[..end]).replace('\0', " ").trim_end().to_owned()
}

/// What the process says that it is.
pub(crate) fn title(pid: u32) -> Title {
    title_of(&command_line(pid))
}

/// A title is written byte by byte over the one before, and can be read half-way: a worker that begins to say
/// that it shuts down is shutting down, and a mixture of master and worker is a worker right after its fork,
/// which counts as a master's title until it has its own.
fn title_of(command_line: &str) -> Title {
    let Some(name) = command_line.strip_prefix("nginx: ") else { return Title::Other };
    match name.strip_prefix("worker process") {
        Some("") => Title::Worker,
        Some(more) if more.starts_with(' ') => Title::ShuttingDown,
        Some(_) | None if name.starts_with("cache ") => Title::Helper,
        Some(_) | None => Title::Master,
    }
}

/// The process that has this pid now; zombies are none.
///
/// A process on its way out has given up its memory, and with it its command line, before it is a zombie. Until then
/// others still find it, and so its end is waited for: whoever is told here that it is gone can say so.
pub(crate) fn look(pid: u32) -> Option<Process> {
    let before = stat(pid)?;
    let words = command_line(pid);
    if matches!(before.state, 'Z' | 'X') {
        return None;
    }
    if words.is_empty() {
        wait_for_its_end(pid);
        return None;
    }
    let identity = Identity { pid, started: before.started, exe: exe(pid) };
    let process = Process { identity, title: title_of(&words) };
    // The same start time at both ends: all of it was about one process.
    (stat(pid)?.started == before.started).then_some(process)
}

/// Returns when a process that has begun to end is at its end.
fn wait_for_its_end(pid: u32) {
    let Some(handle) = handle_of(pid) else { return };
    if stat(pid).is_some_and(|now| now.is_exiting && !matches!(now.state, 'Z' | 'X')) {
        let _ = ends_within(&handle, EXIT_MS_MAX);
    }
}

/// A handle of whoever has this pid now.
pub(super) fn handle_of(pid: u32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()
}

/// True if the process of this handle ends within that time.
pub(crate) fn ends_within(handle: impl AsFd, within_ms: u64) -> io::Result<bool> {
    let timeout = Timespec::try_from(Duration::from_millis(within_ms)).map_err(io::Error::other)?;
    Ok(poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timeout))? > 0)
}

/// True if this very process is alive.
pub(crate) fn is_alive(identity: &Identity) -> bool {
    stat(identity.pid).is_some_and(|now| now.started == identity.started && !matches!(now.state, 'Z' | 'X'))
}

/// True if a master is the process's parent.
pub(crate) fn has_master(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| title(stat.parent) == Title::Master)
}

/// The pids of the process's children, zombies included.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    children_of_thread(pid, pid).unwrap_or_else(|| {
        // A kernel without CONFIG_PROC_CHILDREN, or children that are reaped faster than they can be read.
        all().filter(|&child| stat(child).is_some_and(|stat| stat.parent == pid)).collect()
    })
}

/// The children that one thread of a process has forked, zombies included; `None`: the kernel does not tell.
///
/// While it lists them, the kernel finds its place again by counting if the child that it stood at has been reaped,
/// and so passes over a living one (`proc_pid_children(5)`). A list is whole if all of it is still there afterwards.
#[must_use]
pub fn children_of_thread(pid: u32, thread: u32) -> Option<Vec<u32>> {
    let is_child = |&child: &u32| stat(child).is_some_and(|stat| stat.parent == pid);
    (0..READINGS_MAX).find_map(|_| {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).ok()?;
        let children: Vec<u32> = text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
        children.iter().all(is_child).then_some(children)
    })
}

/// How often a list of children is read before another way is taken.
const READINGS_MAX: u32 = 32;

/// Every pid that we can see.
pub(crate) fn all() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// True if the master sleeps in sigsuspend and has nothing left to do.
///
/// nginx blocks its signals everywhere but in sigsuspend, which empties the mask, and the mask is in
/// `/proc/PID/status` for everybody to read. While one of its handlers runs, that signal is blocked.
pub(crate) fn is_asleep_in_sigsuspend(pid: u32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    is_asleep(&status)
}

/// HUP, INT, QUIT, USR1, USR2, ALRM, TERM, CHLD, WINCH, IO: what a master blocks.
const MASTER_SIGNALS: u64 =
    bit(1) | bit(2) | bit(3) | bit(10) | bit(12) | bit(14) | bit(15) | bit(17) | bit(28) | bit(29);

const fn bit(signal: u64) -> u64 {
    1 << (signal - 1)
}

fn is_asleep(status: &str) -> bool {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let is_clear = |name: &str| {
        field(name)
            .and_then(|mask| u64::from_str_radix(mask, 16).ok())
            .is_some_and(|mask| mask & MASTER_SIGNALS == 0)
    };
    field("State:").is_some_and(|state| state.starts_with('S'))
        && is_clear("SigPnd:")
        && is_clear("ShdPnd:")
        && is_clear("SigBlk:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_tells_the_role() {
        assert_eq!(title_of("nginx: master process /usr/sbin/nginx -c /x"), Title::Master);
        assert_eq!(title_of("nginx: worker process"), Title::Worker);
        assert_eq!(title_of("nginx: worker process is shutting down"), Title::ShuttingDown);
        assert_eq!(title_of("nginx: cache manager process"), Title::Helper);
        assert_eq!(title_of("/usr/sbin/nginx -c /x"), Title::Other);
    }

    #[test]
    fn a_title_read_half_way_is_no_new_binary() {
        assert_eq!(title_of("nginx: worker process is sh"), Title::ShuttingDown);
        assert_eq!(title_of("nginx: woster process /usr/sbin/nginx"), Title::Master);
        assert_eq!(title_of("nginx: worker processusr/sbin/nginx"), Title::Master);
    }

    /// Red when the flags are read from another field.
    #[test]
    fn a_process_that_has_begun_to_end_is_told_from_one_that_runs() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        assert!(stat(child.id()).unwrap().is_exiting);
        assert!(!stat(std::process::id()).unwrap().is_exiting);
        assert_eq!(look(child.id()), None);
        child.wait().unwrap();
    }

    /// Red if the list is taken as it is read: then a few of a thousand readings miss the child that lives.
    #[test]
    fn a_child_is_seen_while_its_brothers_are_reaped() {
        use std::process::{Child, Command, Stdio};
        use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

        let own = std::process::id();
        let thread = u32::try_from(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        let spawn =
            |program| Command::new(program).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        for _ in 0..20 {
            let mut brothers: Vec<Child> = (0..40).map(|_| spawn("true")).collect();
            let mut living = spawn("cat");
            let (is_over, readings, pid) = (AtomicBool::new(false), AtomicU32::new(0), living.id());
            let missed = std::thread::scope(|scope| {
                let reader = scope.spawn(|| {
                    let mut missed = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        readings.fetch_add(1, Ordering::Relaxed);
                        let seen = children_of_thread(own, thread);
                        missed += usize::from(seen.is_some_and(|seen| !seen.contains(&pid)));
                    }
                    missed
                });
                for brother in &mut brothers {
                    // In the middle of a reading.
                    let before = readings.load(Ordering::Relaxed);
                    while readings.load(Ordering::Relaxed) == before {
                        std::thread::yield_now();
                    }
                    brother.wait().unwrap();
                }
                is_over.store(true, Ordering::Relaxed);
                reader.join().unwrap()
            });
            drop(living.stdin.take());
            living.wait().unwrap();
            assert_eq!(missed, 0);
        }
    }

    #[test]
    fn a_master_with_a_pending_or_blocked_signal_is_not_asleep() {
        let status = |state: &str, pending: &str, blocked: &str| {
            format!("State:\t{state}\nSigPnd:\t0\nShdPnd:\t{pending}\nSigBlk:\t{blocked}\n")
        };
        assert!(is_asleep(&status("S (sleeping)", "0000000000000000", "0000000000000000")));
        assert!(!is_asleep(&status("R (running)", "0000000000000000", "0000000000000000")));
        assert!(!is_asleep(&status("S (sleeping)", "0000000000000800", "0000000000000000")));
        assert!(!is_asleep(&status("S (sleeping)", "0000000000000000", "0000000018016a07")));
    }
}
