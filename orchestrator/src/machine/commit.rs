//! From WINCH to the end of the old master: drain, soak, hold, the commit point, and what must be true
//! behind it.

use super::decide::Turn;
use super::forward::{identities, look_again, retire};
use super::ladder::{self, Climber, Rung};
use super::{
    Action, Decision, Generation, Goal, Memory, Outcome, PID_FILE_MS_MAX, PROBE_PATIENCE_MS, Phase, PidFile,
    Probes, Process, REVIVE_MS_MAX, Reason, Retire, Retirement, STOP_ACCEPTING_MS_MAX, Side, Signal,
    StuckState, TITLE_MS_MAX, TRIES_MAX, Title, Waiting,
};

/// WINCH was announced: wait until no old worker accepts, and ask the probes.
pub(super) fn drain(turn: &Turn<'_>) -> Decision {
    let Turn { intent, memory, seen, .. } = *turn;
    if let Err(reason) = healthy(turn) {
        return turn.turn_back(reason);
    }
    let Some(old) = &seen.old else { return commit_happened(turn) };
    if old.workers().next().is_some() {
        if turn.is_over(STOP_ACCEPTING_MS_MAX) {
            return turn.turn_back(Reason::OldWorkersKeepAccepting);
        }
        let again_ms = TITLE_MS_MAX * u64::from(memory.tries + 1);
        if old.is_asleep && turn.is_over(again_ms) && memory.tries < TRIES_MAX {
            return retire(old, Signal::Winch, seen.new.as_ref(), memory.tried());
        }
        let next_ms = if turn.is_over(again_ms) { STOP_ACCEPTING_MS_MAX } else { again_ms };
        return turn.wait(turn.after(next_ms.min(STOP_ACCEPTING_MS_MAX)), Waiting::OldWorkersStop);
    }
    match unanswered(turn) {
        Some(decision) => decision,
        None if intent.plan.options.soak_ms == 0 => soaked(turn, old, memory),
        None => Decision::Act(Action::Note, memory.enter(Phase::Soaking, turn.now_ms)),
    }
}

/// The new generation serves alone; the old master stands by.
pub(super) fn soak(turn: &Turn<'_>) -> Decision {
    if let Err(reason) = healthy(turn) {
        return turn.turn_back(reason);
    }
    let Some(old) = &turn.seen.old else { return commit_happened(turn) };
    let soak_ms = turn.intent.plan.options.soak_ms;
    if !turn.is_over(soak_ms) && turn.intent.goal != Goal::Commit {
        return turn.wait(turn.after(soak_ms), Waiting::Soak);
    }
    unanswered(turn).unwrap_or_else(|| soaked(turn, old, turn.memory))
}

/// The soak is over and the operator decides.
pub(super) fn hold(turn: &Turn<'_>) -> Decision {
    if let Err(reason) = healthy(turn) {
        return turn.turn_back(reason);
    }
    let Some(old) = &turn.seen.old else { return commit_happened(turn) };
    if let Some(decision) = unanswered(turn) {
        return decision;
    }
    match turn.intent.goal {
        Goal::Commit => soaked(turn, old, turn.memory),
        Goal::Forward | Goal::Back => Decision::Finished(Outcome::Held, turn.memory.clone()),
    }
}

/// Beyond the soak: wait for requests in flight, hold, or pass the commit point.
fn soaked(turn: &Turn<'_>, old: &Generation, memory: &Memory) -> Decision {
    let options = &turn.intent.plan.options;
    if options.is_held && turn.intent.goal != Goal::Commit {
        let held = memory.enter(Phase::Held, turn.now_ms);
        return Decision::Finished(Outcome::Held, held);
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
    if !old.is_asleep {
        return turn.wait(look_again(turn), Waiting::OldMasterAsleep);
    }
    if turn.seen.new.as_ref().is_some_and(|new| !new.is_asleep) {
        return turn.wait(look_again(turn), Waiting::NewWorkers);
    }
    let told = Retirement { how: Retire::Quit, since_ms: turn.now_ms, is_repeated: false };
    let memory = Memory { master: told, ..memory.enter(Phase::Committing, turn.now_ms) };
    retire(old, Signal::Quit, turn.seen.new.as_ref(), memory)
}

/// The commit point is passed: the old master goes, and one generation must be left.
pub(super) fn finish(turn: &Turn<'_>) -> Decision {
    let Turn { intent, memory, seen, .. } = *turn;
    if let Some(old) = &seen.old {
        if seen.new.is_none() && !intent.defects.quits_without_looking {
            return without_new(turn, old);
        }
        return end_old(turn, old);
    }
    if intent.defects.quits_without_looking {
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
    if turn.is_put_back() {
        if memory.tries < 2 * TRIES_MAX {
            return Decision::Act(Action::Replace(Side::New), memory.tried());
        }
        return turn.finish(Outcome::Stuck(StuckState::NewFileNotInstalled));
    }
    if seen.oldbin == PidFile::Pid(intent.plan.old.pid) && memory.tries < TRIES_MAX {
        return Decision::Act(Action::RemoveOldbin, memory.tried());
    }
    if seen.pid_file != PidFile::Pid(new.master.identity.pid) {
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
    end_orphans(turn, new, StuckState::OldMasterStays).unwrap_or_else(|| turn.finish(Outcome::Upgraded))
}

/// The new master died beyond the commit point. A master that was told to quit starts no workers, or tells those
/// that it has to go; if the old one still has some when it must have heard, QUIT was announced and never sent,
/// and it serves again. Until that is certain the workers that the new one has left are all that serves.
fn without_new(turn: &Turn<'_>, old: &Generation) -> Decision {
    let memory = turn.memory;
    let is_new =
        |child: &Process| memory.new.as_ref().is_some_and(|new| new.is_same_process(&child.identity));
    let heard_ms = memory.master.since_ms.saturating_add(TITLE_MS_MAX);
    if turn.now_ms < heard_ms || !old.is_asleep || old.children.iter().any(is_new) {
        return turn.wait(look_again(turn), Waiting::OldMasterEnd);
    }
    if old.workers().next().is_some() {
        return turn.turn_back(Reason::NewMasterDied);
    }
    turn.finish(Outcome::Stuck(StuckState::NewMasterDiedAfterCommit))
}

/// The old master was told to quit; with a drain limit, or with nobody left who drains, it is told to hurry.
fn end_old(turn: &Turn<'_>, old: &Generation) -> Decision {
    let memory = turn.memory;
    let drain_ms = turn.intent.plan.options.drain_within_ms.map_or(u64::MAX, |within_ms| {
        let end_ms = memory.winched_ms.unwrap_or(memory.since_ms).saturating_add(within_ms);
        end_ms.saturating_sub(memory.master.since_ms)
    });
    let seems_untold = old.is_asleep && old.children.iter().all(|child| child.title == Title::Master);
    // It had its WINCH long ago.
    let who = Climber {
        drain_ms,
        is_loading: false,
        seems_untold,
        has_accepting_workers: false,
        is_idle: seems_untold,
    };
    match ladder::next(memory.master, who, turn.now_ms) {
        Rung::Send(how, master) => {
            retire(old, how, turn.seen.new.as_ref(), Memory { master, ..memory.clone() })
        }
        Rung::Wait(until_ms) => turn.wait(until_ms.min(look_again(turn)), Waiting::OldMasterEnd),
        Rung::GiveUp => turn.finish(Outcome::Stuck(StuckState::OldMasterStays)),
    }
}

/// Workers without a master accept for ever; each is told by its handle, while `serving` has its own.
pub(super) fn end_orphans(turn: &Turn<'_>, serving: &Generation, stuck: StuckState) -> Option<Decision> {
    let Turn { intent, memory, seen, .. } = *turn;
    let orphans = || seen.orphans.iter().filter(|orphan| orphan.title != Title::Other);
    if orphans().next().is_none() || intent.defects.ignores_orphans {
        return None;
    }
    let (untitled, workers): (Vec<_>, Vec<_>) = orphans().partition(|orphan| orphan.title == Title::Master);
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
    let who =
        Climber { drain_ms, is_loading: false, seems_untold, has_accepting_workers: false, is_idle: false };
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
    if seen.is_interrupted {
        return Err(Reason::Interrupted);
    }
    if intent.goal == Goal::Back {
        return Err(Reason::Asked);
    }
    if turn.is_put_back() {
        return Err(Reason::Changed("the old binary is at its path again".to_owned()));
    }
    let Some(new) = &seen.new else { return Err(Reason::NewMasterDied) };
    let is_new = memory.new.as_ref().is_some_and(|known| known.is_same_process(&new.master.identity));
    if !is_new {
        return Err(Reason::NewMasterDied);
    }
    let is_alive = |known: &super::Identity| {
        let is_it = |worker: &Process| worker.identity.is_same_process(known);
        new.workers().any(is_it)
    };
    // A held upgrade may be reloaded meanwhile; its workers need not be those that were ready.
    if memory.phase != Phase::Held && !memory.new_workers.iter().all(is_alive) {
        return Err(Reason::NewWorkerDied);
    }
    Ok(())
}

/// Asks for the workers, the sockets and the probes, with a little patience. `None`: the new generation has
/// its workers, accepts everywhere and answers.
///
/// One look at the sockets proves no loss: to balance its load, a worker now and then takes its listener
/// out of the epoll set and puts it back (`ngx_reorder_accept_events`, nginx 1.21.6).
fn unanswered(turn: &Turn<'_>) -> Option<Decision> {
    let Turn { intent, memory, seen, now_ms } = *turn;
    let options = &intent.plan.options;
    let lost = seen.new.as_ref().and_then(|new| new.unserved.as_ref()).map_or(0, Vec::len);
    let workers = seen.new.as_ref().map_or(0, |new| new.workers().count());
    let (why, reason) = match &seen.probes {
        _ if workers < usize::from(intent.plan.new_workers) => (Waiting::NewWorkers, Reason::NewWorkerDied),
        _ if lost > 0 && !options.may_drop_listeners => (Waiting::NewWorkers, Reason::ListenerLost(lost)),
        Probes::Unasked if !options.probes.is_empty() => return Some(Decision::Probe),
        Probes::Failed(how) => (Waiting::Probe, Reason::ProbeFailed(how.clone())),
        Probes::Unasked | Probes::Passed => {
            let calm = Memory { doubted_ms: None, ..memory.clone() };
            return memory.doubted_ms.map(|_| Decision::Act(Action::Note, calm));
        }
    };
    Some(match memory.doubted_ms {
        None => Decision::Act(Action::Note, Memory { doubted_ms: Some(now_ms), ..memory.clone() }),
        Some(at) if now_ms >= at.saturating_add(PROBE_PATIENCE_MS) => turn.turn_back(reason),
        Some(at) => turn.wait(at.saturating_add(PROBE_PATIENCE_MS), why),
    })
}
