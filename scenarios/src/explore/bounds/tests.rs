//! Bounds add up to the run, however often and in whichever order they come.

use std::path::Path;

use super::*;
use crate::model::exhaustive::{Limits, explore, named};
use crate::model::script::Mistakes;
use crate::pool::Stop;

const BOUNDS: [&str; 3] =
    ["upgrade workers=1 binary=5", "upgrade workers=1 binary=6", "upgrade workers=1 binary=2"];

fn whole() -> Whole {
    let bounds = BOUNDS.map(str::to_owned).to_vec();
    Whole { bounds, mutants: Vec::new(), is_depth_first: false, states_max: None, shards: 2 }
}

fn visited(bound: &str, states_max: usize) -> Visited {
    let limits = Limits { states_max, ..Limits::EVERYTHING };
    let report = explore(&named(bound).unwrap(), Mistakes::default(), limits, &mut |_| Stop::No);
    Visited::new(bound.to_owned(), &report, 7, "replay".to_owned())
}

fn of(shard: u64, visited: impl IntoIterator<Item = Visited>) -> Bounds {
    let part = Part { shard, took_ms: 7, told_by: None };
    let visited = visited.into_iter().map(|one| (one.bound.clone(), one)).collect();
    Bounds { whole: whole(), parts: BTreeMap::from([(shard, part)]), visited }
}

fn merged(all: &[&Bounds]) -> Bounds {
    let mut all = all.iter().copied().cloned();
    let mut first = all.next().unwrap();
    all.for_each(|other| first.add(other).unwrap());
    first
}

/// Red when a bound that nobody visited is taken for one that holds, or a shard is blamed for another's.
#[test]
fn a_bound_that_is_missing_is_unchecked_and_only_in_the_whole() {
    let (one, two) = (
        of(1, [visited(BOUNDS[0], usize::MAX), visited(BOUNDS[2], usize::MAX)]),
        of(2, [visited(BOUNDS[1], usize::MAX)]),
    );

    assert!(one.unchecked(Shard::from_zero(0, 2)).is_empty());
    assert_eq!(one.unchecked(None), [format!("{}: not begun", BOUNDS[1])]);
    assert!(merged(&[&one, &two]).unchecked(None).is_empty());
}

/// Red when a sum depends on which file came first, or grows with a file that is there twice.
#[test]
fn the_order_of_files_and_how_often_they_come_makes_no_difference() {
    let cut = of(1, [visited(BOUNDS[0], 50), visited(BOUNDS[2], usize::MAX)]);
    let one = of(1, [visited(BOUNDS[0], usize::MAX), visited(BOUNDS[2], usize::MAX)]);
    let two = of(2, [visited(BOUNDS[1], usize::MAX)]);

    let all = merged(&[&cut, &one, &two]);

    assert_eq!(all, merged(&[&two, &one, &cut, &one]));
    assert_eq!(all, merged(&[&all, &all]));
    assert!(all.is_complete(), "the visit that came to its end counts");
}

/// Red when two builds are added up, or one of two visits is forgotten that found something.
#[test]
fn what_differs_is_refused_and_what_is_wrong_counts() {
    let good = of(1, [visited(BOUNDS[0], usize::MAX)]);
    let other = Visited { states: 7, ..visited(BOUNDS[0], usize::MAX) };
    let differs = Mismatch::Differs { bound: BOUNDS[0].to_owned() };
    assert_eq!(good.clone().add(of(1, [other])), Err(differs));

    let mut of_another = of(1, []);
    of_another.whole.mutants.push("fake.forgets-quit".into());
    assert!(good.clone().add(of_another).unwrap_err().to_string().contains("fake.forgets-quit"));

    let wrong = vec![Wrong { why: "it is wrong".into(), path: Vec::new(), file: None }];
    let bad = of(1, [Visited { wrong, not_visited: 3, ..visited(BOUNDS[0], 50) }]);
    assert!(merged(&[&good, &bad]).has_failed() && merged(&[&bad, &good]).has_failed());
}

#[test]
fn what_was_written_is_read_and_mistakes_are_told_by_their_line() {
    let all = of(1, [visited(BOUNDS[0], usize::MAX), visited(BOUNDS[1], usize::MAX)]);
    let text = to_json(&all, &all.unchecked(None)).unwrap();
    assert!(is_of_bounds(&text) && !is_of_bounds("{\"schema\":2,\"run\":{}}"));
    assert_eq!(read(Path::new("1.json"), &text).unwrap(), [all]);

    let foreign = text.replace("\"bound\":\"upgrade workers=1 binary=6\"", "\"bound\":\"rollback\"");
    let error = read(Path::new("1.json"), &foreign).unwrap_err();
    assert!(
        error.to_string().starts_with("1.json:") && format!("{error:?}").contains("rollback"),
        "{error:?}"
    );
}
