//! A worker's sockets: its epoll, its channel, its clients.
//!
//! The epoll is made after the fork. Listening sockets are watched by level, with EPOLLEXCLUSIVE where the
//! machine says so; connections by edge, as in nginx.
//!
//! # Source
//! `src/event/modules/ngx_epoll_module.c`, `src/event/ngx_event_accept.c`, nginx 1.18 to 1.30.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use nix::libc;
use nix::sys::signal::SigSet;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{self, SocketAddrAny, SocketFlags};
use smallvec::SmallVec;

use super::arrivals;
use super::client::Client;
use super::clock::Clock;
use super::counter::Counter;
use crate::machine::{Conn, Fd, Ready, Reply};

/// How many events one look takes: `epoll_events`.
const EVENTS_MAX: usize = 512;

const LISTENER: u64 = 1 << 32;
const CHANNEL: u64 = 2 << 32;
const CONNECTION: u64 = 3 << 32;

/// What only a worker has.
#[derive(Debug)]
pub(super) struct WorkerSockets {
    epoll: OwnedFd,
    /// What is held back while it waits.
    mask: SigSet,
    clients: Vec<Option<Client>>,
}

impl WorkerSockets {
    pub(super) fn new(mask: SigSet) -> Result<Self, Errno> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, mask, clients: Vec::new() })
    }

    pub(super) fn watch_channel(&self, channel: BorrowedFd<'_>) -> Result<(), Errno> {
        let flags = EventFlags::IN | EventFlags::RDHUP;
        epoll::add(&self.epoll, channel, EventData::new_u64(CHANNEL), flags)
    }

    pub(super) fn watch(&self, socket: BorrowedFd<'_>, index: u8, exclusive: bool) -> Result<(), Errno> {
        let exclusive = if exclusive { EventFlags::EXCLUSIVE } else { EventFlags::RDHUP };
        let data = EventData::new_u64(LISTENER | u64::from(index));
        epoll::add(&self.epoll, socket, data, EventFlags::IN | exclusive)
    }

    pub(super) fn unwatch(&self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        epoll::delete(&self.epoll, socket)
    }

    pub(super) fn wait(&self, clock: &Clock, until_ms: Option<u64>) -> Reply {
        let timeout_ms = until_ms.map_or(-1, |until_ms| {
            i32::try_from(until_ms.saturating_sub(clock.now_ms())).unwrap_or(i32::MAX)
        });
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
        let count = arrivals::wait_events(self.epoll.as_fd(), &mut events, timeout_ms, &self.mask);
        let ready: SmallVec<_> = events[..count].iter().map(|event| ready(event.u64, event.events)).collect();
        Reply::Events { now_ms: clock.now_ms(), arrivals: arrivals::take(), ready }
    }

    pub(super) fn accept(
        &mut self,
        listener: BorrowedFd<'_>,
        listen: u8,
        conn: Conn,
        counter: Counter,
    ) -> Option<(u32, Fd)> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (socket, remote) = net::acceptfrom_with(listener, flags).ok()?;
        let local = net::getsockname(&socket).ok();
        let data = EventData::new_u64(CONNECTION | u64::from(conn.0));
        let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, &socket, data, interest).ok()?;
        let number = counter.next();
        let fd = Fd(u16::try_from(socket.as_raw_fd()).unwrap_or(u16::MAX));
        let place = usize::from(conn.0);
        if self.clients.len() <= place {
            self.clients.resize_with(place + 1, || None);
        }
        let client = Client::new(socket, usize::from(listen), u64::from(number), ip(remote), ip(local));
        self.clients[place] = Some(client);
        Some((number, fd))
    }

    /// A connection that the machine knows.
    pub(super) fn client(&mut self, conn: Conn) -> &mut Client {
        self.clients
            .get_mut(usize::from(conn.0))
            .and_then(Option::as_mut)
            .expect("the machine names connections that it accepted and did not close")
    }

    pub(super) fn shutdown_write(&mut self, conn: Conn) -> Result<(), Errno> {
        net::shutdown(&self.client(conn).socket, net::Shutdown::Write)
    }

    pub(super) fn close(&mut self, conn: Conn) {
        self.clients[usize::from(conn.0)] = None;
    }
}

fn ready(data: u64, events: u32) -> Ready {
    let has = |flags: libc::c_int| events & flags.unsigned_abs() != 0;
    let low = u16::try_from(data & 0xffff).unwrap_or(0);
    match data & !0xffff {
        LISTENER => Ready::Listener(u8::try_from(low).unwrap_or(u8::MAX)),
        CHANNEL => Ready::Channel,
        _ => {
            let failed = has(libc::EPOLLERR | libc::EPOLLHUP);
            Ready::Connection {
                conn: Conn(low),
                readable: failed || has(libc::EPOLLIN | libc::EPOLLRDHUP),
                writable: failed || has(libc::EPOLLOUT),
                finished: has(libc::EPOLLRDHUP),
            }
        }
    }
}

fn ip(address: Option<SocketAddrAny>) -> Option<IpAddr> {
    address.and_then(|address| SocketAddr::try_from(address).ok()).map(|address| address.ip())
}
