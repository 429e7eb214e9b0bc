//! What a run did to itself: the faults that struck, and what they excuse.
//!
//! A script that kills processes must not call the gap that it made itself an error of the subject, and must not
//! excuse any other. So an excuse is computed from the trace: a blow is a signal that the laboratory sent, directly
//! before the moment `struck.NAME`. A trace without such moments, as of every story, has no excuses: a story says
//! itself what holds in spite of its faults.

use std::collections::BTreeMap;

use super::{SIGHT_MS, State};
use crate::trace::{Role, Trace, What};

/// How the moment begins that tells of a random script's fault.
pub(crate) const STRUCK: &str = "struck.";
/// The subject began to look at the world for the last time before it claimed something.
const LAST_LOOK: &str = "subject.last-look";
/// The subject has put its journal in its place.
const SAVED: &str = "subject.save";

/// A fault that struck.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Blow {
    position: usize,
    at_us: u64,
    name: String,
    /// Who was hit.
    on: Option<(u32, Role)>,
}

impl Blow {
    /// True for what strikes the subject itself, which knows it, and for what was wrong from the beginning.
    fn is_of_command(&self) -> bool {
        matches!(self.name.as_str(), "crash" | "interrupt" | "full-disk" | "new-binary")
    }
}

/// Everything that a run did to itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Excuses {
    blows: Vec<Blow>,
    /// Workers that were felled, by a blow to them or to their master, and when.
    felled: BTreeMap<u32, u64>,
    /// From when until when nobody need accept: those who would were felled, and are not replaced yet.
    nobody_accepts: Vec<(u64, u64)>,
}

impl Excuses {
    /// Those of a trace.
    pub(super) fn of(trace: &Trace) -> Self {
        let mut excuses = Self::default();
        let mut state = State::default();
        let mut sent = None;
        let mut since_us = None;
        // Masters that leave and take their workers with them, and why.
        let mut leavers: BTreeMap<u32, &str> = BTreeMap::new();
        for (position, event) in trace.events.iter().enumerate() {
            state.apply(event);
            // A master that is hit while it loads hears of it only once its workers are there.
            if let What::Born { pid, parent, role: Role::Worker, .. } = &event.what
                && let Some(signal) = leavers.get(parent)
            {
                since_us = since_us.or(Some(event.at_us));
                if *signal != "QUIT" {
                    excuses.felled.insert(*pid, event.at_us);
                }
            }
            if let Some(began_us) = since_us
                && excuses.is_replaced(&state, &leavers, began_us, &event.what)
            {
                excuses.nobody_accepts.push((began_us, event.at_us));
                since_us = None;
            }
            if let What::Signal { to, signal, arrived: false, .. } = &event.what {
                sent = Some((*to, signal.as_str()));
            }
            let What::Moment { name } = &event.what else { continue };
            let Some(name) = name.strip_prefix(STRUCK) else { continue };
            let role = name.ends_with("-master").then_some(Role::Master);
            let role = role.or(name.ends_with("-worker").then_some(Role::Worker));
            let hit = sent.take().zip(role);
            let on = hit.map(|((pid, _), role)| (pid, role));
            if let Some(((pid, signal), role)) = hit {
                let leaving = match role {
                    Role::Worker => vec![pid],
                    // A master takes its workers with it unless it has no time to.
                    Role::Master if signal != "KILL" => {
                        leavers.insert(pid, signal);
                        state.workers_of(pid).map(|worker| worker.pid).collect()
                    }
                    Role::Master => Vec::new(),
                };
                if leaving
                    .iter()
                    .any(|pid| state.processes.get(pid).is_some_and(|of| of.draining_us.is_none()))
                {
                    since_us = since_us.or(Some(event.at_us));
                }
                if signal != "QUIT" {
                    excuses.felled.extend(leaving.into_iter().map(|pid| (pid, event.at_us)));
                }
            }
            excuses.blows.push(Blow { position, at_us: event.at_us, name: name.to_owned(), on });
        }
        excuses.nobody_accepts.extend(since_us.map(|began_us| (began_us, u64::MAX)));
        excuses
    }

    /// True if somebody accepts who came after the blow, or somebody else and all is at rest.
    fn is_replaced(&self, state: &State, leavers: &BTreeMap<u32, &str>, began_us: u64, what: &What) -> bool {
        let stays = |worker: &super::Process| worker.is_serving() && !leavers.contains_key(&worker.parent);
        let is_well =
            |pid: &u32| !self.felled.contains_key(pid) && state.processes.get(pid).is_some_and(stays);
        if let What::Listening { pid, accepting: true, .. } = what {
            return is_well(pid) && state.processes.get(pid).is_some_and(|of| of.born_us >= began_us);
        }
        *what == What::Quiescent && state.processes.keys().any(is_well)
    }

    /// How many faults there were, a faulty new binary among them.
    pub(super) fn faults(&self) -> usize {
        self.blows.len()
    }

    /// True if a fault of this name struck.
    pub(super) fn has_struck(&self, name: &str) -> bool {
        self.blows.iter().any(|blow| blow.name == name)
    }

    /// True if a master was felled.
    pub(super) fn has_felled_master(&self) -> bool {
        self.blows.iter().any(|blow| matches!(blow.on, Some((_, Role::Master))))
    }

    /// True if this master was felled before that time.
    pub(super) fn has_felled(&self, master: u32, before_us: u64) -> bool {
        self.blows.iter().any(|blow| blow.at_us < before_us && blow.on == Some((master, Role::Master)))
    }

    /// True if at some instant of that time nobody need accept.
    pub(super) fn excuse_nobody(&self, from_us: u64, until_us: u64) -> bool {
        let sight_us = SIGHT_MS * 1_000;
        self.nobody_accepts
            .iter()
            .any(|&(from, until)| from_us <= until.saturating_add(sight_us) && from <= until_us + sight_us)
    }

    /// True if a request of that time, answered by this worker if that is known, ended with a worker's death.
    pub(super) fn excuse_loss(
        &self,
        trace: &Trace,
        worker: Option<u32>,
        from_us: u64,
        until_us: u64,
    ) -> bool {
        if self.felled.is_empty() {
            return false;
        }
        let died = |what| if let &What::Died { pid, .. } = what { Some(pid) } else { None };
        // Whoever was felled may cut its requests at any time from the blow to its death.
        let was_dying = |pid: &u32, died_us: u64| {
            let felled_us = self.felled.get(pid);
            felled_us.is_some_and(|&at_us| at_us <= until_us + SIGHT_MS * 1_000) && died_us >= from_us
        };
        trace
            .select(died)
            .filter(|(_, event, pid)| was_dying(pid, event.at_us))
            .any(|(.., pid)| worker.is_none_or(|worker| worker == pid))
    }

    /// True if anything struck between these events.
    pub(super) fn have_struck(&self, from: usize, until: usize) -> bool {
        self.blows.iter().any(|blow| (from..until).contains(&blow.position))
    }

    /// True if nginx was struck behind the subject's last look, of an act from `began` to its claim, and
    /// before the next rest: then the subject could not know.
    pub(super) fn excuse_claim(&self, trace: &Trace, began: usize, claimed: usize) -> bool {
        let events = &trace.events;
        let is_look =
            |event: &&crate::trace::Event| matches!(&event.what, What::Moment { name } if name == LAST_LOOK);
        let act = events.get(began..claimed).unwrap_or_default();
        let looked_us = act.iter().rfind(is_look).or(act.first()).map_or(0, |event| event.at_us);
        let rest = events.iter().skip(claimed).position(|event| event.what == What::Quiescent);
        let rested = rest.map_or(events.len(), |offset| claimed + offset);
        // A process that was killed may be seen until the kernel has ended it.
        let ended_us = |blow: &Blow| {
            let died = |what: &What| matches!(what, What::Died { pid, .. } if Some(*pid) == blow.on.map(|(pid, _)| pid));
            events
                .iter()
                .skip(blow.position)
                .find(|event| died(&event.what))
                .map_or(blow.at_us, |event| event.at_us)
        };
        self.blows
            .iter()
            .filter(|blow| !blow.is_of_command() && blow.position <= rested)
            .any(|blow| ended_us(blow) >= looked_us)
    }
}

/// True if the subject put a journal in its place in the act that begins there.
pub(super) fn has_saved(trace: &Trace, began: usize) -> bool {
    let act = trace.events.iter().skip(began + 1);
    act.take_while(|event| !matches!(event.what, What::StepEnded { .. }))
        .any(|event| matches!(&event.what, What::Moment { name } if name == SAVED))
}
