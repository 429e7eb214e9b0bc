//! A scenario from its KDL file.

use super::parse_expect::expect;
use super::{Act, FAULTS, Load, Release, Scenario, Subject};
use crate::format::{self, FormatError, Millis, Name, Node, Number, Once, Words, whole_help};
use crate::scenario::Claim;

/// How long a run may take if its file does not say.
///
/// Covers ten times what the longest story of the catalogue needs on an idle machine. Too short turns a busy
/// machine into a violation; too long only delays the report of a run that hangs.
pub const DEADLINE_MS: u64 = 20_000;

/// How long a client waits for an answer if the file does not say.
///
/// Longer than any answer of the catalogue and than any fault's loading time, so that what waits in an accept
/// queue and is served after all counts as served, with its latency.
pub const PATIENCE_MS: u64 = 5_000;

const WORKERS_MAX: u16 = 64;
const BLOCK: [&str; 8] = ["why", "source", "old", "new", "act", "load", "deadline", "expect"];
const SUBJECTS: [&str; 3] = ["orchestrator", "runbook", "command"];
const ACT: &str = r#"act "orchestrator" "upgrade" claims="upgraded""#;
const EXPECT: &str = r#"expect ends-on="new" { sometimes "new-master.born" }"#;

/// Reads a scenario. `file` is the name that the mistakes mention.
///
/// # Errors
/// [`FormatError`] holds every mistake of the file, each with its place.
pub fn parse(file: &str, text: &str) -> Result<Scenario, FormatError> {
    format::one("scenario", file, text, scenario)
}

fn scenario(node: &mut Node<'_>) -> Option<Scenario> {
    let name = node.argument::<Name>("a name", r#"scenario "manual-upgrade" schema=1 { … }"#);
    let (mut why, mut source) = (Once::new("why"), Once::new("source"));
    let (mut old, mut new) = (Once::new("old"), Once::new("new"));
    let (mut load, mut deadline, mut expects) =
        (Once::new("load"), Once::new("deadline"), Once::new("expect"));
    let mut acts = Vec::new();
    let mut has_act = false;
    for mut child in node.children() {
        match child.name() {
            "why" => why.put(&mut child, words),
            "source" => source.put(&mut child, words),
            "old" => old.put(&mut child, release),
            "new" => new.put(&mut child, release),
            "act" => {
                has_act = true;
                acts.extend(act(&mut child));
            }
            "load" => load.put(&mut child, clients),
            "deadline" => deadline.put(&mut child, duration),
            "expect" => expects.put(&mut child, expect),
            _ => child.unknown_in("scenario", &BLOCK),
        }
    }
    node.finish();
    if !has_act {
        node.complain_of_missing("nobody changes the binary: there is no `act`", ACT);
    }
    let why = why.required(node, r#"why "An old worker answers for as long as its request takes.""#);
    let old = old.required(node, r#"old "1.22.1" workers=2"#);
    let new = new.required(node, r#"new "1.26.3" workers=2"#);
    let load = load.required(node, "load fresh-per-second=200 kept=4");
    let expect = expects.required(node, EXPECT);
    Some(Scenario {
        name: name?.0,
        why: why?,
        source: source.optional(),
        old: old?,
        new: new?,
        acts,
        load: load?,
        expect: expect?,
        deadline_ms: deadline.optional().unwrap_or(DEADLINE_MS),
    })
}

/// A node with one text.
pub(crate) fn words(node: &mut Node<'_>) -> Option<String> {
    let example = format!("{} \"…\"", node.name());
    let text = node.argument::<Words>("a text", &example);
    node.finish();
    text.map(|words| words.0)
}

/// A node with one duration.
fn duration(node: &mut Node<'_>) -> Option<u64> {
    let example = format!("{} \"20s\"", node.name());
    let millis = node.argument::<Millis>("a duration", &example);
    node.finish();
    millis.map(|millis| millis.0)
}

fn release(node: &mut Node<'_>) -> Option<Release> {
    let example = format!("{} \"1.22.1\" workers=2", node.name());
    let version = node.argument::<Words>("a version", &example).map(|words| words.0);
    let workers = node.optional::<Number<u16>>("workers").map_or(1, |workers| workers.0);
    let mut faults = Once::new("fault");
    for mut child in node.children() {
        match child.name() {
            "fault" => faults.put(&mut child, fault),
            _ => child.unknown_in(node.name(), &["fault"]),
        }
    }
    node.finish();
    let is_version = |version: &str| version.split('.').count() == 3 && version.split('.').all(is_number);
    if let Some(version) = version.as_deref().filter(|version| !is_version(version)) {
        let message = format!("{version:?} is no version of nginx");
        node.mistakes().add(
            node.argument_span(0),
            message,
            "here",
            Some(format!("three numbers: {example}")),
        );
    }
    if !(1..=WORKERS_MAX).contains(&workers) {
        let message = format!("{workers} workers are not between 1 and {WORKERS_MAX}");
        node.mistakes().add(node.property_span("workers"), message, "here", None);
    }
    Some(Release { version: version?, workers, fault: faults.optional() })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn fault(node: &mut Node<'_>) -> Option<String> {
    let names: Vec<_> = FAULTS.iter().map(|fault| fault.name).collect();
    let example = r#"fault "exits-at-start" status=1"#;
    let name = node.argument::<Name>("the name of a fault", example)?.0;
    let Some(word) = FAULTS.iter().find(|fault| fault.name == name) else {
        let message = format!("there is no fault {name:?}");
        node.mistakes().add(node.argument_span(0), message, "this fault", whole_help(&name, &names));
        return None;
    };
    let mut line = name;
    let mut is_whole = true;
    for property in word.properties {
        match node.required::<Number<u32>>(property, &format!("fault {:?} {property}=1", word.name)) {
            Some(Number(value)) => line.push_str(&format!(" {property}={value}")),
            None => is_whole = false,
        }
    }
    node.finish();
    is_whole.then_some(line)
}

fn act(node: &mut Node<'_>) -> Option<Act> {
    let who = node.argument::<Name>("a subject", ACT);
    let rest = node.rest::<Words>();
    let claims = node.required::<Claim>("claims", ACT);
    node.finish();
    let who = who?.0;
    if !SUBJECTS.contains(&who.as_str()) {
        let message = format!("nobody is called {who:?}");
        node.mistakes().add(node.argument_span(0), message, "whose act?", whole_help(&who, &SUBJECTS));
        return None;
    }
    let Some(((first, _), others)) = rest.split_first() else {
        let (what, example) = match who.as_str() {
            "orchestrator" => ("a subcommand", ACT),
            "runbook" => ("a runbook's name", r#"act "runbook" "manual-upgrade" claims="held""#),
            _ => ("a program", r#"act "command" "./upgrade.sh" claims="upgraded""#),
        };
        node.complain_of_missing(&format!("`act {who:?}` needs {what}"), example);
        return None;
    };
    let texts = |of: &[(Words, _)]| of.iter().map(|(words, _)| words.0.clone()).collect();
    let subject = match who.as_str() {
        "orchestrator" => Subject::Orchestrator { arguments: texts(&rest) },
        "runbook" => {
            for (_, span) in others {
                let help = Some("what a runbook needs stands in its file".to_owned());
                node.mistakes().add(*span, "a runbook takes no arguments".into(), "one too many", help);
            }
            Subject::Runbook { name: first.0.clone() }
        }
        _ => Subject::Command { program: first.0.clone().into(), arguments: texts(others) },
    };
    Some(Act { subject, claims: claims? })
}

fn clients(node: &mut Node<'_>) -> Option<Load> {
    let fresh = node.optional::<Number<u32>>("fresh-per-second");
    let kept = node.optional::<Number<u32>>("kept");
    let slow = node.optional::<Number<u32>>("slow");
    let slow_for = node.optional::<Millis>("slow-for");
    let patience = node.optional::<Millis>("patience");
    node.finish();
    let count = |number: Option<Number<u32>>| number.map_or(0, |number| number.0);
    if count(slow) > 0 && !node.has("slow-for") {
        node.complain_of_missing("slow requests need to know how slow", r#"load slow=2 slow-for="500ms""#);
    }
    if node.has("slow-for") && !node.has("slow") {
        node.complain_of_missing("`slow-for` without `slow` slows nobody", r#"load slow=2 slow-for="500ms""#);
    }
    let load = Load {
        fresh_per_second: count(fresh),
        kept: count(kept),
        slow: count(slow),
        slow_ms: slow_for.map_or(0, |millis| millis.0),
        patience_ms: patience.map_or(PATIENCE_MS, |millis| millis.0),
    };
    if load.slow > 0 && load.slow_ms >= load.patience_ms {
        let message =
            format!("a slow answer takes {} ms, and clients wait {} ms", load.slow_ms, load.patience_ms);
        node.mistakes().add(node.property_span("slow-for"), message, "too slow for them", None);
    }
    Some(load)
}
