//! Listening sockets: who holds them, and who accepts from them.
//!
//! A worker accepts from a socket that is in its epoll set, and `/proc/PID/fdinfo` of the epoll descriptor
//! lists that set with inodes. Holding a listener proves nothing: masters hold them all.
//!
//! # Source
//! `ep_show_fdinfo` in the kernel's `fs/eventpoll.c` (inodes since 4.13); `/proc/net` as `proc_net(5)` tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::SocketDiag;

/// `TCP_LISTEN` in `/proc/net/tcp`.
const TCP_LISTEN: &str = "0A";
/// `__SO_ACCEPTCON` in the flags of `/proc/net/unix`.
const UNIX_ACCEPTS: u64 = 0x1_0000;

/// The inodes of the stream sockets that the process holds and that listen. UDP is left out: a datagram
/// socket in an epoll set may be anything.
pub(crate) fn listeners(pid: u32) -> Vec<u64> {
    named_listeners(pid).into_keys().collect()
}

/// The same, each with its address: `127.0.0.1:80`, `unix:/run/x`.
pub(crate) fn named_listeners(pid: u32) -> BTreeMap<u64, String> {
    let held = sockets_of(pid);
    let mut listening = tcp_listeners(pid);
    let text = fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap_or_default();
    listening.extend(text.lines().skip(1).filter_map(unix_listener));
    listening.retain(|inode, _| held.contains(inode));
    listening
}

/// Every listening socket from which the process accepts, and whatever else is in its epoll sets; `None`: not
/// allowed to see.
pub(crate) fn accepted_by(pid: u32) -> Option<BTreeSet<u64>> {
    Some(epolls(pid)?.into_iter().filter_map(|epoll| watched(pid, epoll)).flatten().collect())
}

/// True if the process is in our own network namespace.
pub(crate) fn is_in_our_network(pid: u32) -> bool {
    let namespace = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
    namespace("self").is_some_and(|ours| namespace(&pid.to_string()) == Some(ours))
}

/// Every TCP socket that listens in the process's network namespace.
fn tcp_listeners(pid: u32) -> BTreeMap<u64, String> {
    let is_ours = is_in_our_network(pid);
    let asked = || SocketDiag::open().and_then(|diag| diag.listeners()).ok().filter(|_| is_ours);
    asked().unwrap_or_else(|| {
        let table = |name| fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
        let read = |text: String| text.lines().skip(1).filter_map(tcp_listener).collect::<Vec<_>>();
        ["tcp", "tcp6"].map(table).into_iter().flat_map(read).collect()
    })
}

/// A line of `/proc/net/tcp`; its address stays as the table has it, in hexadecimal.
fn tcp_listener(line: &str) -> Option<(u64, String)> {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let inode = (*fields.get(3)? == TCP_LISTEN).then(|| fields.get(9)?.parse().ok()).flatten()?;
    Some((inode, (*fields.get(1)?).to_owned()))
}

fn unix_listener(line: &str) -> Option<(u64, String)> {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let flags = u64::from_str_radix(fields.get(3)?, 16).ok()?;
    let inode = (flags & UNIX_ACCEPTS != 0).then(|| fields.get(6)?.parse().ok()).flatten()?;
    Some((inode, format!("unix:{}", fields.get(7).unwrap_or(&""))))
}

pub(crate) fn sockets_of(pid: u32) -> BTreeSet<u64> {
    descriptors(pid)
        .filter_map(|(_, target)| target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

/// How many connections a process holds, whoever is at the other end: its sockets that do not listen, without those to
/// other processes of this machine.
pub(crate) fn connections(pid: u32) -> usize {
    let held = sockets_of(pid);
    let listening = tcp_listeners(pid);
    let text = fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap_or_default();
    let inode = |line: &str| line.split_ascii_whitespace().nth(6)?.parse().ok();
    let local: BTreeSet<u64> = text.lines().skip(1).filter_map(inode).collect();
    held.iter().filter(|inode| !local.contains(inode) && !listening.contains_key(inode)).count()
}

/// The numbers of the process's epoll descriptors; `None`: not allowed to see.
pub(crate) fn epolls(pid: u32) -> Option<Vec<u32>> {
    fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    Some(
        descriptors(pid).filter(|(_, target)| target == "anon_inode:[eventpoll]").map(|(fd, _)| fd).collect(),
    )
}

/// The inodes in the epoll set, in no order; `None`: not allowed to see, or no longer open.
pub(crate) fn watched(pid: u32, epoll: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/fdinfo/{epoll}")).ok()?;
    Some(text.lines().filter_map(epoll_inode).collect())
}

fn epoll_inode(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("tfd:")?;
    let inode = rest.split_ascii_whitespace().find_map(|word| word.strip_prefix("ino:"))?;
    u64::from_str_radix(inode, 16).ok()
}

fn descriptors(pid: u32) -> impl Iterator<Item = (u32, String)> {
    fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let number = entry.file_name().to_str()?.parse().ok()?;
        let target = fs::read_link(entry.path()).ok()?;
        Some((number, target.to_str()?.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_socket_that_listens_is_found_among_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();

        let found = listeners(std::process::id());

        let inode = |fd: &dyn std::os::fd::AsRawFd| {
            let link = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
            link.to_str().unwrap()["socket:[".len()..].trim_end_matches(']').parse::<u64>().unwrap()
        };
        assert!(found.contains(&inode(&listener)), "{found:?}");
        assert!(!found.contains(&inode(&client)), "{found:?}");
    }

    #[test]
    fn the_kernel_s_tables_are_read() {
        let tcp = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 \
                   4711 1 0 100 0 0 10 0";
        assert_eq!(tcp_listener(tcp), Some((4711, "0100007F:1F90".into())));
        assert_eq!(tcp_listener(&tcp.replace(" 0A ", " 01 ")), None);
        let unix = "0000000000000000: 00000002 00000000 00010000 0001 01 4712 /run/x";
        assert_eq!(unix_listener(unix), Some((4712, "unix:/run/x".into())));
        let set = "tfd:        6 events:       19 data:     7f5e  pos:0 ino:1268 sdev:8";
        assert_eq!(epoll_inode(set), Some(0x1268));
    }
}
