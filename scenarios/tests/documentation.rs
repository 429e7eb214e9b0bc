//! `docs/scenarios.md` cannot rot: every example in it is read, and everything that can be said is in it.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use fake_nginx::fault;
use scenarios::format::FormatError;
use scenarios::regression;
use scenarios::runbook::{self, PLACEHOLDERS};
use scenarios::scenario::{self, Claim};

const SCENARIO: [(&str, &str); 6] = [
    ("why", "why \"because\""),
    ("old", "old \"1.22.1\""),
    ("new", "new \"1.26.3\""),
    ("act", "act \"orchestrator\" \"upgrade\" claims=\"upgraded\""),
    ("load", "load fresh-per-second=1"),
    ("expect", "expect { sometimes \"new-master.born\"; }"),
];
const RUNBOOK: [(&str, &str); 3] =
    [("why", "why \"because\""), ("sleep", "sleep \"1s\""), ("claims", "claims \"failed\"")];

fn path() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios.md").display().to_string()
}

fn page() -> String {
    fs::read_to_string(path()).expect("docs/scenarios.md")
}

/// The fenced blocks of this kind.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let fence = format!("```{kind}\n");
    let block = |behind: &str| behind.split_once("```").map(|(block, _)| block.to_owned());
    page.split(&fence).skip(1).filter_map(block).collect()
}

/// A part of a file, with everything around it that a whole file needs.
fn whole(what: &str, part: &str, rest: &[(&str, &str)]) -> String {
    let stands = |name: &str| part.lines().any(|line| line.starts_with(&format!("{name} ")));
    let rest: Vec<_> = rest.iter().filter(|(name, _)| !stands(name)).map(|(_, node)| *node).collect();
    format!("{what} \"part\" schema=1 {{\n{part}\n{}\n}}", rest.join("\n"))
}

fn accept<T>(text: &str, read: Result<T, FormatError>) {
    if let Err(error) = read {
        panic!("an example of docs/scenarios.md is refused:\n{text}\n{}", error.render(false));
    }
}

#[test]
fn every_example_of_the_page_is_accepted() {
    let page = page();
    let mut read = 0;
    for text in blocks(&page, "kdl scenario") {
        accept(&text, scenario::parse("example.kdl", &text));
        read += 1;
    }
    for part in blocks(&page, "kdl scenario-part") {
        let text = whole("scenario", &part, &SCENARIO);
        accept(&text, scenario::parse("example.kdl", &text));
        read += 1;
    }
    for text in blocks(&page, "kdl runbook") {
        accept(&text, runbook::parse("example.kdl", &text));
        read += 1;
    }
    for part in blocks(&page, "kdl runbook-part") {
        let text = whole("runbook", &part, &RUNBOOK);
        accept(&text, runbook::parse("example.kdl", &text));
        read += 1;
    }
    for text in blocks(&page, "kdl regression") {
        accept(&text, regression::parse("example.kdl", &text));
        read += 1;
    }
    assert_eq!(read, page.matches("```kdl ").count() - 1, "a block of an unknown kind");
}

/// Write it anew with `OLDBIN_WRITE_DOCS=1 cargo test -p scenarios the_mistake`.
#[test]
fn the_mistake_that_the_page_shows_is_told_as_it_says() {
    let page = page();
    let text = blocks(&page, "kdl mistake").remove(0);
    let told = scenario::parse("mine.kdl", &text).expect_err("it shows a mistake").render(false);
    let told: String = told.trim_end().lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let shown = blocks(&page, "text mistake").remove(0);
    if std::env::var_os("OLDBIN_WRITE_DOCS").is_some() {
        let page = page.replace(&format!("```text mistake\n{shown}"), &format!("```text mistake\n{told}"));
        fs::write(path(), page).expect("docs/scenarios.md");
        return;
    }
    assert_eq!(shown, told);
}

#[test]
fn everything_that_a_file_can_say_is_on_the_page() {
    let page = page();
    for fault in fault::ALL {
        let row = format!("| `{}` | {} |", fault.example, fault.sentence);
        assert!(page.contains(&row), "{row}");
    }
    for claim in Claim::ALL {
        assert!(page.contains(&format!("| `{claim}` |")), "{claim}");
    }
    for (placeholder, _) in PLACEHOLDERS {
        assert!(page.contains(&format!("`{{{placeholder}}}`")), "{placeholder}");
    }
}

/// Nothing can be said that the page's examples do not say: each list of valid names is asked for by a mistake.
#[test]
fn every_node_that_a_mistake_lists_has_an_example() {
    let page = page();
    let mistakes = [
        scenario::parse("x", "scenario \"x\" schema=1 { nothing; expect { nothing; }; }")
            .expect_err("nothing")
            .mistakes,
        runbook::parse("x", "runbook \"x\" schema=1 { nothing; check { nothing; }; }")
            .expect_err("nothing")
            .mistakes,
        regression::parse("x", "regression \"x\" schema=1 { nothing; }").expect_err("nothing").mistakes,
    ];
    let mut names = 0;
    for help in mistakes.iter().flatten().filter_map(|mistake| mistake.help.as_ref()) {
        let Some((_, list)) = help.split_once("valid here: ") else { continue };
        for name in list.split(", ").map(|name| name.trim_matches('`')) {
            names += 1;
            let word = format!("{name} ");
            let is_at_start = |line: &str| line.trim_start().starts_with(&word);
            let is_shown = page.lines().flat_map(|line| line.split(['{', ';'])).any(is_at_start);
            assert!(is_shown, "`{name}` has no example");
        }
    }
    assert_eq!(names, 11 + 6 + 10 + 4 + 8);
}
