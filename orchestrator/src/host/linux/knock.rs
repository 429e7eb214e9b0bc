//! Knocking: a connection to a listening socket, and who takes it.
//!
//! That a worker has a socket in its epoll set proves that it wants to accept, not that it does: its loop may hang. A
//! connection that waits in the queue has no inode; once it is accepted, it has one, and whoever holds that is seen.
//! Nothing is sent, so a server logs nothing but, at level `info`, that a client went away.
//!
//! # Source
//! `inet_csk_accept` grafts the inode; `inet_diag_dump_one_icsk` answers for one connection. `ngx_http_wait_request_handler`
//! for what nginx says of a connection without a byte.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{SocketDiag, now_us, sockets};
use crate::machine::Identity;

/// How long a connection may wait to be taken: a healthy worker takes it within a turn of its loop.
const TAKEN_MS_MAX: u64 = 2_000;

/// The first look at who has taken it, doubled up to the slowest: accepting wakes nobody but the worker.
const PAUSE_US_MIN: u64 = 200;
const PAUSE_US_MAX: u64 = 5_000;

/// What a knock told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knock {
    /// One of those workers has taken the connection.
    Taken,
    /// Nobody has, or somebody else.
    Untaken,
    /// It could not be made, or not be followed: that says nothing about the workers.
    Unknown,
}

/// Those of a master's listening sockets, one of each address, from which one of these workers takes a connection.
pub(crate) fn taken(master: u32, listeners: &[u64], workers: &[Identity]) -> Vec<u64> {
    let told = ask(master, listeners, workers).into_iter();
    told.filter(|(.., knock)| *knock == Knock::Taken).map(|(inode, ..)| inode).collect()
}

/// The addresses of those from which none of these workers takes one.
pub(crate) fn untaken(master: u32, listeners: &[u64], workers: &[Identity]) -> Vec<String> {
    let told = ask(master, listeners, workers).into_iter();
    told.filter(|(.., knock)| *knock == Knock::Untaken).map(|(_, address, _)| address.to_string()).collect()
}

/// Knocks once at each address.
fn ask(master: u32, listeners: &[u64], workers: &[Identity]) -> Vec<(u64, SocketAddr, Knock)> {
    if !sockets::is_in_our_network(master) {
        return Vec::new();
    }
    let Ok(diag) = SocketDiag::open() else { return Vec::new() };
    let Ok(addresses) = diag.addresses() else { return Vec::new() };
    let mut asked = BTreeSet::new();
    let known = listeners.iter().filter_map(|inode| Some((*inode, *addresses.get(inode)?)));
    let fresh: Vec<_> = known.filter(|(_, address)| asked.insert(*address)).collect();
    fresh.into_iter().map(|(inode, address)| (inode, address, knock(&diag, address, workers))).collect()
}

/// Knocks at one listening socket, and looks whether one of these workers opens.
fn knock(diag: &SocketDiag, listener: SocketAddr, workers: &[Identity]) -> Knock {
    let deadline_us = now_us() + TAKEN_MS_MAX * 1_000;
    let stream = match TcpStream::connect_timeout(&reachable(listener), Duration::from_millis(TAKEN_MS_MAX)) {
        Ok(stream) => stream,
        // The queue is full: nobody has taken anything for long.
        Err(error) if error.kind() == std::io::ErrorKind::TimedOut => return Knock::Untaken,
        Err(_) => return Knock::Unknown,
    };
    let (Ok(ours), Ok(theirs)) = (stream.local_addr(), stream.peer_addr()) else { return Knock::Unknown };
    let mut pause_us = PAUSE_US_MIN;
    loop {
        match diag.inode_of(theirs, ours) {
            Ok(Some(inode)) if inode != 0 => return taken_by(inode, workers),
            // The worker has closed it already, as one does that reads an address first.
            Ok(None) => return Knock::Unknown,
            Ok(Some(_)) => {}
            Err(_) => return Knock::Unknown,
        }
        if now_us() >= deadline_us {
            return Knock::Untaken;
        }
        // If it is closed in our face, that is an event.
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::try_from(pause_us * 1_000).unwrap_or(i64::MAX) };
        let _ = poll(&mut [PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::IN)], Some(&timeout));
        pause_us = (pause_us * 2).min(PAUSE_US_MAX);
    }
}

fn taken_by(inode: u64, workers: &[Identity]) -> Knock {
    let mut is_hidden = false;
    for worker in workers {
        let held = sockets::sockets_of(worker.pid);
        is_hidden |= held.is_empty();
        if held.contains(&inode) {
            return Knock::Taken;
        }
    }
    if is_hidden { Knock::Unknown } else { Knock::Untaken }
}

/// An address by which a socket that listens everywhere is reached.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listener.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::host::linux::look;

    /// Red when a connection in the queue counts as taken, or when anybody may take it.
    #[test]
    fn a_knock_is_answered_by_whoever_accepts() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let diag = SocketDiag::open().unwrap();
        let me = look(std::process::id()).unwrap().identity;
        let parent = look(std::os::unix::process::parent_id()).unwrap().identity;

        assert_eq!(knock(&diag, address, std::slice::from_ref(&me)), Knock::Untaken);

        let accepted = std::thread::spawn(move || {
            let queued = listener.accept().unwrap();
            [queued, listener.accept().unwrap(), listener.accept().unwrap()]
        });
        assert_eq!(knock(&diag, address, std::slice::from_ref(&me)), Knock::Taken);
        assert_ne!(knock(&diag, address, std::slice::from_ref(&parent)), Knock::Taken);
        drop(accepted.join());
    }
}
