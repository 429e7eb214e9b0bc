//! How the script of a seed is drawn, and the words that say so in a command.

use serde::{Deserialize, Serialize};

use crate::model::choice::Strategy;
use crate::model::script;

/// How scripts are drawn from their seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// Who picks.
    pub strategy: Strategy,
    /// How many faults a script has at most.
    pub faults: usize,
}

impl Default for Draw {
    /// As seeds were drawn when there was one strategy.
    fn default() -> Self {
        Self { strategy: Strategy::Seeded, faults: script::FAULTS }
    }
}

impl Draw {
    /// What a command that plays one seed again needs, each with a blank before it.
    #[must_use]
    pub fn as_arguments(&self, seed: u64) -> String {
        let faults =
            if self.faults == script::FAULTS { String::new() } else { format!(" --faults {}", self.faults) };
        format!(" --strategy {}{faults}", self.strategy.of(seed))
    }
}
