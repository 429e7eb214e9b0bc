//! The trace: everything that a run leaves behind, and all that a judge may look at.
//!
//! Every world writes this one type. A trace is finished: it holds what was seen, in the order of
//! [`Event::at_us`], and names what its world could not see ([`Header::blind_to`]), so that an invariant
//! answers *unchecked* instead of *held* where the evidence is missing.
//!
//! # What a world writes, and when
//! 1. What is there before the first act: [`What::Born`] of generation 1, [`What::PidFile`], [`What::Binary`],
//!    [`What::Listening`], then the load begins, then [`What::Quiescent`]. Everything behind that first
//!    `Quiescent` (or the first [`What::StepBegan`]) belongs to an act.
//! 2. Each act ends with [`What::Claimed`], and a `Quiescent` follows before the next act begins.
//! 3. After the last claim's `Quiescent` the load goes on for a while (or nobody could say who answers), stops,
//!    and a last `Quiescent` ends the run, when no worker drains any more. Deaths behind it are the
//!    laboratory's own clearing up, and no invariant looks at them.
//!
//! # Units
//! Times are microseconds since the run began and end in `_us`.

mod event;
mod file;
mod request;

pub use event::{Content, Event, Exit, PidFile, Role, What};
pub use file::{TraceError, read, write};
pub use request::{Fate, Kind, Request};

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::scenario::WorldKind;

/// The version of the trace format. A reader refuses any other and says so.
pub const SCHEMA: u32 = 1;

/// One finished run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// What ran, where, and how to run it again.
    pub header: Header,
    /// What was seen, by time.
    pub events: Vec<Event>,
}

/// What ran, where, and how to run it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The format: [`SCHEMA`].
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The world that it ran in.
    pub world: WorldKind,
    /// The release that served at the start, as it told with `-v` (`1.22.1`).
    pub old: String,
    /// The release that the subject was given.
    pub new: String,
    /// Workers of one generation of the old and of the new release.
    pub workers: (u16, u16),
    /// Where random picks began.
    pub seed: u64,
    /// How the run was kept apart: `namespaces`, or `subreaper` where none could be had.
    pub isolation: String,
    /// The command that runs it again.
    pub replay: String,
    /// Evidence that this world cannot give; an invariant that needs it answers *unchecked*.
    pub blind_to: BTreeSet<Evidence>,
}

/// A kind of evidence that a trace may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Exit codes of processes that are not the agent's children.
    ExitStatus,
    /// Who sent which signal.
    Signals,
    /// Who holds and who accepts from a listening socket.
    Listeners,
    /// Log lines at notice level.
    NoticeLog,
    /// Requests of clients.
    Requests,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExitStatus => "how processes ended",
            Self::Signals => "signals",
            Self::Listeners => "listeners",
            Self::NoticeLog => "the notice log",
            Self::Requests => "requests",
        })
    }
}

impl Trace {
    /// The events that `pick` accepts, with their positions.
    pub fn select<'a, T: 'a>(
        &'a self,
        pick: impl Fn(&'a What) -> Option<T> + 'a,
    ) -> impl Iterator<Item = (usize, &'a Event, T)> + 'a {
        self.events.iter().enumerate().filter_map(move |(i, event)| pick(&event.what).map(|t| (i, event, t)))
    }
}
