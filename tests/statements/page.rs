//! `docs/statements.md`, and what must hold before it can be made.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use crate::RELEASES;
use crate::cases::{CASES, Case};
use crate::catalogue::{NO_TEST_YET, NOT_CHECKED, STATEMENTS};
use crate::scan::{self, Check, Runs};

const REGENERATE: &str = "OLDBIN_WRITE_DOCS=1 cargo test --test statements the_page";

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("every_statement_has_a_test_or_a_reason", every_statement_has_a_test_or_a_reason),
    ("a_test_names_statements_that_there_are", a_test_names_statements_that_there_are),
    ("a_test_for_six_statements_is_refused", a_test_for_six_statements_is_refused),
    ("every_case_says_what_it_checks", every_case_says_what_it_checks),
    ("the_page_in_docs_is_the_one_that_is_made_from_the_tests", the_page_is_the_one_that_is_made),
];

fn every_statement_has_a_test_or_a_reason() {
    let checked: BTreeSet<String> = scan::checks().into_iter().flat_map(|check| check.numbers).collect();
    for statement in STATEMENTS {
        let number = statement.number;
        let excuses = NOT_CHECKED.iter().filter(|(other, _)| *other == number).count()
            + NO_TEST_YET.iter().filter(|other| **other == number).count();
        match (checked.contains(number), excuses) {
            (true, 0) | (false, 1) => {}
            (true, _) => panic!("{number} has a test: take it from NOT_CHECKED and NO_TEST_YET"),
            (false, _) => panic!("{number} has no test: write one, with `/// checks: {number}` above it"),
        }
    }
}

fn a_test_names_statements_that_there_are() {
    let numbers: BTreeSet<_> = STATEMENTS.iter().map(|statement| statement.number).collect();
    assert_eq!(numbers.len(), STATEMENTS.len(), "a number stands twice in the catalogue");
    for check in scan::checks() {
        for number in &check.numbers {
            assert!(numbers.contains(number.as_str()), "{}: `{}` checks {number}?", check.file, check.test);
        }
    }
    let excused = NOT_CHECKED.iter().map(|(number, _)| number).chain(&NO_TEST_YET);
    excused.for_each(|number| assert!(numbers.contains(number), "{number} is excused and no statement"));
}

fn a_test_for_six_statements_is_refused() {
    let scan = |numbers: &str| {
        let text = format!("    /// checks: {numbers}\n    #[test]\n    fn it() {{}}\n");
        std::panic::catch_unwind(|| scan::checks_in("x.rs", &text))
    };
    let five = scan("M1 M2 M3 M4 M5").unwrap();
    assert_eq!((five[0].test.as_str(), five[0].numbers.len(), five[0].runs), ("it", 5, Runs::OnFake));
    assert!(scan("M1 M2 M3 M4 M5 M6").is_err() && scan("").is_err());
}

fn every_case_says_what_it_checks() {
    let checks = scan::checks();
    let cases: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
    for check in checks.iter().filter(|check| check.runs == Runs::AsCase) {
        assert!(cases.contains(check.test.as_str()), "`{}` is not in the table of cases", check.test);
    }
    for name in cases {
        assert!(checks.iter().any(|check| check.test == name), "`{name}` checks no statement");
    }
}

fn the_page_is_the_one_that_is_made() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/statements.md");
    if std::env::var_os("OLDBIN_WRITE_DOCS").is_some() {
        fs::write(path, page()).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(written == page(), "docs/statements.md is out of date: {REGENERATE}");
}

fn page() -> String {
    let checks = scan::checks();
    let mut page = String::from(
        "# Statements\n\n\
         What nginx does, one statement a row, and the tests that check it. A test under `tests/statements` takes the\n\
         same steps on the fake, as each of these releases, and on each real release that is found, and one under\n\
         `tests/conformance` compares their answers. *same* means that the statement was seen to hold there.\n\n",
    );
    let _ = writeln!(page, "| | statement | tests | fake | {} |", RELEASES.join(" | "));
    let _ = writeln!(page, "|---|---|---|---|{}", "---|".repeat(RELEASES.len()));
    for statement in STATEMENTS {
        let own: Vec<_> =
            checks.iter().filter(|check| check.numbers.iter().any(|it| it == statement.number)).collect();
        if own.is_empty() {
            continue;
        }
        let tests: Vec<_> = own.iter().map(|check| format!("`{}`", check.test)).collect();
        let _ = write!(page, "| {} | {} | {} |", statement.number, statement.sentence, tests.join(", "));
        for on in ["fake"].iter().chain(RELEASES) {
            let _ = write!(page, " {} |", cell(&own, on));
        }
        page.push('\n');
    }
    page.push_str("\n## Not checked\n\n| | statement | why |\n|---|---|---|\n");
    let yet = NO_TEST_YET.iter().map(|number| (*number, "no test yet"));
    for (number, why) in NOT_CHECKED.iter().copied().chain(yet) {
        let sentence = STATEMENTS.iter().find(|it| it.number == number).map_or("", |it| it.sentence);
        let _ = writeln!(page, "| {number} | {sentence} | {why} |");
    }
    let _ = writeln!(page, "\nThis page is generated: `{REGENERATE}`.");
    page
}

/// What these tests say about the fake or a release.
fn cell(checks: &[&Check], on: &str) -> String {
    let case =
        |check: &&Check| CASES.iter().find(|case| check.runs == Runs::AsCase && case.name == check.test);
    let cases: Vec<&Case> = checks.iter().filter_map(case).collect();
    if let Some((_, why)) = cases.iter().flat_map(|case| case.differs).find(|(other, _)| *other == on) {
        return format!("differs: {why}");
    }
    let is_compared = checks.iter().any(|check| check.runs == Runs::Compared);
    if on == "fake" || is_compared || !cases.is_empty() {
        return "same".to_owned();
    }
    "not run: a test of the fake's parts".to_owned()
}
