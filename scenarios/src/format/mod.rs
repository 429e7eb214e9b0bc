//! How a KDL file becomes a value: strictly, with a mistake for everything that means nothing.
//!
//! Scenario and runbook files are decoded by hand, node by node, because KDL keeps the place of every
//! argument and a mistake must point at the very one. A decoder asks a `Node` for the arguments and
//! properties that it knows; `Node::finish` then complains of what nobody asked for, with the nearest valid
//! name and the list. Reading never stops at the first mistake: each decoder returns `Option`, having
//! written its mistakes into `Mistakes`, and the file is accepted only if there are none.

mod mistake;
mod nearest;
mod node;
mod once;
mod value;

pub use mistake::{FormatError, Mistake};

pub(crate) use mistake::Mistakes;
pub(crate) use nearest::{list, nearest, whole_help};
pub(crate) use node::Node;
pub(crate) use once::Once;
pub(crate) use value::{Millis, Name, Number, Plain, Value, Words};

use kdl::KdlDocument;

/// Reads a file that holds exactly one `what "name" schema=N { … }`, and decodes it.
///
/// The schema is looked at first: a file of another schema gets that one refusal and no list of nodes that
/// this program does not know.
pub(crate) fn one<T>(
    what: &'static str,
    file: &str,
    text: &str,
    decode: impl FnOnce(&mut Node<'_>) -> Option<T>,
) -> Result<T, FormatError> {
    let mistakes = Mistakes::default();
    let value = match KdlDocument::parse_v2(text) {
        Ok(document) => top(what, &document, &mistakes).and_then(|mut node| decode(&mut node)),
        Err(error) => {
            mistakes.add_syntax(error);
            None
        }
    };
    match (value, mistakes.into_list()) {
        (Some(value), list) if list.is_empty() => Ok(value),
        (_, list) => Err(FormatError::new(what, file, text, list)),
    }
}

fn top<'a>(what: &'static str, document: &'a KdlDocument, mistakes: &'a Mistakes) -> Option<Node<'a>> {
    let mut nodes = document.nodes().iter().map(|node| Node::new(node, mistakes));
    let Some(mut first) = nodes.next() else {
        mistakes.add((0, 0), format!("the file holds no {what}"), "it is empty", None);
        return None;
    };
    if first.name() != what {
        first.complain_of_name(&format!("`{}` is no {what}", first.name()), &[what]);
        return None;
    }
    for other in nodes {
        other.complain_of_name(&format!("a file holds one {what}, and here is more"), &[]);
    }
    let schema = first.required::<Number<i128>>("schema", "schema=1")?;
    if schema.0 != crate::scenario::SCHEMA {
        let span = first.property_span("schema");
        let message =
            format!("the file has schema {}, and this program reads {}", schema.0, crate::scenario::SCHEMA);
        mistakes.add(
            span,
            message,
            "another format",
            Some("use the program that the file was written for".into()),
        );
        return None;
    }
    Some(first)
}
