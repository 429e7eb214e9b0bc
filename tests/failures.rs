//! `docs/failures.md`: every failure of upgrades that concerns the handover or the way back, beside what shows it.
//!
//! A story shows a failure by `shows "F3"`, and a test by `/// shows: F3` above it. Where `oldbin` is at work it must
//! end as the table in `scenarios::failures` says; where somebody else's procedure is, the story must be a canary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use common::marks::{Mark, marks};
use scenarios::catalogue;
use scenarios::failures::{End, Failure, NOT_SHOWN, SHOWN};
use scenarios::scenario::{Claim, Scenario, Subject, WorldKind};

const REGENERATE: &str = "OLDBIN_WRITE_DOCS=1 cargo test --test failures the_page";

/// Red when a failure loses its last story and its last test, or an end that the page promises is expected by none.
#[test]
fn every_failure_is_shown_with_every_end_that_the_page_tells() {
    let (stories, tests) = (stories(), marks("shows"));
    for failure in SHOWN {
        for &end in failure.ends {
            let by_story =
                stories.iter().any(|story| shows(story, failure) && ends(story).contains(&end.claim()));
            let by_test = tests.iter().any(|test| names(test, failure) && says(test, end));
            assert!(
                by_story || by_test,
                "{}: nothing shows that oldbin ends with {}",
                failure.number,
                end.claim()
            );
        }
    }
}

/// Red when a story expects another end than the page tells, or shows somebody else's failure and is no canary.
#[test]
fn what_a_story_expects_is_what_the_page_tells() {
    for story in stories() {
        let name = &story.name;
        for failure in SHOWN.iter().filter(|failure| shows(&story, failure)) {
            let (number, told) =
                (failure.number, failure.ends.iter().map(|end| end.claim()).collect::<Vec<_>>());
            if is_of_oldbin(&story) {
                let is_told = ends(&story).iter().any(|claim| told.contains(claim));
                assert!(is_told, "{name} shows {number}, which ends with {told:?}");
            } else {
                assert!(
                    !story.expect.violates.is_empty(),
                    "{name} shows {number} without oldbin, and is no canary"
                );
            }
        }
    }
}

/// Red when the body of a test no longer speaks of the end for which the page names it, or its mark of a number that
/// there is none of.
#[test]
fn a_test_that_shows_a_failure_speaks_of_its_end() {
    for test in marks("shows") {
        let Mark { file, test: name, words, .. } = &test;
        assert!(!words.is_empty(), "{file}: `{name}` shows nothing");
        for number in words {
            let failure = SHOWN.iter().find(|failure| failure.number == number);
            let failure = failure.unwrap_or_else(|| panic!("{file}: `{name}` shows {number}?"));
            let is_said = failure.ends.iter().any(|&end| says(&test, end));
            assert!(is_said, "{file}: `{name}` shows {number} and speaks of none of {:?}", failure.ends);
        }
    }
}

/// Red when the table, a story or a mark has changed and the page was not written again.
#[test]
fn the_page_in_docs_is_the_one_that_is_made_from_stories_and_tests() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/failures.md");
    if std::env::var_os("OLDBIN_WRITE_DOCS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "docs/failures.md is out of date: {REGENERATE}");
}

fn stories() -> Vec<Scenario> {
    catalogue::SCENARIOS.iter().map(|entry| catalogue::scenario(entry.name).unwrap().unwrap()).collect()
}

fn shows(story: &Scenario, failure: &Failure) -> bool {
    story.shows.iter().any(|number| number == failure.number)
}

fn names(test: &Mark, failure: &Failure) -> bool {
    test.words.iter().any(|number| number == failure.number)
}

fn is_of_oldbin(story: &Scenario) -> bool {
    story.acts.iter().any(|act| matches!(act.subject, Subject::Orchestrator { .. }))
}

/// What oldbin claims in it, act by act.
fn ends(story: &Scenario) -> BTreeSet<Claim> {
    let is_ours = |subject: &Subject| matches!(subject, Subject::Orchestrator { .. });
    story.acts.iter().filter(|act| is_ours(&act.subject)).map(|act| act.claims).collect()
}

/// Whether the body of a test speaks of that end.
fn says(test: &Mark, end: End) -> bool {
    test.body.replace('_', "-").contains(end.claim().name())
}

fn page() -> String {
    let (stories, tests) = (stories(), marks("shows"));
    let mut page = String::from(
        "# Failures\n\n\
         How upgrades of a running nginx go wrong, and how `oldbin` ends where it could have gone wrong as well. The\n\
         failures were seen with scripts that people use, with real nginx, or are told in bug reports; those are here that\n\
         concern the handover from one binary to the next or the way back.\n\n\
         A **story** is a file of `scenarios/catalogue/`, run in every world that is named behind it by `oldbin-lab run\n\
         NAME` and by each `cargo test`. A *test* starts `oldbin` as its operators do. A canary shows the same failure with\n\
         a procedure that people use, and must come out red. Worlds: *model* in memory, *fake* on Linux with `fake-nginx`,\n\
         *real* with real releases; a story that forces something at a named moment is not run on those, because they\n\
         do not stop there.\n\n\
         | | what goes wrong | `oldbin` ends | shown by | canaries |\n|---|---|---|---|---|\n",
    );
    for failure in SHOWN {
        let ours =
            stories.iter().filter(|story| shows(story, failure) && is_of_oldbin(story)).map(story_cell);
        let by_tests = tests.iter().filter(|test| names(test, failure)).map(test_cell);
        let canaries =
            stories.iter().filter(|story| shows(story, failure) && !is_of_oldbin(story)).map(story_cell);
        let shown: Vec<_> = ours.chain(by_tests).collect();
        let canaries: Vec<_> = canaries.collect();
        let ends: Vec<_> = failure.ends.iter().copied().map(end_cell).collect();
        let Failure { number, sentence, .. } = failure;
        let _ = writeln!(
            page,
            "| {number} | {sentence} | {} | {} | {} |",
            ends.join(" or "),
            shown.join("; "),
            canaries.join("; ")
        );
    }
    page.push_str("\n## Not shown\n\nNumbers that stand in neither table need systemd, QUIC or a kernel's help, or are no failure of an upgrade.\n\n| | what goes wrong | why nothing shows it |\n|---|---|---|\n");
    for failure in NOT_SHOWN {
        let _ = writeln!(page, "| {} | {} | {} |", failure.number, failure.sentence, failure.why);
    }
    let _ = writeln!(page, "\nThis page is generated: `{REGENERATE}`.");
    page
}

fn end_cell(end: End) -> String {
    match end {
        End::Stuck(state) => format!("{}: {}", end.claim(), state.says()),
        End::Upgraded | End::Draining | End::RolledBack | End::Refused => end.claim().to_string(),
    }
}

/// A story, and the worlds in which it is run.
fn story_cell(story: &Scenario) -> String {
    let worlds: Vec<_> = WorldKind::ALL
        .into_iter()
        .filter(|&world| story.is_not_for(world).is_none())
        .map(WorldKind::name)
        .collect();
    format!("**{}** ({})", story.name, worlds.join(", "))
}

/// A test by its sentence, and where it is run.
fn test_cell(test: &Mark) -> String {
    let Mark { file, test: name, .. } = test;
    if !file.starts_with("tests/oldbin") {
        return format!("*{name}* (machine)");
    }
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let sentence = text.lines().find_map(|line| {
        let entry = line.trim().strip_prefix("(\"")?.strip_suffix(&format!(", {name}),"))?;
        entry.strip_suffix('"')
    });
    format!("*{}* (fake, real)", sentence.unwrap_or_else(|| panic!("{file}: `{name}` is in no table")))
}
