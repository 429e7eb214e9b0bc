//! Listening sockets: who holds them, who waits in their queue, and what the last close does.
//!
//! # Source
//! `inet_csk_listen_stop` in `net/ipv4/inet_connection_sock.c`: the last close resets whoever is queued.

use fake_nginx::machine::{AddressId, Effect, Errno, Fd, Listening, Pid, SocketCall};
use smallvec::SmallVec;

use super::setting::free_fd;
use super::{Around, Defect, Doing, Ending, Kernel, Seen};

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Socket {
    /// Its number; never used again.
    pub id: u16,
    /// Where.
    pub address: AddressId,
    /// Whether others may have the address too.
    reuseport: bool,
    /// How many may wait; one more than that, as on Linux.
    backlog: u16,
    /// Connections that nobody has accepted, the oldest first.
    pub queue: SmallVec<[u32; 4]>,
}

impl Kernel {
    /// socket(2), bind(2), listen(2).
    pub(super) fn open_listener(
        &mut self,
        pid: Pid,
        listening: &Listening,
        around: &mut Around<'_>,
    ) -> Result<Fd, (SocketCall, Errno)> {
        let reuseport = listening.worker.is_some();
        let is_taken =
            |socket: &Socket| socket.address == listening.address && !(reuseport && socket.reuseport);
        if self.sockets.iter().any(is_taken) {
            return Err((SocketCall::Bind, Errno::EADDRINUSE));
        }
        self.last_socket += 1;
        let id = self.last_socket;
        let backlog = u16::try_from(listening.backlog).unwrap_or(u16::MAX);
        let address = listening.address;
        self.sockets.push(Socket { id, address, reuseport, backlog, queue: SmallVec::new() });
        let process = self.of(pid);
        let fd = free_fd(|fd| process.socket(fd).is_some());
        process.fds.push((fd, id));
        around.seen.push(Seen::Holds(pid));
        Ok(fd)
    }

    /// close(2).
    pub(super) fn close_listener(&mut self, pid: Pid, fd: Fd, around: &mut Around<'_>) {
        let process = self.of(pid);
        process.fds.retain(|(held, _)| *held != fd);
        process.watches.retain(|(held, _)| *held != fd);
        around.seen.push(Seen::Holds(pid));
        self.close_unheld(around);
    }

    /// A socket that no process holds is no more; who waited in its queue is reset.
    pub(super) fn close_unheld(&mut self, around: &mut Around<'_>) {
        let is_held = |socket: &Socket| {
            self.living().any(|process| process.fds.iter().any(|&(_, held)| held == socket.id))
        };
        let unheld: SmallVec<[u16; 2]> =
            self.sockets.iter().filter(|socket| !is_held(socket)).map(|socket| socket.id).collect();
        for id in unheld {
            let Some(at) = self.sockets.iter().position(|socket| socket.id == id) else { continue };
            let socket = self.sockets.remove(at);
            if around.has(Defect::ForgetsTheQueue) {
                continue;
            }
            for connection in socket.queue {
                self.end_of_server(connection, Ending::Rst, around);
            }
        }
    }

    /// The sockets that a connection to this address may come to.
    #[must_use]
    pub fn listening(&self, address: AddressId) -> SmallVec<[u16; 2]> {
        self.sockets.iter().filter(|socket| socket.address == address).map(|socket| socket.id).collect()
    }

    /// True if the queue of this socket takes one more. To a full one connect(2) waits: the kernel drops the SYN,
    /// and the client sends it again.
    #[must_use]
    pub fn has_room(&self, socket: u16) -> bool {
        let is_it = |known: &&Socket| known.id == socket;
        self.sockets.iter().find(is_it).is_some_and(|found| found.queue.len() <= usize::from(found.backlog))
    }

    /// True if some process that runs has this socket in its epoll set, or is just putting it there again: a
    /// worker that has accepted takes it out for an instant, so that another one gets the next connection.
    #[must_use]
    pub fn is_accepted_from(&self, socket: u16) -> bool {
        self.living().any(|process| {
            let is_it = |fd| process.socket(fd) == Some(socket);
            let is_back_soon = || match process.doing {
                Doing::Effect(Effect::Watch { fd, .. }) => !process.connections.is_empty() && is_it(fd),
                Doing::Effect(_) | Doing::Writing(..) | Doing::Told | Doing::Dead(_) => false,
            };
            process.watches.iter().any(|&(fd, _)| is_it(fd)) || is_back_soon()
        })
    }
}
