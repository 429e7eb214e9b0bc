//! From WINCH to the end of the old master: drain, soak, hold, the commit point, and what must be true
//! behind it.

use super::checks::{ended, unanswered};
use super::decide::Turn;
use super::forward::{identities, look_again, retire};
use super::ladder::{self, Climber, Rung};
use super::{
    ASK_AGAIN_MS, Action, Decision, Defect, Depth, Generation, Goal, Memory, Outcome, PID_FILE_MS_MAX, Phase,
    PidFile, Process, REVIVE_MS_MAX, Reason, Retire, Retirement, STOP_ACCEPTING_MS_MAX, Side, Signal,
    StuckState, TITLE_MS_MAX, TRIES_MAX, Title, Waiting, watch,
};

/// WINCH was announced: wait until no old worker accepts, and ask the probes.
pub(super) fn drain(turn: &Turn<'_>) -> Decision {
    let Turn { intent, memory, seen, .. } = *turn;
    if let Err(reason) = healthy(turn) {
        return turn.turn_back(reason);
    }
    let Some(old) = &seen.old else { return commit_happened(turn) };
    let has_begun = turn.has(Defect::SoaksBesideOldWorkers) && old.draining().next().is_some();
    // A worker that has not told yet what it is may serve, and a master that is not asleep may be about to fork one.
    let is_settled = turn.is_settled(old) || turn.has(Defect::DrainsABusyMaster);
    let may_repeat = memory.tries < TRIES_MAX && !turn.has(Defect::WinchesOnce);
    // Announced and perhaps never sent: then workers that another hand has told to go drain, and others follow them.
    if memory.is_winch_unsure && is_settled && may_repeat {
        return winch_again(turn, old);
    }
    if (old.workers().next().is_some() || !is_settled) && !has_begun {
        if turn.is_over(STOP_ACCEPTING_MS_MAX) && !turn.has(Defect::ForgetsTheStopDeadline) {
            return turn.turn_back(Reason::OldWorkersKeepAccepting);
        }
        let again_ms = TITLE_MS_MAX * u64::from(memory.tries + 1);
        if old.is_asleep && turn.is_over(again_ms) && may_repeat {
            return winch_again(turn, old);
        }
        let next_ms = if turn.is_over(again_ms) { STOP_ACCEPTING_MS_MAX } else { again_ms };
        return turn.wait(turn.after(next_ms.min(STOP_ACCEPTING_MS_MAX)), Waiting::OldWorkersStop);
    }
    match unanswered(turn, Depth::Thorough) {
        Some(decision) => decision,
        None if intent.plan.options.soak_ms == 0 => soaked(turn, old, memory),
        None => Decision::Act(Action::Note, memory.enter(Phase::Soaking, turn.now_ms)),
    }
}

/// WINCH once more, which nobody notices who has heard the first.
fn winch_again(turn: &Turn<'_>, old: &Generation) -> Decision {
    // Whoever looks for its effect must give it the time that the first one had.
    let memory = Memory { winched_ms: Some(turn.now_ms), is_winch_unsure: true, ..turn.memory.tried() };
    retire(turn, old, Signal::Winch, turn.seen.new.as_ref(), memory)
}

/// The new generation serves alone; the old master stands by.
pub(super) fn soak(turn: &Turn<'_>) -> Decision {
    if let Err(reason) = healthy(turn) {
        return turn.turn_back(reason);
    }
    let Some(old) = &turn.seen.old else { return commit_happened(turn) };
    let soak_ms = turn.intent.plan.options.soak_ms;
    let is_over = turn.is_over(soak_ms) || turn.has(Defect::ForgetsTheSoak);
    if !is_over && turn.intent.goal != Goal::Commit {
        let until_ms = turn.after(soak_ms);
        let is_asked = turn.intent.plan.can_ask(Depth::Brief);
        let next_ms =
            if is_asked { turn.now_ms.saturating_add(ASK_AGAIN_MS).min(until_ms) } else { until_ms };
        return unanswered(turn, Depth::Brief).unwrap_or_else(|| turn.wait(next_ms, Waiting::Soak));
    }
    unanswered(turn, Depth::Thorough).unwrap_or_else(|| soaked(turn, old, turn.memory))
}

/// The soak is over and the operator decides.
pub(super) fn hold(turn: &Turn<'_>) -> Decision {
    if let Err(reason) = healthy(turn) {
        return turn.turn_back(reason);
    }
    let Some(old) = &turn.seen.old else { return commit_happened(turn) };
    if let Some(decision) = unanswered(turn, Depth::Thorough) {
        return decision;
    }
    match turn.intent.goal {
        Goal::Commit => soaked(turn, old, turn.memory),
        Goal::Forward | Goal::Back => not_in_reserve(turn, old)
            .unwrap_or_else(|| Decision::Finished(Outcome::Held, turn.memory.clone())),
    }
}

/// Somebody else has sent HUP to the old master, and it serves again or is about to: then it is told to stop once more.
/// `None`: it is in reserve, without workers that accept.
fn not_in_reserve(turn: &Turn<'_>, old: &Generation) -> Option<Decision> {
    if turn.has(Defect::HoldsUnseen) {
        return None;
    }
    if old.workers().next().is_some() {
        return Some(Decision::Act(Action::Note, turn.memory.enter(Phase::Draining, turn.now_ms)));
    }
    (!turn.is_settled(old)).then(|| turn.wait(look_again(turn), Waiting::OldMasterAsleep))
}

/// Beyond the soak: wait for requests in flight, hold, or pass the commit point.
fn soaked(turn: &Turn<'_>, old: &Generation, memory: &Memory) -> Decision {
    let options = &turn.intent.plan.options;
    let is_held = options.is_held && !turn.has(Defect::ForgetsTheHold);
    if is_held && turn.intent.goal != Goal::Commit {
        let held = memory.enter(Phase::Held, turn.now_ms);
        return not_in_reserve(turn, old).unwrap_or(Decision::Finished(Outcome::Held, held));
    }
    let drained_at = options
        .drain_within_ms
        .map(|within_ms| memory.winched_ms.unwrap_or(memory.since_ms).saturating_add(within_ms));
    let draining = old.draining().count();
    if draining > 0 && drained_at.is_none_or(|at| turn.now_ms < at) {
        let until_ms = drained_at.unwrap_or(u64::MAX).min(look_again(turn));
        return turn.wait(until_ms, Waiting::OldWorkersDrain(draining));
    }
    // What is on its way to either of them may change what was seen.
    if !old.is_asleep && !turn.has(Defect::QuitsABusyMaster) {
        return turn.wait(look_again(turn), Waiting::OldMasterAsleep);
    }
    if turn.seen.new.as_ref().is_some_and(|new| !new.is_asleep) {
        return turn.wait(look_again(turn), Waiting::NewWorkers);
    }
    let told = Retirement { how: Retire::Quit, since_ms: turn.now_ms, is_repeated: false };
    let memory = Memory { master: told, ..memory.enter(Phase::Committing, turn.now_ms) };
    retire(turn, old, Signal::Quit, turn.seen.new.as_ref(), memory)
}

/// The commit point is passed: the old master goes, and one generation must be left.
pub(super) fn finish(turn: &Turn<'_>) -> Decision {
    let Turn { intent, memory, seen, .. } = *turn;
    if let Some(old) = &seen.old {
        if seen.new.is_none() && !turn.has(Defect::QuitsWithoutLooking) {
            return without_new(turn, old);
        }
        return leave(turn, old).unwrap_or_else(|| end_old(turn, old));
    }
    if turn.has(Defect::QuitsWithoutLooking) {
        return turn.finish(Outcome::Upgraded);
    }
    let Some(new) = &seen.new else {
        return turn.finish(Outcome::Stuck(StuckState::NewMasterDiedAfterCommit));
    };
    if memory.master != Retirement::NONE {
        // The old master is gone; what is missing now counts from here.
        let alone = Memory { since_ms: turn.now_ms, master: Retirement::NONE, ..memory.clone() };
        return Decision::Act(Action::Note, alone);
    }
    if turn.is_put_back() && !turn.has(Defect::LeavesTheOldFile) {
        if memory.tries < 2 * TRIES_MAX {
            return Decision::Act(Action::Replace(Side::New), memory.tried());
        }
        return turn.finish(Outcome::Stuck(StuckState::NewFileNotInstalled));
    }
    let is_left = seen.oldbin == PidFile::Pid(intent.plan.old.pid) && !turn.has(Defect::LeavesTheOldbinFile);
    if is_left && memory.tries < TRIES_MAX {
        return Decision::Act(Action::RemoveOldbin, memory.tried());
    }
    if !turn.is_named(new) {
        if turn.is_over(PID_FILE_MS_MAX) {
            return turn.finish(Outcome::Stuck(StuckState::PidFileWrong));
        }
        return turn.wait(turn.after(PID_FILE_MS_MAX), Waiting::PidFile);
    }
    if new.workers().count() < usize::from(intent.plan.new_workers) || !new.is_asleep {
        if turn.is_over(REVIVE_MS_MAX) {
            return turn.finish(Outcome::Stuck(StuckState::NewWorkersMissing));
        }
        return turn.wait(turn.after(REVIVE_MS_MAX), Waiting::NewWorkers);
    }
    end_orphans(turn, new, StuckState::OldMasterStays).unwrap_or_else(|| watch::reached(turn))
}

/// The new master died beyond the commit point. A master that was told to quit starts no workers, or tells those
/// that it has to go; if the old one still has some when it must have heard, QUIT was announced and never sent,
/// and it serves again. Until that is certain the workers that the new one has left are all that serves.
fn without_new(turn: &Turn<'_>, old: &Generation) -> Decision {
    let memory = turn.memory;
    let is_new =
        |child: &Process| memory.new.as_ref().is_some_and(|new| new.is_same_process(&child.identity));
    let heard_ms = memory.master.since_ms.saturating_add(TITLE_MS_MAX);
    let may_hear = turn.now_ms < heard_ms && !turn.has(Defect::JudgesQuitAtOnce);
    if may_hear || !old.is_asleep || old.children.iter().any(is_new) {
        return turn.wait(look_again(turn), Waiting::OldMasterEnd);
    }
    if old.workers().next().is_some() {
        return turn.turn_back(Reason::NewMasterDied);
    }
    turn.finish(Outcome::Stuck(StuckState::NewMasterDiedAfterCommit))
}

/// The old master waits for connections longer than the operator wants to wait, who would not have them cut: it is left
/// to them, if the new generation is what it should be.
fn leave(turn: &Turn<'_>, old: &Generation) -> Option<Decision> {
    let Turn { intent, memory, seen, .. } = *turn;
    let options = &intent.plan.options;
    let began_ms = memory.winched_ms.unwrap_or(memory.since_ms);
    let is_late = options.drain_within_ms.is_some_and(|ms| turn.now_ms >= began_ms.saturating_add(ms));
    let is_draining = old.draining().next().is_some() && old.workers().next().is_none();
    let is_fit = |new: &Generation| {
        new.is_asleep && new.workers().count() >= usize::from(intent.plan.new_workers) && turn.is_named(new)
    };
    let may_leave = options.leaves_drain && is_late && is_draining && seen.new.as_ref().is_some_and(is_fit);
    if !may_leave || !old.is_asleep {
        return None;
    }
    // QUIT may have been announced and never sent, and nobody would look any more. It does no harm twice.
    if !memory.master.is_repeated && !turn.has(Defect::LeavesTheUntold) {
        let told = Retirement { how: Retire::Quit, since_ms: turn.now_ms, is_repeated: true };
        return Some(retire(
            turn,
            old,
            Signal::Quit,
            seen.new.as_ref(),
            Memory { master: told, ..memory.clone() },
        ));
    }
    Some(watch::reached(turn))
}

/// The old master was told to quit; with a drain limit, or with nobody left who drains, it is told to hurry.
fn end_old(turn: &Turn<'_>, old: &Generation) -> Decision {
    let memory = turn.memory;
    let options = &turn.intent.plan.options;
    let is_cut = !options.leaves_drain || turn.has(Defect::CutsWhatIsToBeLeft);
    let limit_ms = options.drain_within_ms.filter(|_| is_cut);
    let drain_ms = limit_ms.map_or(u64::MAX, |within_ms| {
        let end_ms = memory.winched_ms.unwrap_or(memory.since_ms).saturating_add(within_ms);
        end_ms.saturating_sub(memory.master.since_ms)
    });
    let is_idle = old.is_asleep && old.children.iter().all(|child| child.title == Title::Master);
    // Who was told to quit has told its workers. If one accepts, QUIT was announced and not sent, and somebody else has
    // sent HUP.
    let is_serving = old.is_asleep && old.workers().next().is_some() && !turn.has(Defect::WaitsForTheUntold);
    // It had its WINCH long ago.
    let who = Climber {
        drain_ms,
        is_loading: false,
        seems_untold: is_idle || is_serving,
        has_accepting_workers: false,
        is_idle,
        defects: turn.intent.defects,
    };
    match ladder::next(memory.master, who, turn.now_ms) {
        Rung::Send(how, master) => {
            retire(turn, old, how, turn.seen.new.as_ref(), Memory { master, ..memory.clone() })
        }
        Rung::Wait(until_ms) => turn.wait(until_ms.min(look_again(turn)), Waiting::OldMasterEnd),
        Rung::GiveUp => turn.finish(Outcome::Stuck(StuckState::OldMasterStays)),
    }
}

/// Workers without a master accept for ever; each is told by its handle, while `serving` has its own.
pub(super) fn end_orphans(turn: &Turn<'_>, serving: &Generation, stuck: StuckState) -> Option<Decision> {
    let Turn { intent, memory, seen, .. } = *turn;
    let orphans = || seen.orphans.iter().filter(|orphan| orphan.title != Title::Other);
    if orphans().next().is_none() || turn.has(Defect::IgnoresOrphans) {
        return None;
    }
    let is_untitled =
        |orphan: &&Process| orphan.title == Title::Master && !turn.has(Defect::MistakesAForkForAnOrphan);
    let (untitled, workers): (Vec<_>, Vec<_>) = orphans().partition(is_untitled);
    if !untitled.is_empty() {
        // Forked right before its master's end: it shows the title of a worker soon, or is none.
        let until_ms = memory.doubted_ms.map(|at| at.saturating_add(TITLE_MS_MAX));
        match until_ms {
            None => {
                let doubting = Memory { doubted_ms: Some(turn.now_ms), ..memory.clone() };
                return Some(Decision::Act(Action::Note, doubting));
            }
            Some(until_ms) if turn.now_ms < until_ms => {
                return Some(turn.wait(until_ms, Waiting::Orphans(seen.orphans.len())));
            }
            Some(_) if workers.is_empty() => return None,
            Some(_) => {}
        }
    }
    let drain_ms = intent.plan.options.drain_within_ms.unwrap_or(super::RETIRE_DRAIN_MS);
    let seems_untold = workers.iter().any(|orphan| orphan.title == Title::Worker);
    let who = Climber {
        drain_ms,
        is_loading: false,
        seems_untold,
        has_accepting_workers: false,
        is_idle: false,
        defects: intent.defects,
    };
    Some(match ladder::next(memory.orphans, who, turn.now_ms) {
        Rung::Send(signal, orphans) => {
            let processes = identities(workers.iter().copied());
            let while_lives = serving.master.identity.clone();
            let action = Action::SignalOrphans { processes, signal, while_lives };
            Decision::Act(action, Memory { orphans, ..memory.clone() })
        }
        Rung::Wait(until_ms) => turn.wait(until_ms, Waiting::Orphans(seen.orphans.len())),
        Rung::GiveUp => turn.finish(Outcome::Stuck(stuck)),
    })
}

/// The old master died by another hand while the new generation was fit.
fn commit_happened(turn: &Turn<'_>) -> Decision {
    Decision::Act(Action::Note, turn.memory.enter(Phase::Committing, turn.now_ms))
}

/// Before the commit point: is the new generation the one that was ready, and does anybody want to stop?
fn healthy(turn: &Turn<'_>) -> Result<(), Reason> {
    let Turn { intent, memory, seen, .. } = *turn;
    if turn.is_interrupted() {
        return Err(Reason::Interrupted);
    }
    if intent.goal == Goal::Back {
        return Err(Reason::Asked);
    }
    if turn.is_put_back() {
        return Err(Reason::Changed("the old binary is at its path again".to_owned()));
    }
    if turn.has(Defect::CommitsToTheDead) {
        return Ok(());
    }
    let Some(new) = &seen.new else { return Err(Reason::NewMasterDied) };
    let is_new = memory.new.as_ref().is_some_and(|known| known.is_same_process(&new.master.identity));
    if !is_new {
        return Err(Reason::NewMasterDied);
    }
    // A held upgrade may be reloaded meanwhile; its workers need not be those that were ready.
    let ended = if memory.phase == Phase::Held { 0 } else { ended(turn) };
    if memory.failures.saturating_add(ended) > intent.plan.options.forgiven {
        return Err(Reason::NewWorkerDied);
    }
    Ok(())
}
