//! kill -9 of `oldbin` at each of its calls, and what the next command makes of it.
//!
//! A first run of a story writes its calls down. Each further run dies by a SIGKILL to itself right before, or right
//! after the effect of, one of them; so every journal write has a death on both sides. Then an operator types
//! `recover`, `upgrade` or `rollback`, while clients connect all the time. However that ends, it must not be stuck:
//! one generation serves, what was claimed is true, nothing is left over, and no client has lost a request.
//!
//! A point is a phase, a call and which of them it is: of calls that repeat within a phase the first, the second and
//! the last are taken, because what lies between is the same wait once more. `cargo test` takes a spread of the points;
//! `OLDBIN_CRASH_POINTS=all cargo test --test oldbin killed_anywhere` takes all, on the fake and on real nginx.
#![expect(clippy::print_stdout, reason = "how many points there were is told")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use orchestrator::Rehearsal;
use orchestrator::host::Call;
use orchestrator::machine::{Action, Defects, Phase};
use orchestrator::rehearsal::{Beside, Edge};

use super::site::{self, Said, Site};
use super::{NEW, OLD, new_binary, script};

/// What a rehearsed `oldbin` shall do; see [`run_if_rehearsed`].
const REHEARSAL: &str = "OLDBIN_REHEARSAL";
/// `all`: every point, and not only a spread of them.
const POINTS: &str = "OLDBIN_CRASH_POINTS";
/// A deliberate defect of the rehearsed `oldbin`, to see that the points notice.
const DEFECT: &str = "OLDBIN_DEFECT";
/// How many points of a story a spread has.
const SPREAD: usize = 3;

/// A call of one run: in which phase, which, and for the how many-eth time there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    phase: String,
    call: String,
    nth: u32,
    edge: Edge,
}

impl Point {
    fn text(&self) -> String {
        let edge = if self.edge == Edge::Before { "before" } else { "after" };
        format!("{edge} {} {} {}", self.phase, self.call, self.nth)
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let edge = if words.next()? == "before" { Edge::Before } else { Edge::After };
        let (phase, call) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Self { phase, call, nth: words.next()?.parse().ok()?, edge })
    }
}

/// Becomes an `oldbin` that writes its calls down (`record PATH`), dies at a point (`before soaking save 1`), or has
/// somebody beside it who does something there.
pub(crate) fn run_if_rehearsed() -> Option<ExitCode> {
    let what = std::env::var(REHEARSAL).ok()?;
    let defects = Defects::named(std::env::var(DEFECT).as_deref());
    let beside = match (what.strip_prefix("record "), what.split_once(" : ")) {
        (Some(path), _) => recorder(path),
        (None, Some((point, command))) => hand(Point::read(point).expect("a point"), command.to_owned()),
        (None, None) => assassin(Point::read(&what).expect("a point")),
    };
    let rehearsal = Rehearsal { defects, beside: Some(beside) };
    Some(orchestrator::cli::rehearse(std::env::args_os().collect(), rehearsal))
}

fn recorder(path: &str) -> Beside {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    watching(move |point| writeln!(file, "{}", point.text()).unwrap())
}

fn assassin(at: Point) -> Beside {
    watching(move |point| {
        if *point == at {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL).unwrap();
        }
    })
}

/// Somebody else does this at a point (`before changing signal-USR2 1 : rm nginx.pid`).
fn hand(at: Point, command: String) -> Beside {
    watching(move |point| {
        if *point == at {
            assert!(Command::new("/bin/sh").args(["-c", &command]).status().unwrap().success());
        }
    })
}

/// Runs `oldbin` to its end while somebody else does this at a point.
pub(crate) fn beside(site: &Site, arguments: &[&str], point: &str, command: &str) -> Said {
    let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
    let mut oldbin = Command::new(std::env::current_exe().unwrap());
    site.run(site.dress(oldbin.env(REHEARSAL, format!("{point} : {command}")), &arguments))
}

/// Tells every edge of every call as a point.
fn watching(mut tell: impl FnMut(&Point) + 'static) -> Beside {
    let phase = RefCell::new("planned".to_owned());
    let counts: RefCell<BTreeMap<(String, String), u32>> = RefCell::default();
    Box::new(move |edge, call| {
        let key = (phase.borrow().clone(), name(call));
        let mut counts = counts.borrow_mut();
        let count = counts.entry(key.clone()).or_default();
        *count += u32::from(edge == Edge::Before);
        tell(&Point { phase: key.0, call: key.1, nth: *count, edge });
        if let (Edge::After, Call::Save(memory)) = (edge, call) {
            *phase.borrow_mut() = phase_name(memory.phase);
        }
        Ok(())
    })
}

fn phase_name(phase: Phase) -> String {
    let text = format!("{phase:?}").to_lowercase();
    text.split('(').next().unwrap_or_default().to_owned()
}

fn name(call: &Call) -> String {
    let name = match call {
        Call::Now => "now",
        Call::ReadPidFile(side) => return format!("read-pid-file-{side:?}").to_lowercase(),
        Call::LookAtBinary => "look-at-binary",
        Call::LookAtGeneration { .. } => "look-at-generation",
        Call::FindOrphans { .. } => "find-orphans",
        Call::Probe { .. } => "probe",
        Call::Check { .. } => "check",
        Call::Knock { .. } => "knock",
        Call::ReadTroubles { .. } => "read-troubles",
        Call::Save(_) => "save",
        Call::Wait { .. } => "wait",
        Call::Act(action) => match action {
            Action::Note => "note",
            Action::Replace(_) => "replace",
            Action::Signal { signal, .. } => return format!("signal-{signal}"),
            Action::SignalOrphans { .. } => "signal-orphans",
            Action::RemoveOldbin => "remove-oldbin",
            Action::RenameOldbinBack => "rename-oldbin-back",
        },
    };
    name.to_owned()
}

/// What is under way when `oldbin` dies.
struct Story {
    /// What was done before.
    before: &'static [&'static [&'static str]],
    /// What is killed; `NEW` stands for the new binary's path.
    killed: &'static [&'static str],
    /// The new binary exits at once.
    is_faulty: bool,
}

const UPGRADE: &[&str] = &["upgrade", "--new", "NEW", "--soak", "20ms"];
const HOLD: &[&str] = &["upgrade", "--new", "NEW", "--soak", "0", "--hold"];

/// Each ending of each story, as a test of its own.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("an_upgrade_killed_anywhere_is_recovered", || upgrade_killed(&["recover"])),
    ("an_upgrade_killed_anywhere_is_upgraded_again", || upgrade_killed(UPGRADE)),
    ("an_upgrade_killed_anywhere_is_rolled_back", || upgrade_killed(&["rollback", "--soak", "0"])),
    ("a_failing_upgrade_killed_anywhere_is_recovered", || failing_upgrade_killed(&["recover"])),
    ("a_failing_upgrade_killed_anywhere_is_upgraded_again", || failing_upgrade_killed(UPGRADE)),
    ("a_failing_upgrade_killed_anywhere_is_rolled_back", || failing_upgrade_killed(&["rollback"])),
    ("a_rollback_killed_anywhere_is_recovered", || rollback_killed(&["recover"])),
    ("a_rollback_killed_anywhere_is_typed_again", || rollback_killed(&["rollback"])),
    ("a_commit_killed_anywhere_is_recovered", || commit_killed(&["recover"])),
    ("a_commit_killed_anywhere_is_typed_again", || commit_killed(&["commit"])),
    ("a_late_rollback_killed_anywhere_is_recovered", || late_rollback_killed(&["recover"])),
    ("a_late_rollback_killed_anywhere_is_typed_again", || late_rollback_killed(&["rollback", "--soak", "0"])),
];

fn upgrade_killed(then: &[&str]) {
    every_point(&Story { before: &[], killed: UPGRADE, is_faulty: false }, then);
}

fn failing_upgrade_killed(then: &[&str]) {
    every_point(&Story { before: &[], killed: UPGRADE, is_faulty: true }, then);
}

fn rollback_killed(then: &[&str]) {
    every_point(&Story { before: &[HOLD], killed: &["rollback"], is_faulty: false }, then);
}

fn commit_killed(then: &[&str]) {
    every_point(&Story { before: &[HOLD], killed: &["commit"], is_faulty: false }, then);
}

fn late_rollback_killed(then: &[&str]) {
    let before: &[&[&str]] = &[&["upgrade", "--new", "NEW", "--soak", "0"]];
    every_point(&Story { before, killed: &["rollback", "--soak", "0"], is_faulty: false }, then);
}

/// A site on which the story has come to the command that is killed.
struct Stage {
    site: Site,
    new: PathBuf,
}

impl Stage {
    fn set(story: &Story) -> Self {
        let site = Site::start(OLD);
        let new = if story.is_faulty { script(&site, "exit 1") } else { new_binary() };
        let stage = Self { site, new };
        for command in story.before {
            let said = stage.site.oldbin(&stage.words(command));
            assert_eq!(said.code, 0, "{command:?}: {said:?}");
        }
        stage
    }

    fn words(&self, command: &[&str]) -> Vec<OsString> {
        let word = |word: &&str| if *word == "NEW" { self.new.clone().into() } else { (*word).into() };
        command.iter().map(word).collect()
    }

    /// Runs the rehearsed command to its end, whatever that is.
    fn rehearse(&self, story: &Story, what: &str) {
        let mut oldbin = Command::new(std::env::current_exe().unwrap());
        oldbin.env(REHEARSAL, what);
        self.site.dress(&mut oldbin, &self.words(story.killed)).output().unwrap();
    }
}

/// All points of a story, from a run that is not killed.
fn record(story: &Story) -> Vec<Point> {
    let stage = Stage::set(story);
    let path = stage.site.path("calls");
    stage.rehearse(story, &format!("record {}", path.display()));
    let all: Vec<_> =
        std::fs::read_to_string(&path).unwrap().lines().map(|line| Point::read(line).unwrap()).collect();
    site::end_everybody();
    let mut last: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for point in &all {
        last.insert((&point.phase, &point.call), point.nth);
    }
    let is_distinct =
        |point: &&Point| point.nth <= 2 || point.nth == last[&(point.phase.as_str(), point.call.as_str())];
    all.iter().filter(is_distinct).cloned().collect()
}

fn every_point(story: &Story, then: &[&str]) {
    let all = record(story);
    let chosen: Vec<_> = match std::env::var(POINTS).as_deref() {
        Ok("all") => all.clone(),
        _ => all.iter().step_by(all.len().div_ceil(SPREAD)).cloned().collect(),
    };
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for point in &chosen {
        let end = die_at(story, point, then);
        *ends.entry(end).or_default() += 1;
        site::end_everybody();
    }
    let phases: BTreeSet<_> = all.iter().map(|point| point.phase.as_str()).collect();
    println!(
        "points: {:?} killed at {} of {} points in {} phases, then {then:?}: {ends:?}",
        story.killed,
        chosen.len(),
        all.len(),
        phases.len()
    );
}

/// Dies there, and types what comes next; how that ended.
fn die_at(story: &Story, point: &Point, then: &[&str]) -> String {
    let stage = Stage::set(story);
    let site = &stage.site;
    let load = site.light_load();
    stage.rehearse(story, &point.text());
    let at = point.text();
    let mut said = site.oldbin(&stage.words(then));
    assert!([0, 3, 4].contains(&said.code), "{at}: {said:?}");
    let first = said.outcome().to_owned();
    if is_unfinished(site) || site.path("sbin/.nginx.oldbin-new").exists() {
        // It was refused because that is another command's work.
        said = site.oldbin(&["recover".into()]);
        assert!([0, 3, 4].contains(&said.code), "{at}: {said:?}");
    }
    if said.outcome() == "held" {
        said = site.oldbin(&["commit".into()]);
        assert_eq!(said.code, 0, "{at}: {said:?}");
    }
    let (_, lost) = load.end();
    assert_eq!(lost, Vec::<String>::new(), "{at}");
    let serves = site.answer();
    match said.outcome() {
        "upgraded" => assert_eq!(serves, NEW, "{at}: {said:?}"),
        "rolled-back" => assert_eq!(serves, OLD, "{at}: {said:?}"),
        outcome => assert_eq!(outcome, "refused", "{at}: {said:?}"),
    }
    site.serves_alone(&serves);
    assert!(!is_unfinished(site), "{at}: the journal is not finished");
    first
}

/// True if a journal says that something is under way.
fn is_unfinished(site: &Site) -> bool {
    let Ok(folder) = std::fs::read_dir(site.path("state")) else { return false };
    let journals = folder.flatten().map(|entry| entry.path());
    let is_open = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value["memory"]["phase"].get("finished").is_none()
    };
    journals.filter(|path| path.to_string_lossy().ends_with(".journal.json")).any(|path| is_open(&path))
}
