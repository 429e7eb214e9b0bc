//! Asking the new generation: whether it has its workers, accepts everywhere and answers, and how often it may
//! fail before it has to go.
//!
//! Failures are counted from the first answer to the commit point: a probe or a check that fails twice running, a
//! worker that ends, a line at `alert` or `emerg` of the new generation in the error log, a connection that a full
//! queue dropped. One more than the operator forgives, and the way back is taken.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::decide::Turn;
use super::forward::identities;
use super::{
    ASK_AGAIN_MS, Action, DOUBT_MS_MAX, Decision, Defect, FileId, Identity, Memory, Phase, Plan, Process,
    Reason, Waiting,
};

/// What the running binary is like before anything is touched.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// How long each probe took, in microseconds, in the order of the probes.
    pub probes_us: Vec<u64>,
    /// Listening sockets, by inode, from which a connection was taken.
    pub knocked: Vec<u64>,
    /// The error log, if it is a file that can be read.
    pub log: Option<LogMark>,
    /// What had been dropped at the listening sockets; `None`: the kernel does not tell.
    pub dropped: Option<Drops>,
}

/// Two counts of the kernel, neither of which says alone that a full queue cost one of these sockets a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drops {
    /// Packets that the listening sockets did not take: also a reset that came late, and the last packet of a
    /// handshake where `deferred` waits for data.
    pub packets: u64,
    /// Connections for which some accept queue of this network namespace had no room.
    pub overflows: u64,
}

impl Drops {
    /// How many connections full queues of these sockets have cost since, at most.
    #[must_use]
    pub fn since(&self, before: &Self) -> u64 {
        let packets = self.packets.saturating_sub(before.packets);
        packets.min(self.overflows.saturating_sub(before.overflows))
    }
}

/// A place in a log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogMark {
    /// Where it is.
    pub path: PathBuf,
    /// Which file that was.
    pub file: FileId,
    /// How long it was, in bytes.
    pub length: u64,
}

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// Probes, checks and the log: as often as one likes.
    Brief,
    /// Also a connection to each listening socket, which some servers behind a proxy would notice.
    Thorough,
}

/// What was learned by asking.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// The first that failed, and how.
    pub failed: Option<String>,
    /// Everything that has gone wrong since preflight and stays so: lines of the log, dropped connections.
    pub troubles: Vec<String>,
}

impl Plan {
    /// True if there is anything to ask for at this depth.
    #[must_use]
    pub fn can_ask(&self, depth: Depth) -> bool {
        let has_wishes = !self.options.probes.is_empty() || !self.options.checks.is_empty();
        let Baseline { knocked, log, dropped, .. } = &self.baseline;
        has_wishes || log.is_some() || dropped.is_some() || depth == Depth::Thorough && !knocked.is_empty()
    }
}

/// Asks for the workers, the sockets, the pid file and the answers, with a little patience. `None`: the new generation has
/// its workers, accepts everywhere, is named and answers; at [`Depth::Brief`] it did so a moment ago.
///
/// One look at the sockets proves no loss: to balance its load, a worker now and then takes its listener
/// out of the epoll set and puts it back (`ngx_reorder_accept_events`, nginx 1.21.6).
pub(super) fn unanswered(turn: &Turn<'_>, depth: Depth) -> Option<Decision> {
    let Turn { intent, memory, seen, now_ms } = *turn;
    if turn.has(Defect::CommitsToTheDead) {
        return None;
    }
    let lost = seen.new.as_ref().and_then(|new| new.unserved.as_ref()).map_or(0, Vec::len);
    let workers = seen.new.as_ref().map_or(0, |new| new.workers().count());
    if workers < usize::from(intent.plan.new_workers) {
        return Some(doubt(turn, Waiting::NewWorkers, Reason::NewWorkerDied));
    }
    if lost > 0 && !intent.plan.options.may_drop_listeners {
        return Some(doubt(turn, Waiting::NewWorkers, Reason::ListenerLost(lost)));
    }
    // A stranger may have emptied the pid file, or have written another number: behind the commit point nobody would put
    // that right, while on the way back nginx does, with the oldbin file.
    let is_named = seen.new.as_ref().is_some_and(|new| turn.is_named(new));
    if !is_named && !turn.has(Defect::IgnoresThePidFile) {
        return Some(doubt(turn, Waiting::PidFile, Reason::PidFileDamaged));
    }
    if let Some(known) = known_again(turn) {
        return Some(known);
    }
    if memory.doubted_ms.is_some() {
        return Some(note(Memory { doubted_ms: None, ..memory.clone() }));
    }
    let is_never_asked = match depth {
        Depth::Brief => turn.has(Defect::SoaksUnasked),
        Depth::Thorough => memory.phase == Phase::Soaking && turn.has(Defect::CommitsUnasked),
    };
    if !intent.plan.can_ask(depth) || is_never_asked {
        return None;
    }
    let Some(answers) = &seen.answers else { return ask(turn, depth) };
    if let Some(reason) = too_much(turn, answers) {
        return Some(turn.turn_back(reason));
    }
    match (&answers.failed, memory.failed_ms) {
        (Some(_), None) if !turn.has(Defect::AsksOnlyOnce) => {
            Some(note(Memory { failed_ms: Some(now_ms), ..memory.clone() }))
        }
        (Some(_), _) => {
            let failures = memory.failures.saturating_add(1);
            Some(note(Memory { failed_ms: Some(now_ms), failures, ..memory.clone() }))
        }
        (None, Some(_)) => Some(note(Memory { failed_ms: None, ..memory.clone() })),
        (None, None) => None,
    }
}

/// Workers that ended, and are forgiven, are counted once; those that took their place are known from here on.
fn known_again(turn: &Turn<'_>) -> Option<Decision> {
    let Turn { intent, memory, seen, .. } = *turn;
    // Nothing is forgiven: whoever ended is a reason to go back. A held upgrade may be reloaded meanwhile.
    if intent.plan.options.forgiven == 0 || memory.phase == Phase::Held {
        return None;
    }
    let new_workers = identities(seen.new.as_ref()?.workers());
    if new_workers == memory.new_workers {
        return None;
    }
    let counted = if turn.has(Defect::ForgivesEveryWorker) { 0 } else { ended(turn) };
    let failures = memory.failures.saturating_add(counted);
    Some(note(Memory { new_workers, failures, ..memory.clone() }))
}

/// How many workers of the new generation have ended that were counted on.
pub(super) fn ended(turn: &Turn<'_>) -> u32 {
    let Some(new) = &turn.seen.new else { return 0 };
    let is_alive = |known: &&Identity| {
        let is_it = |worker: &Process| worker.identity.is_same_process(known);
        new.workers().any(is_it)
    };
    let ended = turn.memory.new_workers.iter().filter(|known| !is_alive(known)).count();
    u32::try_from(ended).unwrap_or(u32::MAX)
}

/// Workers, sockets or the pid file are missing: since when, is remembered, and it is given a little time.
fn doubt(turn: &Turn<'_>, why: Waiting, reason: Reason) -> Decision {
    let Turn { memory, now_ms, .. } = *turn;
    match memory.doubted_ms {
        None => note(Memory { doubted_ms: Some(now_ms), ..memory.clone() }),
        Some(at) if now_ms >= at.saturating_add(DOUBT_MS_MAX) => turn.turn_back(reason),
        Some(at) => turn.wait(at.saturating_add(DOUBT_MS_MAX), why),
    }
}

/// Nobody was asked yet: it is done now, or when it is time.
fn ask(turn: &Turn<'_>, depth: Depth) -> Option<Decision> {
    let Turn { memory, now_ms, .. } = *turn;
    let after = |at: Option<u64>| at.map_or(0, |at| at.saturating_add(ASK_AGAIN_MS));
    let again_ms = after(memory.failed_ms);
    if now_ms < again_ms {
        return Some(turn.wait(again_ms, Waiting::Probe));
    }
    let is_due = depth == Depth::Thorough || now_ms >= after(memory.asked_ms);
    is_due.then_some(Decision::Ask(depth))
}

/// More has failed than is forgiven.
pub(super) fn too_much(turn: &Turn<'_>, answers: &Answers) -> Option<Reason> {
    let Turn { intent, memory, .. } = *turn;
    let forgiven = intent.plan.options.forgiven;
    // The first failure is asked again before it counts.
    let is_again = memory.failed_ms.is_some() || turn.has(Defect::AsksOnlyOnce);
    let is_twice = answers.failed.is_some() && is_again;
    let troubles = u32::try_from(answers.troubles.len()).unwrap_or(u32::MAX);
    let failures = memory.failures.saturating_add(troubles).saturating_add(u32::from(is_twice));
    let last = answers.failed.iter().filter(|_| is_twice).chain(answers.troubles.last()).next()?;
    let is_spent = failures > forgiven && !turn.has(Defect::ForgivesEverything);
    is_spent.then(|| Reason::NotGoodEnough { last: last.clone(), failures, forgiven })
}

fn note(memory: Memory) -> Decision {
    Decision::Act(Action::Note, memory)
}
