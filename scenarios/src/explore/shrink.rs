//! From a failure on real processes to the few commands and faults that it needs.
//!
//! Nobody chooses what the kernel does next, so a failure may not come again at once: each smaller script gets a
//! few tries, and is kept if something fails in one of them.

use std::fmt;

use super::judge::wrong;
use super::{Failure, Live};
use crate::live::LiveError;
use crate::model;
use crate::model::script::Script;

/// How often a smaller script is tried.
const TRIES: usize = 3;

/// A failure, as small as it was made.
#[derive(Debug, Clone)]
pub enum Shrunk {
    /// Of the model: every step is named.
    Model(model::Shrunk),
    /// Of real processes.
    Live(Box<Failure>),
}

impl Shrunk {
    /// What did not hold then.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Model(shrunk) => &shrunk.why,
            Self::Live(failure) => &failure.why,
        }
    }

    /// What it needs, line by line: two failures with the same lines are one.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        // The last lines say what is wrong then, with numbers that may differ from run to run.
        self.to_string().lines().take_while(|line| !line.starts_with("wrong ")).map(str::to_owned).collect()
    }
}

impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(shrunk) => shrunk.fmt(f),
            Self::Live(failure) => {
                told(&failure.script, f)?;
                write!(f, "wrong   {}", failure.why)
            }
        }
    }
}

fn told(script: &Script, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{} workers, the new binary is {}", script.workers, script.new_binary())?;
    for (pause, command) in &script.commands {
        writeln!(f, "{pause}   {command}")?;
    }
    for fault in &script.faults {
        writeln!(f, "fault   {fault}")?;
    }
    Ok(())
}

/// Leaves out commands and faults, one by one, as long as something still fails.
pub(super) fn live(world: &Live, failure: &Failure) -> Result<Failure, LiveError> {
    let mut best = failure.clone();
    loop {
        let before = best.script.clone();
        for smaller in smaller(&before) {
            if let Some(found) = fails(world, &smaller, failure.seed)? {
                best = found;
                break;
            }
        }
        if best.script == before {
            return Ok(best);
        }
    }
}

/// Every script with one thing less.
fn smaller(script: &Script) -> Vec<Script> {
    let mut all = Vec::new();
    let mut push = |change: &dyn Fn(&mut Script)| {
        let mut smaller = script.clone();
        change(&mut smaller);
        if smaller != *script && !smaller.commands.is_empty() {
            all.push(smaller);
        }
    };
    for at in (0..script.commands.len()).rev() {
        push(&|script| drop(script.commands.remove(at)));
    }
    for at in (0..script.faults.len()).rev() {
        push(&|script| {
            script.faults.remove(at);
        });
    }
    push(&|script| script.binary = 0);
    push(&|script| script.workers = 1);
    all
}

fn fails(world: &Live, script: &Script, seed: u64) -> Result<Option<Failure>, LiveError> {
    for _ in 0..TRIES {
        let trace = world.run(script, seed)?;
        if let Some(why) = wrong(script, &trace) {
            return Ok(Some(Failure { seed, script: script.clone(), why, trace: Some(trace) }));
        }
    }
    Ok(None)
}
