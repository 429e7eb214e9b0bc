//! What came of visiting every state within several bounds, in a form that adds up: each shard writes the bounds that it
//! has visited, and together they are the run.
//!
//! A bound stays as it is when others come beside it, so what was put together can be put together once more, in any
//! order and as often as wanted, and a bound that is there twice counts once.

mod file;
mod merge;

pub use file::{SCHEMA, is_of_bounds, read, to_json};
pub use merge::Mismatch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::exhaustive::{self, Report};
use crate::model::fault::Fault;
use crate::shard::Shard;

/// Which run it is: equal for all of its shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// Every bound of all shards, in order, each once.
    pub bounds: Vec<String>,
    /// Deliberate defects, none in most runs.
    pub mutants: Vec<String>,
    /// Whether it goes down before aside.
    pub is_depth_first: bool,
    /// How many states are met at most within a bound.
    pub states_max: Option<u64>,
    /// How many shards there are.
    pub shards: u64,
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Which, from 1.
    pub shard: u64,
    /// How long it took.
    pub took_ms: u64,
    /// Where that number came from; `None`: from the command.
    pub told_by: Option<String>,
}

/// A bound, and what was found within it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visited {
    /// Which.
    pub bound: String,
    /// Different states that were met.
    pub states: u64,
    /// Of these, how many were not visited.
    pub not_visited: u64,
    /// Edges that were walked.
    pub steps: u64,
    /// The longest of the ways by which states were met first.
    pub depth: u32,
    /// How many states waited at a time.
    pub waiting_max: u64,
    /// States at the calm end.
    pub ends: u64,
    /// How long it took.
    pub took_ms: u64,
    /// How often each thing was claimed, and each fault struck.
    pub reached: BTreeMap<String, u64>,
    /// What is wrong, each thing once.
    pub wrong: Vec<Wrong>,
    /// The command that visits it again.
    pub replay: String,
}

/// Something wrong, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrong {
    /// What.
    pub why: String,
    /// The way there.
    pub path: Vec<String>,
    /// Where it was kept.
    pub file: Option<PathBuf>,
}

/// A run, or what is there of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Which.
    pub whole: Whole,
    /// By the shard's number.
    pub parts: BTreeMap<u64, Part>,
    /// By the bound.
    pub visited: BTreeMap<String, Visited>,
}

impl Visited {
    /// Of what a search has found.
    #[must_use]
    pub fn new(bound: String, report: &Report, took_ms: u64, replay: String) -> Self {
        let wrong = report.found.iter().map(|found| Wrong {
            why: found.why.clone(),
            path: found.path.iter().map(ToString::to_string).collect(),
            file: None,
        });
        Self {
            bound,
            states: report.states as u64,
            not_visited: report.left as u64,
            steps: report.edges,
            depth: report.depth,
            waiting_max: report.waiting_max as u64,
            ends: report.ends as u64,
            took_ms,
            reached: report.reached.clone(),
            wrong: wrong.collect(),
            replay,
        }
    }
}

impl Bounds {
    /// What was visited, in the run's order.
    pub fn in_order(&self) -> impl Iterator<Item = &Visited> {
        self.whole.bounds.iter().filter_map(|bound| self.visited.get(bound))
    }

    /// True if something is wrong.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.visited.values().any(|visited| !visited.wrong.is_empty())
    }

    /// True if every state within every bound of the run was visited.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.not_visited(None).is_empty()
    }

    /// Why it proves nothing, or less than it seems, one line each. `share`: what other shards do is not missed.
    #[must_use]
    pub fn unchecked(&self, share: Option<Shard>) -> Vec<String> {
        let mut unchecked = self.not_visited(share);
        if self.is_complete() && self.is_everybodys() {
            unchecked.extend(self.never_reached());
        }
        unchecked
    }

    /// Bounds within which not every state was visited.
    fn not_visited(&self, share: Option<Shard>) -> Vec<String> {
        let is_due = |number| share.is_none_or(|share| share.takes(number));
        let due = self.whole.bounds.iter().zip(0..).filter(|&(_, number)| is_due(number));
        due.filter_map(|(bound, _)| match self.visited.get(bound) {
            None => Some(format!("{bound}: not begun")),
            Some(Visited { not_visited: 0, .. }) => None,
            Some(Visited { not_visited, states, .. }) => {
                Some(format!("{bound}: {not_visited} of the {states} states that were met were not visited"))
            }
        })
        .collect()
    }

    /// True if these are the bounds that every change must pass, without a deliberate defect.
    fn is_everybodys(&self) -> bool {
        let all = exhaustive::cells().iter().map(ToString::to_string).collect::<Vec<_>>();
        self.whole.mutants.is_empty() && self.whole.bounds == all
    }

    /// Faults that never struck, and outcomes that nobody claimed: then a bound is not what it seems.
    fn never_reached(&self) -> Vec<String> {
        let reached: BTreeSet<&str> =
            self.visited.values().flat_map(|visited| visited.reached.keys().map(String::as_str)).collect();
        let faults = Fault::all().map(|fault| format!("fault.{}", fault.name()));
        let claims =
            ["upgraded", "rolled-back", "held", "refused", "stuck"].map(|name| format!("claim.{name}"));
        faults
            .chain(claims)
            .filter(|name| !reached.contains(&**name))
            .map(|name| format!("{name} was never reached"))
            .collect()
    }
}

#[cfg(test)]
mod tests;
