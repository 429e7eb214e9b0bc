//! Bounds added to bounds.

use std::cmp::Reverse;

use super::super::adding::{OtherRun, counts_once, same_run};
use super::{Bounds, Part, Visited, Whole};

/// Why they do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// They are of two runs.
    #[error(transparent)]
    OtherRun(#[from] OtherRun),
    /// One bound was visited twice, and was not the same.
    #[error("{bound:?} is there already, and is not the same: the two are of different builds")]
    Differs {
        /// Which.
        bound: String,
    },
}

impl Bounds {
    /// Adds what another file holds of the same run.
    ///
    /// # Errors
    /// [`Mismatch`] if it is not the same run; what was there is then as before.
    pub fn add(&mut self, other: Self) -> Result<(), Mismatch> {
        self.whole.is_same(&other.whole)?;
        for theirs in other.visited.values() {
            let Some(own) = self.visited.get(&theirs.bound) else { continue };
            let are_complete = own.not_visited == 0 && theirs.not_visited == 0;
            if are_complete && own.shown() != theirs.shown() {
                return Err(Mismatch::Differs { bound: theirs.bound.clone() });
            }
        }
        for (shard, part) in other.parts {
            counts_once(&mut self.parts, shard, part, Part::gt);
        }
        for (bound, visited) in other.visited {
            counts_once(&mut self.visited, bound, visited, Visited::outranks);
        }
        Ok(())
    }
}

impl Visited {
    /// What is the same whenever all of it is visited: everything but the time and where something was kept.
    fn shown(&self) -> Self {
        let wrong = self.wrong.iter().map(|wrong| super::Wrong { file: None, ..wrong.clone() }).collect();
        Self { took_ms: 0, wrong, ..self.clone() }
    }

    /// Of two visits the one that found something wrong counts, then the one that came to its end, then the longer
    /// one; the rest only makes sure that the order of files does not matter.
    fn outranks(&self, other: &Self) -> bool {
        let rank = |visited: &Self| {
            let Self { not_visited, states, took_ms, wrong, .. } = visited;
            let text = format!("{visited:?}");
            (wrong.len(), *not_visited == 0, *states, Reverse(*took_ms), text)
        };
        rank(self) > rank(other)
    }
}

impl Whole {
    fn is_same(&self, other: &Self) -> Result<(), OtherRun> {
        let told = |whole: &Self| {
            let states = whole.states_max.map_or_else(|| "any".to_owned(), |states| states.to_string());
            let order = if whole.is_depth_first { "down before aside" } else { "aside before down" };
            [
                ("the list of bounds", whole.bounds.join(", ")),
                ("the list of mutants", format!("{:?}", whole.mutants)),
                ("the order", order.to_owned()),
                ("the number of states at most", states),
                ("the number of shards", whole.shards.to_string()),
            ]
        };
        same_run(told(self), told(other))
    }
}
