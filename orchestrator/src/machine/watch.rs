//! Behind the commit point, when everything is as it should be: a while in which the new generation is watched.
//!
//! Nothing can be undone here. If the new master dies now, the workers that it leaves go on serving, and the sooner
//! somebody knows, the better.

use super::decide::Turn;
use super::forward::look_again;
use super::{
    Action, Decision, Defect, Generation, Memory, Missing, Outcome, PID_FILE_MS_MAX, Phase, REVIVE_MS_MAX,
    StuckState, TITLE_MS_MAX, Waiting,
};

/// The end state is reached: the watch begins, or it is over.
pub(super) fn reached(turn: &Turn<'_>) -> Decision {
    if turn.intent.plan.options.watch_ms == 0 || turn.has(Defect::ForgetsTheWatch) {
        return turn.finish(outcome(turn));
    }
    Decision::Act(Action::Note, turn.memory.enter(Phase::Watching, turn.now_ms))
}

/// The new generation is watched.
pub(super) fn watch(turn: &Turn<'_>) -> Decision {
    let Turn { intent, seen, memory, .. } = *turn;
    let is_ours = |new: &&Generation| {
        let is_any = turn.has(Defect::WatchesAnybody);
        is_any || memory.new.as_ref().is_none_or(|known| known.is_same_process(&new.master.identity))
    };
    let Some(new) = seen.new.as_ref().filter(is_ours) else {
        return turn.finish(Outcome::Stuck(StuckState::NewMasterDiedAfterCommit));
    };
    if new.workers().count() < usize::from(intent.plan.new_workers) {
        let patience = turn.patience(Missing::NewWorkers, REVIVE_MS_MAX, Waiting::NewWorkers);
        return patience.unwrap_or_else(|| turn.finish(Outcome::Stuck(StuckState::NewWorkersMissing)));
    }
    // Somebody may have begun another upgrade by hand: then the new binary does not serve alone.
    if !turn.is_named(new) && !turn.has(Defect::IgnoresThePidFile) {
        let patience = turn.patience(Missing::PidFile, PID_FILE_MS_MAX, Waiting::PidFile);
        return patience.unwrap_or_else(|| turn.finish(Outcome::Stuck(StuckState::PidFileWrong)));
    }
    let watch_ms = intent.plan.options.watch_ms;
    if turn.is_over(watch_ms) || turn.is_interrupted() {
        // Workers that somebody's reload has told to go say so soon.
        let is_crowded = new.workers().count() > usize::from(intent.plan.new_workers) || !new.is_asleep;
        let patience = || turn.patience(Missing::FewerWorkers, TITLE_MS_MAX, Waiting::NewWorkers);
        return is_crowded.then(patience).flatten().unwrap_or_else(|| turn.finish(outcome(turn)));
    }
    if memory.missing.is_some() {
        return Decision::Act(Action::Note, Memory { missing: None, ..memory.clone() });
    }
    turn.wait(turn.after(watch_ms).min(look_again(turn)), Waiting::Watch)
}

/// The old master may have been left to its last connections.
fn outcome(turn: &Turn<'_>) -> Outcome {
    if turn.seen.old.is_some() { Outcome::Draining } else { Outcome::Upgraded }
}
