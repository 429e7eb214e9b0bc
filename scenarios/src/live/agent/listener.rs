//! Who holds a listening socket, and who accepts from it: `/proc/PID/fd` against the socket tables.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::proc;
use orchestrator::host::linux::SocketDiag;

/// The listening sockets of this network namespace.
pub(super) struct Sockets(Option<SocketDiag>);

impl Sockets {
    /// Ready to be asked.
    pub(super) fn new() -> Self {
        Self(SocketDiag::open().ok())
    }

    /// All of them, by inode.
    pub(super) fn all(&self) -> BTreeMap<u64, String> {
        let asked = self.0.as_ref().and_then(|diag| diag.listeners().ok());
        let mut found = asked.unwrap_or_else(from_tables);
        let text = fs::read_to_string("/proc/self/net/unix").unwrap_or_default();
        found.extend(text.lines().skip(1).filter_map(unix));
        found
    }

    /// True if a connection to this port waits to be accepted; false where the kernel does not say.
    pub(super) fn is_anybody_waiting(&self, port: u16) -> bool {
        self.0.as_ref().and_then(|diag| diag.queued(port).ok()).is_some_and(|queued| queued > 0)
    }
}

/// What a kernel without sock_diag says.
fn from_tables() -> BTreeMap<u64, String> {
    let table = |name| fs::read_to_string(format!("/proc/self/net/{name}")).unwrap_or_default();
    let texts = [table("tcp"), table("tcp6")];
    texts.iter().flat_map(|text| text.lines().skip(1).filter_map(internet)).collect()
}

/// Sockets of one address that a process holds: several, if the address has one for each worker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// How many.
    pub(super) sockets: u32,
    /// How many of them one of its epoll sets watches.
    pub(super) watched: u32,
}

/// The sockets of `all` that `pid` holds, by address.
pub(super) fn held_by(pid: u32, all: &BTreeMap<u64, String>) -> BTreeMap<String, Held> {
    let descriptors = proc::descriptors(pid);
    let sockets: Vec<(u32, &String)> = descriptors
        .iter()
        .filter_map(|(fd, target)| {
            let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
            Some((*fd, all.get(&inode)?))
        })
        .collect();
    if sockets.is_empty() {
        return BTreeMap::new();
    }
    let watched: Vec<u32> = descriptors
        .iter()
        .filter(|(_, target)| target == "anon_inode:[eventpoll]")
        .flat_map(|(fd, _)| proc::watched(pid, *fd))
        .collect();
    let mut held: BTreeMap<String, Held> = BTreeMap::new();
    for (fd, address) in sockets {
        let held = held.entry(address.clone()).or_default();
        held.sockets += 1;
        held.watched += u32::from(watched.contains(&fd));
    }
    held
}

/// A line of `/proc/net/tcp` in state LISTEN.
fn internet(line: &str) -> Option<(u64, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    if *state != "0A" {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // The table holds 32-bit words as the machine stores them.
    let words: Vec<[u8; 4]> = (0..address.len() / 8)
        .filter_map(|i| u32::from_str_radix(address.get(i * 8..i * 8 + 8)?, 16).ok().map(u32::to_ne_bytes))
        .collect();
    let ip = match words[..] {
        [v4] => Ipv4Addr::from(v4).into(),
        [a, b, c, d] => Ipv6Addr::from(<[u8; 16]>::try_from([a, b, c, d].concat()).ok()?).into(),
        _ => return None,
    };
    Some((inode.parse().ok()?, SocketAddr::new(ip, port).to_string()))
}

/// A line of `/proc/net/unix` with the flag of a listener.
fn unix(line: &str) -> Option<(u64, String)> {
    const ACCEPTS: u32 = 0x0001_0000;
    let fields: Vec<&str> = line.split_whitespace().collect();
    let flags = u32::from_str_radix(fields.get(3)?, 16).ok()?;
    let (inode, path) = (fields.get(6)?, fields.get(7)?);
    (flags & ACCEPTS != 0).then_some((inode.parse().ok()?, format!("unix:{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_of_this_process_is_found_both_ways_and_nobody_accepts_from_it() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(any) else { continue };
            let address = listener.local_addr().unwrap().to_string();
            for all in [SocketDiag::open().unwrap().listeners().unwrap(), from_tables()] {
                let alone = Held { sockets: 1, watched: 0 };
                assert_eq!(held_by(std::process::id(), &all).get(&address), Some(&alone), "{address}");
            }
        }
    }

    #[test]
    fn unix_listeners_are_told_from_connections() {
        let listens = "0000000000000000: 00000002 00000000 00010000 0001 01 42 /run/nginx.sock";
        let connects = "0000000000000000: 00000003 00000000 00000000 0001 03 43 /run/nginx.sock";
        assert_eq!(unix(listens), Some((42, "unix:/run/nginx.sock".into())));
        assert_eq!(unix(connects), None);
    }
}
