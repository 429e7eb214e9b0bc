//! Every interleaving within a bound: a model checker over the very machines of the fake and of the orchestrator.
//!
//! A [`Cell`] says what is typed and how much may go wrong. A node is everything that can differ between two
//! instants; an edge is one step of a process, a client, the orchestrator or the clock, or something that goes
//! wrong. Nodes that are equal are visited once.
//!
//! | file | what it knows |
//! |---|---|
//! | `cell` | the bounds, and those that everybody runs |
//! | `node` | a state of everything, and the name of an edge |
//! | `subject` | where the orchestrator or a runbook stands, between any two calls |
//! | `walk` | the edges of a node, and what is wrong behind one |
//! | `futures` | what others can do before a look: the reduction |
//! | `space` | the same states, for other model checkers |
//! | `search` | which nodes were met, breadth or depth first, and the way to one |
//! | `told` | a way to something wrong, as a story that anybody can play |
//! | `again` | tests: another engine, that plays whole runs of the ordinary world |
//!
//! # What must hold
//! What must hold in random scripts (`judge`), behind every edge; and from every state, if nothing goes wrong any
//! more, a calm end can be reached.

#[cfg(test)]
mod again;
mod cell;
#[cfg(test)]
mod checker;
mod futures;
mod node;
mod search;
mod space;
mod subject;
#[cfg(test)]
mod tests;
mod told;
mod walk;

pub use cell::{Cell, Procedure, Whole, cells, crashes, named, pairs, wider};
pub use node::Label;
pub use search::{Found, Limits, Order, Report, explore};
pub use space::{Place, Space};
pub use told::as_story;
