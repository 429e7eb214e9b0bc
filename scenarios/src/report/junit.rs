//! What was explored and found, for the many programs that read JUnit's XML.
//!
//! Every shard is a test, and so is every distinct failure; a shard that is not there and a run that proved nothing
//! are tests with an error. Of `--exhaustive` every bound is a test, and everything that is wrong within it.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::explore::bounds::{Bounds, Visited, Wrong};
use crate::explore::results::{Distinct, Results};

/// The document; `unchecked` is what keeps the run from proving something.
///
/// # Errors
/// None that these types can cause.
pub fn junit(results: &Results, unchecked: &[String]) -> Result<String, SerializeError> {
    let whole = &results.whole;
    let mut suite = TestSuite::new(format!("oldbin-lab explore {}", whole.world));
    for (name, value) in [
        ("strategy", whole.draw.strategy.to_string()),
        ("faults", whole.draw.faults.to_string()),
        ("seed", whole.seed.to_string()),
        ("scripts", results.tally().scripts.to_string()),
    ] {
        suite.add_property((name, value.as_str()));
    }
    for part in results.parts.values() {
        let name = format!("shard {}/{}: {} scripts", part.shard, whole.shards, part.counted.scripts);
        let failures = part.counted.failures;
        let failed = (failures > 0).then(|| format!("{failures} scripts failed"));
        suite.add_test_case(counted(name, failed, part.took_ms));
    }
    suite.add_test_cases(results.failures().iter().map(failure));
    suite.add_test_cases(unchecked.iter().map(|why| error(why)));
    Report::new("oldbin-lab").add_test_suite(suite).to_string()
}

/// The document of what was visited within bounds.
///
/// # Errors
/// None that these types can cause.
pub fn junit_of_bounds(bounds: &Bounds, unchecked: &[String]) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new("oldbin-lab explore --exhaustive");
    for one in bounds.in_order() {
        let name = format!("{}: {} states", one.bound, one.states);
        let failed = (!one.wrong.is_empty()).then(|| format!("{} things are wrong", one.wrong.len()));
        suite.add_test_case(counted(name, failed, one.took_ms));
    }
    let wrong = bounds.in_order().flat_map(|one| one.wrong.iter().map(move |wrong| violated(one, wrong)));
    suite.add_test_cases(wrong);
    suite.add_test_cases(unchecked.iter().map(|why| error(why)));
    Report::new("oldbin-lab").add_test_suite(suite).to_string()
}

/// A part of the run; `failed` says in how far.
fn counted(name: String, failed: Option<String>, took_ms: u64) -> TestCase {
    let mut status = TestCaseStatus::success();
    if let Some(failed) = failed {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(failed);
    }
    case(name, status).set_time(Duration::from_millis(took_ms)).clone()
}

fn violated(one: &Visited, wrong: &Wrong) -> TestCase {
    not_held(&format!("{}: {}", one.bound, wrong.why), &wrong.path, &wrong.why, &one.replay)
}

fn failure(known: &Distinct<'_>) -> TestCase {
    let found = known.found;
    not_held(&format!("seed {}: {}", found.seed, found.why), &found.steps, &found.why, &found.replay)
}

/// Something that did not hold, with the steps that lead there.
fn not_held(name: &str, steps: &[String], why: &str, replay: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let steps: String = steps.iter().map(|step| format!("{step}\n")).collect();
    status
        .set_type("violated")
        .set_message(why)
        .set_description(format!("{steps}wrong   {why}\nreplay  {replay}"));
    case(name.to_owned(), status)
}

fn error(why: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("unchecked").set_message(why);
    case(why.to_owned(), status)
}

fn case(name: String, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname("oldbin-lab.explore");
    case
}
