//! A scenario: one story that an upgrade procedure must survive, as data.
//!
//! A scenario says which release serves and which comes, who changes the binary (the *subject*), what goes
//! wrong meanwhile, what clients do, and what must hold. It says nothing about where: the same scenario
//! runs in every world.

mod claim;
mod mishap;
mod parse;
mod parse_expect;
mod parse_mishap;
mod parse_worlds;
mod world;

pub use claim::Claim;
pub use mishap::{ACTORS, Mishap, Until, Wrong, elsewhere, is_forcible, moment, words_of};
pub use parse::{DEADLINE_MS, PATIENCE_MS, parse};
pub use world::{WorldKind, Worlds};

pub(crate) use mishap::fault_named;
pub(crate) use parse::{fault as stamp_fault, words};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The version of the scenario and runbook format.
pub const SCHEMA: i128 = 1;

/// One story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// A kebab-case sentence, stable for ever: reports and regressions refer to it.
    pub name: String,
    /// Why it matters, for a system administrator.
    pub why: String,
    /// Where the story comes from.
    pub source: Option<String>,
    /// The failures that it shows, by their numbers.
    pub shows: Vec<String>,
    /// The worlds that it is for; `None`: every one that has what it needs.
    pub worlds: Option<Worlds>,
    /// What serves at the start.
    pub old: Release,
    /// What the subject is given.
    pub new: Release,
    /// What goes wrong at named moments.
    pub faults: Vec<Mishap>,
    /// Who changes the binary, act by act.
    pub acts: Vec<Act>,
    /// What clients do meanwhile.
    pub load: Load,
    /// What must hold.
    pub expect: Expect,
    /// The longest that the whole run may take, in milliseconds.
    pub deadline_ms: u64,
}

impl Scenario {
    /// True if something of it can be told or forced only where processes stop at their moments.
    #[must_use]
    pub fn needs_moments(&self) -> bool {
        !self.faults.is_empty() || self.told_moments().next().is_some()
    }

    /// True if the configuration that the new binary reads is another one.
    #[must_use]
    pub fn is_reconfigured(&self) -> bool {
        (self.old.workers, self.old.reuseport) != (self.new.workers, self.new.reuseport)
    }

    /// The moments that it asks for and that only the processes themselves can tell.
    pub fn told_moments(&self) -> impl Iterator<Item = &String> {
        self.expect.sometimes.iter().filter(|name| moment(name).is_some())
    }
}

/// A release of nginx, as a scenario wants it. World `real` takes the nearest one that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// `1.22.1`.
    pub version: String,
    /// `worker_processes` of its configuration.
    pub workers: u16,
    /// `reuseport`: each worker has a socket of its own.
    pub reuseport: bool,
    /// What is wrong with it, in the words of `fake_nginx::fault`: `exits-at-start status=1`.
    pub fault: Option<String>,
}

/// One act of the subject; the next begins when this one has made its claim and all is quiescent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// What is carried out.
    pub subject: Subject,
    /// What it must claim at its end; an act that claims something else turns the verdict red.
    pub claims: Claim,
}

/// Who changes the binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// Ours: `oldbin` with these arguments (`upgrade`, `--soak`, `200ms`); the rest is filled in.
    Orchestrator {
        /// Subcommand first.
        arguments: Vec<String>,
    },
    /// A procedure in a file.
    Runbook {
        /// Its name, in `runbooks/` beside the catalogue.
        name: String,
    },
    /// Any program or script, unmodified.
    Command {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

/// What clients do while the subject works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Fresh connections per second, open-loop.
    pub fresh_per_second: u32,
    /// Kept-alive connections that send again and again.
    pub kept: u32,
    /// Requests in flight at any time whose answer takes `slow_ms`.
    pub slow: u32,
    /// How long a slow answer takes, in milliseconds.
    pub slow_ms: u64,
    /// How long a client waits for an answer, in milliseconds.
    pub patience_ms: u64,
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Expect {
    /// Names of invariants that must hold; all of the registry if the file names none.
    pub invariants: Vec<String>,
    /// For a canary: the invariants that must be *violated*. The run is as expected only if they are.
    pub violates: Vec<String>,
    /// Moments that must be reached, or the run proves nothing.
    pub sometimes: Vec<String>,
    /// Texts that nginx's log must contain.
    pub log: Vec<String>,
    /// Invariants that may stay unchecked in a world, with the reason.
    pub unchecked: Vec<(String, String)>,
    /// The generation's release that must serve at the end: `old` or `new`.
    pub ends_on_new: Option<bool>,
}
