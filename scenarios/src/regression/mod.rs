//! Kept failures: what random scripts found, as a story that replays.
//!
//! What is kept is what a shrunk failure means, by the names of moments: what was typed, what went wrong right
//! before which step, and which steps were not the natural ones. Names outlive a change of the model, a seed and
//! positions do not. The home of these files is `scenarios/catalogue/regressions/`; `oldbin-lab replay` plays one.

mod parse;
mod play;
mod write;

pub use parse::parse;
pub(crate) use play::unstruck;
pub use play::{Replayed, Verdict, replay};

use crate::model::Shrunk;
use crate::model::choice::Deviation;
use crate::model::script::Script;

/// One kept failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regression {
    /// A sentence in kebab-case; for ever.
    pub name: String,
    /// Why it matters, for a system administrator.
    pub why: String,
    /// Who found it, and what mended it.
    pub source: Option<String>,
    /// What was typed and what went wrong; every fault has its step.
    pub script: Script,
    /// The steps that were not the natural ones.
    pub deviations: Vec<Deviation>,
    /// What was wrong then.
    pub wrong: String,
}

impl Regression {
    /// A failure that was just found. Its name says what went wrong, and ends in a hash of its steps, so that the
    /// same failure gets the same name.
    #[must_use]
    pub fn found(shrunk: &Shrunk) -> Self {
        Self::found_by("random scripts", shrunk)
    }

    /// The same, of whoever else has found it.
    #[must_use]
    pub fn found_by(who: &str, shrunk: &Shrunk) -> Self {
        let mut found = Self {
            name: String::new(),
            why: "Nobody has told this story yet.".to_owned(),
            source: Some(format!("found by {who}")),
            script: shrunk.script.clone(),
            deviations: shrunk.deviations.clone(),
            wrong: shrunk.why.clone(),
        };
        found.name = format!("found-{:08x}", hash(&found.to_string()));
        found
    }

    /// The faults that its script has, as they are told.
    pub fn faults(&self) -> impl Iterator<Item = String> {
        self.script.faults.iter().map(ToString::to_string)
    }
}

/// FNV-1a: short, and the same next year.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests;
