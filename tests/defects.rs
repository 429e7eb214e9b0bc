//! Every deliberate defect, of the fake and of the orchestrator, and who notices it.
//!
//! Random scripts in the model look for each. `docs/mutants.md` is the table of what they found. What they cannot find
//! stands in [`BEYOND`], with who finds it and why they do not. What turns this red: a rule that has become too weak to
//! notice a defect, a defect that changes nothing, and a list that has outlived its reasons.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use scenarios::explore::Stop;
use scenarios::model::choice::Seeded;
use scenarios::model::exhaustive::{self, Limits};
use scenarios::model::rules::Rule;
use scenarios::model::script::Stages;
use scenarios::mutant;

/// Within how many scripts a defect must be found.
const WITHIN: u64 = 20_000;
/// How many scripts show that one of [`BEYOND`] is no easy catch.
const BEYOND_WITHIN: u64 = 300;
/// The same, if there is time.
const DEEP_WITHIN: u64 = 20_000;
/// Within how many states of a bound a defect counts as found by the search.
const STATES_MAX: usize = 20_000;
/// How many look at once.
const JOBS: usize = 2;
const REGENERATE: &str = "OLDBIN_WRITE_DOCS=1 cargo test --test defects the_page";

/// Who finds what scripts do not, and why they do not.
struct Finder {
    who: &'static str,
    why: &'static str,
    mutants: &'static [&'static str],
}

/// Defects that random scripts do not find.
const BEYOND: &[Finder] = &[
    Finder {
        who: "`oldbin-lab verify`",
        why: "no promise of the orchestrator depends on it, or the model has nothing that would show it",
        mutants: &[
            "fake.handles-the-lowest-first",
            "fake.goes-on-behind-reconfigure",
            "fake.test-makes-no-pid-file",
            "fake.signaller-exits-zero",
            "fake.forgets-its-parent",
            "fake.shrugs-off-a-missing-pid-file",
            "fake.adds-no-second-set",
            "fake.waits-for-hup",
            "fake.promises-keep-alive",
            "fake.leaves-the-old-pid-file",
            "fake.leaves-unix-sockets",
            "fake.watches-all-clones",
            "fake.keeps-inherited-sockets",
        ],
    },
    Finder {
        who: "tables of decisions",
        why: "20,000 scripts do not show it; presumably one process must wait for long while others go on",
        mutants: &[
            "orchestrator.skips-the-audit",
            "orchestrator.winches-a-busy-master",
            "orchestrator.quits-a-busy-master",
            "orchestrator.hups-a-busy-master",
            "orchestrator.hups-into-the-winch",
            "orchestrator.repeats-hup-at-once",
            "orchestrator.retires-before-they-accept",
            "orchestrator.changes-a-busy-master",
            "orchestrator.mistakes-a-fork-for-an-orphan",
            "orchestrator.forgets-the-unborn",
        ],
    },
    Finder {
        who: "tables of decisions",
        why: "20,000 scripts do not show it; presumably several faults must strike within a few steps of each other",
        mutants: &[
            "orchestrator.sends-unconditionally",
            "orchestrator.forgets-its-own-quit",
            "orchestrator.commits-to-the-unfit",
            "orchestrator.judges-quit-at-once",
            "orchestrator.leaves-the-old-file",
            "orchestrator.takes-over-unready",
            "orchestrator.counts-departing-workers",
            "orchestrator.skips-the-ladders-winch",
            "orchestrator.leaves-the-pid-file-renamed",
        ],
    },
    Finder {
        who: "tables of decisions",
        why: "20,000 scripts do not show it; presumably a later step that asks again covers it",
        mutants: &[
            "orchestrator.trusts-preflight",
            "orchestrator.drains-a-busy-master",
            "orchestrator.accepts-the-first-worker",
            "orchestrator.soaks-beside-old-workers",
        ],
    },
    Finder {
        who: "tables of decisions",
        why: "scripts ask the new binary nothing, leave nobody to drain and do not watch behind the commit point",
        mutants: &[
            "orchestrator.forgives-everything",
            "orchestrator.asks-only-once",
            "orchestrator.soaks-unasked",
            "orchestrator.commits-unasked",
            "orchestrator.ignores-the-log",
            "orchestrator.forgives-every-worker",
            "orchestrator.cuts-what-is-to-be-left",
            "orchestrator.leaves-the-untold",
            "orchestrator.forgets-the-watch",
            "orchestrator.watches-anybody",
        ],
    },
    Finder {
        who: "every interleaving",
        why: "in random scripts nobody types a command while another one runs",
        mutants: &["orchestrator.forgets-the-lock"],
    },
    Finder {
        who: "every interleaving",
        why: "in random scripts the power never fails",
        mutants: &[
            "orchestrator.restores-the-file-last",
            "orchestrator.syncs-no-folder",
            "orchestrator.syncs-no-copy",
            "orchestrator.forgets-the-boot",
        ],
    },
    Finder {
        who: "tables of decisions",
        why: "in random scripts nobody reloads the old master beside a new one, and a drain that waits for a sleeping master covers most of it",
        mutants: &["orchestrator.holds-unseen"],
    },
    Finder {
        who: "tables of decisions",
        why: "in random scripts nobody reloads the old master beside a new one; a kept failure shows it",
        mutants: &["orchestrator.waits-for-the-untold", "orchestrator.lets-the-winch-lie"],
    },
    Finder {
        who: "every interleaving",
        why: "in random scripts nobody gets a number that an nginx had before",
        mutants: &["orchestrator.signals-by-number"],
    },
    Finder {
        who: "tables of decisions",
        why: "nobody in the model damages a pid file",
        mutants: &["orchestrator.ignores-the-pid-file"],
    },
];

/// Defects that every interleaving shows, and the first of the bounds of every change in which it does.
const SEARCHED: &[(&str, &str)] = &[
    ("fake.quits-the-new-binary-too", "upgrade workers=1 fresh=1"),
    ("fake.deletes-the-wrong-pid-file", "upgrade workers=2"),
    ("fake.closes-listeners-on-noaccept", "upgrade workers=1 fault=full-disk"),
    ("fake.daemonises-the-new-binary", "upgrade workers=1 binary=3"),
    ("fake.tells-fresh-workers-to-go", "upgrade workers=1 fault=reload"),
    ("orchestrator.quits-without-looking", "upgrade workers=2"),
    ("orchestrator.believes-the-pid-file", "upgrade workers=2"),
    ("orchestrator.forgets-the-file", "upgrade workers=1 crashes=1"),
    ("orchestrator.retires-before-reviving", "rollback workers=1 fresh=1"),
    ("orchestrator.ignores-orphans", "upgrade workers=1 fault=kill-old-master"),
    ("orchestrator.forgets-the-winch", "rollback workers=1 fresh=1"),
    ("orchestrator.leaves-the-oldbin-file", "upgrade workers=1 fault=kill-old-master"),
    ("orchestrator.forgets-the-hup", "rollback workers=1 fresh=1"),
    ("orchestrator.waits-for-the-journal", "upgrade workers=1 fault=full-disk"),
    ("orchestrator.forgets-the-last-word", "upgrade workers=1 fault=kill-old-master"),
    ("orchestrator.forgets-the-lock", "upgrade workers=1 fault=second-operator"),
    ("orchestrator.announces-late", "upgrade workers=1 fault=power-failure"),
    ("orchestrator.syncs-no-folder", "upgrade workers=1 fault=power-failure"),
    ("orchestrator.syncs-no-copy", "upgrade workers=1 fault=power-failure"),
    ("orchestrator.forgets-the-boot", "upgrade workers=1 fault=power-failure"),
    ("orchestrator.restores-the-file-last", "rollback workers=1 fault=power-failure looks=whole"),
    ("orchestrator.signals-by-number", "upgrade workers=1 fault=kill-old-master fault=reused-pid"),
];

/// What noticed a defect, and in which script, from 1.
type Caught = Option<(Rule, u64)>;

/// One hunt is enough for all tests.
static CAUGHT: LazyLock<BTreeMap<String, Caught>> = LazyLock::new(|| hunt(BEYOND_WITHIN));

/// Plays scripts with each defect until a rule is broken.
fn hunt(beyond_within: u64) -> BTreeMap<String, Caught> {
    in_parallel(&mutant::all(), |name| (name.clone(), caught(name, beyond_within))).into_iter().collect()
}

/// The same with each of many, several at once.
fn in_parallel<T: Sync, R: Send>(all: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let own = std::iter::from_fn(|| all.get(next.fetch_add(1, Ordering::Relaxed)));
        own.map(&act).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let workers = [(); JOBS].map(|()| scope.spawn(work));
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn caught(name: &str, beyond_within: u64) -> Caught {
    let stages = Stages::new(mutant::mistakes(&[name.parse().unwrap()]));
    let within = if beyond(name).is_some() { beyond_within } else { WITHIN };
    (0..within).find_map(|seed| stages.play(&mut Seeded::new(seed)).rule.map(|rule| (rule, seed + 1)))
}

fn beyond(name: &str) -> Option<&'static Finder> {
    BEYOND.iter().find(|finder| finder.mutants.contains(&name))
}

/// Fails if the list of what scripts do not find is wrong about one of these.
fn assert_listed(caught: &BTreeMap<String, Caught>) {
    for (name, caught) in caught {
        match (caught, beyond(name)) {
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) => panic!("scripts find {name} ({caught:?}): take it from BEYOND"),
            (None, None) => panic!("{WITHIN} scripts do not find {name}: is a rule too weak?"),
        }
    }
}

#[test]
fn every_deliberate_defect_is_found_by_scripts_or_listed_with_who_finds_it() {
    assert_listed(&CAUGHT);

    let named: Vec<_> = BEYOND.iter().flat_map(|finder| finder.mutants).collect();
    for name in &named {
        assert!(CAUGHT.contains_key(**name), "{name} is listed and no defect");
        assert_eq!(named.iter().filter(|other| *other == name).count(), 1, "{name} is listed twice");
    }
}

#[test]
#[ignore = "takes minutes: cargo test --test defects even_many -- --ignored"]
fn even_many_scripts_do_not_find_what_is_listed() {
    assert_listed(&hunt(DEEP_WITHIN));
}

/// After how many states the search finds each of [`SEARCHED`]; `None`: it does not.
static SEARCH: LazyLock<BTreeMap<&str, (&str, Option<usize>)>> = LazyLock::new(|| {
    let found = in_parallel(SEARCHED, |&(name, bound)| (name, (bound, states_until(name, bound))));
    found.into_iter().collect()
});

/// After how many states of a bound the search finds a defect.
fn states_until(name: &str, bound: &str) -> Option<usize> {
    let mistakes = mutant::mistakes(&[name.parse().unwrap()]);
    let limits = Limits { first_only: true, states_max: STATES_MAX, ..Limits::EVERYTHING };
    let cell = exhaustive::named(bound).unwrap();
    let report = exhaustive::explore(&cell, mistakes, limits, &mut |_| Stop::No);
    (!report.found.is_empty()).then_some(report.states)
}

/// Red when a rule no longer notices a defect, or when the search misses an order.
#[test]
fn every_interleaving_within_a_bound_shows_the_defects_that_are_listed() {
    for (name, (bound, states)) in SEARCH.iter() {
        assert!(states.is_some(), "{name} is not found within {STATES_MAX} states of {bound:?}");
    }
}

#[test]
#[ignore = "takes minutes: cargo test --test defects the_search_finds -- --ignored"]
fn the_search_finds_no_more_than_is_listed() {
    let unlisted: Vec<String> =
        mutant::all().into_iter().filter(|name| SEARCHED.iter().all(|(known, _)| known != name)).collect();
    let bounds: Vec<String> = exhaustive::cells().iter().map(ToString::to_string).collect();
    let found = in_parallel(&unlisted, |name| {
        let bound = bounds.iter().find(|bound| states_until(name, bound).is_some());
        bound.map(|bound| format!("(\"{name}\", \"{bound}\"),"))
    });
    let found: Vec<String> = found.into_iter().flatten().collect();
    assert!(found.is_empty(), "put these into SEARCHED:\n{}", found.join("\n"));
}

#[test]
fn the_laboratory_has_many_ways_to_fail() {
    assert!(CAUGHT.len() >= 50, "{}", CAUGHT.len());
}

#[test]
fn the_page_in_docs_is_the_one_that_is_made_from_the_hunt() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/mutants.md");
    if std::env::var_os("OLDBIN_WRITE_DOCS").is_some() {
        fs::write(path, page()).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(written == page(), "docs/mutants.md is out of date: {REGENERATE}");
}

/// A column of the page: its head, and what it says about a mutant.
type Column = (&'static str, fn(&str) -> String);

/// What the page tells beside a mutant's name. Another strategy is another column.
const COLUMNS: [Column; 5] = [
    ("what is wrong", |name| SENTENCES[name].clone()),
    ("caught by", |name| {
        let rule = CAUGHT[name].map(|(rule, _)| format!("`{}`", rule.name()));
        rule.unwrap_or_else(|| beyond(name).map_or("", |finder| finder.who).to_owned())
    }),
    ("random scripts", |name| {
        CAUGHT[name].map_or_else(|| "no".to_owned(), |(_, nth)| format!("after {nth}"))
    }),
    ("every interleaving", |name| match SEARCH.get(name) {
        Some((bound, Some(states))) => format!("`{bound}`, after {states}"),
        Some((_, None)) | None => "no".to_owned(),
    }),
    ("why not", |name| beyond(name).map_or("", |finder| finder.why).to_owned()),
];

fn page() -> String {
    let mut page = String::from(
        "# Mutants\n\n\
         A laboratory that has never failed has proved nothing. Each mutant is the fake or the orchestrator with one\n\
         deliberate defect. Random scripts in the model are played with it from seed 0 on, until a rule is broken; the\n\
         rules stand in `scenarios::model::rules`. What they do not find is found elsewhere. *Tables of decisions* are\n\
         the orchestrator's own tests. *Every interleaving* is the first of the bounds that every change must pass whose\n\
         search meets a broken rule, and after how many states, if these are fewer than 20,000.\n\n",
    );
    let heads = COLUMNS.map(|(head, _)| head);
    let _ = writeln!(page, "| mutant | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for name in CAUGHT.keys() {
        let cells = COLUMNS.map(|(_, cell)| cell(name));
        let _ = writeln!(page, "| `{name}` | {} |", cells.join(" | "));
    }
    let _ = writeln!(page, "\nThis page is generated: `{REGENERATE}`.");
    page
}

/// The first sentence about each defect, from where it is told.
static SENTENCES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let root = env!("CARGO_MANIFEST_DIR");
    let told = ["fake-nginx", "orchestrator"].into_iter().flat_map(|krate| {
        let text = fs::read_to_string(format!("{root}/{krate}/src/machine/defects.rs")).unwrap();
        sentences(&text)
    });
    // The names stand in the order of their sentences.
    mutant::all().into_iter().zip(told).collect()
});

/// The sentences above the variants of `enum Defect`.
fn sentences(text: &str) -> Vec<String> {
    let variants = text.split_once("pub enum Defect {").unwrap().1.split_once("\n}").unwrap().0;
    let mut sentences = Vec::new();
    let mut doc = String::new();
    for line in variants.lines().map(str::trim) {
        match line.strip_prefix("/// ") {
            Some(words) => doc = format!("{doc} {words}"),
            None if line.is_empty() => {}
            None => sentences.push(std::mem::take(&mut doc).trim().split(". ").next().unwrap().to_owned()),
        }
    }
    sentences
}
