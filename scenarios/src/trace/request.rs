//! A request as its client saw it.

use serde::{Deserialize, Serialize};

/// One request, from its first byte (or its connect) to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Number of the connection within the run.
    pub connection: u32,
    /// Number of the request on its connection, from 1.
    pub nth: u32,
    /// What kind of client sent it.
    pub kind: Kind,
    /// When the client began to connect, or to send on a kept connection, in microseconds.
    pub started_us: u64,
    /// How it ended.
    pub fate: Fate,
    /// The worker that answered, from the body.
    pub pid: Option<u32>,
    /// The release that answered, from the body.
    pub version: Option<String>,
}

/// What kind of client sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A connection of its own, closed after the answer.
    Fresh,
    /// One of many on a kept-alive connection.
    Kept,
    /// An answer that takes long: in flight while the binary changes.
    Slow,
}

/// How a request ended, as nginx and HTTP tell these ends apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Answered in full with this status.
    Served {
        /// The status code.
        status: u16,
    },
    /// Nobody held the listening socket.
    Refused,
    /// Reset or closed before any byte of the answer, on a fresh connection.
    Dropped,
    /// Closed while idle, and used once more by the client: the keep-alive race, which HTTP lets a client
    /// retry. Counted, never hidden, and not a loss.
    KeepAliveRace,
    /// Cut in the middle of the answer.
    Truncated,
    /// No full answer within the client's patience.
    TimedOut,
    /// Still open when the run was ended by its deadline.
    Unfinished,
}

impl Request {
    /// True if a client would report an error: neither served below 500 nor a keep-alive race.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self.fate {
            Fate::Served { status } => status >= 500,
            Fate::KeepAliveRace => false,
            Fate::Refused | Fate::Dropped | Fate::Truncated | Fate::TimedOut | Fate::Unfinished => true,
        }
    }
}
