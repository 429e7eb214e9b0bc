//! The loop: look, decide, persist, act, and look again.
//!
//! The driver remembers nothing: what it needs for the next turn is in [`Memory`], which is on disk before
//! the action that it announces.

use crate::ask::ask;
use crate::host::{Host, HostError, HostExt};
use crate::machine::{
    Action, Decision, Defect, FileId, Identity, Intent, Memory, Observation, Outcome, Phase, Plan, Process,
    Side, Signal, Waiting, decide, failed, find_new_master, find_new_master_alone, looks,
};

/// What somebody who watches the run is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// This action was performed.
    Acted(&'a Action),
    /// This is waited for.
    Waits(&'a Waiting),
    /// The machine went from one phase to this.
    Entered(&'a Memory),
    /// The journal could not be written, on the way back, which does not wait for it.
    JournalFailed(&'a HostError),
    /// The old master was seen to be gone.
    OldMasterEnded,
}

/// What came of one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The next turn begins with this memory.
    Next(Memory),
    /// The machine has come to its end.
    Finished(Outcome, Memory),
}

/// Runs the machine to its end.
///
/// `watch` is told what happens and when (microseconds of the host's clock).
///
/// # Errors
/// [`HostError::Crashed`] if the host says so, and [`HostError::Os`] if even looking fails.
pub fn drive(
    host: &mut impl Host,
    intent: &Intent,
    memory: Memory,
    mut watch: impl FnMut(u64, Event<'_>),
) -> Result<(Outcome, Memory), HostError> {
    let mut memory = memory.resumed();
    loop {
        let decided = look(host, intent, &memory, &mut watch)?;
        match carry_out(host, intent, memory, decided, &mut watch)? {
            Turn::Next(next) => memory = next,
            Turn::Finished(outcome, memory) => return Ok((outcome, memory)),
        }
    }
}

/// What was decided, and what is needed to carry it out: all that the looks of a turn hand to its acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decided {
    /// When everything was looked at.
    pub now_us: u64,
    /// What was decided.
    pub decision: Decision,
    /// Of a wait: everybody whose end matters meanwhile.
    pub watched: Vec<Identity>,
    /// Everything was asked before that, and was in order if this is a wait.
    pub is_asked: bool,
}

/// Looks, and decides.
///
/// # Errors
/// As [`drive`].
pub fn look(
    host: &mut impl Host,
    intent: &Intent,
    memory: &Memory,
    watch: &mut impl FnMut(u64, Event<'_>),
) -> Result<Decided, HostError> {
    let (now_us, mut seen) = observe(host, intent, memory)?;
    let now_ms = now_us / 1_000;
    if seen.old.is_none() {
        watch(now_us, Event::OldMasterEnded);
    }
    let mut decision = decide(intent, memory, &seen, now_ms);
    let mut is_asked = false;
    if let Decision::Ask(depth) = decision {
        seen.answers = Some(ask(host, intent, memory, &seen, depth)?);
        is_asked = true;
        decision = decide(intent, memory, &seen, now_ms);
    }
    let waits = matches!(decision, Decision::Wait { .. });
    let watched = if waits { watched(&seen) } else { Vec::new() };
    Ok(Decided { now_us, decision, watched, is_asked })
}

/// Carries out what was decided.
///
/// # Errors
/// As [`drive`].
pub fn carry_out(
    host: &mut impl Host,
    intent: &Intent,
    memory: Memory,
    decided: Decided,
    watch: &mut impl FnMut(u64, Event<'_>),
) -> Result<Turn, HostError> {
    let Decided { now_us, decision, watched, is_asked } = decided;
    match decision {
        Decision::Act(action, next) => {
            act(host, intent, &memory, (action, next), now_us, watch).map(Turn::Next)
        }
        Decision::Wait { until_ms, why } => {
            watch(now_us, Event::Waits(&why));
            host.wait(until_ms, &why, watched)?;
            let asked_ms = if is_asked { Some(now_us / 1_000) } else { memory.asked_ms };
            Ok(Turn::Next(Memory { asked_ms, ..memory }))
        }
        Decision::Finished(outcome, next) => {
            if next != memory && !intent.defects.has(Defect::ForgetsTheLastWord) {
                watch(now_us, Event::Entered(&next));
                if let Err(error) = host.save(&next) {
                    crashed(&error)?;
                    watch(now_us, Event::JournalFailed(&error));
                }
            }
            Ok(Turn::Finished(outcome, next))
        }
        Decision::Ask(_) => unreachable!("everybody has answered"),
    }
}

/// Announces, acts, and gives what is remembered then.
fn act(
    host: &mut impl Host,
    intent: &Intent,
    memory: &Memory,
    (action, next): (Action, Memory),
    now_us: u64,
    watch: &mut impl FnMut(u64, Event<'_>),
) -> Result<Memory, HostError> {
    let acted = intent.defects.has(Defect::AnnouncesLate).then(|| host.act(&action));
    if let Err(error) = host.save(&next) {
        crashed(&error)?;
        watch(now_us, Event::JournalFailed(&error));
        if intent.defects.has(Defect::WaitsForTheJournal) {
            return Err(error);
        }
        if may_need_journal(&action, &next) && !intent.defects.has(Defect::NeedsNoJournal) {
            return Ok(failed(memory, "writing the journal", &error.to_string(), now_us / 1_000));
        }
    }
    if next.phase != memory.phase {
        watch(now_us, Event::Entered(&next));
    }
    match acted.unwrap_or_else(|| host.act(&action)) {
        Ok(true) => {
            watch(now_us, Event::Acted(&action));
            Ok(next.acted(&action))
        }
        // Who was meant, or who should have served instead, is gone: nothing was sent, and the next look says
        // what follows.
        Ok(false) => Ok(memory.clone()),
        Err(error) => {
            crashed(&error)?;
            // What was announced did not happen, so the memory from before is the true one.
            let HostError::Os { what, error } = error else { return Err(HostError::Crashed) };
            let before = if is_commit(&action, &next) { memory } else { &next };
            Ok(failed(before, &what, &error, now_us / 1_000))
        }
    }
}

/// Forward, nothing happens that is not on disk. The way back does not wait for a full disk.
fn may_need_journal(action: &Action, next: &Memory) -> bool {
    match next.phase {
        Phase::Planned
        | Phase::Installing
        | Phase::Changing
        | Phase::Draining
        | Phase::Soaking
        | Phase::Held => true,
        // Nothing is done any more.
        Phase::Watching => false,
        // Only QUIT cannot be undone. Where the old master is gone already, there is nothing to announce.
        Phase::Committing => is_commit(action, next) && next.tries == 0 && !next.master.is_repeated,
        Phase::Back | Phase::Finished(_) => false,
    }
}

fn is_commit(action: &Action, next: &Memory) -> bool {
    let is_quit = matches!(action, Action::Signal { signal: Signal::Quit, .. });
    is_quit && next.phase == Phase::Committing
}

fn crashed(error: &HostError) -> Result<(), HostError> {
    match error {
        HostError::Crashed => Err(HostError::Crashed),
        HostError::Os { .. } => Ok(()),
    }
}

/// One look at the world: at most nine calls, in this order.
///
/// The pid files come before the generations: if a master has acted on a signal by the time that it is seen
/// asleep, what was read before may be older, and the machine looks again; the other way round it would take
/// an old answer for the effect. Within a generation, `is_asleep` comes before the children for that reason.
///
/// # Errors
/// Whatever the host fails with.
pub fn observe(
    host: &mut impl Host,
    intent: &Intent,
    memory: &Memory,
) -> Result<(u64, Observation), HostError> {
    let plan = &intent.plan;
    let needs = looks(memory);
    let (now_us, is_interrupted) = host.now()?;
    let pid_file = host.pid_file(Side::New)?;
    let oldbin = host.pid_file(Side::Old)?;
    let binary = host.binary()?;
    let listeners = |is_asked: bool| is_asked.then_some(plan.listeners.as_slice());
    let old = host.generation(&plan.old, listeners(needs.audits_old))?;
    let mut new = match find_new_master(plan, memory, old.as_ref(), pid_file) {
        Some(new) => host.generation(new, listeners(needs.audits_new))?,
        None => None,
    };
    // Only a master's death makes orphans, and looking for them reads all of /proc.
    let is_one_gone = needs.finds_orphans && (old.is_none() || new.is_none());
    let are_both_gone = old.is_none() && new.is_none();
    let mut orphans = Vec::new();
    if is_one_gone || are_both_gone {
        let known = memory.new_workers.iter().chain(&memory.old_workers).cloned().collect();
        let kin =
            if intent.defects.has(Defect::LooksForNewOrphansOnly) { Vec::new() } else { kin(plan, memory) };
        orphans = host.orphans(plan.new_file, kin, &plan.listeners, known)?;
        if let Some(alone) = find_new_master_alone(plan, &orphans, pid_file).filter(|_| are_both_gone) {
            new = host.generation(alone, listeners(needs.audits_new))?;
        }
        let is_master = |process: &Process| {
            old.iter().chain(&new).any(|one| one.master.identity.is_same_process(&process.identity))
        };
        orphans.retain(|process| !is_master(process));
    }
    let seen = Observation { is_interrupted, pid_file, oldbin, binary, old, new, orphans, answers: None };
    Ok((now_us, seen))
}

/// Every file that a process of this upgrade may execute, besides the new one: a new binary that was started
/// late executes whatever was put back, or whatever somebody else has put there.
fn kin(plan: &Plan, memory: &Memory) -> Vec<FileId> {
    let seen = memory.new.as_ref().and_then(|new| new.exe);
    plan.old.exe.into_iter().chain(seen).chain([plan.old_file, plan.binary_before]).collect()
}

/// Everybody whose end matters.
fn watched(seen: &Observation) -> Vec<Identity> {
    let generations = seen.old.iter().chain(&seen.new);
    let mut all: Vec<_> = generations
        .flat_map(|generation| std::iter::once(&generation.master).chain(&generation.children))
        .chain(&seen.orphans)
        .map(|process| process.identity.clone())
        .collect();
    all.sort();
    all.dedup();
    all
}
