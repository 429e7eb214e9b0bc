//! A kernel script: a few operations by named processes, in one order, on Linux and in the simulated kernel.

use fake_nginx::machine::Signal;
use scenarios::model::kernel::Path;
use serde::{Deserialize, Serialize};

/// A process, by the order of births. The first one is there when a script begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Who(pub(crate) u8);

/// The process that every script begins with.
pub(crate) const A: Who = Who(0);
/// The next ones.
pub(crate) const B: Who = Who(1);
/// The next ones.
pub(crate) const C: Who = Who(2);
/// The next ones.
pub(crate) const D: Who = Who(3);

/// A listening socket, by the order in which they were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Socket(pub(crate) u8);

/// A client, by the order in which they connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client(pub(crate) u8);

/// What is written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Text {
    /// The number of the process that writes.
    OwnPid,
    /// Words.
    Words,
    /// A binary.
    Binary(u8),
}

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Op {
    /// fork(2); the child is the next process.
    Fork(Who),
    /// execve(2).
    Exec(Who, Path),
    /// _exit(2).
    Exit(Who, u8),
    /// kill(2), by nobody in particular.
    Kill(Who, Signal),
    /// kill(2), the second by the first.
    Send(Who, Who, Signal),
    /// waitpid(2) for any child, without blocking.
    Wait(Who),
    /// Somebody who is no nginx gets the number that this process had.
    Reuse(Who),
    /// sigaction(2) for all signals of nginx.
    Handle(Who),
    /// sigprocmask(2): all of them are blocked.
    Block(Who),
    /// sigprocmask(2): none is.
    Unblock(Who),
    /// sigsuspend(2).
    Sleep(Who),
    /// setitimer(2).
    Timer(Who, u32),
    /// Time passes until the next timer strikes.
    Pass,
    /// open(2) with O_CREAT and O_TRUNC.
    Open(Who, Path),
    /// write(2) into the file that was opened last.
    Write(Who, Text),
    /// close(2) of all files that are open for writing.
    Close(Who),
    /// rename(2).
    Rename(Path, Path),
    /// link(2).
    Link(Path, Path),
    /// unlink(2).
    Unlink(Path),
    /// The disk has room for so many pid files more.
    Fill(u8),
    /// It has room again.
    Free,
    /// socket(2), bind(2), listen(2), with SO_REUSEPORT or without, and with this backlog.
    Listen(Who, bool, u8),
    /// close(2) of a listening socket.
    CloseListener(Who, Socket),
    /// Into the epoll set.
    Watch(Who, Socket),
    /// Out of it.
    Unwatch(Who, Socket),
    /// epoll_wait(2) without an end.
    WaitEvents(Who),
    /// A client connects and sends a request.
    Connect,
    /// It sends another one.
    Ask(Client),
    /// It closes.
    HangUp(Client),
    /// accept(2).
    Accept(Who, Socket),
    /// recv(2) of all that is there.
    Receive(Who, Client),
    /// send(2).
    Answer(Who, Client),
    /// shutdown(2) for writing.
    Shutdown(Who, Client),
    /// close(2).
    CloseConnection(Who, Client),
}

impl Op {
    /// True if it may open or close a socket, or send a packet.
    pub(crate) const fn sends(self) -> bool {
        match self {
            Self::Fork(_)
            | Self::Wait(_)
            | Self::Reuse(_)
            | Self::Handle(_)
            | Self::Block(_)
            | Self::Sleep(_)
            | Self::Timer(..)
            | Self::Open(..)
            | Self::Write(..)
            | Self::Close(_)
            | Self::Rename(..)
            | Self::Link(..)
            | Self::Unlink(_)
            | Self::Fill(_)
            | Self::Free
            | Self::Watch(..)
            | Self::Unwatch(..)
            | Self::WaitEvents(_)
            | Self::Receive(..) => false,
            Self::Exec(..)
            | Self::Exit(..)
            | Self::Kill(..)
            | Self::Send(..)
            | Self::Unblock(_)
            | Self::Pass
            | Self::Listen(..)
            | Self::CloseListener(..)
            | Self::Connect
            | Self::Ask(_)
            | Self::HangUp(_)
            | Self::Accept(..)
            | Self::Answer(..)
            | Self::Shutdown(..)
            | Self::CloseConnection(..) => true,
        }
    }
}
