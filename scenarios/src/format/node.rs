//! One node, and what its decoder has asked of it so far.

use kdl::{KdlEntry, KdlNode, KdlValue};
use miette::SourceSpan;

use super::{Mistakes, Value, list, whole_help};

/// A node while it is being read.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    kdl: &'a KdlNode,
    mistakes: &'a Mistakes,
    /// Arguments that were read.
    arguments_read: usize,
    /// Properties that were asked for, whether they stood there or not.
    properties_known: Vec<&'static str>,
    /// True if somebody asked for the children.
    takes_children: bool,
}

impl<'a> Node<'a> {
    /// A node that nothing was asked of.
    pub(crate) fn new(kdl: &'a KdlNode, mistakes: &'a Mistakes) -> Self {
        Self { kdl, mistakes, arguments_read: 0, properties_known: Vec::new(), takes_children: false }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'a str {
        self.kdl.name().value()
    }

    /// Where its name stands.
    pub(crate) fn name_span(&self) -> SourceSpan {
        self.kdl.name().span()
    }

    /// Where mistakes go.
    pub(crate) fn mistakes(&self) -> &'a Mistakes {
        self.mistakes
    }

    /// The next argument; complains if there is none or if it is something else. `example` is the node as it
    /// should look.
    pub(crate) fn argument<T: Value>(&mut self, what: &str, example: &str) -> Option<T> {
        let entry = self.next_argument();
        if entry.is_none() {
            self.complain_of_missing(&format!("`{}` needs {what}", self.name()), example);
        }
        self.decode(entry?)
    }

    /// All arguments that are left.
    pub(crate) fn rest<T: Value>(&mut self) -> Vec<(T, SourceSpan)> {
        let mut values = Vec::new();
        while let Some(entry) = self.next_argument() {
            values.extend(self.decode(entry).map(|value| (value, entry.span())));
        }
        values
    }

    /// True if there is an argument left.
    pub(crate) fn has_arguments(&self) -> bool {
        self.arguments().nth(self.arguments_read).is_some()
    }

    /// A property that may be left out.
    pub(crate) fn optional<T: Value>(&mut self, name: &'static str) -> Option<T> {
        self.properties_known.push(name);
        let entry = self.properties().find(|(property, _)| *property == name)?.1;
        self.decode(entry)
    }

    /// A property that must be there.
    pub(crate) fn required<T: Value>(&mut self, name: &'static str, example: &str) -> Option<T> {
        if !self.has(name) {
            self.properties_known.push(name);
            self.complain_of_missing(&format!("`{}` needs the property `{name}`", self.name()), example);
            return None;
        }
        self.optional(name)
    }

    /// A property whose value does not matter any more.
    pub(crate) fn ignore(&mut self, name: &'static str) {
        self.properties_known.push(name);
    }

    /// True if the property stands there, read or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.properties().any(|(property, _)| property == name)
    }

    /// Where an argument stands, from 0, or the node's name if it does not.
    pub(crate) fn argument_span(&self, nth: usize) -> SourceSpan {
        self.arguments().nth(nth).map_or(self.name_span(), KdlEntry::span)
    }

    /// Where this text stands among the arguments and properties, or the node's name if it does not.
    pub(crate) fn text_span(&self, text: &str) -> SourceSpan {
        let holds = |entry: &&KdlEntry| entry.value().as_string().is_some_and(|value| value.trim() == text);
        self.kdl.entries().iter().find(holds).map_or(self.name_span(), KdlEntry::span)
    }

    /// Where a property stands, or the node's name if it does not.
    pub(crate) fn property_span(&self, name: &str) -> SourceSpan {
        self.properties()
            .find(|(property, _)| *property == name)
            .map_or(self.name_span(), |(_, entry)| entry.span())
    }

    /// The nodes of its block.
    pub(crate) fn children(&mut self) -> Vec<Node<'a>> {
        self.takes_children = true;
        let mistakes = self.mistakes;
        self.kdl.iter_children().map(|node| Node::new(node, mistakes)).collect()
    }

    /// Complains of everything that nobody asked for.
    pub(crate) fn finish(&self) {
        let mut seen: Vec<(&str, SourceSpan)> = Vec::new();
        for (name, entry) in self.properties() {
            if let Some((_, first)) = seen.iter().find(|(other, _)| *other == name) {
                self.mistakes.add_twice(*first, entry.span(), format!("`{name}` stands twice"));
            }
            seen.push((name, entry.span()));
            if !self.properties_known.contains(&name) {
                let message = format!("`{}` has no property `{name}`", self.name());
                let help = whole_help(name, &self.properties_known)
                    .or_else(|| Some("it takes no properties".into()));
                self.mistakes.add(entry.span(), message, "unknown property", help);
            }
        }
        for entry in self.arguments().skip(self.arguments_read) {
            let message = format!("`{}` does not take this argument", self.name());
            let help = list(&self.properties_known).map(|list| format!("its properties are {list}"));
            self.mistakes.add(entry.span(), message, "one too many", help);
        }
        for entry in self.kdl.entries().iter().filter(|entry| entry.ty().is_some()) {
            let message = "a type annotation means nothing here".to_owned();
            self.mistakes.add(entry.span(), message, "annotated", Some("leave the (type) out".into()));
        }
        if !self.takes_children && self.kdl.children().is_some() {
            let message = format!("`{}` has no block", self.name());
            self.mistakes.add(self.name_span(), message, "has a block", Some("leave the { … } out".into()));
        }
    }

    /// Complains of the node itself: nobody knows it here.
    pub(crate) fn complain_of_name(&self, message: &str, valid: &[&str]) {
        let help = whole_help(self.name(), valid);
        self.mistakes.add(self.name_span(), message.to_owned(), "here", help);
    }

    /// Complains that this block does not know the node.
    pub(crate) fn unknown_in(&self, block: &str, valid: &[&str]) {
        self.complain_of_name(&format!("`{block}` has no `{}`", self.name()), valid);
    }

    /// Complains that something is not there, with an example of how it looks.
    pub(crate) fn complain_of_missing(&self, message: &str, example: &str) {
        self.mistakes.add(
            self.name_span(),
            message.to_owned(),
            "here",
            Some(format!("for example: {example}")),
        );
    }

    /// The node on one line, as its file says it but for spaces and comments.
    pub(crate) fn one_line(&self) -> String {
        one_line(self.kdl)
    }

    fn decode<T: Value>(&self, entry: &KdlEntry) -> Option<T> {
        match T::decode(entry.value()) {
            Ok(value) => Some(value),
            Err(expected) => {
                let message = format!("{} is not {}", shown(entry.value()), expected.what);
                self.mistakes.add(
                    entry.span(),
                    message,
                    format!("should be {}", expected.what),
                    expected.help,
                );
                None
            }
        }
    }

    fn next_argument(&mut self) -> Option<&'a KdlEntry> {
        let entry = self.arguments().nth(self.arguments_read)?;
        self.arguments_read += 1;
        Some(entry)
    }

    fn arguments(&self) -> impl Iterator<Item = &'a KdlEntry> + use<'a> {
        self.kdl.entries().iter().filter(|entry| entry.name().is_none())
    }

    fn properties(&self) -> impl Iterator<Item = (&'a str, &'a KdlEntry)> + use<'a> {
        self.kdl.entries().iter().filter_map(|entry| entry.name().map(|name| (name.value(), entry)))
    }
}

/// A value for a message.
fn shown(value: &KdlValue) -> String {
    match value {
        KdlValue::String(text) => format!("{text:?}"),
        KdlValue::Integer(_) | KdlValue::Float(_) | KdlValue::Bool(_) | KdlValue::Null => value.to_string(),
    }
}

fn one_line(node: &KdlNode) -> String {
    let mut line = node.name().value().to_owned();
    for entry in node.entries() {
        line.push(' ');
        if let Some(name) = entry.name() {
            line.push_str(name.value());
            line.push('=');
        }
        line.push_str(&shown(entry.value()));
    }
    if let Some(children) = node.children() {
        let inner: Vec<_> = children.nodes().iter().map(one_line).collect();
        line.push_str(&format!(" {{ {} }}", inner.join("; ")));
    }
    line
}
