//! Where scenarios run, and where one does not.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Scenario, Subject};

/// Where a scenario runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorldKind {
    /// In memory, in virtual time.
    Model,
    /// Linux, with `fake-nginx`.
    Fake,
    /// Linux, with real nginx binaries.
    Real,
}

impl WorldKind {
    /// Every world, from the cheapest to the dearest.
    pub const ALL: [Self; 3] = [Self::Model, Self::Fake, Self::Real];

    /// Its name in files, options and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Fake => "fake",
            Self::Real => "real",
        }
    }
}

impl fmt::Display for WorldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The only worlds that a story is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worlds {
    /// Which.
    pub only: Vec<WorldKind>,
    /// Why it says nothing elsewhere: what the other worlds lack.
    pub because: String,
}

/// Why a story of named moments is not run on real nginx.
const NO_MOMENTS: &str = "real nginx does not stop at its moments, so nothing can be forced there";
/// Why a story with a program is not run in the model.
const NO_PROGRAMS: &str = "it has no programs";

impl Scenario {
    /// Why this story is not for that world: it says so itself, or asks for something that the world does not have.
    #[must_use]
    pub fn is_not_for(&self, world: WorldKind) -> Option<&str> {
        if let Some(worlds) = self.worlds.as_ref().filter(|worlds| !worlds.only.contains(&world)) {
            return Some(&worlds.because);
        }
        match world {
            WorldKind::Model => self.has_program().then_some(NO_PROGRAMS),
            WorldKind::Fake => None,
            WorldKind::Real => self.needs_moments().then_some(NO_MOMENTS),
        }
    }

    /// True if an act of it is a program, which the model does not have.
    #[must_use]
    pub fn has_program(&self) -> bool {
        self.acts.iter().any(|act| matches!(act.subject, Subject::Command { .. }))
    }
}
