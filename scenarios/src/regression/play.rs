//! A kept failure, played again in the model.

use std::collections::BTreeSet;

use super::Regression;
use crate::model::choice::Replay;
use crate::model::fault::{Fault, Planned};
use crate::model::script::{Mistakes, Played, Stages};
use crate::scenario::WorldKind;
use crate::trace::{Header, SCHEMA, Trace};

/// What a replay has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything held.
    Held,
    /// This did not.
    Violated(String),
    /// A fault never struck, so that nothing was proved: which, and why.
    Unchecked(String),
    /// Played twice, it went two ways.
    NotDeterministic,
}

impl Verdict {
    /// Its name in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated(_) => "violated",
            Self::Unchecked(_) => "unchecked",
            Self::NotDeterministic => "not-deterministic",
        }
    }

    /// The laboratory's exit code for it.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Violated(_) => 1,
            Self::Unchecked(_) => 3,
            Self::NotDeterministic => 4,
        }
    }
}

/// A kept failure that was played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// What it showed.
    pub verdict: Verdict,
    /// What happened.
    pub trace: Trace,
    /// Kept steps that never had their time: a mend often takes another way before they come.
    pub missed: Vec<String>,
}

/// Plays a kept failure twice, and compares.
#[must_use]
pub fn replay(regression: &Regression, mistakes: Mistakes) -> Replayed {
    let stages = Stages::new(mistakes);
    let (played, missed) = play(regression, &stages);
    let again = play(regression, &stages).0;
    let verdict = match &played.wrong {
        _ if played != again => Verdict::NotDeterministic,
        Some(why) => Verdict::Violated(why.clone()),
        None => match first_unstruck(regression, &played) {
            Some(fault) => Verdict::Unchecked(format!("the fault {fault} never had anything to strike")),
            None => Verdict::Held,
        },
    };
    let header = Header {
        schema: SCHEMA,
        scenario: regression.name.clone(),
        world: WorldKind::Model,
        old: "1.22.1".into(),
        new: "1.26.3".into(),
        workers: (regression.script.workers, regression.script.workers),
        seed: 0,
        isolation: "simulated".into(),
        replay: String::new(),
        blind_to: BTreeSet::new(),
    };
    Replayed { verdict, trace: Trace { header, events: played.events }, missed }
}

fn play(regression: &Regression, stages: &Stages) -> (Played, Vec<String>) {
    let mut chooser = Replay::new(regression.deviations.iter().copied(), Vec::new());
    let played = stages.play_script(regression.script.clone(), &mut chooser, true);
    let missed = chooser.finish().err().map_or_else(Vec::new, |missed| missed.0);
    (played, missed.iter().map(ToString::to_string).collect())
}

fn first_unstruck(regression: &Regression, played: &Played) -> Option<String> {
    unstruck(regression, played.struck.iter().map(|planned| planned.fault)).map(ToString::to_string)
}

/// The first fault of a kept failure that is not among those that struck.
pub(crate) fn unstruck(regression: &Regression, struck: impl Iterator<Item = Fault>) -> Option<&Planned> {
    let mut struck: Vec<_> = struck.collect();
    let mut is_left = |fault| match struck.iter().position(|&known| known == fault) {
        Some(at) => {
            struck.remove(at);
            false
        }
        None => true,
    };
    regression.script.faults.iter().find(|planned| is_left(planned.fault))
}
