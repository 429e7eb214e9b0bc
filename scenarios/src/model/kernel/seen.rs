//! What happened, as somebody who sees everything tells it.

use fake_nginx::machine::{Entry, ExitStatus, Pid, Signal};

use super::Path;
use crate::model::choice::Actor;

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    /// A process was forked.
    Born {
        /// It.
        pid: Pid,
        /// Who forked.
        parent: Pid,
        /// What it is.
        actor: Actor,
        /// The image that it runs, or will, if it is a new binary.
        image: Option<u8>,
    },
    /// A worker says in its title that it shuts down.
    Draining(Pid),
    /// A process ended.
    Died {
        /// It.
        pid: Pid,
        /// How.
        status: ExitStatus,
    },
    /// A signal was sent with kill(2).
    Sent {
        /// By whom.
        from: Pid,
        /// To whom.
        to: Pid,
        /// Which.
        signal: Signal,
    },
    /// A file was created, changed, renamed or removed.
    File(Path),
    /// A process holds a listening socket in another way than before; which one, its descriptors tell.
    Holds(Pid),
    /// A line of a log.
    Logged {
        /// The writer.
        pid: Pid,
        /// The image that it runs.
        image: u8,
        /// The line.
        entry: Entry,
    },
    /// A client has the whole answer.
    Answered {
        /// Its connection.
        connection: u32,
        /// The worker that made the answer.
        pid: Pid,
        /// The image that it runs.
        image: u8,
    },
    /// A client's connection came to its end from the other side.
    Ended {
        /// Its connection.
        connection: u32,
        /// How.
        how: Ending,
        /// Who closed it, if it had been accepted.
        by: Option<Pid>,
        /// Whether a part of an answer had come.
        in_answer: bool,
    },
}

/// How a connection ends for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The other side has finished.
    Fin,
    /// Reset.
    Rst,
}
