//! The README's transcripts are what the programs say: each `$ oldbin…` block is run again and compared, with
//! numbers and the width of columns left out.

mod common;

use assert_cmd::Command;

#[test]
fn every_transcript_of_the_readme_is_what_the_program_says() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let transcripts = transcripts(&readme);
    assert!(
        transcripts.len() >= 2,
        "the README shows the thing at work in {} transcripts",
        transcripts.len()
    );

    for (command, shown) in transcripts {
        let mut words = command.split_whitespace();
        let program = match words.next() {
            Some("oldbin") => env!("CARGO_BIN_EXE_oldbin"),
            Some("oldbin-lab") => env!("CARGO_BIN_EXE_oldbin-lab"),
            Some("fake-nginx") => env!("CARGO_BIN_EXE_fake-nginx"),
            other => panic!("the README runs {other:?}"),
        };
        let output = Command::new(program).args(words).env("NO_COLOR", "1").output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(shape(&said), shape(&shown), "`{command}` says:\n{said}");
    }
}

/// The blocks that open with a `$ ` line: the command, and what follows.
fn transcripts(readme: &str) -> Vec<(String, String)> {
    let blocks = readme.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks
        .filter_map(|block| block.strip_prefix("$ ")?.split_once('\n'))
        .filter(|(command, _)| command.starts_with("oldbin") || command.starts_with("fake-nginx"))
        .map(|(command, shown)| (command.to_owned(), shown.to_owned()))
        .collect()
}

/// What must be equal: the words. Numbers, blanks and rules differ from run to run.
fn shape(text: &str) -> Vec<String> {
    let word = |word: &str| {
        let digits = word.chars().all(|c| c.is_ascii_digit() || c == '.');
        let shape =
            if digits && !word.is_empty() { "N".to_owned() } else { word.trim_matches('─').to_owned() };
        // A gap of a second is told in another unit.
        if matches!(shape.as_str(), "s" | "ms") { "unit".to_owned() } else { shape }
    };
    let line = |line: &str| {
        line.split_whitespace().map(word).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}
