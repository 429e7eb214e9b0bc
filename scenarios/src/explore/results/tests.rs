//! Parts add up to the whole, however often and in whichever order they come.

use std::path::Path;

use super::*;
use crate::explore::{Model, Run, Stop, explore};
use crate::model::choice::Strategy;
use crate::model::script::Mistakes;

const SEED: u64 = 100;
const SCRIPTS: u64 = 300;

fn whole(shards: u64) -> Whole {
    Whole {
        world: WorldKind::Model,
        draw: Draw { strategy: Strategy::Portfolio, faults: 6 },
        mutants: Vec::new(),
        seed: SEED,
        scripts: Some(SCRIPTS),
        shards,
    }
}

fn found(seed: u64, steps: &str) -> Found {
    let steps = steps.split_whitespace().map(str::to_owned).collect();
    Found { seed, why: "it is wrong".into(), steps, file: None, replay: format!("replay {seed}") }
}

/// A part that was really played.
fn played(shard: u64, shards: u64) -> Results {
    let model = Model::new(Mistakes::default(), whole(shards).draw);
    let shard = Shard::from_zero(shard - 1, shards).unwrap();
    let run = Run { seed: SEED, scripts: SCRIPTS, shard, for_ms: None, jobs: 1 };
    let (counted, _) = explore(&model, &run, |_, _| Stop::No).unwrap();
    one(shards, Part { counted, ..part(shard.number(), Vec::new()) })
}

fn part(shard: u64, failed: Vec<Found>) -> Part {
    let failures = failed.len() as u64;
    let counted = Tally { scripts: 100, failures, ..Tally::default() };
    Part { shard, told_by: None, is_cut_short: false, jobs: 1, took_ms: 7, counted, failed }
}

fn one(shards: u64, part: Part) -> Results {
    Results { whole: whole(shards), parts: BTreeMap::from([(part.shard, part)]) }
}

fn merged(all: &[&Results]) -> Results {
    let mut all = all.iter().copied().cloned();
    let mut first = all.next().unwrap();
    all.for_each(|other| first.add(other).unwrap());
    first
}

#[test]
fn the_shards_of_a_run_count_what_the_run_counts() {
    let parts = [1, 2, 3].map(|shard| played(shard, 3));

    let run = merged(&[&parts[2], &parts[0], &parts[1]]);

    assert_eq!(run.tally(), played(1, 1).tally());
    assert_eq!((run.missing(), run.unchecked()), (Vec::new(), Vec::new()));
}

#[test]
fn the_same_shard_twice_counts_once_and_the_order_does_not_matter() {
    let (a, b) = (one(3, part(1, vec![found(100, "x")])), one(3, part(2, Vec::new())));
    let both = merged(&[&a, &b]);

    assert_eq!(merged(&[&b, &a, &a, &both, &b]), both);
    assert_eq!(both.tally().scripts, 200);
    assert_eq!(both.missing(), ["3/3".parse().unwrap()]);
}

#[test]
fn of_two_plays_of_a_shard_a_failure_is_never_forgotten() {
    let mut calm = one(1, part(1, Vec::new()));
    let mut bad = one(1, part(1, vec![found(100, "x")]));
    for results in [&mut calm, &mut bad] {
        results.whole.world = WorldKind::Fake;
    }
    bad.parts.get_mut(&1).unwrap().is_cut_short = true;

    assert_eq!(merged(&[&calm, &bad]), bad);
    assert_eq!(merged(&[&bad, &calm]), bad);
}

#[test]
fn failures_that_need_the_same_steps_are_one() {
    let a = one(2, part(1, vec![found(102, "x y"), found(104, "z")]));
    let b = one(2, part(2, vec![found(101, "x y"), found(105, ""), found(107, "")]));

    let run = merged(&[&a, &b]);
    let told: Vec<_> = run.failures().iter().map(|known| (known.found.seed, known.others)).collect();

    // Nobody knows whether those that were not made small are the same.
    assert_eq!(told, [(101, 1), (104, 0), (105, 0), (107, 0)]);
}

#[test]
fn what_is_of_another_run_or_of_another_build_is_refused() {
    let mut run = one(2, part(1, Vec::new()));
    let mut other = one(2, part(2, Vec::new()));
    other.whole.seed = 5;
    let before = run.clone();

    assert_eq!(
        run.add(other).unwrap_err().to_string(),
        "it is of another run: the first seed is 5, and was 100 before"
    );
    let again = one(2, part(1, vec![found(100, "x")]));
    assert_eq!(run.add(again), Err(Mismatch::Differs { shard: 1, shards: 2 }));
    assert_eq!(run, before);
}

#[test]
fn results_are_read_as_they_are_written() {
    let results = merged(&[&played(1, 2), &one(2, part(2, vec![found(101, "x y")]))]);
    let line = to_json(&results, &["something".to_owned()]).unwrap();

    // Several lines may stand in one file.
    let read = read(Path::new("x.json"), &format!("{line}\n{line}\n")).unwrap();

    assert_eq!(read, [results.clone(), results]);
    assert!(line.starts_with("{\"schema\":2,") && line.contains("\"verdict\":\"violated\""), "{line}");
}

#[test]
fn a_file_that_holds_no_results_is_refused_at_its_line() {
    let line = to_json(&one(2, part(2, Vec::new())), &[]).unwrap();
    let told = |text: &str| {
        let error = read(Path::new("x.json"), text).unwrap_err();
        format!("{error}: {}", std::error::Error::source(&error).unwrap())
    };

    for (text, place, words) in [
        (format!("{line}\n{}", &line[..40]), "x.json:2:", "EOF"),
        (line.replace("\"schema\":2", "\"schema\":3"), "x.json:1:11", "format 3"),
        (line.replace("\"jobs\"", "\"jbos\""), "x.json:1:", "jbos"),
        (line.replace("\"shard\":2", "\"shard\":9"), "x.json:", "there is no shard 9 of 2"),
        (String::new(), "x.json:", "empty"),
    ] {
        let told = told(&text);
        assert!(told.starts_with(place) && told.contains(words), "{told}");
    }
}
