//! What is seen after each operation, of Linux and of the simulated kernel alike.

use std::collections::{BTreeMap, BTreeSet};

use fake_nginx::machine::{Errno, ExitStatus, Signal};

use crate::script::{Client, Socket, Who};

/// What the caller of an operation gets to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It was done.
    Done,
    /// It failed.
    Failed(Errno),
    /// waitpid(2): a child has ended.
    Exited(Who, ExitStatus),
    /// waitpid(2): none has.
    Nobody,
    /// waitpid(2): there is none.
    NoChildren,
    /// What handlers had met, in their order.
    Met(Vec<Arrival>),
    /// The client is in the queue of this socket.
    Queued(Socket),
    /// The client waits for room in a queue.
    Waits,
    /// Nobody listens.
    Refused,
    /// accept(2): whose connection; `None`: nobody is there.
    Accepted(Option<Client>),
    /// recv(2): there were bytes.
    Bytes,
    /// recv(2): there is nothing yet.
    Nothing,
    /// recv(2): the client has finished.
    End,
}

/// One run of a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival(pub(crate) Signal, pub(crate) Sender);

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The kernel by itself.
    Kernel,
    /// Whoever plays the script.
    Player,
    /// A process.
    Process(Who),
}

/// A wait that has returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Woken {
    /// Handlers that ran, in their order.
    pub(crate) met: Vec<Arrival>,
    /// What is ready, in no order.
    pub(crate) ready: BTreeSet<Ready>,
}

/// One thing that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ready {
    /// A listening socket.
    Listener(Socket),
    /// A connection.
    Connection {
        /// Whose.
        client: Client,
        /// Something can be read.
        readable: bool,
        /// Something can be written.
        writable: bool,
        /// The client has finished.
        finished: bool,
    },
}

/// A process, as /proc shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// Whose child it is; `None`: nobody's of the script.
    pub(crate) parent: Option<Who>,
    /// It has ended, and nobody has waited for it.
    pub(crate) is_zombie: bool,
    /// The file that it executes.
    pub(crate) runs: Option<Inode>,
    /// Signals that are blocked and wait.
    pub(crate) pending: BTreeSet<u8>,
    /// Listening sockets that it has open.
    pub(crate) holds: BTreeSet<Socket>,
}

/// A file, by the order in which they were first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Inode(pub(crate) usize);

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing.
    Empty,
    /// The number of a process.
    Pid(Who),
    /// A binary.
    Binary(u8),
    /// Anything else.
    Words,
}

/// A connection, as its client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// It is open.
    Open,
    /// The server has finished.
    Finished,
    /// It was reset.
    Reset,
}

/// All that is seen at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sight {
    /// Every process that was not waited for.
    pub(crate) processes: BTreeMap<Who, Process>,
    /// How many connections wait in the queue of each listening socket.
    pub(crate) queues: BTreeMap<Socket, usize>,
    /// Files by their paths.
    pub(crate) files: BTreeMap<u8, (Inode, Content)>,
    /// Connections that their clients have not closed.
    pub(crate) clients: BTreeMap<Client, View>,
    /// Waits that have returned because of this operation.
    pub(crate) woken: BTreeMap<Who, Woken>,
}

impl Woken {
    /// The same, told by a script that knows no order of what is ready.
    pub(crate) fn new(met: Vec<Arrival>, ready: impl IntoIterator<Item = Ready>) -> Self {
        Self { met, ready: ready.into_iter().collect() }
    }
}

/// Numbers files by the order in which they are first seen.
#[derive(Debug)]
pub(crate) struct Numbers<T>(Vec<T>);

impl<T: PartialEq> Numbers<T> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn of(&mut self, file: T) -> Inode {
        let known = self.0.iter().position(|known| *known == file).unwrap_or_else(|| {
            self.0.push(file);
            self.0.len() - 1
        });
        Inode(known)
    }
}
