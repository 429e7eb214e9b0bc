//! What must hold, from the `expect` block of a scenario's file.

use miette::SourceSpan;

use super::Expect;
use crate::format::{Name, Node, Words, list, whole_help};
use crate::invariants::{INVARIANTS, Invariant, Kind, MOMENTS};

const BLOCK: [&str; 6] = ["always", "eventually", "sometimes", "log", "violates", "unchecked"];

/// Reads the block.
pub(super) fn expect(node: &mut Node<'_>) -> Option<Expect> {
    let mut expect = Expect::default();
    let mut named: Vec<(String, SourceSpan)> = Vec::new();
    let ends_on = node.optional::<Words>("ends-on");
    for mut child in node.children() {
        match child.name() {
            "always" => named.extend(invariants(&mut child, Some(Kind::Always))),
            "eventually" => named.extend(invariants(&mut child, Some(Kind::Eventually))),
            "violates" => {
                expect.violates.extend(invariants(&mut child, None).into_iter().map(|(name, _)| name))
            }
            "sometimes" => expect.sometimes.extend(moments(&mut child)),
            "log" => expect.log.extend(texts(&mut child)),
            "unchecked" => expect.unchecked.extend(unchecked(&mut child)),
            _ => child.unknown_in("expect", &BLOCK),
        }
    }
    let has_witness = node.children().iter().any(|child| matches!(child.name(), "sometimes" | "violates"));
    node.finish();
    expect.ends_on_new = ends_on.and_then(|words| release(node, &words.0));
    complain_of_contradictions(node, &expect, &named);
    if !has_witness {
        let message =
            "`expect` names no moment that must be reached, so a run in which nothing happened would pass";
        node.complain_of_missing(message, r#"sometimes "new-master.born""#);
    }
    expect.invariants = named.into_iter().map(|(name, _)| name).collect();
    Some(expect)
}

/// `old` or `new`, as [`Expect::ends_on_new`].
fn release(node: &Node<'_>, written: &str) -> Option<bool> {
    match written {
        "old" => Some(false),
        "new" => Some(true),
        _ => {
            let message = format!("a run ends on \"old\" or on \"new\", not on {written:?}");
            let help = whole_help(written, &["old", "new"]);
            node.mistakes().add(node.property_span("ends-on"), message, "here", help);
            None
        }
    }
}

/// The invariants that a node names, each of the node's kind.
fn invariants(node: &mut Node<'_>, kind: Option<Kind>) -> Vec<(String, SourceSpan)> {
    let names = required_rest::<Name>(node, "an invariant");
    let valid: Vec<_> =
        INVARIANTS.iter().filter(|i| kind.is_none_or(|kind| i.kind == kind)).map(|i| i.name).collect();
    for (Name(name), span) in &names {
        match INVARIANTS.iter().find(|invariant| invariant.name == name) {
            Some(known) => complain_of_kind(node, known, kind, *span),
            None => {
                let message = format!("there is no invariant {name:?}");
                node.mistakes().add(*span, message, "unknown", whole_help(name, &valid));
            }
        }
    }
    names.into_iter().map(|(name, span)| (name.0, span)).collect()
}

fn complain_of_kind(node: &Node<'_>, known: &Invariant, kind: Option<Kind>, span: SourceSpan) {
    if kind.is_some_and(|kind| kind != known.kind) {
        let message = format!("{:?} holds {}, not {}", known.name, known.kind, node.name());
        let help = format!("write: {} {:?}", known.kind, known.name);
        node.mistakes().add(span, message, "of another kind", Some(help));
    }
}

fn moments(node: &mut Node<'_>) -> Vec<String> {
    let names = required_rest::<Words>(node, "a moment");
    let valid: Vec<_> = MOMENTS.iter().map(|moment| moment.name).collect();
    for (Words(name), span) in &names {
        if !valid.contains(&name.as_str()) && super::moment(name).is_none() {
            let message = format!("there is no moment {name:?}");
            node.mistakes().add(*span, message, "unknown", whole_help(name, &valid));
        }
    }
    names.into_iter().map(|(name, _)| name.0).collect()
}

fn texts(node: &mut Node<'_>) -> Vec<String> {
    required_rest::<Words>(node, "a text of the log").into_iter().map(|(words, _)| words.0).collect()
}

fn unchecked(node: &mut Node<'_>) -> Option<(String, String)> {
    let example = r#"unchecked "no-signal-to-a-stranger" because="the real world cannot see senders""#;
    let name = node.argument::<Name>("an invariant", example);
    let because = node.required::<Words>("because", example);
    node.finish();
    let name = name?.0;
    let valid: Vec<_> = INVARIANTS.iter().map(|invariant| invariant.name).collect();
    if !valid.contains(&name.as_str()) {
        let message = format!("there is no invariant {name:?}");
        node.mistakes().add(node.argument_span(0), message, "this one", whole_help(&name, &valid));
    }
    Some((name, because?.0))
}

/// All arguments of a node that needs at least one.
fn required_rest<T: crate::format::Value>(node: &mut Node<'_>, what: &str) -> Vec<(T, SourceSpan)> {
    let has_any = node.has_arguments();
    let values = node.rest::<T>();
    node.finish();
    if !has_any {
        node.complain_of_missing(
            &format!("`{}` needs {what}", node.name()),
            &format!("{} \"…\"", node.name()),
        );
    }
    values
}

fn complain_of_contradictions(node: &Node<'_>, expect: &Expect, named: &[(String, SourceSpan)]) {
    for (i, (name, span)) in named.iter().enumerate() {
        if let Some((_, first)) = named[..i].iter().find(|(other, _)| other == name) {
            node.mistakes().add_twice(*first, *span, format!("{name:?} is named twice"));
        }
        if expect.violates.contains(name) {
            let message = format!("{name:?} cannot hold and be violated in one run");
            let help = list(&["violates"]).map(|_| "a canary names it under `violates` only".to_owned());
            node.mistakes().add(*span, message, "must hold here", help);
        }
    }
}
