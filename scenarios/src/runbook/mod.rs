//! A runbook: an upgrade procedure that people use today, written down step by step.
//!
//! A runbook does what a person or a script does, mistakes included: it reads numbers from pid files,
//! sleeps, looks at `ps`, and gives up. It runs in every world, so a blog post can be model-checked.
//!
//! Texts may hold [`PLACEHOLDERS`], which [`fill`] replaces when the step runs.
//!
//! # Units
//! Durations are milliseconds and end in `_ms`.

mod parse;
mod placeholder;

pub use parse::parse;
pub use placeholder::{PLACEHOLDERS, fill, unknown_placeholder};

use serde::{Deserialize, Serialize};

use crate::scenario::Claim;

/// One procedure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runbook {
    /// A kebab-case name.
    pub name: String,
    /// Who does this, and what it is known to get wrong.
    pub why: String,
    /// Where it was read.
    pub source: Option<String>,
    /// What is done, in order. The first step that fails ends the runbook with [`Claim::Failed`].
    pub steps: Vec<Step>,
    /// What it claims when it came to its end.
    pub claims: Claim,
}

/// One step, with the line of the file that says it, for the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The step as its file says it, on one line.
    pub text: String,
    /// What is done.
    pub action: Action,
    /// True if a failure of this step is overlooked, as scripts do with `|| true`.
    pub failure_is_ignored: bool,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// `cp -f`: unlinks the target if it cannot be opened, then copies content and mode.
    Copy {
        /// From where.
        from: String,
        /// To where.
        to: String,
    },
    /// `mv`: rename.
    Move {
        /// From where.
        from: String,
        /// To where.
        to: String,
    },
    /// `kill -SIGNAL`.
    Signal {
        /// `USR2`.
        signal: String,
        /// Whom.
        to: Target,
    },
    /// Runs a program to its end.
    Run {
        /// Program first.
        words: Vec<String>,
        /// The exit code that it must have.
        exit: Option<i32>,
        /// A text that standard output or error must contain.
        says: Option<String>,
    },
    /// Does nothing for a while, as people do.
    Sleep {
        /// How long.
        for_ms: u64,
    },
    /// Waits until a condition holds, and fails if it does not in time.
    Wait {
        /// For what.
        until: Condition,
        /// How long at most.
        within_ms: u64,
        /// How long a script sleeps between two looks; `None`: it looks as often as the world can.
        every_ms: Option<u64>,
    },
    /// Fails unless a condition holds now.
    Check {
        /// Which.
        that: Condition,
    },
}

/// Whom a runbook signals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The number in this file, read when the step runs, whoever that is.
    PidFile(String),
    /// The older of two masters, or the only one, as seen in `ps`.
    OldMaster,
    /// The younger of two masters, as seen in `ps`.
    NewMaster,
}

/// What a runbook looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// There is a file.
    Exists(String),
    /// There is no file.
    Absent(String),
    /// There is a file that is not empty.
    NotEmpty(String),
    /// What `ps` shows. Draining workers count until they are gone.
    Sees {
        /// Master processes.
        masters: Option<u16>,
        /// Workers of the older (or only) master.
        old_workers: Option<u16>,
        /// Workers of the younger master.
        new_workers: Option<u16>,
    },
    /// Each of these, in one look.
    All(Vec<Condition>),
}
