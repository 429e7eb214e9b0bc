//! Texts with variables, such as the second argument of `return`.

/// A text in which `$name` and `${name}` stand for what is known when a request is answered.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Template {
    /// Literal pieces and variables, in order.
    pub pieces: Vec<Piece>,
}

/// One piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes as written.
    Literal(String),
    /// A variable's name without the dollar.
    Variable(String),
}
