//! Marks in the comments above tests: a line `checks: U13 U14` says what the test below it is for.

use std::fs;
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 7] = [
    "fake-nginx/src",
    "fake-nginx/tests",
    "orchestrator/src",
    "orchestrator/tests",
    "scenarios/src",
    "scenarios/tests",
    "tests",
];

/// A test, and the words of its mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub file: String,
    pub test: String,
    pub words: Vec<String>,
    /// What the test does, as it is written.
    pub body: String,
}

/// Every mark of that name in all sources, by file and line.
pub fn marks(name: &str) -> Vec<Mark> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in FOLDERS {
        walk(&root.join(folder), &mut files);
    }
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let file = path.strip_prefix(&root).expect("it is below the root").display().to_string();
        found.extend(marks_in(name, &file, &fs::read_to_string(&path).expect("a source")));
    }
    found
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// The marks of that name in one file.
pub fn marks_in(name: &str, file: &str, text: &str) -> Vec<Mark> {
    let lines: Vec<&str> = text.lines().collect();
    let marks = lines.iter().enumerate().filter_map(|(at, line)| {
        let comment = line.trim_start().trim_start_matches('/').trim_start();
        let is_comment = line.trim_start().starts_with("//");
        let words = comment.strip_prefix(name)?.strip_prefix(':').filter(|_| is_comment)?;
        let begins = (at..lines.len()).find(|&line| lines[line].trim_start().split_once("fn ").is_some());
        let first = begins.map_or("", |line| lines[line]);
        let test = first.split_once("fn ").and_then(|(_, behind)| behind.split(['(', '<']).next());
        let margin = &first[..first.len() - first.trim_start().len()];
        let is_end = |line: &&&str| **line == format!("{margin}}}");
        let body: Vec<_> =
            lines[begins.unwrap_or(at)..].iter().take_while(|line| !is_end(line)).copied().collect();
        Some(Mark {
            file: file.to_owned(),
            test: test.unwrap_or_default().to_owned(),
            words: words.split_whitespace().map(str::to_owned).collect(),
            body: body.join("\n"),
        })
    });
    marks.collect()
}
