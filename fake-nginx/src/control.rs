//! What a stamped fake with a control socket says there, and what it is answered.
//!
//! Each process connects by itself, to a unix socket of sequenced packets whose path stands in its stamp; one
//! packet is one report or one answer, as JSON. It reports before each of its [`Moment`](crate::machine::Moment)s
//! (of the waits: right after), and does nothing until it is answered. Where nobody listens, or once the server
//! is gone, it goes on like any other fake.

use serde::{Deserialize, Serialize};

/// More than any report or answer takes.
pub const PACKET_BYTES_MAX: usize = 4_096;

/// Who reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The process that a person started; it ends when the master is there.
    Launcher,
    /// A master, or a new binary on its way to become one.
    Master,
    /// A worker, with its number among those that its master has forked in its life, from 1.
    Worker(u32),
    /// Whoever changes the binary: no fake, but it may speak here too.
    Subject,
}

/// One moment of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The process.
    pub pid: u32,
    /// Who has forked it; of the first of a family, its parent when it started.
    pub parent: u32,
    /// What it is.
    pub role: Role,
    /// The moment's word.
    pub moment: String,
    /// Of a wake-up: the signals that arrived, in the order of their handlers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<String>,
}

/// What the process does then. No answer is a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It goes on.
    GoOn,
    /// It ends by _exit(2) with this code.
    Exit(u8),
    /// It dies by SIGKILL from its own hand.
    Crash,
    /// Of a subject: what it is about to do fails, for want of room on the disk.
    Fail,
}
