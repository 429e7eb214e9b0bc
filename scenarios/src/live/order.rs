//! What the laboratory tells an agent, and what the agent tells back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::nginx::Pair;
use crate::conformance::{Sequence, Snapshot};
use crate::runbook::Runbook;
use crate::scenario::{Load, Scenario, WorldKind};
use crate::trace::Trace;

use super::clock::Clock;
use super::storm::Storm;

/// One run, as the agent gets it: one line of JSON on its standard input, which then stays open. When it is
/// closed, the laboratory is gone, and the agent ends everything.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The story.
    pub(crate) scenario: Scenario,
    /// The procedures that the story's acts name.
    pub(crate) runbooks: BTreeMap<String, Runbook>,
    /// `Fake` or `Real`.
    pub(crate) world: WorldKind,
    /// The real binaries; none in world `Fake`.
    pub(crate) pair: Option<Pair>,
    /// Where random picks begin.
    pub(crate) seed: u64,
    /// Defects of the fakes.
    pub(crate) fake_defects: Vec<String>,
    /// Defects of the orchestrator.
    pub(crate) orchestrator_defects: Vec<String>,
    /// Whether the trace has every moment.
    pub(crate) tells_moments: bool,
    /// The command that runs it again.
    pub(crate) replay: String,
    /// What a random script types and breaks; its scenario has no acts.
    pub(crate) storm: Option<Storm>,
    /// The steps of a conformance run; its scenario has no acts.
    pub(crate) sequence: Option<Sequence>,
}

/// What a run has shown.
#[derive(Debug)]
pub(crate) enum Told {
    /// Of a story or a random script.
    Trace(Trace),
    /// Of a conformance run: at the start, and after each step.
    Snapshots(Vec<Snapshot>),
}

impl Order {
    /// True if processes report their moments and wait: only stamped fakes do.
    pub(crate) fn stops_at_moments(&self) -> bool {
        self.world == WorldKind::Fake && (self.tells_moments || self.scenario.needs_moments())
    }
}

/// What the agent answers first: one line of JSON, with a trace behind it if it is `Done`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// Namespaces cannot be had here.
    NoNamespaces(String),
    /// The run came to its end; the trace follows.
    Done,
    /// A conformance run came to its end.
    Seen(Vec<Snapshot>),
    /// The world could not be made or kept.
    Failed(String),
}

/// What the agent tells the load.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoadOrder {
    /// What clients do.
    pub(crate) load: Load,
    /// The port on 127.0.0.1.
    pub(crate) port: u16,
    /// The run's clock.
    pub(crate) clock: Clock,
}

/// The line behind a [`LoadOrder`]: begin nothing new, finish what is in flight, and end.
pub(crate) const LOAD_STOP: &[u8] = b"stop\n";
/// The same, but what is in flight ends as unfinished.
pub(crate) const LOAD_NOW: &[u8] = b"now\n";
/// What the load says when every kind of client is at work.
pub(crate) const LOAD_READY: &str = "ready";

/// A path of the world, by name, as subjects get them in their environment.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The prefix; holds everything.
    pub(crate) prefix: PathBuf,
    /// The binary that serves.
    pub(crate) binary: PathBuf,
    /// The staged new binary.
    pub(crate) new: PathBuf,
    /// The configuration.
    pub(crate) conf: PathBuf,
    /// The pid file.
    pub(crate) pid: PathBuf,
    /// The error log.
    pub(crate) log: PathBuf,
    /// The orchestrator's journal.
    pub(crate) state: PathBuf,
    /// The control socket, where there is one.
    pub(crate) control: PathBuf,
}
