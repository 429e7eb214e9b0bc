//! Every story of the catalogue in the model world.

use scenarios::catalogue;
use scenarios::model::choice::{Calm, Chooser, Seeded};
use scenarios::model::script::{Mistakes, Stages};
use scenarios::model::{Impossible, Options, run};
use scenarios::scenario::{Scenario, Subject, WorldKind};
use scenarios::trace::{self, Trace};
use scenarios::verdict::judge;

fn stories() -> Vec<Scenario> {
    catalogue::SCENARIOS
        .iter()
        .filter_map(|entry| catalogue::scenario(entry.name))
        .map(|scenario| scenario.unwrap_or_else(|error| panic!("{}", error.render(false))))
        .filter(|scenario| scenario.is_not_for(WorldKind::Model).is_none())
        .collect()
}

fn play(scenario: &Scenario, chooser: &mut dyn Chooser, seed: u64) -> Option<Trace> {
    match run(scenario, chooser, &Options { seed, ..Options::default() }) {
        Ok(trace) => Some(trace),
        Err(Impossible::Program { .. }) => None,
        Err(error) => panic!("{}: {error}", scenario.name),
    }
}

fn text(trace: &Trace) -> String {
    let mut bytes = Vec::new();
    trace::write(trace, &mut bytes).expect("memory takes everything");
    String::from_utf8(bytes).expect("JSON is text")
}

fn assert_as_expected(scenario: &Scenario, trace: &Trace, how: &str) {
    let verdict = judge(scenario, trace);
    if !verdict.as_expected {
        let path = std::env::temp_dir().join(format!("oldbin-model-{}.jsonl", scenario.name));
        std::fs::write(&path, text(trace)).expect("a folder for temporary files");
        panic!("{} {how}: {:#?}\ntrace: {}", scenario.name, verdict.surprises, path.display());
    }
}

#[test]
fn every_story_is_as_expected_when_all_is_calm() {
    let mut played = 0;
    for scenario in stories() {
        if let Some(trace) = play(&scenario, &mut Calm, 0) {
            assert_as_expected(&scenario, &trace, "calm");
            played += 1;
        }
    }
    assert!(played >= 7, "only {played} stories were played");
}

#[test]
fn every_story_is_as_expected_however_its_steps_are_interleaved() {
    for scenario in stories() {
        for seed in 0..50 {
            if let Some(trace) = play(&scenario, &mut Seeded::new(seed), seed) {
                assert_as_expected(&scenario, &trace, &format!("with seed {seed}"));
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for scenario in stories() {
        let first = play(&scenario, &mut Seeded::new(11), 11).map(|trace| text(&trace));
        let again = play(&scenario, &mut Seeded::new(11), 11).map(|trace| text(&trace));
        assert_eq!(first, again, "{}", scenario.name);
    }
}

#[test]
fn a_program_is_told_to_be_impossible() {
    let mut scenario = stories().remove(0);
    scenario.acts[0].subject = Subject::Command { program: "./upgrade.sh".into(), arguments: Vec::new() };

    let error = run(&scenario, &mut Calm, &Options::default()).unwrap_err();

    assert_eq!(
        error.to_string(),
        "the model world has no programs: \"./upgrade.sh\" runs in the worlds `fake` and `real` only"
    );
}

#[test]
fn a_script_is_replayed_by_the_names_of_its_steps() {
    let stages = Stages::new(Mistakes::default());
    for seed in 0..20 {
        let (played, recorder) = stages.explain(Seeded::new(seed));

        let (again, _) = stages.explain(recorder.replay());

        assert_eq!(again.script, played.script, "seed {seed}");
        assert_eq!(again.events, played.events, "seed {seed}");
    }
}
