//! Each procedure that people use, with the smallest bound within which it goes wrong: `docs/runbooks.md`.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use scenarios::catalogue;
use scenarios::explore::Stop;
use scenarios::model::binaries::BINARIES;
use scenarios::model::exhaustive::{Cell, Found, Limits, explore, named};
use scenarios::model::fault::Fault;
use scenarios::model::script::Mistakes;
use scenarios::scenario::Claim;

const REGENERATE: &str = "OLDBIN_WRITE_DOCS=1 cargo test -p scenarios --test runbooks";

/// Those whose words depend on a number of workers, and those that begin in the middle of an upgrade.
const NOT_WHOLE: [&str; 5] = [
    "bare-signals",
    "bare-signals-back",
    "bare-signals-to-winch",
    "manual-rollback",
    "way-back-without-winch",
];

/// Smaller bounds first: nothing unusual, a slow machine, another binary, something that goes wrong.
fn bounds() -> Vec<String> {
    let mut bounds = vec![String::new(), " stalls=1".to_owned(), " stalls=2".to_owned()];
    bounds.extend((1..BINARIES.len()).map(|binary| format!(" binary={binary}")));
    bounds.extend(
        Fault::all().filter(|fault| !fault.is_of_command()).map(|fault| format!(" fault={}", fault.name())),
    );
    bounds
}

/// The runbooks that are a whole upgrade. Who claims nothing but failure is a mishap that stories begin with.
fn procedures() -> impl Iterator<Item = &'static str> {
    let is_mishap =
        |name| catalogue::runbook(name).is_some_and(|book| book.expect("it is read").claims == Claim::Failed);
    let names = catalogue::RUNBOOKS.iter().map(|entry| entry.name);
    names.filter(move |name| !NOT_WHOLE.contains(name) && !is_mishap(name))
}

fn shortest(cell: &Cell) -> Option<Found> {
    let limits = Limits { first_only: true, ..Limits::EVERYTHING };
    explore(cell, Mistakes::default(), limits, &mut |_| Stop::No).found.into_iter().next()
}

fn told(cell: &Cell) -> String {
    let mut words = Vec::new();
    match cell.stalls_max {
        0 => {}
        1 => words.push("the machine is slow once".to_owned()),
        _ => words.push("the machine is slow twice".to_owned()),
    }
    words.extend(BINARIES[cell.binary].map(|fault| format!("the new binary `{fault}`")));
    words.extend(cell.faults.iter().map(|fault| format!("`{}`", fault.name())));
    if words.is_empty() { "nothing unusual".to_owned() } else { words.join(", ") }
}

/// The steps that say what has happened: no step of the person, whose order the runbook tells.
fn turns(found: &Found) -> Vec<String> {
    let all = found.path.iter().map(ToString::to_string);
    all.filter(|step| !step.starts_with("subject.") && !step.starts_with("launcher.")).collect()
}

fn page() -> String {
    let mut page = String::from(
        "# What goes wrong with the procedures that people use\n\n\
         Each runbook of the catalogue, with one worker and one client, in every interleaving. Bounds are tried from\n\
         the calmest on: nothing unusual; a machine on which time passes once or twice although somebody could go on;\n\
         a new binary that is not sound; a process that is taken away. Told is the first bound within which a fresh\n\
         connection finds nobody, a request is lost or the claim is not true, and a shortest way there.\n\n\
         | runbook | goes wrong if | steps | what is wrong |\n|---|---|---|---|\n",
    );
    let mut ways = String::new();
    for name in procedures() {
        let mut cells = bounds().into_iter().map(|bound| named(&format!("{name}{bound}")).expect("a bound"));
        let Some((cell, found)) = cells.find_map(|cell| shortest(&cell).map(|found| (cell, found))) else {
            writeln!(page, "| `{name}` | within none of these bounds | | |").expect("a string");
            continue;
        };
        let why = found.why.split(" at ").next().unwrap_or_default();
        writeln!(page, "| `{name}` | {} | {} | {why} |", told(&cell), found.path.len()).expect("a string");
        writeln!(ways, "## {name}\n\n`oldbin-lab explore --exhaustive --cell \"{cell}\"`\n")
            .expect("a string");
        writeln!(ways, "```text\n{}\n{why}\n```\n", turns(&found).join("\n")).expect("a string");
    }
    format!(
        "{page}\n{ways}This page is generated; `cargo test` says so when it is out of date. Write it again with\n\
         `{REGENERATE}`.\n"
    )
}

/// Red if a runbook, a machine or a rule changes what goes wrong.
#[test]
fn the_page_in_docs_is_what_the_search_finds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks.md");
    let page = page();
    if std::env::var_os("OLDBIN_WRITE_DOCS").is_some() {
        fs::write(&path, &page).expect("docs/runbooks.md is written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page, "docs/runbooks.md is out of date: {REGENERATE}");
}
