//! One question to the world, and its answer.

use serde::{Deserialize, Serialize};

use crate::machine::{Action, FileId, Generation, Identity, Memory, PidFile, Process, Side, Waiting};

/// One question to the world, or one change of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// What time is it, and was there a Ctrl-C?
    Now,
    /// What does the pid file hold (`new`: `nginx.pid`, `old`: `nginx.pid.oldbin`)?
    ReadPidFile(Side),
    /// Which file is at the binary's path?
    LookAtBinary,
    /// Does this master sleep with nothing pending, and then: which children has it, and which of these
    /// listening sockets (by inode), and of those that it holds itself, has none of its accepting workers in its epoll
    /// set?
    LookAtGeneration {
        /// Which.
        master: Identity,
        /// `None`: the sockets do not matter now.
        listeners: Option<Vec<u64>>,
    },
    /// Which workers run without a master: any that executes the new file, any that executes one of its kin
    /// and holds one of these listening sockets, and the known ones that live?
    ///
    /// A process right after its fork, with its master's title still, is among them if it holds a socket; so is a
    /// new binary that still loads.
    FindOrphans {
        /// The new file.
        new: FileId,
        /// The old files: other instances of nginx may execute them too, so they alone prove nothing.
        kin: Vec<FileId>,
        /// Listening sockets of this nginx, by inode.
        listeners: Vec<u64>,
        /// The known ones.
        known: Vec<Identity>,
    },
    /// How is this request answered?
    Probe {
        /// `http://host:port/path`.
        url: String,
    },
    /// Does this command of the operator's succeed?
    Check {
        /// As a shell takes it.
        command: String,
    },
    /// From which of these listening sockets does none of these workers take a connection that is made now?
    Knock {
        /// The sockets, by inode.
        listeners: Vec<u64>,
        /// The workers.
        workers: Vec<Identity>,
    },
    /// What has gone wrong since preflight: lines at `alert` and `emerg` of these processes in the error log, and
    /// connections that full queues dropped?
    ReadTroubles {
        /// The processes.
        pids: Vec<u32>,
    },
    /// Change something. A signal is sent only to the process that still has the whole identity.
    Act(Action),
    /// Put this on disk, so that a crash right after the answer does not lose it.
    Save(Box<Memory>),
    /// Return when something may have changed, at the latest at this time.
    Wait {
        /// The latest time.
        until_ms: u64,
        /// What is missing.
        why: Waiting,
        /// Processes whose end matters.
        watch: Vec<Identity>,
    },
}

/// The world's answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// To [`Call::Now`].
    Now {
        /// Microseconds since some instant of this boot, the same for every process.
        now_us: u64,
        /// There was a Ctrl-C, a TERM, or the end of the session.
        is_interrupted: bool,
    },
    /// To [`Call::ReadPidFile`].
    PidFile(PidFile),
    /// To [`Call::LookAtBinary`].
    Binary(Option<FileId>),
    /// To [`Call::LookAtGeneration`].
    Generation(Option<Generation>),
    /// To [`Call::FindOrphans`].
    Processes(Vec<Process>),
    /// To [`Call::Probe`]: the status and how many microseconds it took, or how it failed.
    Probe(Result<(u16, u64), String>),
    /// To [`Call::Check`]: or how it failed.
    Check(Result<(), String>),
    /// To [`Call::Knock`]: the addresses of the sockets.
    Untaken(Vec<String>),
    /// To [`Call::ReadTroubles`].
    Troubles(Vec<String>),
    /// It is done.
    Done,
    /// The process that should have been signalled is no more, or is another now, or the master that should
    /// serve instead is gone; nothing was sent (of several signals: nothing more).
    Gone,
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostError {
    /// The system refused; nothing was changed.
    #[error("{what}: {error}")]
    Os {
        /// What was tried.
        what: String,
        /// The system's words.
        error: String,
    },
    /// The run was killed here. Only hosts of tests return this, and then for every later call.
    #[error("crashed")]
    Crashed,
}

impl HostError {
    /// The system's refusal of `what`.
    pub fn os(what: impl Into<String>, error: impl std::fmt::Display) -> Self {
        Self::Os { what: what.into(), error: error.to_string() }
    }
}
