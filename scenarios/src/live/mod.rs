//! Live worlds: real processes, Linux's own kernel, and a trace of what was seen.
//!
//! [`run`] starts an *agent*, which is this very executable with a hidden first argument: a single-threaded
//! process that makes the world, starts nginx and the load, lets the subject work, watches, and hands back the
//! trace. Wherever the kernel allows it, the agent is the first process of a pid namespace with mounts and a
//! network of its own, so that nothing outlives it, whoever kills whom.
//!
//! ```text
//! laboratory ── order ─▶ agent ── starts ─▶ nginx, load, subject
//!     Trace ◀─ answer ──  └── epoll: log, folders, pidfds, SIGCHLD, /proc
//! ```
//!
//! # What is evidence
//! The notice log, pidfds, `/proc`, inotify and the clients. What these cannot show is not in the trace.

mod agent;
pub(crate) mod clock;
mod launch;
mod load;
pub mod nginx;
mod order;
pub(crate) mod storm;
mod subject;

use std::collections::BTreeMap;
use std::io;
use std::process::{Command, ExitCode};

use orchestrator::Rehearsal;
use orchestrator::machine::Defects;

pub use agent::control;

use crate::conformance::{Sequence, Snapshot};
use crate::model::script::Script;
use crate::mutant::Mutant;
use crate::runbook::Runbook;
use crate::scenario::{Scenario, WorldKind};
use crate::trace::{Trace, TraceError};

/// Where and with what a scenario runs.
#[derive(Debug, Clone)]
pub struct Setting {
    /// [`WorldKind::Fake`] or [`WorldKind::Real`].
    pub world: WorldKind,
    /// The real releases to choose from; see [`nginx::releases`]. Not used in world `Fake`.
    pub releases: Vec<nginx::Found>,
    /// The procedures that the scenario's acts name.
    pub runbooks: BTreeMap<String, Runbook>,
    /// Where random picks begin.
    pub seed: u64,
    /// Deliberate defects.
    pub mutants: Vec<Mutant>,
    /// Whether the trace has every moment of every process; world `Fake` only.
    pub tells_moments: bool,
    /// How the run is kept apart.
    pub isolation: Isolation,
    /// The command that runs it again, for the trace's header.
    pub replay: String,
}

/// How a run is kept apart from the machine that it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Namespaces if they can be had, else a subreaper.
    Best,
    /// A subreaper, even where namespaces can be had.
    Subreaper,
}

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The model is no live world.
    #[error("world {0} is not live")]
    NotLive(WorldKind),
    /// No real release was found.
    #[error("no nginx was found; set OLDBIN_NGINX_DIR to a folder with <version>/nginx")]
    NoNginx,
    /// The scenario asks for something that cannot be given.
    #[error("the scenario cannot run live: {0}")]
    Unusable(String),
    /// The agent could not be started or spoken to.
    #[error("cannot {what} the agent")]
    Agent {
        /// The verb.
        what: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The agent gave up, and said why.
    #[error("the world could not be made: {0}")]
    World(String),
    /// The agent ended without an answer.
    #[error("the agent ended without an answer ({0})")]
    Silent(String),
    /// The agent's trace could not be read.
    #[error("the agent's trace is damaged")]
    Trace(#[from] TraceError),
}

/// Runs a scenario on real processes and returns what was seen.
///
/// # Errors
/// [`LiveError`] when there is no trace. A scenario that goes wrong is no error: the trace says so.
pub fn run(scenario: &Scenario, setting: &Setting) -> Result<Trace, LiveError> {
    launch::run(scenario, setting)
}

/// Plays a random script on real processes and returns what was seen.
///
/// # Errors
/// As [`run`].
pub fn play(script: &Script, setting: &Setting) -> Result<Trace, LiveError> {
    launch::play(script, setting)
}

/// Plays the steps of a conformance run: what was seen at the start, and after each step.
///
/// # Errors
/// As [`run`].
pub(crate) fn conform(
    sequence: &Sequence,
    scenario: &Scenario,
    setting: &Setting,
) -> Result<Vec<Snapshot>, LiveError> {
    launch::conform(sequence, scenario, setting)
}

/// This executable with these arguments, as the first process of namespaces of its own: processes, mounts, network.
/// Where they cannot be had it runs nothing, and says so on standard output.
///
/// Every program that starts it calls [`run_if_agent`] first.
#[must_use]
pub fn apart(arguments: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args([launch::AGENT, "namespaces"]).args(arguments);
    command
}

/// Becomes an agent, a load or an `oldbin` if this process's first argument says so, and tells the exit code;
/// `None` for any other process.
///
/// Every program that calls [`run`] calls this first, before it starts a thread, and returns the code.
#[must_use]
pub fn run_if_agent() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next()?.to_str()? {
        launch::AGENT => Some(agent::main(arguments)),
        launch::LOAD => Some(load::main()),
        launch::OLDBIN => {
            let names = arguments.next()?;
            let defects = Defects::named(names.to_str()?.split(','));
            let argv = std::iter::once("oldbin".into()).chain(arguments).collect();
            Some(orchestrator::cli::rehearse(argv, Rehearsal { defects, beside: subject::beside() }))
        }
        _ => None,
    }
}
