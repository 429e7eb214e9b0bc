//! What a scenario says of its own place: the failures that it shows, and the worlds that it is for.

use super::{WorldKind, Worlds};
use crate::failures;
use crate::format::{Node, Words, whole_help};

const SHOWS: &str = r#"shows "F3""#;
const WORLDS: &str = r#"worlds "fake" "real" because="the model has no script""#;

/// Reads `shows`: numbers of failures, each once and known.
pub(super) fn shows(node: &mut Node<'_>) -> Option<Vec<String>> {
    let numbers = several(node, "the number of a failure", SHOWS)?;
    node.finish();
    let valid: Vec<_> = failures::all().map(|failure| failure.number).collect();
    for (nth, number) in numbers.iter().enumerate() {
        if !valid.contains(&number.as_str()) {
            let message = format!("there is no failure {number:?}");
            node.mistakes().add(node.argument_span(nth), message, "unknown", whole_help(number, &valid));
        }
    }
    Some(numbers)
}

/// Reads `worlds`: one or two, and why not the others.
pub(super) fn worlds(node: &mut Node<'_>) -> Option<Worlds> {
    let names = several(node, "a world", WORLDS);
    let because = node.required::<Words>("because", WORLDS).map(|words| words.0);
    node.finish();
    let names = names?;
    let valid = WorldKind::ALL.map(WorldKind::name);
    for (nth, name) in names.iter().enumerate().filter(|(_, name)| !valid.contains(&name.as_str())) {
        let message = format!("there is no world {name:?}");
        node.mistakes().add(node.argument_span(nth), message, "unknown", whole_help(name, &valid));
    }
    let only: Vec<_> =
        WorldKind::ALL.into_iter().filter(|world| names.iter().any(|name| name == world.name())).collect();
    if only.len() == valid.len() {
        let help = Some("leave the node out".to_owned());
        node.mistakes().add(node.name_span(), "these are all worlds".into(), "says nothing", help);
    }
    Some(Worlds { only, because: because? })
}

/// All arguments of a node that needs at least one, each once.
fn several(node: &mut Node<'_>, what: &str, example: &str) -> Option<Vec<String>> {
    let has_any = node.has_arguments();
    let words = node.rest::<Words>();
    if !has_any {
        node.complain_of_missing(&format!("`{}` needs {what}", node.name()), example);
        return None;
    }
    for (nth, (Words(word), span)) in words.iter().enumerate() {
        if let Some((_, first)) = words[..nth].iter().find(|(Words(other), _)| other == word) {
            node.mistakes().add_twice(*first, *span, format!("{word:?} is named twice"));
        }
    }
    Some(words.into_iter().map(|(words, _)| words.0).collect())
}
