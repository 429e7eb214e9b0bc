//! One thing that was seen to happen.

use serde::{Deserialize, Serialize};

use super::Request;
use crate::scenario::Claim;

/// Something happened at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Microseconds since the run began.
    pub at_us: u64,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// A process of nginx was seen for the first time in this role.
    Born {
        /// Its pid, as its own world counts.
        pid: u32,
        /// Its parent then.
        parent: u32,
        /// What it is.
        role: Role,
        /// 1 for the master that served at the start and its workers, 2 for the next master, and so on.
        generation: u32,
        /// What its executable tells with `-v`, where known.
        version: Option<String>,
    },
    /// A worker says in its title that it is shutting down.
    Draining {
        /// The worker.
        pid: u32,
    },
    /// A process ended.
    Died {
        /// Which.
        pid: u32,
        /// How, where known.
        exit: Option<Exit>,
    },
    /// A signal was sent (by the subject or a fault), or nginx logged that it arrived.
    Signal {
        /// The sender, where known.
        from: Option<u32>,
        /// The receiver.
        to: u32,
        /// `USR2`.
        signal: String,
        /// True for the log line of the receiver, false for the sending itself.
        arrived: bool,
    },
    /// A signal was about to go to a process that is not nginx: the number came from a pid file. It was
    /// not delivered.
    SignalToStranger {
        /// The number that the file held.
        pid: i64,
        /// `USR2`.
        signal: String,
    },
    /// A pid file was created, changed or removed.
    PidFile {
        /// Which of the two.
        file: PidFile,
        /// What it holds now.
        content: Content,
    },
    /// The file at the binary's path changed.
    Binary {
        /// What `-v` of that file tells; `None`: there is no such file, or it is no nginx.
        version: Option<String>,
    },
    /// A process was seen to hold a listening socket, or its way of holding it changed.
    Listening {
        /// The holder.
        pid: u32,
        /// `127.0.0.1:8080`, `unix:/path`.
        address: String,
        /// True if the socket is in the process's epoll set.
        accepting: bool,
    },
    /// A process no longer holds a listening socket.
    NotListening {
        /// The former holder.
        pid: u32,
        /// `127.0.0.1:8080`.
        address: String,
    },
    /// A request ended; the event's time is its end.
    Request(Request),
    /// nginx logged a line.
    Log {
        /// The writer.
        pid: u32,
        /// `notice`, `alert`, …
        level: String,
        /// The text behind the `PID#TID: `.
        text: String,
    },
    /// A step of the subject began.
    StepBegan {
        /// Its number within the run, from 1.
        step: u32,
        /// What it does, as its file says it.
        text: String,
    },
    /// A step of the subject ended.
    StepEnded {
        /// Its number within the run, from 1.
        step: u32,
        /// Why it failed; `None`: it did not.
        failure: Option<String>,
    },
    /// The subject finished and said what it had done.
    Claimed {
        /// Which of the scenario's acts, from 1.
        act: u32,
        /// What it claims.
        claim: Claim,
        /// What the scenario expects of this act.
        expected: Claim,
        /// Its exit code, where it is a process.
        exit_code: Option<i32>,
        /// Its last words, for the report.
        said: String,
    },
    /// A named moment was reached, such as `new-master.after-exec`.
    Moment {
        /// Its name; stable for ever.
        name: String,
    },
    /// Nothing moves any more: every process sleeps with nothing pending, twice in a row.
    Quiescent,
    /// The laboratory ended something that the run had left behind after its end.
    Survivor {
        /// Which.
        pid: u32,
        /// Its title.
        title: String,
    },
}

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A master, or a new binary on its way to become one.
    Master,
    /// A worker.
    Worker,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// One of the two pid files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PidFile {
    /// `nginx.pid`.
    Current,
    /// `nginx.pid.oldbin`.
    Oldbin,
}

/// What a pid file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// There is no such file.
    Absent,
    /// It is empty.
    Empty,
    /// One decimal pid.
    Pid(u32),
    /// Something else.
    Garbage(String),
}
