//! How long the parts of a handoff took, read from its trace.
//!
//! # Units
//! Microseconds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::trace::{Fate, Role, Trace, What};

/// A part of a handoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// From the subject's begin to the first USR2: what it did while nothing was touched.
    Before,
    /// From the first USR2 to the first answer of the new generation.
    FirstAnswer,
    /// From the first USR2 to the old master's end.
    Upgrade,
    /// From the first HUP to the old master to the new master's end.
    Rollback,
}

impl Span {
    /// All of them, in the order in which they pass.
    pub const ALL: [Self; 4] = [Self::Before, Self::FirstAnswer, Self::Upgrade, Self::Rollback];

    /// Its name, for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::FirstAnswer => "first-answer",
            Self::Upgrade => "upgrade",
            Self::Rollback => "rollback",
        }
    }
}

impl fmt::Display for Span {
    /// From what to what, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Before => "begin → USR2",
            Self::FirstAnswer => "USR2 → first new answer",
            Self::Upgrade => "USR2 → old master's end",
            Self::Rollback => "HUP → new master's end",
        })
    }
}

/// The parts that this trace shows, each in microseconds. A trace without USR2 to its first master shows none.
#[must_use]
pub fn spans(trace: &Trace) -> BTreeMap<Span, u64> {
    let read = || -> Option<BTreeMap<Span, u64>> {
        let old = born(trace, Role::Master, 1).next()?;
        let began = first(trace, 0, |what| matches!(what, What::StepBegan { .. }))?;
        let usr2 = first(trace, began, |what| is_signal(what, old, "USR2"))?;
        let workers: BTreeSet<u32> = born(trace, Role::Worker, 2).collect();
        let answer = first(trace, usr2, |what| is_answer_of(what, &workers));
        let hup = first(trace, usr2, |what| is_signal(what, old, "HUP"));
        let mut spans = BTreeMap::from([(Span::Before, usr2 - began)]);
        spans.extend(answer.map(|at| (Span::FirstAnswer, at - usr2)));
        spans.extend(match hup {
            None => first(trace, usr2, |what| is_end_of(what, old)).map(|at| (Span::Upgrade, at - usr2)),
            Some(hup) => {
                let new = born(trace, Role::Master, 2).next()?;
                first(trace, hup, |what| is_end_of(what, new)).map(|at| (Span::Rollback, at - hup))
            }
        });
        Some(spans)
    };
    read().unwrap_or_default()
}

/// When the first of these was seen, not before `from_us`.
fn first(trace: &Trace, from_us: u64, is_it: impl Fn(&What) -> bool) -> Option<u64> {
    let mut events = trace.events.iter().filter(|event| event.at_us >= from_us);
    events.find(|event| is_it(&event.what)).map(|event| event.at_us)
}

/// Pids of one generation.
fn born(trace: &Trace, asked: Role, of: u32) -> impl Iterator<Item = u32> {
    trace.events.iter().filter_map(move |event| {
        let What::Born { pid, role, generation, .. } = event.what else { return None };
        (role == asked && generation == of).then_some(pid)
    })
}

fn is_signal(what: &What, whom: u32, which: &str) -> bool {
    matches!(what, What::Signal { to, signal, .. } if *to == whom && signal == which)
}

fn is_end_of(what: &What, whom: u32) -> bool {
    matches!(what, What::Died { pid, .. } if *pid == whom)
}

fn is_answer_of(what: &What, workers: &BTreeSet<u32>) -> bool {
    let What::Request(request) = what else { return false };
    matches!(request.fate, Fate::Served { .. }) && request.pid.is_some_and(|pid| workers.contains(&pid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::WorldKind;
    use crate::trace::{Event, Header, Kind, Request, SCHEMA};

    fn trace(events: Vec<(u64, What)>) -> Trace {
        let header = Header {
            schema: SCHEMA,
            scenario: "handoff".into(),
            world: WorldKind::Real,
            old: "1.22.1".into(),
            new: "1.26.3".into(),
            workers: (1, 1),
            seed: 1,
            isolation: "namespaces".into(),
            replay: String::new(),
            blind_to: BTreeSet::new(),
        };
        Trace { header, events: events.into_iter().map(|(at_us, what)| Event { at_us, what }).collect() }
    }

    fn birth(pid: u32, role: Role, generation: u32) -> What {
        What::Born { pid, parent: 1, role, generation, version: None }
    }

    fn signal(to: u32, signal: &str) -> What {
        What::Signal { from: None, to, signal: signal.into(), arrived: true }
    }

    fn answer(pid: u32) -> What {
        What::Request(Request {
            connection: 1,
            nth: 1,
            kind: Kind::Fresh,
            started_us: 0,
            fate: Fate::Served { status: 200 },
            pid: Some(pid),
            version: None,
        })
    }

    fn up_to_two_generations() -> Vec<(u64, What)> {
        vec![
            (0, birth(10, Role::Master, 1)),
            (1, birth(11, Role::Worker, 1)),
            (100, What::StepBegan { step: 1, text: "oldbin upgrade".into() }),
            (150, signal(10, "USR2")),
            (160, answer(11)),
            (170, birth(20, Role::Master, 2)),
            (180, birth(21, Role::Worker, 2)),
            (190, answer(21)),
        ]
    }

    #[test]
    fn an_upgrade_has_the_spans_up_to_its_old_masters_end() {
        let mut events = up_to_two_generations();
        events.push((250, What::Died { pid: 10, exit: None }));

        let spans = spans(&trace(events));

        let expected = [(Span::Before, 50), (Span::FirstAnswer, 40), (Span::Upgrade, 100)];
        assert_eq!(spans, BTreeMap::from(expected));
    }

    #[test]
    fn a_rollback_lasts_from_hup_to_the_new_masters_end() {
        let mut events = up_to_two_generations();
        events.push((200, signal(10, "HUP")));
        events.push((270, What::Died { pid: 20, exit: None }));
        events.push((900, What::Died { pid: 10, exit: None }));

        let spans = spans(&trace(events));

        let expected = [(Span::Before, 50), (Span::FirstAnswer, 40), (Span::Rollback, 70)];
        assert_eq!(spans, BTreeMap::from(expected));
    }

    #[test]
    fn without_usr2_there_is_no_span() {
        let mut events = up_to_two_generations();
        events.retain(|(_, what)| !matches!(what, What::Signal { .. }));

        assert_eq!(spans(&trace(events)), BTreeMap::new());
    }
}
