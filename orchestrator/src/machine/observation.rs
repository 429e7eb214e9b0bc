//! What can be seen. An observation is several calls, so it is not one instant: see `driver::observe` for
//! their order, which [`super::decide`] relies on.

use serde::{Deserialize, Serialize};

use super::{Answers, Memory, Plan};

/// All that one look at the world saw.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Observation {
    /// The operator asked to stop.
    pub is_interrupted: bool,
    /// `nginx.pid`.
    pub pid_file: PidFile,
    /// `nginx.pid.oldbin`.
    pub oldbin: PidFile,
    /// The file at the binary's path.
    pub binary: Option<FileId>,
    /// The old master and its children; `None`: it is gone.
    pub old: Option<Generation>,
    /// The new master, or what may become it, and its children.
    pub new: Option<Generation>,
    /// Workers without a master, of either generation; with a master's title: just forked, it seems; with
    /// another: a new binary that still loads, and whose old master is gone.
    pub orphans: Vec<Process>,
    /// What was learned by asking; `None`: nobody was asked.
    pub answers: Option<Answers>,
}

/// A file, by what it is and not by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileId {
    /// The file system.
    pub device: u64,
    /// The file on it.
    pub inode: u64,
}

/// A process that cannot be taken for another: a pid is used again, a pid with a start time is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Its number.
    pub pid: u32,
    /// When it was forked, in clock ticks since boot.
    pub started: u64,
    /// What it executes; `None`: not allowed to see (a worker of another user, in a container).
    pub exe: Option<FileId>,
}

impl Identity {
    /// True if both are the same process, whatever it executed when it was seen.
    #[must_use]
    pub fn is_same_process(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}

/// A process as its title tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Which.
    pub identity: Identity,
    /// What it says that it is.
    pub title: Title,
}

/// What a process says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Title {
    /// `nginx: master process …`; also a worker between its fork and its own title.
    Master,
    /// `nginx: worker process`.
    Worker,
    /// `nginx: worker process is shutting down`.
    ShuttingDown,
    /// A cache manager or loader.
    Helper,
    /// Anything else: a new binary that still loads shows its command line.
    Other,
}

/// A master and its children.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// The master.
    pub master: Process,
    /// It sleeps in sigsuspend and no signal is pending: everything that was sent has been acted on.
    pub is_asleep: bool,
    /// Its children, looked at after `is_asleep`.
    pub children: Vec<Process>,
    /// The plan's listeners, and those that its master has beyond them, that no worker of it has in its epoll set;
    /// `None`: not looked, or not allowed.
    pub unserved: Option<Vec<u64>>,
}

impl Generation {
    /// Its workers that are not shutting down.
    pub fn workers(&self) -> impl Iterator<Item = &Process> {
        self.children.iter().filter(|child| child.title == Title::Worker)
    }

    /// Its workers that are shutting down.
    pub fn draining(&self) -> impl Iterator<Item = &Process> {
        self.children.iter().filter(|child| child.title == Title::ShuttingDown)
    }

    /// True if every listener that was asked about has a worker that accepts from it, as far as can be seen.
    #[must_use]
    pub fn accepts_everywhere(&self) -> bool {
        self.unserved.as_ref().is_none_or(Vec::is_empty)
    }
}

/// What a pid file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PidFile {
    /// There is no such file.
    Absent,
    /// It is empty: created, not yet written.
    Empty,
    /// One decimal pid.
    Pid(u32),
    /// Anything else.
    Garbage,
}

/// The new master: the one that was remembered, if it is still the old one's child or nobody's; or else the old one's child that executes another file than
/// it, or still shows a command line, or is named by the pid file.
///
/// The file alone does not tell: a USR2 that nginx acts on only after the old file was put back starts the old
/// binary once more. A child that merely has a master's title may be a worker right after its fork.
#[must_use]
pub fn find_new_master<'a>(
    plan: &Plan,
    memory: &'a Memory,
    old: Option<&'a Generation>,
    pid_file: PidFile,
) -> Option<&'a Identity> {
    let is_new = |child: &&Process| {
        let is_other_file = child.identity.exe.is_some() && child.identity.exe != plan.old.exe;
        is_other_file || child.title == Title::Other || pid_file == PidFile::Pid(child.identity.pid)
    };
    let found = || old?.children.iter().find(is_new).map(|child| &child.identity);
    let is_its = |known: &&Identity| {
        old.is_none_or(|old| old.children.iter().any(|child| child.identity.is_same_process(known)))
    };
    memory.new.as_ref().filter(is_its).or_else(found)
}

/// The new master when the old one died before anybody had seen its child: what the pid file names and holds our
/// sockets without a master of its own, or a new binary that still loads.
#[must_use]
pub fn find_new_master_alone<'a>(
    plan: &Plan,
    strays: &'a [Process],
    pid_file: PidFile,
) -> Option<&'a Identity> {
    let is_it = |stray: &&Process| match stray.title {
        Title::Master => pid_file == PidFile::Pid(stray.identity.pid),
        Title::Other => stray.identity.exe == Some(plan.new_file),
        Title::Worker | Title::ShuttingDown | Title::Helper => false,
    };
    strays.iter().find(is_it).map(|stray| &stray.identity)
}
