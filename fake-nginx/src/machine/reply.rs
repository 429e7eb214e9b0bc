//! What the world answers to an effect.
//!
//! # Units
//! Times are milliseconds and end in `_ms`; they count from any fixed point that lies on a whole second of the
//! wall clock.

use crate::conf::{Level, Patience};
use smallvec::SmallVec;

use super::cycle::{Cycle, Fd};
use super::effect::{Command, Conn};
use super::line::{Errno, Line, SocketCall};
use super::names::{AddressId, PathId, TextId};
use super::signal::{Arrivals, ExitStatus, Pid};

/// What a socket said when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Received {
    /// So many bytes; `more` if the buffer was filled.
    Bytes {
        /// Whether there may be more.
        more: bool,
    },
    /// EAGAIN.
    Nothing,
    /// The other side has finished.
    End,
    /// ECONNRESET and the like.
    Reset,
}

/// What the bytes of a connection amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parsed {
    /// Nothing was received.
    Empty,
    /// Part of a request.
    Partial,
    /// A request.
    Whole,
    /// Anything else.
    Bad,
}

/// The answer to a request, as far as the machine has to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// Head and body, in bytes.
    pub length: u64,
    /// Bytes per second; 0 is no limit.
    pub limit_rate: u64,
    /// Whether another request may follow.
    pub keep_alive: bool,
    /// How long to wait for it.
    pub keepalive_timeout_ms: u64,
    /// How long it is not idle yet; 0 is none.
    pub keepalive_min_timeout_ms: u64,
    /// How long the client may take.
    pub patience: Patience,
    /// Whether something was received behind the request, or its body is not there yet.
    pub has_unread: bool,
}

/// What send(2) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// So many bytes went out; fewer than asked for means that the socket is full.
    Bytes(u64),
    /// EPIPE and the like.
    Failed,
}

/// What became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ready {
    /// A listening socket, by its place in the cycle.
    Listener(u8),
    /// The channel to the master.
    Channel,
    /// A connection.
    Connection {
        /// Which.
        conn: Conn,
        /// Something can be read, or the other side has finished.
        readable: bool,
        /// Something can be written.
        writable: bool,
        /// The other side has finished.
        finished: bool,
    },
}

/// What waitpid(2) said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waited {
    /// A child has ended.
    Exited {
        /// Which.
        pid: Pid,
        /// How.
        status: ExitStatus,
    },
    /// There are children, and none has ended.
    Nobody,
    /// ECHILD.
    NoChildren,
}

/// The sockets that came through `NGINX`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inherited {
    /// The variable.
    pub text: TextId,
    /// The descriptors, in order.
    pub sockets: SmallVec<[Fd; 4]>,
    /// A number that is none: what was there, and whether the rest was not looked at.
    pub invalid: Option<(TextId, bool)>,
}

/// A listening socket that was asked for its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// Its address.
    pub address: AddressId,
    /// Whether that is a path.
    pub is_unix: bool,
}

/// What came of reading the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConfRead {
    /// What was said, in order; the last is the reason if there is no cycle.
    pub said: SmallVec<[Line; 1]>,
    /// The configuration.
    pub cycle: Option<Cycle>,
    /// Every directive is right, whatever else is not.
    pub is_syntax_ok: bool,
}

/// What the world answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The first reply of a machine's life; answers nothing.
    Begin,
    /// The act was done.
    Done,
    /// It failed.
    Failed(Errno),
    /// It failed on this file.
    FailedAt(PathId, Errno),
    /// It failed in this call of a socket.
    SocketFailed(SocketCall, Errno),
    /// It failed in the call with this name.
    CallFailed(Level, TextId, Errno),
    /// A process number.
    Pid(Pid),
    /// To the parent: the child.
    Forked(Pid),
    /// To the child.
    Child,
    /// An open descriptor.
    Fd(Fd),
    /// `None` if there is no variable `NGINX`.
    Inherited(Option<Inherited>),
    /// A socket's name.
    Socket(Named),
    /// The configuration.
    Conf(ConfRead),
    /// What a pid file holds: a pid, or a text that is none.
    PidRead(Result<Pid, TextId>),
    /// For the log: the system's name and the limit of open files.
    System {
        /// `Linux 6.1.0`
        os: TextId,
        /// The soft limit.
        soft: u64,
        /// The hard limit.
        hard: u64,
    },
    /// The handlers that ran.
    Woken(Arrivals),
    /// A child.
    Waited(Waited),
    /// What happened while a worker waited.
    Events {
        /// The time.
        now_ms: u64,
        /// The handlers that ran.
        arrivals: Arrivals,
        /// What became ready, in order.
        ready: SmallVec<[Ready; 4]>,
    },
    /// A command, if there was one.
    Command(Option<Command>),
    /// `None` if another worker was faster. The number and the descriptor are for the log.
    Accepted(Option<(u32, Fd)>),
    /// What was read.
    Received(Received),
    /// What it amounts to.
    Parsed(Parsed),
    /// The answer.
    Answer(Answer),
    /// What was sent.
    Sent(Sent),
}

impl Reply {
    /// Of an act that may fail without more than an error number.
    #[track_caller]
    pub(super) fn outcome(&self) -> Result<(), Errno> {
        if let Self::Failed(errno) = *self {
            return Err(errno);
        }
        if *self == Self::Done { Ok(()) } else { unreachable!("an act is done or fails, not {self:?}") }
    }

    /// Of an act on files: which one failed.
    pub(super) fn failure(&self) -> Option<(PathId, Errno)> {
        if let Self::FailedAt(path, errno) = *self { Some((path, errno)) } else { None }
    }
}
