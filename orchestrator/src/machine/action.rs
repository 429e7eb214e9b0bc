//! What the machine can ask for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Depth, Identity, Memory, Outcome};

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Put this memory on disk, then do this, then look again.
    Act(Action, Memory),
    /// Ask the new generation, and decide with its answers.
    Ask(Depth),
    /// Look again when something changes, at the latest at this time.
    Wait {
        /// The latest time.
        until_ms: u64,
        /// What is missing.
        why: Waiting,
    },
    /// Put this memory on disk; there is nothing more to do.
    Finished(Outcome, Memory),
}

/// One change of the world, small enough to be done or not done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing: only the memory changes.
    Note,
    /// The file at the binary's path becomes this side's.
    Replace(Side),
    /// A signal to the very process that was identified.
    Signal {
        /// Whom.
        process: Identity,
        /// Which.
        signal: Signal,
        /// Nothing is sent if this master is gone by then: it must be there to serve instead.
        while_lives: Option<Identity>,
    },
    /// A signal to each of these workers without a master.
    SignalOrphans {
        /// Whom.
        processes: Vec<Identity>,
        /// Which.
        signal: Signal,
        /// Nobody is told any more once this master is gone: it must be there to serve instead, and as long as
        /// it lives nobody found without a master is its worker.
        while_lives: Identity,
    },
    /// The oldbin file is removed: its master was killed and could not do it.
    RemoveOldbin,
    /// The oldbin file becomes the pid file again: the old master tried and could not.
    RenameOldbinBack,
}

/// One of the two binaries, or generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// What served before.
    Old,
    /// What shall serve.
    New,
}

/// The signals that are ever sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// Reconfigure; to an old master with a new binary: start workers from memory.
    Hup,
    /// Graceful shutdown.
    Quit,
    /// Fast shutdown.
    Term,
    /// Death without a last word.
    Kill,
    /// Change binary.
    Usr2,
    /// No-accept: drain all workers.
    Winch,
    /// Nothing but a wake-up: what nginx left to its next one is done then.
    Io,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hup => "HUP",
            Self::Quit => "QUIT",
            Self::Term => "TERM",
            Self::Kill => "KILL",
            Self::Usr2 => "USR2",
            Self::Winch => "WINCH",
            Self::Io => "IO",
        })
    }
}

/// What a wait waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waiting {
    /// The old master is busy; it must sleep in sigsuspend first.
    OldMasterAsleep,
    /// The new master is not there yet, or still loads.
    NewMaster,
    /// The new master is there, its workers are not yet or not all accepting.
    NewWorkers,
    /// Old workers have not yet stopped accepting.
    OldWorkersStop,
    /// Old workers still serve requests: this many.
    OldWorkersDrain(usize),
    /// The soak.
    Soak,
    /// A probe or a check failed and is tried again.
    Probe,
    /// The new generation is watched behind the commit point.
    Watch,
    /// The old master was told to quit.
    OldMasterEnd,
    /// The old workers come back.
    OldWorkersBack,
    /// The new master was told to go: this many processes of its generation are left.
    NewMasterEnd(usize),
    /// Workers without a master were told to go.
    Orphans(usize),
    /// The pid file must name the master that serves.
    PidFile,
}

impl Waiting {
    /// True if only exits matter, for which there are events: no need to look again on a fast timer.
    #[must_use]
    pub fn is_patient(&self) -> bool {
        match self {
            Self::Soak | Self::Probe | Self::Watch | Self::OldWorkersDrain(_) => true,
            Self::OldMasterAsleep
            | Self::NewMaster
            | Self::NewWorkers
            | Self::OldWorkersStop
            | Self::OldMasterEnd
            | Self::OldWorkersBack
            | Self::NewMasterEnd(_)
            | Self::Orphans(_)
            | Self::PidFile => false,
        }
    }
}
