//! Scenarios and settings for the tests.

use std::collections::BTreeMap;

use scenarios::live::{self, Isolation, Setting, nginx};
use scenarios::runbook::{Action, Condition, Runbook, Step, Target};
use scenarios::scenario::{Act, Claim, Expect, Load, Release, Scenario, Subject, WorldKind};
use scenarios::trace::{Request, Trace, What};

/// Where a test runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) world: WorldKind,
    pub(crate) isolation: Isolation,
}

impl Place {
    pub(crate) fn of(world: WorldKind) -> Self {
        Self { world, isolation: Isolation::Best }
    }
}

/// A scenario with one runbook of these actions, which claims an upgrade.
pub(crate) fn scenario(load: Load) -> Scenario {
    let release =
        |version: &str| Release { version: version.into(), workers: 2, reuseport: false, fault: None };
    Scenario {
        name: "test".into(),
        why: String::new(),
        source: None,
        shows: Vec::new(),
        worlds: None,
        old: release("1.22.1"),
        new: release("1.26.3"),
        faults: Vec::new(),
        acts: vec![act(Subject::Runbook { name: "test".into() })],
        load,
        expect: Expect::default(),
        deadline_ms: 20_000,
    }
}

pub(crate) fn act(subject: Subject) -> Act {
    Act { subject, claims: Claim::Upgraded }
}

pub(crate) fn no_load() -> Load {
    Load { fresh_per_second: 0, kept: 0, slow: 0, slow_ms: 300, patience_ms: 2_000 }
}

pub(crate) fn some_load() -> Load {
    Load { fresh_per_second: 200, kept: 3, slow: 2, ..no_load() }
}

pub(crate) fn setting(place: Place, actions: Vec<Action>) -> Setting {
    let steps = actions
        .into_iter()
        .map(|action| Step { text: format!("{action:?}"), action, failure_is_ignored: false })
        .collect();
    let runbook =
        Runbook { name: "test".into(), why: String::new(), source: None, steps, claims: Claim::Upgraded };
    Setting {
        world: place.world,
        releases: nginx::releases(),
        runbooks: BTreeMap::from([("test".into(), runbook)]),
        seed: 0,
        mutants: Vec::new(),
        tells_moments: false,
        isolation: place.isolation,
        replay: "none".into(),
    }
}

/// Runs a runbook of these actions.
pub(crate) fn run(place: Place, load: Load, actions: Vec<Action>) -> Trace {
    live::run(&scenario(load), &setting(place, actions)).expect("a trace")
}

pub(crate) fn signal(signal: &str, to: Target) -> Action {
    Action::Signal { signal: signal.into(), to }
}

pub(crate) fn sees(masters: u16, old_workers: u16, new_workers: u16) -> Action {
    let until = Condition::Sees {
        masters: Some(masters),
        old_workers: Some(old_workers),
        new_workers: Some(new_workers),
    };
    Action::Wait { until, within_ms: 10_000, every_ms: None }
}

pub(crate) fn shell(words: &str) -> Action {
    Action::Run { words: vec!["sh".into(), "-c".into(), words.into()], exit: None, says: None }
}

/// The steps of the documented upgrade.
pub(crate) fn upgrade() -> Vec<Action> {
    vec![
        Action::Copy { from: "{new}".into(), to: "{binary}".into() },
        signal("USR2", Target::PidFile("{pid}".into())),
        sees(2, 2, 2),
        signal("WINCH", Target::PidFile("{pid}.oldbin".into())),
        sees(2, 0, 2),
        signal("QUIT", Target::OldMaster),
        sees(1, 2, 0),
    ]
}

pub(crate) fn requests(trace: &Trace) -> Vec<&Request> {
    trace
        .select(|what| if let What::Request(request) = what { Some(request) } else { None })
        .map(|(.., request)| request)
        .collect()
}

pub(crate) fn claims(trace: &Trace) -> Vec<(Claim, &str)> {
    trace
        .select(
            |what| {
                if let What::Claimed { claim, said, .. } = what { Some((*claim, &said[..])) } else { None }
            },
        )
        .map(|(.., claim)| claim)
        .collect()
}

pub(crate) fn moments(trace: &Trace) -> Vec<&str> {
    trace
        .select(|what| if let What::Moment { name } = what { Some(&name[..]) } else { None })
        .map(|(.., name)| name)
        .collect()
}
