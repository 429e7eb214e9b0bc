//! What /proc shows of the processes and sockets of a script.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use fake_nginx::machine::Signal;

#[cfg(target_arch = "x86_64")]
pub(crate) const SIGSUSPEND: &[u64] = &[130];
#[cfg(target_arch = "x86_64")]
pub(crate) const EPOLL_WAIT: &[u64] = &[232, 281, 441];
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const SIGSUSPEND: &[u64] = &[133];
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const EPOLL_WAIT: &[u64] = &[22, 441];

/// The state of a socket that listens, in /proc/net/tcp.
const LISTEN: &str = "0A";

/// A process.
#[derive(Debug, Clone)]
pub(crate) struct Doing {
    /// `R`, `S`, `Z`.
    pub(crate) state: char,
    pub(crate) parent: u32,
    /// Signals that wait, of those that nginx handles.
    pub(crate) pending: BTreeSet<u8>,
    syscall: Option<u64>,
}

impl Doing {
    /// True if it sleeps in one of these calls.
    pub(crate) fn waits_in(&self, calls: &[u64]) -> bool {
        self.state == 'S' && self.syscall.is_some_and(|call| calls.contains(&call))
    }
}

/// What a process does; `None`: it is gone.
pub(crate) fn doing(pid: u32) -> Option<Doing> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let mask = |name: &str| field(name).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0);
    let pending = mask("SigPnd:") | mask("ShdPnd:");
    let is_pending = |signal: &Signal| pending & (1 << (signal.number() - 1)) != 0;
    let syscall = fs::read_to_string(format!("/proc/{pid}/syscall")).ok();
    Some(Doing {
        state: field("State:")?.chars().next()?,
        parent: field("PPid:")?.parse().ok()?,
        pending: Signal::HANDLED.into_iter().filter(is_pending).map(Signal::number).collect(),
        syscall: syscall.and_then(|text| text.split_whitespace().next()?.parse().ok()),
    })
}

/// The inode of the socket behind a descriptor.
pub(crate) fn socket(pid: u32, fd: i32) -> Option<u64> {
    let name = fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()?;
    inode_of_socket(name.to_str()?)
}

/// The inode in the name of a socket.
pub(crate) fn inode_of_socket(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The descriptors in an epoll set.
pub(crate) fn watched(pid: u32, epoll: i32) -> Vec<i32> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{epoll}")).unwrap_or_default();
    info.lines()
        .filter_map(|line| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok())
        .collect()
}

/// The sockets of the namespace.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// How many wait in the queue of each listening socket, by its inode.
    pub(crate) queues: BTreeMap<u64, usize>,
    /// Nothing is on its way: whatever was sent has been acknowledged.
    pub(crate) is_still: bool,
}

/// Looks at all sockets.
pub(crate) fn network() -> Network {
    let lines: Vec<Vec<String>> = lines().collect();
    let length = |words: &Vec<String>| {
        let length = usize::from_str_radix(words[4].split_once(':')?.1, 16).ok()?;
        Some((words[9].parse().ok()?, length))
    };
    let (listening, others): (Vec<_>, Vec<_>) = lines.into_iter().partition(|words| words[3] == LISTEN);
    Network {
        queues: listening.iter().filter_map(length).collect(),
        is_still: others.iter().all(|words| words[4].starts_with("00000000:")),
    }
}

/// The lines of /proc/net/tcp, in words: state is the fourth, the two queues the fifth, the inode the tenth.
fn lines() -> impl Iterator<Item = Vec<String>> {
    let text = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    text.lines().skip(1).map(words).filter(|words| words.len() > 9).collect::<Vec<_>>().into_iter()
}

/// True if the file's last bytes are these.
pub(crate) fn ends_with(path: &Path, bytes: &[u8]) -> bool {
    let read = || {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::End(-i64::try_from(bytes.len()).unwrap_or(0)))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        std::io::Result::Ok(end)
    };
    read().is_ok_and(|end| end == bytes)
}
