//! The decision: one exhaustive match over the phases.

use super::{
    Action, Decision, Defect, Generation, Intent, Memory, Missing, Observation, Outcome, Phase, PidFile,
    Process, Reason, Title, Waiting, back, commit,
    forward::{self, look_again},
    watch,
};

/// What comes next.
///
/// Calling it again with the same arguments gives the same answer; calling it after a crash with the memory
/// that was last on disk goes on from there.
#[must_use]
pub fn decide(intent: &Intent, memory: &Memory, seen: &Observation, now_ms: u64) -> Decision {
    let turn = Turn { intent, memory, seen, now_ms };
    match memory.phase {
        Phase::Planned => forward::plan(&turn),
        Phase::Installing => forward::install(&turn),
        Phase::Changing => forward::change(&turn),
        Phase::Draining => commit::drain(&turn),
        Phase::Soaking => commit::soak(&turn),
        Phase::Held => commit::hold(&turn),
        Phase::Committing => commit::finish(&turn),
        Phase::Watching => watch::watch(&turn),
        Phase::Back => back::back(&turn),
        Phase::Finished(outcome) => Decision::Finished(outcome, memory.clone()),
    }
}

/// What an observation must hold for the phase that `memory` is in; the rest of it may be left empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Which of the plan's listeners the old workers do not accept from.
    pub audits_old: bool,
    /// Which of the plan's listeners the new workers do not accept from.
    pub audits_new: bool,
    /// Workers without a master, if one of the masters is gone. If both are, they are looked for anyway.
    pub finds_orphans: bool,
}

/// What has to be looked at.
#[must_use]
pub fn looks(memory: &Memory) -> Looks {
    let (audits_old, audits_new, finds_orphans) = match memory.phase {
        Phase::Planned | Phase::Installing | Phase::Watching | Phase::Finished(_) => (false, false, false),
        Phase::Changing | Phase::Draining | Phase::Soaking | Phase::Held => (false, true, false),
        Phase::Committing => (false, false, true),
        Phase::Back => (memory.winched_ms.is_some(), false, true),
    };
    Looks { audits_old, audits_new, finds_orphans }
}

/// The memory after an action that could not be performed, or not be announced.
///
/// Before anything was touched that is a refusal, and before the commit point one more reason to go back. On the
/// way back, and beyond the commit point, it is a try that failed.
#[must_use]
pub fn failed(memory: &Memory, what: &str, error: &str, now_ms: u64) -> Memory {
    let reason = || Reason::CallFailed { what: what.to_owned(), error: error.to_owned() };
    match memory.phase {
        Phase::Planned => memory.refused(reason(), now_ms),
        Phase::Installing | Phase::Changing | Phase::Draining | Phase::Soaking | Phase::Held => {
            memory.turn_back(reason(), now_ms)
        }
        Phase::Committing | Phase::Watching | Phase::Back => memory.tried(),
        Phase::Finished(_) => memory.clone(),
    }
}

/// Everything that one decision may look at.
pub(super) struct Turn<'a> {
    pub(super) intent: &'a Intent,
    pub(super) memory: &'a Memory,
    pub(super) seen: &'a Observation,
    pub(super) now_ms: u64,
}

impl Turn<'_> {
    /// True if that is deliberately wrong.
    pub(super) fn has(&self, defect: Defect) -> bool {
        self.intent.defects.has(defect)
    }

    /// True if the operator has asked to stop.
    pub(super) fn is_interrupted(&self) -> bool {
        self.seen.is_interrupted && !self.has(Defect::IgnoresTheInterrupt)
    }

    /// True if the old master has acted on all that it was sent, and each child that is not the new master has told what
    /// it is: one that has not may be a worker.
    pub(super) fn is_settled(&self, old: &Generation) -> bool {
        let is_new = |child: &Process| {
            self.seen.new.as_ref().is_some_and(|new| new.master.identity.is_same_process(&child.identity))
        };
        let is_untitled = |child: &Process| child.title == Title::Master && !is_new(child);
        old.is_asleep && !old.children.iter().any(is_untitled)
    }

    /// True if the pid file names this generation's master.
    pub(super) fn is_named(&self, generation: &Generation) -> bool {
        self.seen.pid_file == PidFile::Pid(generation.master.identity.pid)
    }

    /// Milliseconds after the phase's begin.
    pub(super) fn after(&self, duration_ms: u64) -> u64 {
        self.memory.since_ms.saturating_add(duration_ms)
    }

    /// True if the phase has lasted that long.
    pub(super) fn is_over(&self, duration_ms: u64) -> bool {
        self.now_ms >= self.after(duration_ms)
    }

    /// True if somebody else's file is at the path, as a package manager puts it there. It is none of our business, and
    /// stays where it is, there and back; the outcome tells of it.
    pub(super) fn is_foreign(&self) -> bool {
        !self.intent.plan.may_replace(self.seen.binary)
    }

    /// True if the old binary is at the path, though forward the new one must be: a way back began that could
    /// not be put on disk.
    pub(super) fn is_put_back(&self) -> bool {
        let plan = &self.intent.plan;
        let is_ours = [Some(plan.old_file), Some(plan.binary_before)].contains(&self.seen.binary);
        is_ours && self.seen.binary != Some(plan.new_file)
    }

    /// Takes the way back; its first step follows with the next look.
    pub(super) fn turn_back(&self, reason: Reason) -> Decision {
        Decision::Act(Action::Note, self.memory.turn_back(reason, self.now_ms))
    }

    /// Waits, but not beyond `until_ms`.
    pub(super) fn wait(&self, until_ms: u64, why: Waiting) -> Decision {
        Decision::Wait { until_ms: until_ms.max(self.now_ms.saturating_add(1)), why }
    }

    /// This is missing and should come by itself. Since when, is remembered; `None` after so long.
    pub(super) fn patience(&self, what: Missing, for_ms: u64, why: Waiting) -> Option<Decision> {
        let since_ms = self.memory.missing.and_then(|(known, since_ms)| (known == what).then_some(since_ms));
        let Some(since_ms) = since_ms else {
            let missing = Some((what, self.now_ms));
            return Some(Decision::Act(Action::Note, Memory { missing, ..self.memory.clone() }));
        };
        let until_ms = since_ms.saturating_add(for_ms);
        (self.now_ms < until_ms).then(|| self.wait(until_ms.min(look_again(self)), why))
    }

    /// Ends here.
    pub(super) fn finish(&self, outcome: Outcome) -> Decision {
        Decision::Finished(outcome, self.memory.enter(Phase::Finished(outcome), self.now_ms))
    }

    /// Ends before anything was touched.
    pub(super) fn refuse(&self, reason: Reason) -> Decision {
        Decision::Finished(Outcome::Refused, self.memory.refused(reason, self.now_ms))
    }
}
