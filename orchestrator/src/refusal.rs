//! Why nothing was begun.

use std::io;
use std::path::PathBuf;

use crate::journal::JournalError;
use crate::machine::Reason;

/// Why `oldbin` refused.
///
/// A refusal is a promise: nginx was only looked at, no signal was sent, and every file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing to upgrade.
    #[error("no nginx master runs here")]
    NoNginx,
    /// Which one?
    #[error("{} nginx masters run here:\n{}", masters.len(), masters.join("\n"))]
    SeveralNginx {
        /// Pid and title of each.
        masters: Vec<String>,
    },
    /// The pid file cannot be found by looking at the master.
    #[error("cannot find the pid file of master {master}: {why}")]
    NoPidFile {
        /// The master.
        master: u32,
        /// What was tried.
        why: String,
    },
    /// The pid file does not hold one decimal pid.
    #[error("{} is no pid file: {why}", path.display())]
    BadPidFile {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A master whose pid file is gone takes USR2, starts nothing, and is spoilt by it.
    #[error("master {master} runs, and its pid file {} is gone: USR2 would only spoil the master", path.display())]
    LostPidFile {
        /// Which.
        path: PathBuf,
        /// Whose.
        master: u32,
    },
    /// The pid file names a process that has gone.
    #[error("{} names pid {pid}, and no such process runs", path.display())]
    StalePidFile {
        /// Which.
        path: PathBuf,
        /// The number in it.
        pid: u32,
    },
    /// The pid file names a process that is no nginx master.
    #[error("{} names pid {pid}, which is no nginx master but `{title}`", path.display())]
    Stranger {
        /// The pid file.
        path: PathBuf,
        /// The number in it.
        pid: u32,
        /// What that process says that it is.
        title: String,
    },
    /// The master's configuration names another pid file.
    #[error("master {master} keeps its pid in {}, not in {}", configured.display(), given.display())]
    OtherPidFile {
        /// The master.
        master: u32,
        /// What its configuration says.
        configured: PathBuf,
        /// What was given.
        given: PathBuf,
    },
    /// Where the command line names no configuration, each binary has its own.
    #[error("the running nginx reads {}, and the new binary would read {}", old.display(), new.display())]
    OtherConfiguration {
        /// What the running binary was built with.
        old: PathBuf,
        /// What the new one was.
        new: PathBuf,
    },
    /// Two masters run already.
    #[error("an upgrade is already under way: {what}")]
    UpgradeInFlight {
        /// Who runs.
        what: String,
    },
    /// The old master of an earlier upgrade was told to quit and still serves.
    #[error("the old master {master} of an earlier upgrade still serves {connections} connections")]
    StillDrains {
        /// The old master.
        master: u32,
        /// How many, to clients and to other servers.
        connections: usize,
    },
    /// The kernel does not answer.
    #[error("cannot look at the running processes: {source}")]
    Look {
        /// Why.
        source: io::Error,
    },
    /// A run of `oldbin` ended half-way, or holds.
    #[error("an earlier upgrade is not finished: it stands at `{phase}`")]
    Unfinished {
        /// Where.
        phase: String,
    },
    /// There is nothing that could be rolled back, committed or recovered.
    #[error("there is nothing to {what}: {why}")]
    NothingToDo {
        /// `roll back`, `commit`, `recover`.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// nginx would refuse USR2.
    #[error("nginx would ignore USR2: {why}")]
    NotUpgradable {
        /// Why.
        why: String,
    },
    /// The master would not execute the file that would be replaced.
    #[error("on USR2 this master executes `{program}`, {why}")]
    OtherProgram {
        /// Its `argv[0]`.
        program: String,
        /// Why that is no good.
        why: String,
    },
    /// The new binary cannot be one.
    #[error("{} cannot be the new binary: {why}", path.display())]
    BadBinary {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The new binary rejects the configuration that it would inherit.
    #[error("the new binary rejects the configuration ({status}):\n{stderr}")]
    ConfigTestFailed {
        /// How it ended.
        status: String,
        /// nginx's own words.
        stderr: String,
    },
    /// A probe cannot be asked, or is not answered by the old binary.
    #[error("the probe {url} is no use: {why}")]
    BadProbe {
        /// Which.
        url: String,
        /// Why.
        why: String,
    },
    /// A check does not succeed with the old binary.
    #[error("the check `{command}` is no use: with the running nginx it {why}")]
    BadCheck {
        /// Which.
        command: String,
        /// How it failed.
        why: String,
    },
    /// This user may not signal that master.
    #[error("master {master} belongs to user {owner}, not to you")]
    NotPermitted {
        /// The master.
        master: u32,
        /// Its user's number.
        owner: u32,
    },
    /// The journal is not usable.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// Something on disk could not be prepared.
    #[error("cannot prepare {}: {source}", path.display())]
    Disk {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The world changed between the look and the first step.
    #[error("{0}")]
    Machine(Reason),
}

impl Refusal {
    /// What an operator can do next, as one imperative sentence.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoNginx => "Start nginx, or run oldbin where it runs.",
            Self::SeveralNginx { .. } => "Choose one with --pid-file.",
            Self::NoPidFile { .. } | Self::BadPidFile { .. } => "Pass the right path with --pid-file.",
            Self::LostPidFile { .. } => "Write the master's pid to its pid file, then run the upgrade again.",
            Self::StalePidFile { .. } => "Start nginx, or write the running master's pid to the file.",
            Self::Stranger { .. } => "Correct the pid file, or pass the right one with --pid-file.",
            Self::OtherPidFile { .. } => "Pass the configured path, or reload nginx with its old `pid` line.",
            Self::OtherConfiguration { .. } => {
                "Build it with the same --prefix and --conf-path, or restart nginx with -c and -p, then upgrade."
            }
            Self::UpgradeInFlight { .. } => {
                "Run `oldbin recover` to finish it or `oldbin rollback` to undo it, whoever began it; or wait until the old master is gone."
            }
            Self::StillDrains { .. } => {
                "Wait for it with --wait-for-old, or cut its connections with `oldbin recover --drain-within 0`."
            }
            Self::Look { .. } => "Run oldbin where it may see nginx's processes.",
            Self::Unfinished { .. } => "Run `oldbin recover`, `oldbin commit` or `oldbin rollback`.",
            Self::NothingToDo { .. } => "See `oldbin status`.",
            Self::NotUpgradable { .. } => "Run nginx with `daemon on;`, or restart it instead.",
            Self::OtherProgram { .. } => "Restart nginx once by its absolute path, then upgrade.",
            Self::BadBinary { .. } => "Pass an nginx executable with --new.",
            Self::ConfigTestFailed { .. } => "Fix the configuration, then run the upgrade again.",
            Self::BadProbe { .. } => "Probe a URL that the running nginx answers with 2xx or 3xx.",
            Self::BadCheck { .. } => "Check something that is in order now.",
            Self::NotPermitted { .. } => "Run oldbin as root, or as the master's user.",
            Self::Journal(JournalError::Locked { .. }) => "Wait for the other oldbin to end.",
            Self::Journal(JournalError::Io { .. }) => "Pass a folder that can be written with --state-dir.",
            Self::Journal(JournalError::NotOurs { .. }) => {
                "Give it to the user who runs oldbin and to nobody else (mode 0700), or pass another with --state-dir."
            }
            Self::Journal(JournalError::Broken { .. }) => {
                "Move the journal away; `oldbin recover` then goes by what runs, and `oldbin status` shows it."
            }
            Self::Journal(JournalError::Schema { .. }) => {
                "Finish with the oldbin that wrote it; or move the journal away, and `oldbin recover` goes by what runs."
            }
            Self::Disk { .. } => "Make room, or correct the permissions, and run it again.",
            Self::Machine(_) => "Look at `oldbin status`, then run it again.",
        }
    }
}
