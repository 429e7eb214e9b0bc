//! The way back, right for every state: it looks at what is, not at how far forward it came.
//!
//! The order: the file (a reboot in the middle then starts the binary that works), the old workers, the new
//! master, its orphans, the pid file. The old master is never told to quit or to end: after HUP with no
//! child alive nginx would exit at once and leave its fresh workers without a master.

use super::commit::end_orphans;
use super::decide::Turn;
use super::forward::{identities, look_again, no_master, retire};
use super::ladder::{self, Climber, Rung};
use super::{
    ASLEEP_MS_MAX, Action, Decision, Defect, Generation, Identity, Memory, Missing, Outcome, PID_FILE_MS_MAX,
    PidFile, RETIRE_DRAIN_MS, REVIVE_MS_MAX, Reason, Side, Signal, StuckState, TITLE_MS_MAX, TRIES_MAX,
    Title, Waiting,
};

/// One step back.
pub(super) fn back(turn: &Turn<'_>) -> Decision {
    let Turn { intent, memory, seen, .. } = *turn;
    let is_what_runs = seen.binary.is_some() && seen.binary == intent.plan.old.exe;
    let is_restored =
        seen.binary == Some(intent.plan.old_file) || is_what_runs || turn.has(Defect::ForgetsTheFile);
    let is_restored = is_restored || turn.is_foreign();
    let Some(old) = &seen.old else { return without_old(turn) };
    let may_restore = !is_restored && memory.tries < TRIES_MAX;
    if may_restore && !turn.has(Defect::RestoresTheFileLast) {
        return Decision::Act(Action::Replace(Side::Old), memory.tried());
    }
    let decision = match &seen.new {
        Some(new) => with_new(turn, old, new),
        None => without_new(turn, old),
    };
    if !is_restored && matches!(decision, Decision::Finished(Outcome::RolledBack, _)) {
        if may_restore {
            return Decision::Act(Action::Replace(Side::Old), memory.tried());
        }
        return turn.finish(Outcome::Stuck(StuckState::FileNotRestored));
    }
    decision
}

/// The new master lives: the old workers first, and only then its end.
fn with_new(turn: &Turn<'_>, old: &Generation, new: &Generation) -> Decision {
    let Turn { intent, memory, .. } = *turn;
    let is_first = turn.has(Defect::RetiresBeforeReviving);
    if !is_first && let Some(decision) = revive(turn, old) {
        return decision;
    }
    let is_loading = new.master.title != Title::Master;
    let has_accepting_workers = new.workers().next().is_some();
    let who = Climber {
        drain_ms: intent.plan.options.drain_within_ms.unwrap_or(RETIRE_DRAIN_MS),
        is_loading,
        seems_untold: new.is_asleep && has_accepting_workers,
        has_accepting_workers,
        is_idle: new.is_asleep && new.children.is_empty(),
        defects: intent.defects,
    };
    match ladder::next(memory.master, who, turn.now_ms) {
        Rung::Send(how, master) => {
            // KILL makes orphans of its workers: they are remembered before, by what they are.
            let new_workers = and_children(&memory.new_workers, new);
            let known = Some(new.master.identity.clone());
            let memory = Memory { master, new_workers, new: known, is_new_told: true, ..memory.clone() };
            retire(turn, new, how, Some(old), memory)
        }
        Rung::Wait(until_ms) => {
            turn.wait(until_ms.min(look_again(turn)), Waiting::NewMasterEnd(1 + new.children.len()))
        }
        Rung::GiveUp => turn.finish(Outcome::Stuck(StuckState::NewGenerationStays)),
    }
}

/// Those who are known, and a master's children besides.
fn and_children(known: &[Identity], generation: &Generation) -> Vec<Identity> {
    let mut all = identities(generation.children.iter());
    all.extend_from_slice(known);
    all.sort();
    all.dedup();
    all
}

/// The new master is gone: the old one reaps it, puts its pid file right, and, if it was told to stop
/// accepting, starts its workers again by itself.
fn without_new(turn: &Turn<'_>, old: &Generation) -> Decision {
    let Turn { memory, seen, intent, .. } = *turn;
    if let Some(decision) = end_orphans_gently(turn, old) {
        return decision;
    }
    let stuck = |state| turn.finish(Outcome::Stuck(state));
    let is_changing = |child: &super::Process| matches!(child.title, Title::Master | Title::Other);
    if old.children.iter().any(is_changing) && !turn.has(Defect::ForgetsTheUnborn) {
        let patience = turn.patience(Missing::NewMaster, RETIRE_DRAIN_MS, Waiting::NewMaster);
        return patience.unwrap_or_else(|| stuck(StuckState::NewGenerationStays));
    }
    let is_named = turn.is_named(old);
    let is_clean = matches!(seen.oldbin, PidFile::Absent) || seen.oldbin == intent.plan.oldbin_before;
    if (!is_named || !is_clean) && !turn.has(Defect::LeavesThePidFileRenamed) {
        let is_stray = seen.pid_file == PidFile::Absent
            && seen.oldbin == PidFile::Pid(old.master.identity.pid)
            && old.is_asleep;
        if let Some(decision) = turn.patience(Missing::PidFile, PID_FILE_MS_MAX, Waiting::PidFile) {
            return decision;
        }
        if is_stray && memory.tries < 2 * TRIES_MAX {
            return Decision::Act(Action::RenameOldbinBack, memory.tried());
        }
        let patience = turn.patience(Missing::PidFile, 2 * PID_FILE_MS_MAX, Waiting::PidFile);
        let is_spoilt = memory.abort == Some(Reason::PidFileLost) && seen.pid_file == PidFile::Absent;
        let state = if is_spoilt { StuckState::PidFileLost } else { StuckState::PidFileWrong };
        return patience.unwrap_or_else(|| stuck(state));
    }
    if !old.is_asleep {
        return turn.wait(look_again(turn), Waiting::OldMasterAsleep);
    }
    revive(turn, old).or_else(|| thin_out(turn, old)).unwrap_or_else(|| turn.finish(Outcome::RolledBack))
}

/// Orphans go once the old workers are there to take over; if these never come, the orphans stay.
fn end_orphans_gently(turn: &Turn<'_>, old: &Generation) -> Option<Decision> {
    let is_revived = may_be_told_until(turn, old).is_none() && is_enough(turn, old);
    if !is_revived && !turn.has(Defect::TellsOrphansFirst) {
        return None;
    }
    end_orphans(turn, old, StuckState::NewGenerationStays)
}

/// Brings the old workers back if they are not there. `None`: they are, and nothing is on its way to their master.
///
/// HUP goes only to a master that has acted on WINCH (none of the workers from before still accepts), sleeps
/// with nothing pending, and has no fresh worker: so a HUP that was lost is repeated, and one that was not is
/// never doubled. A HUP that arrives together with WINCH would let nginx drain the workers that it starts.
fn revive(turn: &Turn<'_>, old: &Generation) -> Option<Decision> {
    let memory = turn.memory;
    if let Some(until_ms) = may_be_told_until(turn, old) {
        let is_hasty = turn.has(Defect::HupsIntoTheWinch) && memory.hups == 0;
        return Some(if is_hasty { hup(turn, old) } else { turn.wait(until_ms, Waiting::OldWorkersStop) });
    }
    if let Some(decision) = wake(turn, old) {
        return Some(decision);
    }
    // One from before that seems to serve has had its time: it has not heard of WINCH, which was never sent, and serves.
    let serving = old.workers().count();
    if is_enough(turn, old) {
        // Workers that are there and long overdue with their sockets are as good as they will get.
        let is_served = memory.winched_ms.is_none()
            || old.accepts_everywhere()
            || turn.has(Defect::RetiresBeforeTheyAccept);
        return if is_served {
            None
        } else {
            turn.patience(Missing::OldWorkers, REVIVE_MS_MAX, Waiting::OldWorkersBack)
        };
    }
    if memory.winched_ms.is_some() && !turn.has(Defect::ForgetsTheHup) {
        let is_calm = old.is_asleep || turn.has(Defect::HupsABusyMaster);
        // With the new master gone, nginx restarts its workers in the very wake-up that reaps it.
        let last_ms = memory.hupped_ms.filter(|_| !turn.has(Defect::RepeatsHupAtOnce));
        let again_ms = last_ms.map_or(0, |at| at.saturating_add(TITLE_MS_MAX));
        if serving == 0 && is_calm && turn.now_ms < again_ms {
            return Some(turn.wait(again_ms, Waiting::OldWorkersBack));
        }
        if serving == 0 && is_calm && memory.hups < TRIES_MAX {
            return Some(hup(turn, old));
        }
    }
    let (for_ms, why) = match old.is_asleep {
        // A worker that was told to go by another hand is forked again when it has drained.
        true if old.draining().next().is_some() => (RETIRE_DRAIN_MS, Waiting::OldWorkersBack),
        true => (REVIVE_MS_MAX, Waiting::OldWorkersBack),
        false => (ASLEEP_MS_MAX, Waiting::OldMasterAsleep),
    };
    let patience = turn.patience(Missing::OldWorkers, for_ms, why);
    Some(patience.unwrap_or_else(|| turn.finish(Outcome::Stuck(StuckState::OldWorkersMissing))))
}

/// Wakes an old master that sleeps while workers from before WINCH accept, if the new generation serves meanwhile.
///
/// WINCH was then never sent, or nginx has put it off: of HUP and WINCH that arrive together it does HUP first, which
/// starts workers, and leaves the rest to its next wake-up (`ngx_master_process_cycle`, `continue` behind
/// `ngx_start_worker_processes`, 1.14 to 1.31). Left alone, that would be the new master's end, and nobody would accept.
fn wake(turn: &Turn<'_>, old: &Generation) -> Option<Decision> {
    let memory = turn.memory;
    let may_be_put_off =
        memory.winched_ms.is_some() && old.workers().any(|worker| is_from_before(memory, worker));
    let is_known = memory.is_asked_again || turn.has(Defect::LetsTheWinchLie);
    if !may_be_put_off || is_known || memory.is_new_told || !turn.is_settled(old) {
        return None;
    }
    let new = turn.seen.new.as_ref().filter(|new| new.is_asleep && new.workers().next().is_some())?;
    let woken = Memory { is_asked_again: true, winched_ms: Some(turn.now_ms), ..memory.clone() };
    Some(retire(turn, old, Signal::Io, Some(new), woken))
}

/// HUP, sent while the new master lives, if it did: without it nginx has started workers by itself.
fn hup(turn: &Turn<'_>, old: &Generation) -> Decision {
    let memory = turn.memory;
    let hups = memory.hups.saturating_add(1);
    // Whoever is there before the first one is no sign of it, whatever it says that it is.
    let is_first = memory.hups == 0 && memory.winched_ms.is_some();
    let known = &memory.old_workers;
    let old_workers = if is_first { and_children(known, old) } else { known.clone() };
    let hupped = Memory { hupped_ms: Some(turn.now_ms), hups, missing: None, old_workers, ..memory.clone() };
    retire(turn, old, Signal::Hup, turn.seen.new.as_ref(), hupped)
}

/// Twice as many workers as before serve if the new master died while HUP was on its way, so that nginx has
/// started them and HUP once more. A reload, with no new binary, leaves the right number.
fn thin_out(turn: &Turn<'_>, old: &Generation) -> Option<Decision> {
    let Turn { memory, intent, .. } = *turn;
    let before = match memory.old_count {
        0 => intent.plan.old_workers,
        counted => counted,
    };
    // One that drains and was not told by WINCH was told by another hand, and is forked again, or by a reload. Before
    // WINCH that is everyone who drains, and anyone may be if nobody knows whether it was sent.
    let is_winch_sure = memory.winched_ms.is_some() && !memory.is_winch_unsure;
    let is_told = |worker: &&super::Process| {
        let before = memory.old_workers.iter().chain(&memory.old_draining);
        !is_winch_sure || !before.clone().any(|known| known.is_same_process(&worker.identity))
    };
    if old.draining().any(|worker| is_told(&worker))
        && let Some(decision) = turn.patience(Missing::FewerWorkers, RETIRE_DRAIN_MS, Waiting::OldWorkersStop)
    {
        return Some(decision);
    }
    let is_crowded = old.workers().count() > usize::from(before.max(intent.plan.new_workers));
    if !is_crowded && memory.is_winch_unsure {
        // One that drained may have gone in the middle of this look, and its master may be about to fork another: behind
        // the next look at a master that sleeps it has.
        return Some(Decision::Act(Action::Note, Memory { is_winch_unsure: false, ..memory.clone() }));
    }
    if !is_crowded || memory.hups >= 2 * TRIES_MAX || turn.has(Defect::LeavesDoubledWorkers) {
        return None;
    }
    let patience = turn.patience(Missing::FewerWorkers, TITLE_MS_MAX, Waiting::OldWorkersStop);
    Some(patience.unwrap_or_else(|| hup(turn, old)))
}

/// Until when a worker that seems to serve may have been told by WINCH to go, and not say so yet. Before the first
/// HUP even one that was forked since may have been there in time.
fn may_be_told_until(turn: &Turn<'_>, old: &Generation) -> Option<u64> {
    let memory = turn.memory;
    let until_ms = memory.winched_ms?.saturating_add(TITLE_MS_MAX);
    let may_be_told = |worker| memory.hups == 0 || is_from_before(memory, worker);
    (turn.now_ms < until_ms && old.workers().any(may_be_told)).then_some(until_ms)
}

/// True if the old workers are all that there will be: their master sleeps with nothing pending, and has only children
/// that have told what they are.
///
/// Preflight may have counted in the middle of a reload, when the workers from before it and those after it
/// both run. The configuration's number is the other bound.
fn is_enough(turn: &Turn<'_>, old: &Generation) -> bool {
    let plan = &turn.intent.plan;
    let promised = plan.old_workers.min(plan.new_workers).max(1);
    turn.is_settled(old) && old.workers().count() >= usize::from(promised)
}

fn is_from_before(memory: &Memory, worker: &super::Process) -> bool {
    memory.old_workers.iter().any(|known| known.is_same_process(&worker.identity))
}

/// The old master is gone too: nothing to go back to. If the new one is fit, the new file must stay, and a
/// later `oldbin rollback` changes the binary once more.
fn without_old(turn: &Turn<'_>) -> Decision {
    let Turn { intent, memory, seen, .. } = *turn;
    let Some(new) = &seen.new else { return no_master(turn) };
    let is_fit = new.master.title == Title::Master
        && new.master.identity.exe == Some(intent.plan.new_file)
        && new.workers().count() >= usize::from(intent.plan.new_workers)
        && turn.is_named(new)
        && new.is_asleep
        || turn.has(Defect::CommitsToTheUnfit);
    let is_new_told = memory.is_new_told && !turn.has(Defect::ForgetsItsOwnQuit);
    let is_going = is_new_told && new.draining().next().is_some();
    let note = |doubted_ms| Decision::Act(Action::Note, Memory { doubted_ms, ..memory.clone() });
    if !is_fit || is_going {
        if memory.doubted_ms.is_some() {
            return note(None);
        }
        let patience = turn.patience(Missing::NewWorkers, REVIVE_MS_MAX, Waiting::NewWorkers);
        return patience.unwrap_or_else(|| turn.finish(Outcome::Stuck(StuckState::OnlyUnfitNewMaster)));
    }
    // What was announced need not have been sent. If it was, a master that sleeps has read it, and its workers say
    // soon that they were told.
    match memory.doubted_ms.map(|since_ms| since_ms.saturating_add(TITLE_MS_MAX)) {
        None if is_new_told => return note(Some(turn.now_ms)),
        Some(heard_ms) if turn.now_ms < heard_ms => return turn.wait(heard_ms, Waiting::NewWorkers),
        None | Some(_) => {}
    }
    let is_installed = seen.binary == Some(intent.plan.new_file) || turn.is_foreign();
    if !is_installed && memory.tries < 2 * TRIES_MAX {
        return Decision::Act(Action::Replace(Side::New), memory.tried());
    }
    let memory = Memory {
        new: Some(new.master.identity.clone()),
        master: super::Retirement::NONE,
        ..memory.enter(super::Phase::Committing, turn.now_ms)
    };
    Decision::Act(Action::Note, memory)
}
