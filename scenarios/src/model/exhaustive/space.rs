//! A bound as a graph without labels: what another model checker needs to walk over the very same states.

use super::cell::Cell;
use super::node::Node;
use super::search::kind;
use super::walk::{Reached, Walker};
use crate::model::choice::Calm;
use crate::model::script::{Mistakes, Stages};

/// Everything within a bound, not reduced.
pub struct Space {
    cell: Cell,
    stages: Stages,
    mistakes: Mistakes,
}

/// A state, or what an edge leads to instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place(Kind);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Kind {
    Node(Box<Node>),
    Wrong(String),
    End,
}

impl Space {
    /// The bound of this cell.
    #[must_use]
    pub fn new(cell: Cell, mistakes: Mistakes) -> Self {
        Self { cell, stages: Stages::new(mistakes), mistakes }
    }

    /// Where everything begins.
    #[must_use]
    pub fn start(&self) -> Place {
        Place(Kind::Node(Box::new(self.walk(|walker| walker.root()))))
    }

    /// Tells what each edge of a state leads to. There is none from anything else.
    pub fn next(&self, from: &Place, found: &mut dyn FnMut(Place)) {
        let Kind::Node(node) = &from.0 else { return };
        self.walk(|walker| {
            walker.edges(node, |_, _, reached| {
                found(Place(match reached {
                    Reached::Node(node) => Kind::Node(node),
                    Reached::Wrong(why) => Kind::Wrong(kind(&why)),
                    Reached::End => Kind::End,
                }));
            });
        });
    }

    fn walk<T>(&self, act: impl FnOnce(&mut Walker<'_>) -> T) -> T {
        let mut calm = Calm;
        let (setting, state) = self.stages.stage(&self.cell.script());
        act(&mut Walker::new(&self.cell, self.mistakes, (setting, state), &mut calm, false))
    }
}

impl Place {
    /// True for a state of everything.
    #[must_use]
    pub const fn is_state(&self) -> bool {
        matches!(self.0, Kind::Node(_))
    }

    /// What is wrong, without numbers, if an edge leads to something wrong here.
    #[must_use]
    pub fn wrong(&self) -> Option<&str> {
        if let Kind::Wrong(why) = &self.0 { Some(why) } else { None }
    }
}
