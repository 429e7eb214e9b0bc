//! What is remembered between two looks, and across a crash of `oldbin` itself.

use serde::{Deserialize, Serialize};

use super::{Action, Identity, Outcome, Reason, Signal};

/// Everything that is remembered. It is on disk before the action that it announces is performed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Where the upgrade stands.
    pub phase: Phase,
    /// When the phase began.
    pub since_ms: u64,
    /// Why the way back was taken; what was announced before stays in the other fields.
    pub abort: Option<Reason>,
    /// The new master, once it was seen.
    pub new: Option<Identity>,
    /// Its workers, when it was ready.
    pub new_workers: Vec<Identity>,
    /// How many old workers there were when USR2 was announced and no reload was under way; 0 before.
    pub old_count: u16,
    /// The old workers, when USR2 was announced, and then when WINCH was.
    pub old_workers: Vec<Identity>,
    /// Old workers that drained already when WINCH was announced, for another reason.
    pub old_draining: Vec<Identity>,
    /// When WINCH was last announced.
    pub winched_ms: Option<u64>,
    /// WINCH was announced, and is not known to have been sent.
    pub is_winch_unsure: bool,
    /// When HUP was last announced.
    pub hupped_ms: Option<u64>,
    /// How often HUP was announced.
    pub hups: u8,
    /// How far a master (the new one on the way back, the old one beyond the commit point) was told to go.
    pub master: Retirement,
    /// The new master was announced its end once, which nothing takes back.
    pub is_new_told: bool,
    /// How far workers without a master were told to go.
    pub orphans: Retirement,
    /// Since when workers of the new generation are missing, nobody of it accepts from a socket, or the pid file does not
    /// name its master; or a process without a master has not told what it is.
    pub doubted_ms: Option<u64>,
    /// When everything was last asked and in order; not on disk, as asking once more does no harm.
    #[serde(skip)]
    pub asked_ms: Option<u64>,
    /// When something that was asked failed; `None` once it is in order again.
    pub failed_ms: Option<u64>,
    /// How many failures of the new generation were counted.
    pub failures: u32,
    /// What is missing that should come by itself, and since when.
    pub missing: Option<(Missing, u64)>,
    /// True once something was announced again because nothing was seen to come of it: USR2, or on the way back a wake-up
    /// behind WINCH.
    pub is_asked_again: bool,
    /// How often the phase's own idempotent action was announced again, or failed.
    pub tries: u8,
}

/// How far somebody was told to go, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retirement {
    /// How far.
    pub how: Retire,
    /// When that was announced.
    pub since_ms: u64,
    /// It was announced twice, because nothing was seen to come of it.
    pub is_repeated: bool,
}

impl Retirement {
    /// Nobody was told anything.
    pub const NONE: Self = Self { how: Retire::No, since_ms: 0, is_repeated: false };
}

/// Where an upgrade stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing was touched.
    Planned,
    /// The new file at the binary's path was announced.
    Installing,
    /// USR2 was announced.
    Changing,
    /// WINCH to the old master was announced.
    Draining,
    /// The new generation serves alone.
    Soaking,
    /// The soak is over; the operator wants to decide.
    Held,
    /// QUIT to the old master was announced: the commit point is passed.
    Committing,
    /// The new generation is what it should be, and is watched for a while.
    Watching,
    /// The way back.
    Back,
    /// Over.
    Finished(Outcome),
}

/// What should come by itself. Each has a patience of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// The old workers' return.
    OldWorkers,
    /// The end of old workers that are too many.
    FewerWorkers,
    /// A child of the old master that tells what it is, or ends.
    NewMaster,
    /// Workers of the new master.
    NewWorkers,
    /// A pid file that names the master that serves.
    PidFile,
}

/// How far somebody was told to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retire {
    /// Not at all.
    No,
    /// QUIT was announced.
    Quit,
    /// WINCH was announced, because QUIT had no effect.
    Winch,
    /// TERM was announced.
    Term,
    /// KILL was announced.
    Kill,
}

impl Memory {
    /// What is remembered before anything was done.
    #[must_use]
    pub fn new() -> Self {
        Self {
            phase: Phase::Planned,
            since_ms: 0,
            abort: None,
            new: None,
            new_workers: Vec::new(),
            old_count: 0,
            old_workers: Vec::new(),
            old_draining: Vec::new(),
            winched_ms: None,
            is_winch_unsure: false,
            hupped_ms: None,
            hups: 0,
            master: Retirement::NONE,
            is_new_told: false,
            orphans: Retirement::NONE,
            doubted_ms: None,
            asked_ms: None,
            failed_ms: None,
            failures: 0,
            missing: None,
            is_asked_again: false,
            tries: 0,
        }
    }

    /// The same, in another phase that begins now.
    pub(super) fn enter(&self, phase: Phase, now_ms: u64) -> Self {
        Self { phase, since_ms: now_ms, tries: 0, doubted_ms: None, missing: None, ..self.clone() }
    }

    /// The same, with one more try.
    pub(super) fn tried(&self) -> Self {
        Self { tries: self.tries.saturating_add(1), ..self.clone() }
    }

    /// The same, on the way back.
    pub(super) fn turn_back(&self, reason: Reason, now_ms: u64) -> Self {
        Self { abort: Some(reason), master: Retirement::NONE, ..self.enter(Phase::Back, now_ms) }
    }

    /// The same, ended before anything was touched.
    pub(super) fn refused(&self, reason: Reason, now_ms: u64) -> Self {
        Self { abort: Some(reason), ..self.enter(Phase::Finished(Outcome::Refused), now_ms) }
    }

    /// The same, for another attempt at the way back after it was stuck.
    #[must_use]
    pub fn again(&self, now_ms: u64) -> Self {
        let fresh = Self { hups: 0, orphans: Retirement::NONE, ..self.clone() };
        fresh.turn_back(self.abort.clone().unwrap_or(Reason::Asked), now_ms)
    }

    /// The same, for a run that goes on where another was killed: what that announced last may never have been sent, so
    /// a second USR2 or wake-up of its own has a second chance too.
    #[must_use]
    pub fn resumed(&self) -> Self {
        Self { is_asked_again: false, ..self.clone() }
    }

    /// The same, once this has been done.
    #[must_use]
    pub fn acted(self, action: &Action) -> Self {
        let is_winch = matches!(action, Action::Signal { signal: Signal::Winch, .. });
        Self { is_winch_unsure: self.is_winch_unsure && !is_winch, ..self }
    }

    /// True if nothing is left to do.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished(_))
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}
