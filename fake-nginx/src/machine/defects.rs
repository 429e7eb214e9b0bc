//! Deliberate defects of the machines, for tests that ask whether the invariants would notice.
//!
//! They come from a stamp, or from the constructor of a model; no option of nginx sets one.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// One deliberate defect. A stamp says it in words: `respawns-nobody`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Defect {
    /// The new binary has died and `nginx.pid.oldbin` keeps its name.
    ForgetsToRenameOldbinBack,
    /// A second USR2 is obeyed although a new binary runs.
    AcceptsASecondUsr2,
    /// A worker that died is not forked again.
    RespawnsNobody,
    /// QUIT is passed on to the new binary.
    QuitsTheNewBinaryToo,
    /// The master in reserve ends and deletes `nginx.pid`, which names the new one.
    DeletesTheWrongPidFile,
    /// A no-accept closes the master's listening sockets too.
    ClosesListenersOnNoaccept,
    /// Signals that came together are handled from the lowest number on.
    HandlesTheLowestFirst,
    /// QUIT is taken for done once the workers were told.
    ForgetsQuit,
    /// The flags behind a HUP that is no reload are looked at in the same turn.
    GoesOnBehindReconfigure,
    /// `-t` makes no pid file.
    TestMakesNoPidFile,
    /// `-s` ends with 0 although there was nobody to signal.
    SignallerExitsZero,
    /// The new binary becomes a daemon of its own.
    DaemonisesTheNewBinary,
    /// USR2 is obeyed although the parent lives.
    ForgetsItsParent,
    /// A worker that was told to go by somebody else is not forked again.
    LetsToldWorkersGo,
    /// USR2 without a pid file leaves no trace in the master.
    ShrugsOffAMissingPidFile,
    /// HUP beside a new binary starts no workers if there are some.
    AddsNoSecondSet,
    /// Workers that come back after a no-accept do not come back by themselves when the new binary dies.
    WaitsForHup,
    /// A drain leaves idle connections open.
    KeepsIdleConnections,
    /// A draining worker promises to keep connections alive.
    PromisesKeepAlive,
    /// A reload that changes the path of the pid file leaves the old file behind.
    LeavesTheOldPidFile,
    /// A reload tells its new workers to go as well.
    TellsFreshWorkersToGo,
    /// The end of a master leaves the paths of unix sockets behind.
    LeavesUnixSockets,
    /// A worker accepts from the reuseport sockets of the others too.
    WatchesAllClones,
    /// Sockets that came through `NGINX` and are not configured stay open.
    KeepsInheritedSockets,
}

/// Which defects a machine has; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Defects(u32);

/// A name that is no defect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a defect; known are {known}", known = Defects::names().collect::<Vec<_>>().join(", "))]
pub struct NoDefect(pub String);

impl Defects {
    /// Every name, as a stamp says it.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Defect::VARIANTS.iter().map(|&defect| defect.into())
    }

    /// The defects with these names.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, NoDefect> {
        let mut defects = Self::default();
        for name in names {
            let defect: Defect = name.parse().map_err(|_| NoDefect(name.to_owned()))?;
            defects.0 |= bit(defect);
        }
        Ok(defects)
    }

    /// True if that is one of them.
    #[must_use]
    pub const fn has(self, defect: Defect) -> bool {
        self.0 & bit(defect) != 0
    }
}

const fn bit(defect: Defect) -> u32 {
    1 << defect as u32
}
