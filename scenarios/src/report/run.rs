//! One run, ready to be told.

use serde::Serialize;

use super::Summary;
use crate::invariants::Finding;
use crate::scenario::{Claim, Scenario, WorldKind};
use crate::trace::Trace;
use crate::verdict::{self, Verdict};

/// One run, ready to be told: a line of the table, an object of the JSON report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The scenario's name.
    pub scenario: String,
    /// Where it ran.
    pub world: WorldKind,
    /// The release that served at the start.
    pub old: String,
    /// The release that the subject was given.
    pub new: String,
    /// Where random picks began.
    pub seed: u64,
    /// How the run was kept apart.
    pub isolation: String,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// What the acts claimed.
    pub claims: Vec<Claim>,
    /// Its numbers.
    #[serde(flatten)]
    pub summary: Summary,
    /// `held`, `violated` or `unchecked`.
    pub verdict: &'static str,
    /// True if that is what the scenario expects.
    pub as_expected: bool,
    /// What is not as expected, one line each.
    pub surprises: Vec<String>,
    /// Each invariant's answer.
    pub findings: Vec<Answer>,
    /// The command that runs it again.
    pub replay: String,
}

/// One invariant's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Its name.
    pub invariant: &'static str,
    /// `held`, `violated` or `unchecked`.
    pub finding: &'static str,
    /// Why it is not held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When a violation was first seen, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_us: Option<u64>,
}

impl Run {
    /// What a run's trace and verdict say.
    #[must_use]
    pub fn new(scenario: &Scenario, trace: &Trace, verdict: &Verdict) -> Self {
        let header = &trace.header;
        Self {
            scenario: scenario.name.clone(),
            world: header.world,
            old: header.old.clone(),
            new: header.new.clone(),
            seed: header.seed,
            isolation: header.isolation.clone(),
            duration_us: trace.events.last().map_or(0, |event| event.at_us),
            claims: verdict::claims(trace),
            summary: Summary::of(trace),
            verdict: verdict.overall.name(),
            as_expected: verdict.as_expected,
            surprises: verdict.surprises.clone(),
            findings: verdict.findings.iter().map(|judged| answer(judged.name, &judged.finding)).collect(),
            replay: header.replay.clone(),
        }
    }
}

fn answer(invariant: &'static str, finding: &Finding) -> Answer {
    let (finding, why, at_us) = match finding {
        Finding::Held => ("held", None, None),
        Finding::Violated { at_us, why, .. } => ("violated", Some(why.clone()), Some(*at_us)),
        Finding::Unchecked { why } => ("unchecked", Some(why.clone()), None),
    };
    Answer { invariant, finding, why, at_us }
}
