//! Deliberate defects of the machine and its driver, for tests that ask whether the laboratory would notice.
//!
//! Each is a mistake that somebody could make who writes this machine anew, as small as it can be said. `oldbin`
//! has no way to set one; a rehearsal has.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// One deliberate defect. The laboratory says it in words: `forgets-the-file`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Defect {
    /// Sends QUIT to the old master as soon as the oldbin file is there, as upgrade scripts do.
    QuitsWithoutLooking,
    /// Takes a new generation for ready as soon as the pid file names its master.
    BelievesThePidFile,
    /// Leaves it at twice as many workers where nginx and HUP have both started them.
    LeavesDoubledWorkers,
    /// Leaves the new file at the binary's path on the way back.
    ForgetsTheFile,
    /// Retires the new master before the old workers are back.
    RetiresBeforeReviving,
    /// Leaves workers without a master alone.
    IgnoresOrphans,
    /// Acts first and writes its journal afterwards.
    AnnouncesLate,

    /// Does not look again whether what preflight saw is still so.
    TrustsPreflight,
    /// Sends USR2 without a look at the file that it starts.
    StartsWhateverIsThere,
    /// Sends USR2 to a master that is busy.
    ChangesABusyMaster,
    /// Counts workers that a reload has told to go, and that do not say so yet.
    CountsDepartingWorkers,
    /// Takes a USR2 of which nothing is seen for refused, and not for lost.
    SendsUsr2Once,
    /// Sends USR2 again while the master is busy with the first.
    RepeatsUsr2AtOnce,
    /// Sends WINCH before anybody has looked whether the new workers accept.
    SkipsTheAudit,
    /// Takes a new generation for ready with its first worker.
    AcceptsTheFirstWorker,
    /// Sends WINCH to an old master that is busy.
    WinchesABusyMaster,
    /// Waits for a new master that is never ready as long as it takes.
    ForgetsTheReadyDeadline,
    /// Does not remember that WINCH was announced.
    ForgetsTheWinch,
    /// Takes the new master for fit to serve because the old one has died.
    TakesOverUnready,

    /// Takes an old generation for drained that may fork a worker yet, or has one that has not told what it is.
    DrainsABusyMaster,
    /// Does not send a WINCH again that was lost.
    WinchesOnce,
    /// Waits for old workers that go on accepting as long as it takes.
    ForgetsTheStopDeadline,
    /// Goes on as soon as one of the old workers has stopped accepting.
    SoaksBesideOldWorkers,
    /// Goes on without a soak.
    ForgetsTheSoak,
    /// Goes on where the operator wants to decide.
    ForgetsTheHold,
    /// Holds without a look whether the old master serves again.
    HoldsUnseen,
    /// Goes on although the operator has asked to stop.
    IgnoresTheInterrupt,
    /// Takes a dead new master for a healthy one.
    CommitsToTheDead,
    /// Forgives whatever fails.
    ForgivesEverything,
    /// Takes the first failure of a probe for the last word.
    AsksOnlyOnce,
    /// Asks nobody while the new binary serves alone.
    SoaksUnasked,
    /// Passes the commit point without asking once more.
    CommitsUnasked,
    /// Does not read what the new binary says in its log.
    IgnoresTheLog,
    /// Counts workers that ended and are forgiven again and again, or never.
    ForgivesEveryWorker,
    /// Cuts old workers that should be left to their connections.
    CutsWhatIsToBeLeft,
    /// Leaves an old master behind before it has heard that it has to go.
    LeavesTheUntold,
    /// Waits for workers to drain whose master was never told to quit.
    WaitsForTheUntold,
    /// Ends as soon as the commit is done, without a watch.
    ForgetsTheWatch,
    /// Takes any master for the new one while it watches.
    WatchesAnybody,
    /// Passes the commit point while the old master is busy.
    QuitsABusyMaster,
    /// Does not look at the pid file again once the new generation was ready.
    IgnoresThePidFile,
    /// Sends a signal that takes a generation away whether the other one lives or not.
    SendsUnconditionally,
    /// Leaves the oldbin file of a master that was killed.
    LeavesTheOldbinFile,
    /// Leaves the old file at the path where the new binary serves alone.
    LeavesTheOldFile,
    /// Judges whether QUIT was lost before the old master can have heard it.
    JudgesQuitAtOnce,
    /// Takes whoever has just been forked for a worker without a master.
    MistakesAForkForAnOrphan,

    /// Sends TERM where QUIT would do.
    BeginsWithTerm,
    /// Sends TERM to those who drain as soon as it looks again.
    HurriesTheDrain,
    /// Leaves it at QUIT, whoever stays.
    NeverEscalates,
    /// Does not send a QUIT again that was lost.
    QuitsOnce,
    /// Cuts the workers of a master that does not hear QUIT while they accept.
    SkipsTheLaddersWinch,

    /// Puts the old file back as the last step of the way back.
    RestoresTheFileLast,
    /// Brings the old workers back without HUP.
    ForgetsTheHup,
    /// Sends HUP again before the first can have shown.
    RepeatsHupAtOnce,
    /// Sends HUP to an old master that is busy.
    HupsABusyMaster,
    /// Sends HUP while WINCH may be on its way.
    HupsIntoTheWinch,
    /// Retires the new master while WINCH may lie before the old one, which nginx has put off.
    LetsTheWinchLie,
    /// Retires the new master before the old workers have their sockets.
    RetiresBeforeTheyAccept,
    /// Tells workers without a master to go before the old ones are back.
    TellsOrphansFirst,
    /// Does not wait for a new binary that is about to show itself.
    ForgetsTheUnborn,
    /// Leaves the pid file under the oldbin file's name.
    LeavesThePidFileRenamed,
    /// Takes any new master that is left alone for fit to serve.
    CommitsToTheUnfit,
    /// Forgets that the new master was told to go, once the old one has died.
    ForgetsItsOwnQuit,

    /// Goes forward though its journal cannot be written.
    NeedsNoJournal,
    /// Ends where its journal cannot be written, on the way back too.
    WaitsForTheJournal,
    /// Does not write down how it ended.
    ForgetsTheLastWord,
    /// Looks for workers without a master only among those that execute the new file.
    LooksForNewOrphansOnly,

    /// Signals whoever has the number, as kill(2) does: the process that was meant may have died since.
    SignalsByNumber,
    /// Works beside another command of its own kind.
    ForgetsTheLock,

    /// Leaves it to the kernel when a renamed binary or journal is on disk.
    SyncsNoFolder,
    /// Leaves it to the kernel when the copy of a binary is on disk.
    SyncsNoCopy,
    /// Goes on with what was under way before the machine was restarted.
    ForgetsTheBoot,
}

/// Which defects a machine has; none by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct Defects(u128);

impl Defects {
    /// Every name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Defect::VARIANTS.iter().map(|&defect| defect.into())
    }

    /// The defects with these names; names that are none are passed over.
    #[must_use]
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// True if that is one of them.
    #[must_use]
    pub const fn has(self, defect: Defect) -> bool {
        self.0 & bit(defect) != 0
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(defects: I) -> Self {
        Self(defects.into_iter().fold(0, |bits, defect| bits | bit(defect)))
    }
}

/// As many defects as there are bits: one more does not compile into a shift.
const fn bit(defect: Defect) -> u128 {
    1 << defect as u128
}
