//! One turn of a schedule.

use std::fmt;

use fake_nginx::machine::Signal;
use scenarios::model::choice::{Actor, Name};

/// Somebody does one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A process goes on from its moment to the next; which moment that is, is told only.
    Step(Name),
    /// kill(2), by somebody at a keyboard.
    Kill(Actor, Signal),
    /// The new binary is renamed over the old one.
    Replace,
    /// A client connects and asks; the server shall close behind the answer, or not.
    Connect {
        /// Whether it may ask again.
        is_kept: bool,
    },
    /// The client with that number, by the order in which they connected, asks again.
    Ask(usize),
    /// It closes.
    HangUp(usize),
    /// Time passes until the next alarm.
    Pass,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(name) => write!(f, "{name}"),
            Self::Kill(to, signal) => write!(f, "{} to {to}", signal.name()),
            Self::Replace => f.write_str("the binary is replaced"),
            Self::Connect { is_kept: true } => f.write_str("a client connects, and stays"),
            Self::Connect { is_kept: false } => f.write_str("a client connects"),
            Self::Ask(client) => write!(f, "client {client} asks again"),
            Self::HangUp(client) => write!(f, "client {client} hangs up"),
            Self::Pass => f.write_str("time passes until the next alarm"),
        }
    }
}
