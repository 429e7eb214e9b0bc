//! The README's transcripts are what the programs say: each `$ oldbin…` block is run again and compared, with
//! numbers and the width of columns left out.

use assert_cmd::Command;
use scenarios::catalogue;

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

/// What must be equal: the words of the table, of a failure's first line and of its last. Numbers, blanks and
/// rules differ from run to run, and so does the order in which a failure is seen to unfold.
fn shape(text: &str) -> Vec<String> {
    let is_firm = |line: &str| {
        let first = line.split_whitespace().next().unwrap_or_default();
        ["scenario", "VIOLATED", "replay"].contains(&first) || catalogue::scenario(first).is_some()
    };
    let word = |word: &str| match word {
        // A gap of a second is told in another unit.
        "s" | "ms" => "unit".to_owned(),
        number if number.chars().all(|c| c.is_ascii_digit() || c == '.') => "N".to_owned(),
        other => other.to_owned(),
    };
    let line = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = text.lines().filter(|line| is_firm(line)).map(line).collect();
    assert!(lines.len() >= 2, "nothing in it can be compared:\n{text}");
    lines
}

#[test]
fn the_readme_s_scenario_is_one() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let text = readme.split("```kdl\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();

    let scenario = scenarios::scenario::parse("README.md", text);

    assert!(scenario.is_ok(), "{}", scenario.unwrap_err().render(false));
}
