//! One state of everything: the world, the subject, and what may still go wrong.

use std::fmt;

use super::subject::Subject;
use crate::model::choice::Name;
use crate::model::fault::Fault;
use crate::model::operator::Command;
use crate::model::world::Snapshot;

/// A state. Two that are equal go on equally, and what happens then is judged equally.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) world: Snapshot,
    pub(super) subject: Subject,
    pub(super) left: Left,
}

/// What may still go wrong, and how often somebody types again what is unfinished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) faults: u8,
    pub(super) crashes: u8,
    pub(super) stalls: u8,
    pub(super) recoveries: u8,
}

/// The name of an edge.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Label {
    /// A step of somebody.
    Step(Name),
    /// Something goes wrong, at the which-th process that it could strike.
    Fault(Fault, u8),
    /// The orchestrator is killed.
    Crash,
    /// Time passes although somebody could go on.
    Stall,
    /// After that, somebody types this.
    Types(Command),
    /// A second operator types this between two commands.
    Between(Command),
}

impl Label {
    /// True if something goes wrong.
    #[must_use]
    pub const fn is_mishap(&self) -> bool {
        matches!(self, Self::Fault(..) | Self::Crash | Self::Stall | Self::Between(_))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(name) => name.fmt(f),
            Self::Fault(fault, 0) => write!(f, "fault.{}", fault.name()),
            Self::Fault(fault, which) => write!(f, "fault.{} (number {} of them)", fault.name(), which + 1),
            Self::Crash => f.write_str("fault.crash"),
            Self::Stall => f.write_str("time.passes, the others are slow"),
            Self::Types(command) => write!(f, "typed: {command}"),
            Self::Between(command) => write!(f, "fault.second-operator, who types: {command}"),
        }
    }
}
