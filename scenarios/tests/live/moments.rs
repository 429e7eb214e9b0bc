//! The exact trace that processes tell themselves, and what is forced at their moments.

use std::collections::BTreeMap;

use scenarios::live::{self, Isolation, Setting};
use scenarios::model::choice::Calm;
use scenarios::model::{self, Options};
use scenarios::scenario::{self, Scenario, WorldKind};
use scenarios::trace::Trace;
use scenarios::verdict::{Overall, judge};

use crate::world::{Place, moments, setting};

pub(crate) const TRIALS: &[(&str, fn())] = &[
    ("the_fake_takes_the_models_steps_through_an_upgrade_and_back", through_an_upgrade_and_back),
    ("the_fake_takes_the_models_steps_when_the_new_binary_crashes", when_the_new_binary_crashes),
    ("the_same_story_twice_has_the_same_steps", the_same_story_twice),
    ("moments_are_told_without_namespaces_too", without_namespaces),
    ("a_pause_lasts_until_its_moment_is_reached", a_pause_lasts_until_its_moment),
    ("a_fault_that_did_not_strike_makes_the_run_unchecked", a_fault_that_did_not_strike),
    ("a_run_without_moments_tells_none", a_run_without_moments),
];

/// One worker, so that the deaths of several cannot be noticed together, and nobody who connects.
fn story(middle: &str) -> Scenario {
    let text = format!(
        "scenario \"exact\" schema=1 {{
            why \"because\"
            old \"1.22.1\" workers=1
            new \"1.26.3\" workers=1
            {middle}
            load fresh-per-second=0
            expect {{ always \"claim-is-true\"; eventually \"one-generation-at-the-end\"; sometimes \"new-master.born\"; }}
        }}"
    );
    scenario::parse("exact.kdl", &text).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

const THERE_AND_BACK: &str = r#"
    act "orchestrator" "upgrade" "--soak" "100ms" "--hold" claims="held"
    act "orchestrator" "rollback" claims="rolled-back"
    act "orchestrator" "upgrade" "--soak" "100ms" claims="upgraded""#;

const CRASHES: &str = r#"
    fault "crash" at="new-master.write-pid-file"
    fault "exit" status=3 at="master-of-3.install-handlers"
    act "orchestrator" "upgrade" "--soak" "100ms" claims="rolled-back""#;

fn place() -> Place {
    Place::of(WorldKind::Fake)
}

fn on_fake(scenario: &Scenario, place: Place) -> Trace {
    let setting = Setting { tells_moments: true, ..setting(place, Vec::new()) };
    live::run(scenario, &setting).expect("a trace")
}

fn in_model(scenario: &Scenario) -> Trace {
    let options = Options { tells_moments: true, ..Options::default() };
    model::run(scenario, &mut Calm, &options).expect("a trace")
}

/// What each actor does, in its order.
///
/// The subject looks as often as it is woken, so only its changes are compared.
fn steps(trace: &Trace) -> BTreeMap<String, Vec<String>> {
    let mut steps: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for name in moments(trace).into_iter().filter(|name| scenario::moment(name).is_some()) {
        let (actor, step) = name.split_once('.').unwrap();
        let is_change = |step: &str| step.starts_with("send-") || step.starts_with("replace");
        if actor != "subject" || is_change(step) {
            steps.entry(actor.to_owned()).or_default().push(step.to_owned());
        }
    }
    steps
}

#[track_caller]
fn assert_same_steps(one: &Trace, two: &Trace) {
    let (one, two) = (steps(one), steps(two));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (actor, steps) in &one {
        assert_eq!(steps, &two[actor], "{actor}");
    }
}

fn through_an_upgrade_and_back() {
    let scenario = story(THERE_AND_BACK);
    let (fake, model) = (on_fake(&scenario, place()), in_model(&scenario));
    assert!(steps(&fake)["old-master"].len() > 20, "{:?}", steps(&fake));
    assert_eq!(judge(&scenario, &fake).surprises, Vec::<String>::new());
    assert_same_steps(&model, &fake);
}

fn when_the_new_binary_crashes() {
    let scenario = story(CRASHES);
    let (fake, model) = (on_fake(&scenario, place()), in_model(&scenario));
    for trace in [&fake, &model] {
        assert_eq!(judge(&scenario, trace).surprises, Vec::<String>::new());
    }
    assert_same_steps(&model, &fake);
}

fn the_same_story_twice() {
    let scenario = story(THERE_AND_BACK);
    assert_same_steps(&on_fake(&scenario, place()), &on_fake(&scenario, place()));
}

fn without_namespaces() {
    let scenario = story(CRASHES);
    let place = Place { isolation: Isolation::Subreaper, ..place() };
    assert_same_steps(&in_model(&scenario), &on_fake(&scenario, place));
}

fn a_pause_lasts_until_its_moment() {
    let scenario = story(
        r#"
        fault "pause" until="old-worker-1.exit" at="new-worker-1.send"
        fault "pause" for="50ms" at="new-master.exec"
        act "orchestrator" "upgrade" "--soak" "100ms" claims="upgraded""#,
    );
    let scenario = Scenario { load: crate::world::some_load(), ..scenario };
    for trace in [on_fake(&scenario, place()), in_model(&scenario)] {
        assert_eq!(judge(&scenario, &trace).surprises, Vec::<String>::new());
        let told = moments(&trace);
        let at = |name: &str| told.iter().position(|told| *told == name).unwrap();
        let paused = at("new-worker-1.send");
        let next = told[paused + 1..].iter().position(|told| told.starts_with("new-worker-1.")).unwrap();
        assert!(at("old-worker-1.exit") < paused + 1 + next, "{told:?}");
    }
}

fn a_fault_that_did_not_strike() {
    let scenario = story(
        r#"
        fault "crash" at="old-master.rename-back"
        act "orchestrator" "upgrade" "--soak" "100ms" claims="upgraded""#,
    );
    for trace in [on_fake(&scenario, place()), in_model(&scenario)] {
        let verdict = judge(&scenario, &trace);
        assert_eq!(verdict.overall, Overall::Unchecked);
        assert_eq!(verdict.surprises, ["the fault did not strike: crash before old-master.rename-back #1"]);
    }
}

fn a_run_without_moments() {
    let scenario = story(r#"act "orchestrator" "upgrade" "--soak" "100ms" claims="upgraded""#);
    let trace = live::run(&scenario, &setting(place(), Vec::new())).expect("a trace");
    assert!(steps(&trace).is_empty(), "{:?}", steps(&trace));
}
