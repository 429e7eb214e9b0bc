//! Connections, from both sides.
//!
//! Requests are counted, not spelled: a client sends whole ones, and an answer is a length. What a client
//! sees (the whole answer, an end, a reset) is told at the instant at which it arrives.

use fake_nginx::conf::Patience;
use fake_nginx::machine::{AddressId, Answer, Conn, Fd, Parsed, Pid, Received, Sent};

use super::setting::Slow;
use super::{Around, Ending, Kernel, Seen};
use crate::trace::Kind;

/// How many requests a connection may bring, `keepalive_requests` of the laboratory's configuration.
const KEEPALIVE_REQUESTS: u32 = 1_000_000;
/// `keepalive_timeout`, nginx's default.
const KEEPALIVE_TIMEOUT_MS: u64 = 75_000;
/// A quick answer, head and body.
const ANSWER_BYTES: u64 = 180;

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Its number; never used again.
    pub id: u32,
    /// What is asked on it.
    pub kind: Kind,
    /// Where its other side is.
    pub place: Place,
    /// Requests in the socket's buffer.
    inbox: u8,
    /// Requests that the worker has read and not answered.
    buffer: u8,
    /// The answer that is being sent: how much of how much.
    sent: u64,
    length: u64,
    answerer: Option<(Pid, u8)>,
    has_client: bool,
    /// The server's side was shut down for writing, or the client has answered with a reset.
    is_shut: bool,
    /// Something has changed that epoll has not told yet.
    pub(super) is_changed: bool,
}

/// Where the server's side of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the queue of this socket.
    Queue(u16),
    /// At this process.
    At(Pid),
    /// Closed.
    Closed,
}

impl Connection {
    /// True while an answer is on its way.
    #[must_use]
    pub const fn is_in_answer(&self) -> bool {
        self.sent > 0 && self.sent < self.length
    }

    /// True if all that was asked is answered.
    pub(super) const fn is_answered(&self) -> bool {
        self.length > 0 && self.sent >= self.length && self.inbox == 0 && self.buffer == 0
    }

    /// There is something to read, or the end.
    pub(super) const fn is_readable(&self) -> bool {
        self.inbox > 0 || !self.has_client
    }

    /// The client has closed.
    pub(super) const fn has_left(&self) -> bool {
        !self.has_client
    }
}

/// The client's side.
impl Kernel {
    /// connect(2) to a socket that listens, and the first request.
    pub fn connect(&mut self, socket: u16, kind: Kind) -> u32 {
        self.last_connection += 1;
        let id = self.last_connection;
        self.connections.push(Connection {
            id,
            kind,
            place: Place::Queue(socket),
            inbox: 1,
            buffer: 0,
            sent: 0,
            length: 0,
            answerer: None,
            has_client: true,
            is_shut: false,
            is_changed: false,
        });
        if let Some(socket) = self.sockets.iter_mut().find(|known| known.id == socket) {
            socket.queue.push(id);
        }
        id
    }

    /// Another request on a connection. False: it is closed, as far as the client knows.
    pub fn ask(&mut self, id: u32) -> bool {
        let Some(connection) = self.connection_mut(id) else { return false };
        if connection.place == Place::Closed {
            return false;
        }
        connection.inbox += 1;
        connection.is_changed = true;
        true
    }

    /// The client closes.
    pub fn hang_up(&mut self, id: u32) {
        let Some(connection) = self.connection_mut(id) else { return };
        connection.has_client = false;
        connection.is_changed = true;
        if connection.place == Place::Closed {
            self.connections.retain(|connection| connection.id != id);
        }
    }

    /// The sockets of this address that a connection could come to; with reuseport there are several.
    #[must_use]
    pub fn can_connect(&self, address: AddressId) -> bool {
        self.sockets.iter().any(|socket| socket.address == address)
    }
}

/// The server's side.
impl Kernel {
    /// accept(2).
    pub(super) fn accept(&mut self, pid: Pid, fd: Fd, conn: Conn) -> Option<(u32, Fd)> {
        let socket = self.of(pid).socket(fd)?;
        let socket = self.sockets.iter_mut().find(|known| known.id == socket)?;
        if socket.queue.is_empty() {
            return None;
        }
        let id = socket.queue.remove(0);
        let connection = self.connection_mut(id)?;
        connection.place = Place::At(pid);
        connection.is_changed = true;
        let process = self.of(pid);
        process.connections.push((conn, id));
        // All workers count on in one shared number (`ngx_connection_counter`).
        Some((id, Fd(20 + conn.0)))
    }

    fn held(&mut self, pid: Pid, conn: Conn) -> Option<&mut Connection> {
        let id = self.process(pid)?.connection(conn)?;
        self.connection_mut(id)
    }

    pub(super) fn receive(&mut self, pid: Pid, conn: Conn, takes: Takes) -> Received {
        let Some(connection) = self.held(pid, conn) else { return Received::Reset };
        match (connection.inbox, connection.has_client) {
            (0, true) => Received::Nothing,
            (0, false) => Received::End,
            (inbox, _) => {
                if takes != Takes::Nothing {
                    connection.inbox = 0;
                }
                if takes == Takes::AndKeeps {
                    connection.buffer += inbox;
                }
                Received::Bytes { more: false }
            }
        }
    }

    pub(super) fn parse(&mut self, pid: Pid, conn: Conn) -> Parsed {
        match self.held(pid, conn) {
            Some(connection) if connection.buffer > 0 => Parsed::Whole,
            _ => Parsed::Empty,
        }
    }

    pub(super) fn respond(
        &mut self,
        pid: Pid,
        conn: Conn,
        requests: u32,
        is_draining: bool,
        around: &Around<'_>,
    ) -> Answer {
        let image = self.of(pid).image;
        let profile = around.setting.images[usize::from(image)].plan.profile;
        let slow = around.setting.slow;
        let connection = self.held(pid, conn).expect("an answer is made for a connection that is there");
        let (length, limit_rate) = match connection.kind {
            Kind::Slow => (slow.length(), Slow::RATE),
            Kind::Fresh | Kind::Kept => (ANSWER_BYTES, 0),
        };
        connection.buffer = connection.buffer.saturating_sub(1);
        connection.sent = 0;
        connection.length = length;
        connection.answerer = Some((pid, image));
        Answer {
            length,
            limit_rate,
            keep_alive: connection.kind == Kind::Kept
                && requests < KEEPALIVE_REQUESTS
                && !(is_draining && profile.closes_while_draining),
            keepalive_timeout_ms: KEEPALIVE_TIMEOUT_MS,
            keepalive_min_timeout_ms: 0,
            patience: Patience::default(),
            has_unread: connection.buffer > 0,
        }
    }

    pub(super) fn send(&mut self, pid: Pid, conn: Conn, bytes_max: u64, around: &mut Around<'_>) -> Sent {
        let slow = around.setting.slow;
        let Some(connection) = self.held(pid, conn) else { return Sent::Failed };
        if connection.is_shut {
            return Sent::Failed;
        }
        if !connection.has_client {
            // It goes out, and the client's kernel answers that nobody is there any more.
            connection.is_shut = true;
            connection.is_changed = true;
            return Sent::Bytes(bytes_max);
        }
        let room = if connection.kind == Kind::Slow { slow.chunk() } else { u64::MAX };
        let count = bytes_max.min(room);
        connection.sent += count;
        // The client reads at once, so that a full socket has room again.
        connection.is_changed |= count < bytes_max;
        if connection.sent >= connection.length
            && let Some((pid, image)) = connection.answerer
        {
            around.seen.push(Seen::Answered { connection: connection.id, pid, image });
        }
        Sent::Bytes(count)
    }

    pub(super) fn shutdown_write(&mut self, pid: Pid, conn: Conn, around: &mut Around<'_>) {
        if let Some(connection) = self.held(pid, conn) {
            connection.is_shut = true;
            connection.is_changed = true;
            let (connection, in_answer) = (connection.id, connection.is_in_answer());
            around.seen.push(Seen::Ended { connection, how: Ending::Fin, by: Some(pid), in_answer });
        }
    }

    /// close(2): what was not read makes a reset of it.
    pub(super) fn close(&mut self, pid: Pid, conn: Conn, around: &mut Around<'_>) {
        let process = self.of(pid);
        let Some(at) = process.connections.iter().position(|(own, _)| *own == conn) else { return };
        let (_, id) = process.connections.remove(at);
        self.close_id(id, around);
    }

    pub(super) fn close_id(&mut self, id: u32, around: &mut Around<'_>) {
        let has_unread = self.connection_mut(id).is_some_and(|connection| connection.inbox > 0);
        let how = if has_unread { Ending::Rst } else { Ending::Fin };
        self.end_of_server(id, how, around);
    }

    /// The server's side is gone.
    pub(super) fn end_of_server(&mut self, id: u32, how: Ending, around: &mut Around<'_>) {
        let Some(connection) = self.connection_mut(id) else { return };
        let by = match connection.place {
            Place::At(pid) => Some(pid),
            Place::Queue(_) | Place::Closed => None,
        };
        connection.place = Place::Closed;
        if connection.has_client {
            let in_answer = connection.is_in_answer();
            around.seen.push(Seen::Ended { connection: id, how, by, in_answer });
        } else {
            self.connections.retain(|connection| connection.id != id);
        }
    }

    pub(super) fn connection_mut(&mut self, id: u32) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }
}

/// What a recv(2) does with what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Looks only.
    Nothing,
    /// Takes it and throws it away.
    AndForgets,
    /// Takes it into the worker's buffer.
    AndKeeps,
}
