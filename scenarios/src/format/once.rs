//! A node that may stand once.

use miette::SourceSpan;

use super::Node;

/// The value of a node that may stand at most once in its block.
///
/// It remembers that the node *stood* there even if it could not be read, so that a block is not told that
/// a node is missing when it is only wrong.
#[derive(Debug)]
pub(crate) struct Once<T> {
    name: &'static str,
    stands: Option<SourceSpan>,
    value: Option<T>,
}

impl<T> Once<T> {
    /// A node that has not been seen yet.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, stands: None, value: None }
    }

    /// Reads the node, or complains if it stood before.
    pub(crate) fn put(&mut self, node: &mut Node<'_>, decode: impl FnOnce(&mut Node<'_>) -> Option<T>) {
        let span = node.name_span();
        if let Some(first) = self.stands {
            node.mistakes().add_twice(first, span, format!("`{}` stands twice", self.name));
            return;
        }
        self.stands = Some(span);
        self.value = decode(node);
    }

    /// The value; complains at `parent` if the node never stood there.
    pub(crate) fn required(self, parent: &Node<'_>, example: &str) -> Option<T> {
        if self.stands.is_none() {
            parent.complain_of_missing(&format!("`{}` is missing", self.name), example);
        }
        self.value
    }

    /// The value, if the node stood there and could be read.
    pub(crate) fn optional(self) -> Option<T> {
        self.value
    }
}
