//! Forward, up to the first step that clients could notice: the new file, USR2, and the wait for workers
//! of the new generation that accept.

use super::checks::too_much;
use super::decide::Turn;
use super::{
    ASK_AGAIN_MS, ASLEEP_MS_MAX, Action, Answers, Decision, Defect, Depth, Generation, Goal, Identity,
    LOOK_AGAIN_MS, Memory, Missing, Outcome, PID_FILE_MS_MAX, Phase, PidFile, Process, Reason, Side, Signal,
    StuckState, TITLE_MS_MAX, Title, Waiting,
};

/// Nothing was touched: is the world still as the plan says?
pub(super) fn plan(turn: &Turn<'_>) -> Decision {
    if let Err(reason) = unchanged(turn) {
        return turn.refuse(reason);
    }
    if turn.seen.binary == Some(turn.intent.plan.new_file) {
        return Decision::Act(Action::Note, turn.memory.enter(Phase::Installing, turn.now_ms));
    }
    if turn.seen.binary != Some(turn.intent.plan.binary_before) {
        return turn.refuse(Reason::Changed("another file is at the binary's path".to_owned()));
    }
    let memory = turn.memory.enter(Phase::Installing, turn.now_ms);
    Decision::Act(Action::Replace(Side::New), memory)
}

/// The new file was announced. Then USR2, at most once, to a master that is sure to take it.
pub(super) fn install(turn: &Turn<'_>) -> Decision {
    if let Err(reason) = unchanged(turn) {
        return turn.turn_back(reason);
    }
    let is_installed =
        turn.seen.binary == Some(turn.intent.plan.new_file) || turn.has(Defect::StartsWhateverIsThere);
    if !is_installed && turn.is_foreign() {
        return turn.turn_back(Reason::Changed("another file is at the binary's path".to_owned()));
    }
    if !is_installed {
        return Decision::Act(Action::Replace(Side::New), turn.memory.tried());
    }
    let Some(old) = &turn.seen.old else {
        return turn.turn_back(Reason::Changed("the master has gone".to_owned()));
    };
    if !old.is_asleep && !turn.has(Defect::ChangesABusyMaster) {
        if turn.is_over(ASLEEP_MS_MAX) {
            return turn.turn_back(Reason::OldMasterBusy);
        }
        return turn.wait(turn.after(ASLEEP_MS_MAX), Waiting::OldMasterAsleep);
    }
    // Workers that a reload has told to go may not say so yet, and would be counted.
    let is_crowded = old.workers().count() > usize::from(turn.intent.plan.new_workers);
    if is_crowded && !turn.is_over(TITLE_MS_MAX) && !turn.has(Defect::CountsDepartingWorkers) {
        return turn.wait(turn.after(TITLE_MS_MAX), Waiting::OldWorkersStop);
    }
    let memory = Memory {
        old_count: u16::try_from(old.workers().count()).unwrap_or(u16::MAX),
        old_workers: identities(old.workers()),
        ..turn.memory.enter(Phase::Changing, turn.now_ms)
    };
    signal(&old.master.identity, Signal::Usr2, memory)
}

/// USR2 was announced: wait for a generation that is fit to serve alone.
pub(super) fn change(turn: &Turn<'_>) -> Decision {
    let Turn { intent, memory, seen, .. } = *turn;
    if turn.is_interrupted() {
        return turn.turn_back(Reason::Interrupted);
    }
    if intent.goal == Goal::Back {
        return turn.turn_back(Reason::Asked);
    }
    let Some(old) = &seen.old else { return without_old(turn) };
    if turn.is_put_back() {
        return turn.turn_back(Reason::Changed("the old binary is at its path again".to_owned()));
    }
    if turn.has(Defect::QuitsWithoutLooking) && seen.oldbin == PidFile::Pid(old.master.identity.pid) {
        return signal(&old.master.identity, Signal::Quit, memory.enter(Phase::Committing, turn.now_ms));
    }
    let Some(new) = &seen.new else { return not_started(turn, old) };
    let has_wishes = !intent.plan.options.probes.is_empty() || !intent.plan.options.checks.is_empty();
    let missing = match unready(turn, new) {
        // Whatever it was told before, such as to reload, it does before WINCH, and not with it.
        Ok(()) if !old.is_asleep && !turn.has(Defect::WinchesABusyMaster) => {
            (Waiting::OldMasterAsleep, "the old master is busy".to_owned())
        }
        Ok(()) => match &seen.answers {
            None if has_wishes => return Decision::Ask(Depth::Brief),
            Some(Answers { failed: Some(how), .. }) => (Waiting::Probe, how.clone()),
            None | Some(_) => {
                if let Some(reason) = seen.answers.as_ref().and_then(|answers| too_much(turn, answers)) {
                    return turn.turn_back(reason);
                }
                let memory = Memory {
                    new: Some(new.master.identity.clone()),
                    new_workers: identities(new.workers()),
                    old_workers: identities(old.workers()),
                    old_draining: identities(old.draining()),
                    winched_ms: (!turn.has(Defect::ForgetsTheWinch)).then_some(turn.now_ms),
                    is_winch_unsure: true,
                    is_asked_again: false,
                    ..memory.enter(Phase::Draining, turn.now_ms)
                };
                return retire(turn, old, Signal::Winch, Some(new), memory);
            }
        },
        Err(Unready::Never(reason)) => {
            // Should it die, its workers are known by what it executes.
            let known = Memory { new: Some(new.master.identity.clone()), ..memory.clone() };
            return Decision::Act(Action::Note, known.turn_back(reason, turn.now_ms));
        }
        Err(Unready::NotYet(why, missing)) => (why, missing),
    };
    not_ready(turn, missing.0, missing.1)
}

/// What keeps a new generation from serving alone.
enum Unready {
    NotYet(Waiting, String),
    Never(Reason),
}

/// True readiness, all of it in one observation: the pid file is written before the first worker is forked,
/// so it proves nothing by itself.
fn unready(turn: &Turn<'_>, new: &Generation) -> Result<(), Unready> {
    let plan = &turn.intent.plan;
    let not_yet = |why, missing: &str| Err(Unready::NotYet(why, missing.to_owned()));
    if new.master.title != Title::Master {
        return not_yet(Waiting::NewMaster, "it still loads");
    }
    if new.master.identity.exe != Some(plan.new_file) {
        return Err(Unready::Never(Reason::WrongBinary));
    }
    if !turn.is_named(new) {
        return not_yet(Waiting::NewMaster, "the pid file does not name the new master");
    }
    if turn.has(Defect::BelievesThePidFile) {
        return Ok(());
    }
    if !new.is_asleep {
        return not_yet(Waiting::NewWorkers, "it is still starting workers");
    }
    let workers = new.workers().count();
    let wanted = if turn.has(Defect::AcceptsTheFirstWorker) { 1 } else { usize::from(plan.new_workers) };
    if workers < wanted {
        let missing = format!("{workers} of {} workers run", plan.new_workers);
        return Err(Unready::NotYet(Waiting::NewWorkers, missing));
    }
    let may_drop = plan.options.may_drop_listeners || turn.has(Defect::SkipsTheAudit);
    if !may_drop && !new.accepts_everywhere() {
        let count = new.unserved.as_ref().map_or(0, Vec::len);
        let missing = format!("none of its workers accepts on {count} of the old listening sockets");
        return Err(Unready::NotYet(Waiting::NewWorkers, missing));
    }
    Ok(())
}

/// No child of the old master executes another file.
fn not_started(turn: &Turn<'_>, old: &Generation) -> Decision {
    let is_changing = |child: &Process| matches!(child.title, Title::Master | Title::Other);
    let is_idle = !old.children.iter().any(is_changing) && old.is_asleep;
    if is_idle && !turn.is_named(old) && !turn.has(Defect::RepeatsUsr2AtOnce) {
        // It may have been read right before the file was renamed back. Longer, and there was none to rename: nginx then
        // starts nothing, and a second USR2 would do no better.
        let patience = turn.patience(Missing::PidFile, PID_FILE_MS_MAX, Waiting::PidFile);
        return patience.unwrap_or_else(|| turn.turn_back(Reason::PidFileLost));
    }
    let is_over = turn.has(Defect::RepeatsUsr2AtOnce) || is_idle;
    if !is_over {
        return not_ready(turn, Waiting::NewMaster, "it has not appeared".to_owned());
    }
    if turn.memory.is_asked_again || turn.has(Defect::SendsUsr2Once) {
        return turn.turn_back(Reason::NotStarted);
    }
    // It may never have been sent, if `oldbin` was killed then. A master that had just started may have set USR2's
    // flag before its first sleep; any wake-up makes it act on that. And a new binary that has exited already is
    // started once more, which nobody notices. It sleeps and has no such child, so it cannot start two.
    let memory = Memory { is_asked_again: true, missing: None, ..turn.memory.clone() };
    signal(&old.master.identity, Signal::Usr2, memory)
}

/// The old master died by another hand. If the new one is fit, the upgrade has happened.
fn without_old(turn: &Turn<'_>) -> Decision {
    let Some(new) = &turn.seen.new else { return no_master(turn) };
    let readiness = if turn.has(Defect::TakesOverUnready) { Ok(()) } else { unready(turn, new) };
    match readiness {
        Ok(()) => {
            let memory = Memory {
                new: Some(new.master.identity.clone()),
                new_workers: identities(new.workers()),
                ..turn.memory.enter(Phase::Committing, turn.now_ms)
            };
            Decision::Act(Action::Note, memory)
        }
        Err(Unready::Never(_)) => turn.finish(Outcome::Stuck(StuckState::OnlyUnfitNewMaster)),
        Err(Unready::NotYet(..)) if turn.is_over(turn.intent.plan.options.ready_within_ms) => {
            turn.finish(Outcome::Stuck(StuckState::OnlyUnfitNewMaster))
        }
        Err(Unready::NotYet(why, _)) => turn.wait(turn.after(turn.intent.plan.options.ready_within_ms), why),
    }
}

/// Neither master is to be seen. One that has just been executed shows itself soon.
pub(super) fn no_master(turn: &Turn<'_>) -> Decision {
    let patience = turn.patience(Missing::NewMaster, TITLE_MS_MAX, Waiting::NewMaster);
    patience.unwrap_or_else(|| turn.finish(Outcome::Stuck(StuckState::NoMaster)))
}

/// Waits for a ready generation, within the operator's limit. Who it is, is remembered: should the old master
/// die now, nobody could tell.
fn not_ready(turn: &Turn<'_>, why: Waiting, missing: String) -> Decision {
    let after_ms = turn.intent.plan.options.ready_within_ms;
    if turn.is_over(after_ms) && !turn.has(Defect::ForgetsTheReadyDeadline) {
        return turn.turn_back(Reason::NotReady { after_ms, missing });
    }
    let new = turn.seen.new.as_ref().map(|new| &new.master.identity);
    if let Some(new) = new.filter(|new| !turn.memory.new.as_ref().is_some_and(|it| it.is_same_process(new))) {
        let known = Memory { new: Some(new.clone()), ..turn.memory.clone() };
        return Decision::Act(Action::Note, known);
    }
    let until_ms = turn.after(after_ms);
    let again_ms = if why == Waiting::Probe { turn.now_ms.saturating_add(ASK_AGAIN_MS) } else { until_ms };
    turn.wait(again_ms.min(until_ms), why)
}

/// What must still be so before the first signal.
fn unchanged(turn: &Turn<'_>) -> Result<(), Reason> {
    let changed = |what: &str| Err(Reason::Changed(what.to_owned()));
    let plan = &turn.intent.plan;
    if turn.is_interrupted() {
        return Err(Reason::Interrupted);
    }
    if turn.intent.goal == Goal::Back {
        return Err(Reason::Asked);
    }
    let Some(old) = &turn.seen.old else { return changed("the master has gone") };
    if turn.has(Defect::TrustsPreflight) {
        return Ok(());
    }
    if !turn.is_named(old) {
        return changed("the pid file no longer names the master");
    }
    if old.workers().next().is_none() {
        return changed("none of the master's workers serves");
    }
    if turn.seen.oldbin != plan.oldbin_before {
        return changed("an oldbin file appeared: somebody else upgrades");
    }
    if turn.seen.new.is_some() {
        return changed("the master already has a child that runs another binary");
    }
    Ok(())
}

/// A signal that takes nobody away who serves.
pub(super) fn signal(process: &Identity, signal: Signal, memory: Memory) -> Decision {
    Decision::Act(Action::Signal { process: process.clone(), signal, while_lives: None }, memory)
}

/// A signal that takes a generation away, sent only while the master of the other one lives.
pub(super) fn retire(
    turn: &Turn<'_>,
    generation: &Generation,
    signal: Signal,
    other: Option<&Generation>,
    memory: Memory,
) -> Decision {
    let process = generation.master.identity.clone();
    let while_lives = other.map(|other| other.master.identity.clone());
    let while_lives = while_lives.filter(|_| !turn.has(Defect::SendsUnconditionally));
    Decision::Act(Action::Signal { process, signal, while_lives }, memory)
}

/// Who these are.
pub(super) fn identities<'a>(processes: impl Iterator<Item = &'a Process>) -> Vec<Identity> {
    let mut all: Vec<_> = processes.map(|process| process.identity.clone()).collect();
    all.sort();
    all
}

/// When to look again if nothing else says so.
pub(super) fn look_again(turn: &Turn<'_>) -> u64 {
    turn.now_ms.saturating_add(LOOK_AGAIN_MS)
}
