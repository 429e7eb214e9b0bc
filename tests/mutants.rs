//! The proof that the stories can fail: each deliberate defect turns a story that is green without it red, by the
//! invariant that is named beside it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use common::lab;

/// Its new binary takes a second to fail, so there is an oldbin file to be fooled by, however slow the machine is.
const LOADS_THEN_FAILS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories/new-binary-loads-then-fails.kdl");

/// Runs one story with one defect and returns the invariants that were violated.
fn violated(story: &str, mutant: &str) -> Vec<String> {
    let output =
        lab().args(["run", story, "--world", "fake", "--json", "--mutant", mutant]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{mutant} was not noticed:\n{said}");
    let run: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    let findings = run["findings"].as_array().unwrap();
    findings
        .iter()
        .filter(|finding| finding["finding"] == "violated")
        .map(|finding| finding["invariant"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_fake_that_forgets_to_rename_oldbin_back_is_caught() {
    // By hand: `oldbin` would give the file its name back itself.
    let violated = violated("manual-upgrade-and-rollback", "fake.forgets-to-rename-oldbin-back");

    assert!(violated.contains(&"pid-files-name-live-masters".to_owned()), "{violated:?}");
}

#[test]
fn an_orchestrator_that_quits_without_looking_is_caught() {
    let violated = violated(LOADS_THEN_FAILS, "orchestrator.quits-without-looking");

    assert!(violated.contains(&"fresh-connection-finds-a-worker".to_owned()), "{violated:?}");
}

#[test]
fn without_a_mutant_the_same_stories_are_green() {
    for story in ["manual-upgrade-and-rollback", LOADS_THEN_FAILS] {
        lab().args(["run", story, "--world", "fake", "--json"]).assert().code(0);
    }
}
