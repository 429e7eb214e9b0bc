//! Results added to results.

use std::cmp::Reverse;

use super::super::adding::{OtherRun, counts_once, same_run};
use super::{Part, Results, Whole};
use crate::scenario::WorldKind;

/// Why results do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// They are of two runs.
    #[error(transparent)]
    OtherRun(#[from] OtherRun),
    /// One shard was played twice and counted two things, where every choice is the seed's.
    #[error(
        "shard {shard}/{shards} is there already, and counted something else: the two are of different builds"
    )]
    Differs {
        /// Which.
        shard: u64,
        /// Of how many.
        shards: u64,
    },
}

impl Results {
    /// Adds what another file holds of the same run.
    ///
    /// # Errors
    /// [`Mismatch`] if it is not the same run; what was there is then as before.
    pub fn add(&mut self, other: Self) -> Result<(), Mismatch> {
        self.whole.is_same(&other.whole)?;
        let is_determined = self.whole.world == WorldKind::Model && self.whole.scripts.is_some();
        for part in other.parts.values() {
            let Some(own) = self.parts.get(&part.shard) else { continue };
            let is_complete = !own.is_cut_short && !part.is_cut_short;
            if is_determined && is_complete && own.counted != part.counted {
                return Err(Mismatch::Differs { shard: part.shard, shards: self.whole.shards });
            }
        }
        for (shard, part) in other.parts {
            counts_once(&mut self.parts, shard, part, Part::outranks);
        }
        Ok(())
    }
}

impl Part {
    /// Of two plays of one shard the one that failed counts, then the one that came to its end, then the longer one;
    /// the rest only makes sure that the order of files does not matter.
    fn outranks(&self, other: &Self) -> bool {
        let rank = |part: &Self| {
            let Self { is_cut_short, took_ms, counted, failed, .. } = part.clone();
            (counted.failures, !is_cut_short, counted.scripts, failed, Reverse(took_ms), format!("{part:?}"))
        };
        rank(self) > rank(other)
    }
}

impl Whole {
    fn is_same(&self, other: &Self) -> Result<(), OtherRun> {
        let told = |whole: &Self| {
            let scripts =
                whole.scripts.map_or_else(|| "as many as its time allows".to_owned(), |n| n.to_string());
            [
                ("the world", whole.world.to_string()),
                ("the strategy", whole.draw.strategy.to_string()),
                ("the number of faults", whole.draw.faults.to_string()),
                ("the list of mutants", format!("{:?}", whole.mutants)),
                ("the first seed", whole.seed.to_string()),
                ("the number of scripts", scripts),
                ("the number of shards", whole.shards.to_string()),
            ]
        };
        same_run(told(self), told(other))
    }
}
