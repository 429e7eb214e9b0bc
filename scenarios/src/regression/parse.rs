//! A kept failure from its file.

use super::Regression;
use crate::format::{self, FormatError, Millis, Name, Node, Number, Once, Words, whole_help};
use crate::model::binaries::BINARIES;
use crate::model::choice::{self, Act, Deviation};
use crate::model::fault::{Fault, Planned, When};
use crate::model::operator::{self, Command};
use crate::model::script::{Pause, Script, WORKERS};
use crate::scenario::{self, words};

const BLOCK: [&str; 8] = ["why", "source", "workers", "new", "type", "fault", "step", "wrong"];
const TYPE: &str = r#"type "upgrade" "--soak" "0ms" "--hold" after="50ms""#;
const TYPE_BEFORE: &str = r#"type "rollback" before="old-master.wake" nth=3"#;
const FAULT: &str = r#"fault "kill-new-master" before="subject.save" nth=7"#;
const STEP: &str = r#"step "old-master.wake" instead-of="subject.look-at-binary" nth=11"#;

/// Reads a kept failure. `file` is the name that the mistakes mention.
///
/// # Errors
/// [`FormatError`] holds every mistake of the file, each with its place.
pub fn parse(file: &str, text: &str) -> Result<Regression, FormatError> {
    format::one("regression", file, text, regression)
}

fn regression(node: &mut Node<'_>) -> Option<Regression> {
    let name = node.argument::<Name>("a name", r#"regression "workers-are-doubled" schema=1 { … }"#);
    let (mut why, mut source, mut wrong) = (Once::new("why"), Once::new("source"), Once::new("wrong"));
    let (mut workers, mut new) = (Once::new("workers"), Once::new("new"));
    let (mut commands, mut faults, mut deviations) = (Vec::new(), Vec::new(), Vec::new());
    let mut has_command = false;
    for mut child in node.children() {
        match child.name() {
            "why" => why.put(&mut child, words),
            "source" => source.put(&mut child, words),
            "wrong" => wrong.put(&mut child, words),
            "workers" => workers.put(&mut child, count),
            "new" => new.put(&mut child, binary),
            "type" => {
                has_command = true;
                commands.extend(typed(&mut child));
            }
            "fault" => faults.extend(fault(&mut child)),
            "step" => deviations.extend(step(&mut child)),
            _ => child.unknown_in("regression", &BLOCK),
        }
    }
    node.finish();
    if !has_command {
        node.complain_of_missing("nobody types anything: there is no `type`", TYPE);
    }
    let why = why.required(node, r#"why "The workers of both generations serve.""#);
    let wrong = wrong.required(node, r#"wrong "4 of 2 workers accept""#);
    let workers = workers.required(node, "workers 2");
    let script = Script { workers: workers?, binary: new.optional().unwrap_or(0), commands, faults };
    Some(Regression {
        name: name?.0,
        why: why?,
        source: source.optional(),
        script,
        deviations,
        wrong: wrong?,
    })
}

fn count(node: &mut Node<'_>) -> Option<u16> {
    let number = node.argument::<Number<u16>>("a number", "workers 2");
    node.finish();
    let number = number?.0;
    if !WORKERS.contains(&number) {
        let message = format!("scripts are not played with {number} workers");
        let help = WORKERS.map(|known| known.to_string()).join(", ");
        node.mistakes().add(node.argument_span(0), message, "here", Some(format!("valid here: {help}")));
        return None;
    }
    Some(number)
}

/// `new { fault … }`, as the number of that binary.
fn binary(node: &mut Node<'_>) -> Option<usize> {
    let mut faults = Once::new("fault");
    for mut child in node.children() {
        match child.name() {
            "fault" => faults.put(&mut child, scenario::stamp_fault),
            _ => child.unknown_in("new", &["fault"]),
        }
    }
    node.finish();
    let text = faults.required(node, r#"new { fault "exits-at-start" status=1; }"#)?;
    let texts: Vec<_> = BINARIES.iter().map(|fault| fault.map(|fault| fault.to_string())).collect();
    let found = texts.iter().position(|known| known.as_ref().is_some_and(|known| is_same(known, &text)));
    if found.is_none() {
        let message = format!("scripts are not played with a new binary that is `{text}`");
        let known: Vec<_> = texts.iter().flatten().map(String::as_str).collect();
        let help = format::list(&known).map(|list| format!("valid here: {list}"));
        node.mistakes().add(node.name_span(), message, "this one", help);
    }
    found
}

/// True if both name the same fault with the same arguments, in whichever order.
fn is_same(one: &str, two: &str) -> bool {
    let sorted = |text: &str| {
        let mut words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        words.sort();
        words
    };
    sorted(one) == sorted(two)
}

fn typed(node: &mut Node<'_>) -> Option<(Pause, Command)> {
    let words: Vec<_> = node.rest::<Words>().into_iter().map(|(words, _)| words.0).collect();
    let pause = pause(node);
    node.finish();
    match operator::parse(&words) {
        Ok(command) => Some((pause?, command)),
        Err(why) => {
            let help = Some(format!("for example: {TYPE}"));
            node.mistakes().add(node.name_span(), why, "this command", help);
            None
        }
    }
}

/// After a pause behind everybody's rest, or before a moment.
fn pause(node: &mut Node<'_>) -> Option<Pause> {
    if !node.has("before") && !node.has("nth") {
        return Some(Pause::Rest(node.optional::<Millis>("after").map_or(0, |millis| millis.0)));
    }
    if node.has("after") {
        node.ignore("after");
        let message = "a command is typed after a pause or before a moment, not both".to_owned();
        let help = format!("for example: {TYPE} or {TYPE_BEFORE}");
        node.mistakes().add(node.property_span("after"), message, "one too many", Some(help));
    }
    before(node, TYPE_BEFORE).map(Pause::Until)
}

/// Right before a step.
fn before(node: &mut Node<'_>, example: &str) -> Option<When> {
    let name = moment(node, "before", example);
    let nth = node.required::<Number<u32>>("nth", example);
    Some(When::Before(name?, nth?.0))
}

fn fault(node: &mut Node<'_>) -> Option<Planned> {
    let name = node.argument::<Name>("the name of a fault", FAULT);
    let when = before(node, FAULT);
    let which = node.optional::<Number<u8>>("which").map_or(1, |number| number.0);
    node.finish();
    let name = name?.0;
    let Some(fault) = Fault::named(&name) else {
        let names: Vec<_> = Fault::all().map(Fault::name).collect();
        let message = format!("there is no fault {name:?}");
        node.mistakes().add(node.argument_span(0), message, "this fault", whole_help(&name, &names));
        return None;
    };
    if which == 0 {
        let message = "processes are counted from 1".to_owned();
        node.mistakes().add(node.property_span("which"), message, "here", None);
    }
    Some(Planned { when: when?, fault, which: which.saturating_sub(1) })
}

fn step(node: &mut Node<'_>) -> Option<Deviation> {
    let take = node.argument::<Words>("a moment", STEP).map(|words| words.0);
    let take = take.and_then(|text| named(node, &text));
    let instead_of = moment(node, "instead-of", STEP);
    let nth = node.required::<Number<u32>>("nth", STEP);
    node.finish();
    Some(Deviation { instead_of: instead_of?, nth: nth?.0, take: take? })
}

fn moment(node: &mut Node<'_>, property: &'static str, example: &str) -> Option<choice::Name> {
    let text = node.required::<Words>(property, example)?.0;
    named(node, &text)
}

/// A moment, or a complaint that knows what was meant.
fn named(node: &Node<'_>, text: &str) -> Option<choice::Name> {
    if let Ok(name) = text.parse() {
        return Some(name);
    }
    let acts: Vec<_> = Act::all().map(Act::word).collect();
    let act = text.split_once('.').map_or(text, |(_, act)| act);
    let help = match format::nearest(act, &acts) {
        Some(known) if known != act => format!("did you mean `{known}` behind the dot?"),
        _ => "a moment is who does what: `old-master.fork`, `new-worker-1.accept`, `subject.send-quit`, \
              `client-1.ask-again`, `time.passes`"
            .to_owned(),
    };
    node.mistakes().add(node.text_span(text), format!("there is no moment {text:?}"), "unknown", Some(help));
    None
}
