//! What goes wrong at a moment, from a `fault` node of a scenario.

use super::mishap::{self, ACTORS, Mishap, Until, Wrong};
use crate::format::{Millis, Name, Node, Number, Words, whole_help};
use crate::model::choice;

const EXAMPLE: &str = r#"fault "crash" at="new-master.rename-to-oldbin""#;
const EXIT: &str = r#"fault "exit" status=2 at="new-worker-1.watch-listener""#;
const PAUSE: &str = r#"fault "pause" for="300ms" at="new-master.exec""#;

/// Reads the node.
pub(super) fn mishap(node: &mut Node<'_>) -> Option<Mishap> {
    let name = node.argument::<Name>("the name of a fault", EXAMPLE).map(|name| name.0);
    let at = node.required::<Words>("at", EXAMPLE).map(|words| words.0);
    let nth = node.optional::<Number<u32>>("nth").map_or(1, |nth| nth.0);
    let what = name.as_ref().and_then(|name| what(node, name));
    node.finish();
    let at = at.filter(|at| is_moment(node, "at", at))?;
    if nth == 0 {
        let message = "moments are counted from 1".to_owned();
        node.mistakes().add(node.property_span("nth"), message, "the first is 1", None);
    }
    let what = what?;
    if matches!(what, Wrong::Exit { .. }) && at.starts_with("subject.") {
        let message = "the subject can be killed, but not be made to exit".to_owned();
        let help = Some("write `crash`".to_owned());
        node.mistakes().add(node.property_span("at"), message, "no process of nginx", help);
        return None;
    }
    Some(Mishap { what, at, nth })
}

fn what(node: &mut Node<'_>, name: &str) -> Option<Wrong> {
    match name {
        "crash" => Some(Wrong::Crash),
        "exit" => Some(Wrong::Exit { status: node.required::<Number<u8>>("status", EXIT)?.0 }),
        "pause" => pause(node),
        other if mishap::fault_named(other).is_some() => {
            let which = node.optional::<Number<u8>>("which").map_or(1, |which| which.0.max(1));
            Some(Wrong::Elsewhere { fault: other.to_owned(), which })
        }
        unknown => {
            let elsewhere = mishap::elsewhere().map(|(name, _)| name);
            let valid: Vec<_> = ["crash", "exit", "pause"].into_iter().chain(elsewhere).collect();
            let message = format!("there is no fault {unknown:?} at a moment");
            node.mistakes().add(node.argument_span(0), message, "this fault", whole_help(unknown, &valid));
            // Whatever it was, it had its properties.
            for property in ["status", "for", "until", "which"] {
                node.ignore(property);
            }
            None
        }
    }
}

fn pause(node: &mut Node<'_>) -> Option<Wrong> {
    let (has_for, has_until) = (node.has("for"), node.has("until"));
    let for_ms = node.optional::<Millis>("for").map(|millis| Until::Ms(millis.0));
    let until = node.optional::<Words>("until").map(|words| words.0);
    if has_for == has_until {
        let message = "a pause needs `for` or `until`, and not both";
        node.complain_of_missing(message, PAUSE);
        return None;
    }
    let until = until.filter(|until| is_moment(node, "until", until)).map(Until::Moment);
    for_ms.or(until).map(Wrong::Pause)
}

/// Complains unless a process stops at the moment that a property names.
fn is_moment(node: &Node<'_>, property: &str, text: &str) -> bool {
    if mishap::moment(text).is_some() {
        return true;
    }
    let (actor, word) = text.split_once('.').unwrap_or((text, ""));
    let known = choice::Actor::named(actor).map(|actor| mishap::words_of(actor.who));
    let help = match known.filter(|words| !words.is_empty()) {
        Some(words) => whole_help(word, &words),
        None => whole_help(actor, &ACTORS).map(|help| format!("{help}; see `oldbin-lab list --moments`")),
    };
    node.mistakes().add(
        node.property_span(property),
        format!("there is no moment {text:?}"),
        "unknown",
        help,
    );
    false
}
