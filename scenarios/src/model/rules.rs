//! The rules that a script is judged by, each under a name, and those that concern what an operator has chosen.
//!
//! What is true of the world stands in `truth`, and what the script itself took away in `excuses`. Here stands what
//! no look at the world can tell: a hold that was passed, a soak that was cut short, an upgrade that was undone
//! though nothing had gone wrong.

use fake_nginx::machine::Pid;
use orchestrator::machine::{Memory, Outcome, Phase, Plan};
use strum::IntoStaticStr;

use super::fault::Fault;
use super::script::Script;
use super::world::World;
use crate::scenario::Claim;

/// What must hold through all of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Rule {
    /// A fresh connection finds a worker, unless the script itself killed the last.
    FreshConnectionFindsAWorker,
    /// A request ends only with its worker, at the script's hand.
    NoRequestIsLost,
    /// A machine that comes up again finds a whole binary at its path, and the right one.
    RestartStartsTheRightBinary,
    /// Nobody signals a process that is no nginx.
    NoSignalToAStranger,
    /// Two commands never work at once, and one that is refused changes nothing.
    OneCommandAtATime,
    /// What a command claims is true once all have had time to do what they were told.
    ClaimIsTrue,
    /// Nobody is stuck with one fault or none before the commit point.
    OneFaultNeedsNoPerson,
    /// What the operator chose is kept: a hold, a soak, and the wish to stop.
    ChoicesAreKept,
    /// A sound upgrade is not undone if nobody asked for it and nobody took a process away.
    NothingIsUndoneForNoReason,
    /// A command that has had its last word has it in its journal too.
    JournalKnowsTheEnd,
    /// Everything comes to rest.
    EverythingComesToRest,
    /// One generation is left at the end, with all its workers.
    OneGenerationAtTheEnd,
}

impl Rule {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A rule that was broken, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Which.
    pub(super) rule: Rule,
    /// How.
    pub(super) why: String,
}

impl Rule {
    /// It was broken like this.
    pub(super) fn broken(self, why: impl Into<String>) -> Wrong {
        Wrong { rule: self, why: why.into() }
    }
}

/// What operators have typed so far, as far as it changes what may come of a command.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Typed {
    /// `oldbin commit`, which passes a hold and a soak.
    pub(super) has_committed: bool,
    /// `oldbin rollback`, which undoes.
    pub(super) has_turned_back: bool,
}

/// The first rule about choices that the last command has broken, and how.
pub(super) fn broken(
    world: &World<'_>,
    script: &Script,
    typed: Typed,
    plan: &Plan,
    claim: Claim,
) -> Option<Wrong> {
    let entry = world.entry().filter(|entry| entry.0 == *plan)?;
    let memory = &entry.1;
    let is_end = matches!(memory.phase, Phase::Finished(_) | Phase::Held);
    let is_promise = matches!(claim, Claim::Upgraded | Claim::Draining | Claim::RolledBack | Claim::Held);
    if is_promise && !is_end && !world.counts.faults.contains(&Fault::FullDisk) {
        let why = format!("{claim} is claimed, and the journal stands at {:?}", memory.phase);
        return Some(Rule::JournalKnowsTheEnd.broken(why));
    }
    let passed =
        || passed_over(world, script, typed, plan, memory).map(|why| Rule::ChoicesAreKept.broken(why));
    let undone = || {
        is_undone_for_no_reason(world, script, typed, plan, memory)
            .then(|| Rule::NothingIsUndoneForNoReason.broken(format!("undone: {:?}", memory.abort)))
    };
    passed().or_else(undone)
}

/// The choice of the operator that a finished or held upgrade has passed over.
fn passed_over(
    world: &World<'_>,
    script: &Script,
    typed: Typed,
    plan: &Plan,
    memory: &Memory,
) -> Option<String> {
    // With the old master gone there is nothing left to choose.
    let is_old_gone = world.was_struck(Pid(plan.old.pid)) || script.has_mortal_master();
    let is_over = memory.phase == Phase::Finished(Outcome::Upgraded);
    if is_old_gone || !is_over && memory.phase != Phase::Held {
        return None;
    }
    if let Some(phase) = world.interrupted_in() {
        return Some(format!("it was interrupted in {phase:?} and went on"));
    }
    if typed.has_committed {
        return None;
    }
    if is_over && plan.options.is_held {
        return Some("nobody has typed commit behind the hold".into());
    }
    let alone_ms = memory.since_ms.saturating_sub(memory.winched_ms.unwrap_or(memory.since_ms));
    let soak_ms = plan.options.soak_ms;
    (alone_ms < soak_ms).then(|| format!("the soak of {soak_ms} ms was over after {alone_ms} ms"))
}

/// True if a sound binary is undone though `oldbin` alone was struck.
fn is_undone_for_no_reason(
    world: &World<'_>,
    script: &Script,
    typed: Typed,
    plan: &Plan,
    memory: &Memory,
) -> bool {
    // nginx itself refuses a second USR2.
    let is_harmless = |fault: &Fault| {
        matches!(
            fault,
            Fault::Crash | Fault::SecondUsr2 | Fault::Reopen | Fault::ReusedPid | Fault::SecondOperator
        )
    };
    memory.phase == Phase::Finished(Outcome::RolledBack)
        && script.binary == 0
        && world.counts.faults.iter().all(is_harmless)
        && (plan.options.is_way_back || !typed.has_turned_back)
}
