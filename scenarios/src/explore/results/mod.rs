//! What came of a run, in a form that adds up: each shard writes its part, and the parts together are the run.
//!
//! A part stays as it is when others come beside it, so results that were put together can be put together once more,
//! in any order and as often as wanted, and a shard that is there twice counts once.

mod file;
mod merge;

pub use file::{SCHEMA, read, to_json};
pub use merge::Mismatch;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Demands, Draw, Live, Tally};
use crate::model::fault::Fault;
use crate::scenario::WorldKind;
use crate::shard::Shard;

/// Which run it is: equal for all of its shards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// Where it played.
    pub world: WorldKind,
    /// How scripts were drawn.
    pub draw: Draw,
    /// Deliberate defects, none in most runs.
    pub mutants: Vec<String>,
    /// The first seed of all shards.
    pub seed: u64,
    /// How many scripts all shards play; `None`: as many as they can in their time.
    pub scripts: Option<u64>,
    /// How many shards there are.
    pub shards: u64,
}

/// What one shard has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Which, from 1.
    pub shard: u64,
    /// Where that number came from; `None`: from the command.
    pub told_by: Option<String>,
    /// Somebody was in a hurry.
    pub is_cut_short: bool,
    /// How many scripts played at once.
    pub jobs: usize,
    /// How long it took.
    pub took_ms: u64,
    /// What was counted.
    pub counted: Tally,
    /// The first failures, made small.
    pub failed: Vec<Found>,
}

/// A failure, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// From which it was drawn.
    pub seed: u64,
    /// What did not hold.
    pub why: String,
    /// The few lines that it needs; none if it was not made small.
    pub steps: Vec<String>,
    /// Where it was kept.
    pub file: Option<PathBuf>,
    /// The command that plays it again.
    pub replay: String,
}

/// A run, or what is there of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// Which.
    pub whole: Whole,
    /// By the shard's number.
    pub parts: BTreeMap<u64, Part>,
}

/// A failure that one or several seeds have led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distinct<'a> {
    /// The one of the lowest seed.
    pub found: &'a Found,
    /// How many other seeds led there.
    pub others: usize,
}

impl Results {
    /// What all shards have counted.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut all = Tally::default();
        self.parts.values().for_each(|part| all.add(&part.counted));
        all
    }

    /// Failures, each once: those that need the same steps are one.
    #[must_use]
    pub fn failures(&self) -> Vec<Distinct<'_>> {
        let mut all: Vec<_> = self.parts.values().flat_map(|part| &part.failed).collect();
        all.sort();
        let mut distinct: Vec<Distinct<'_>> = Vec::new();
        for found in all {
            let is_same =
                |known: &&mut Distinct<'_>| !found.steps.is_empty() && known.found.steps == found.steps;
            match distinct.iter_mut().find(is_same) {
                Some(known) => known.others += usize::from(known.found.seed != found.seed),
                None => distinct.push(Distinct { found, others: 0 }),
            }
        }
        distinct
    }

    /// The shards that nobody has handed in.
    #[must_use]
    pub fn missing(&self) -> Vec<Shard> {
        (0..self.whole.shards)
            .filter_map(|index| Shard::from_zero(index, self.whole.shards))
            .filter(|shard| !self.parts.contains_key(&shard.number()))
            .collect()
    }

    /// Why those parts that are there prove nothing, one line each.
    #[must_use]
    pub fn unchecked(&self) -> Vec<String> {
        let mut unchecked = match self.whole.world {
            WorldKind::Model => self.tally().vacuous(&Demands::MODEL, &Fault::drawn().collect::<Vec<_>>()),
            WorldKind::Fake | WorldKind::Real => self.tally().vacuous(&Demands::LIVE, &Live::faults()),
        };
        for part in self.parts.values().filter(|part| part.is_cut_short) {
            let shard = match self.whole.shards {
                1 => "the run".to_owned(),
                shards => format!("shard {}/{shards}", part.shard),
            };
            unchecked.push(format!("{shard} was cut short after {} scripts", part.counted.scripts));
        }
        unchecked
    }
}

#[cfg(test)]
mod tests;
