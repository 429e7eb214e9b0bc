//! Finds which test checks which statement: a line `checks: U13 U14` in the comment above it.

use crate::common::marks::{Mark, marks, marks_in};

/// A test stands for so many statements at most: who checks everything checks nothing.
const STATEMENTS_MAX: usize = 5;
const MARK: &str = "checks";

/// Where a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runs {
    /// On the fake alone.
    OnFake,
    /// On both, and their answers are compared.
    Compared,
    /// On both, as a case of this program.
    AsCase,
}

/// A test and what it checks.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) file: String,
    pub(crate) test: String,
    pub(crate) runs: Runs,
    pub(crate) numbers: Vec<String>,
}

/// Every check of all sources, by file and line.
pub(crate) fn checks() -> Vec<Check> {
    marks(MARK).into_iter().map(check).collect()
}

/// The checks of one file.
pub(crate) fn checks_in(file: &str, text: &str) -> Vec<Check> {
    marks_in(MARK, file, text).into_iter().map(check).collect()
}

fn check(Mark { file, test, words: numbers, .. }: Mark) -> Check {
    assert!(
        (1..=STATEMENTS_MAX).contains(&numbers.len()),
        "{file}: `{test}` checks {} statements; one to {STATEMENTS_MAX} are allowed",
        numbers.len()
    );
    Check { runs: runs(&file), file, test, numbers }
}

fn runs(file: &str) -> Runs {
    if file.starts_with("tests/statements/") {
        Runs::AsCase
    } else if file.starts_with("tests/conformance/") {
        Runs::Compared
    } else {
        Runs::OnFake
    }
}
