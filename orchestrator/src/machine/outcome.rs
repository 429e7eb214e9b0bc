//! How a run ends, and why.

use serde::{Deserialize, Serialize};

/// How a run ends. Each is a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new binary serves alone.
    Upgraded,
    /// The new binary serves alone; the old master has been told to quit and ends with its last connection.
    Draining,
    /// The new binary serves; the old master is kept in reserve, without workers.
    Held,
    /// The old binary serves as before and is the file at its path, unless somebody else has put one there meanwhile.
    RolledBack,
    /// Nothing was touched.
    Refused,
    /// Neither is certain; a person must look.
    Stuck(StuckState),
}

impl Outcome {
    /// Its name in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upgraded => "upgraded",
            Self::Draining => "draining",
            Self::Held => "held",
            Self::RolledBack => "rolled-back",
            Self::Refused => "refused",
            Self::Stuck(_) => "stuck",
        }
    }
}

/// Every state in which the machine gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StuckState {
    /// Neither master runs.
    NoMaster,
    /// The old master is gone, and the new one is not fit to serve.
    OnlyUnfitNewMaster,
    /// The new master died after the commit point.
    NewMasterDiedAfterCommit,
    /// The new generation lost workers after the commit point.
    NewWorkersMissing,
    /// The old master does not end although it was told to.
    OldMasterStays,
    /// The old workers do not come back.
    OldWorkersMissing,
    /// A process of the new generation survives KILL.
    NewGenerationStays,
    /// The pid file does not name the master that serves.
    PidFileWrong,
    /// The pid file was gone when USR2 came: nginx started nothing, and remembers that as a new binary.
    PidFileLost,
    /// The old binary cannot be put back at its path.
    FileNotRestored,
    /// The new binary serves alone and cannot be put at its path.
    NewFileNotInstalled,
    /// The way back after a finished upgrade failed and was undone.
    WayBackUndone,
}

impl StuckState {
    /// What is true now.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::NoMaster => "neither the old nor the new master runs",
            Self::OnlyUnfitNewMaster => "the old master is gone and the new one is not fit to serve alone",
            Self::NewMasterDiedAfterCommit => "the new master died after the commit point",
            Self::NewWorkersMissing => {
                "the new master serves alone, but with fewer workers than it should have"
            }
            Self::OldMasterStays => "the new binary serves, but the old master does not end",
            Self::OldWorkersMissing => "the old master runs, but its workers did not come back",
            Self::NewGenerationStays => "the old binary serves, but a process of the new one survives KILL",
            Self::PidFileWrong => "one generation serves, but the pid file does not name its master",
            Self::PidFileLost => {
                "the old binary serves, but USR2 found no pid file: its master will now take a reload for a call for more workers"
            }
            Self::FileNotRestored => "the old binary serves, but the file at its path is still the new one",
            Self::NewFileNotInstalled => {
                "the new binary serves, but the file at its path is still the old one"
            }
            Self::WayBackUndone => "the way back failed and was undone; the newer binary serves as before",
        }
    }

    /// What a person can do next, as one imperative sentence.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NoMaster | Self::NewMasterDiedAfterCommit => {
                "Start nginx; if its port is taken, send QUIT to the workers that were left behind first."
            }
            Self::OnlyUnfitNewMaster => "Look at nginx's error log; reload it, or restart it.",
            Self::NewWorkersMissing => "Look at nginx's error log; a reload starts its workers again.",
            Self::OldMasterStays => "Look at what its workers still serve; TERM to it cuts that off.",
            Self::OldWorkersMissing => "Keep the new master running and look at nginx's error log.",
            Self::NewGenerationStays => "Look for a process in state D; it goes when its I/O ends.",
            Self::PidFileWrong => "Write the master's pid to the pid file before the next reload.",
            Self::PidFileLost => {
                "Do not reload. Write the master's pid to the pid file and upgrade again: a new binary that starts, and lives or not, sets it right."
            }
            Self::FileNotRestored => "Make room or permissions, then run `oldbin rollback`.",
            Self::NewFileNotInstalled => "Make room or permissions, then run `oldbin recover`.",
            Self::WayBackUndone => "Look at nginx's error log, then run `oldbin rollback` again.",
        }
    }
}

/// Why the way back was taken, or nothing was begun.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// `oldbin rollback`.
    #[error("a rollback was asked for")]
    Asked,
    /// Ctrl-C, TERM or the end of the session.
    #[error("oldbin was interrupted")]
    Interrupted,
    /// What preflight saw is no longer so.
    #[error("the running nginx changed under our hands: {0}")]
    Changed(String),
    /// The old master did not come back to sigsuspend.
    #[error("the old master is too busy to take a signal")]
    OldMasterBusy,
    /// No new master appeared, and the old one has nothing left to do.
    #[error("no new master runs: the new binary exited at once, or nginx ignored USR2")]
    NotStarted,
    /// The pid file does not name the old master, and nothing was started.
    #[error("the pid file was taken away before nginx could act on USR2")]
    PidFileLost,
    /// Somebody has emptied, removed or overwritten the pid file.
    #[error("the pid file no longer names the new master")]
    PidFileDamaged,
    /// The new master ended before it was ready.
    #[error("the new binary ended before it was ready to serve")]
    EndedAtStart,
    /// The new master executes another file than the one that was installed.
    #[error("the new master does not execute the new file (is it a script?)")]
    WrongBinary,
    /// The new master was not ready in time.
    #[error("the new binary was not ready after {after_ms} ms: {missing}")]
    NotReady {
        /// The limit.
        after_ms: u64,
        /// What was missing.
        missing: String,
    },
    /// What was asked of the new generation failed, more often than is forgiven.
    #[error("the new binary is not good enough: {last} (failure {failures}, {forgiven} forgiven)")]
    NotGoodEnough {
        /// The last failure.
        last: String,
        /// How many there were.
        failures: u32,
        /// How many were forgiven.
        forgiven: u32,
    },
    /// The new master died while it served.
    #[error("the new master died")]
    NewMasterDied,
    /// A worker of the new generation died while it served.
    #[error("a worker of the new binary died")]
    NewWorkerDied,
    /// Nobody of the new generation accepts on a socket any more.
    #[error("no worker of the new binary accepts on {0} of the old listening sockets")]
    ListenerLost(usize),
    /// The old workers went on accepting after WINCH.
    #[error("the old workers do not stop accepting")]
    OldWorkersKeepAccepting,
    /// The host could not do what was asked.
    #[error("{what} failed: {error}")]
    CallFailed {
        /// What.
        what: String,
        /// The system's words.
        error: String,
    },
}
