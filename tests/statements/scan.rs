//! Finds which test checks which statement: a line `checks: U13 U14` in the comment above it.

use std::fs;
use std::path::{Path, PathBuf};

/// A test stands for so many statements at most: who checks everything checks nothing.
const STATEMENTS_MAX: usize = 5;
const FOLDERS: [&str; 7] = [
    "fake-nginx/src",
    "fake-nginx/tests",
    "orchestrator/src",
    "scenarios/src",
    "scenarios/tests",
    "src",
    "tests",
];

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
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in FOLDERS {
        walk(&root.join(folder), &mut files);
    }
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let file = path.strip_prefix(&root).unwrap().display().to_string();
        found.extend(checks_in(&file, &fs::read_to_string(&path).unwrap()));
    }
    found
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// The checks of one file.
pub(crate) fn checks_in(file: &str, text: &str) -> Vec<Check> {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let marks = lines.iter().enumerate().filter_map(|(at, line)| {
        let numbers = line.strip_prefix("/// checks:").or_else(|| line.strip_prefix("// checks:"))?;
        let test = lines[at..].iter().find_map(|line| line.split_once("fn ")).map(|(_, behind)| behind);
        let test = test.and_then(|behind| behind.split(['(', '<']).next()).unwrap_or_default();
        let numbers: Vec<_> = numbers.split_whitespace().map(str::to_owned).collect();
        assert!(
            (1..=STATEMENTS_MAX).contains(&numbers.len()),
            "{file}: `{test}` checks {} statements; one to {STATEMENTS_MAX} are allowed",
            numbers.len()
        );
        Some(Check { file: file.to_owned(), test: test.to_owned(), runs: runs(file), numbers })
    });
    marks.collect()
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
