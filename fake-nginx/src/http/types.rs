//! Requests, answers, and what the worker knows besides.

use std::net::IpAddr;
use std::ops::Range;

use crate::conf::{Message, Patience};
use crate::release::Profile;

/// What the bytes of a connection amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// No whole request yet (nothing at all counts too).
    Partial,
    /// A request, and how many bytes its head took; its body follows.
    Request(Request, usize),
    /// No request of ours: answer with [`refuse`](super::refuse) and close.
    Bad(u16),
}

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`
    pub method: String,
    /// The request line's target, as sent.
    pub target: Vec<u8>,
    /// 9 (`GET /` alone), 10 or 11.
    pub version: u8,
    /// Names as sent, values without the blanks around them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Who was asked: the host of the target or of `Host`, in lower case and without port.
    pub host: Option<String>,
    /// What follows the head.
    pub body: Body,
}

/// What follows the head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
}

impl Request {
    /// The values of a header, in order.
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let same = move |other: &str| other.eq_ignore_ascii_case(name);
        self.headers.iter().filter(move |(other, _)| same(other)).map(|(_, value)| value.as_slice())
    }
}

/// What the worker knows when the head of its answer is made.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The worker's pid.
    pub pid: u32,
    /// What the release does; holds its version.
    pub profile: Profile,
    /// The time, for `Date`.
    pub now_unix_s: u64,
    /// Whether the worker is shutting down.
    pub is_draining: bool,
    /// How many requests this connection has brought, with this one: 1 for the first.
    pub requests_on_connection: u64,
    /// The serial number of the connection, `$connection`.
    pub connection: u64,
    /// The client's address; `None` over a unix socket.
    pub remote: Option<IpAddr>,
    /// The connection's own address; needed only where a wildcard listen stands for others.
    pub local: Option<IpAddr>,
}

/// One piece of a long body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This part of the file that was opened last.
    File(Range<u64>),
}

impl Piece {
    /// How long it is.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(part) => part.end.saturating_sub(part.start),
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What to send, and what to do with the connection afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Head and body, as far as it is no file's. Nothing at all means that nginx closes without an answer.
    pub bytes: Vec<u8>,
    /// What comes behind `bytes`.
    pub pieces: Vec<Piece>,
    /// What the error log is told, in order, with the request's tail but without the connection's number.
    pub said: Vec<Message>,
    /// How many of `bytes` are the head.
    pub head_len: usize,
    /// Bytes per second for the body and what is left; `None` is no limit.
    pub limit_rate: Option<u64>,
    /// Whether to wait for another request.
    pub keep_alive: bool,
    /// How long to wait for it.
    pub keepalive_timeout_ms: u64,
    /// `keepalive_min_timeout` of the location.
    pub keepalive_min_timeout_ms: u64,
    /// `send_timeout` and `lingering_...` of the location.
    pub patience: Patience,
    /// The status.
    pub status: u16,
}
