//! From a failure to the few steps that it needs.
//!
//! What is shrunk is not the chooser's numbers but what they meant: the script, the faults with the step that
//! each came before, and the steps that were not the natural ones. Leaving one out leaves the others as they
//! are, which a list of numbers cannot say.
//!
//! # Source
//! Zeller, Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002 (ddmin), for the steps.

use std::fmt;

use super::choice::{Deviation, Recorder, Replay};
use super::fault::{Planned, When};
use super::script::{Pause, Played, Script, Stages};

/// How many runs are spent.
const RUNS_MAX: u32 = 20_000;
/// Of how many times that a step is the natural one a fault is tried before.
const MOMENTS_MAX: u32 = 8;

/// A failure, as small as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The script; its faults are told by steps.
    pub script: Script,
    /// The steps that are not the natural ones.
    pub deviations: Vec<Deviation>,
    /// What is wrong then.
    pub why: String,
    /// How many runs that took.
    pub runs: u32,
}

impl fmt::Display for Shrunk {
    /// One fact per line, each as short as can be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} workers, the new binary is {}", self.script.workers, self.script.new_binary())?;
        for (pause, command) in &self.script.commands {
            writeln!(f, "{pause}   {command}")?;
        }
        for fault in &self.script.faults {
            writeln!(f, "fault   {fault}")?;
        }
        for step in &self.deviations {
            writeln!(f, "step    {step}")?;
        }
        write!(f, "wrong   {}", self.why)
    }
}

struct Shrinking<'a> {
    stages: &'a Stages,
    fails: &'a dyn Fn(&Played) -> bool,
    best: Shrunk,
}

impl Stages {
    /// Makes a failure smaller as long as `fails` says that it is still the same.
    ///
    /// Gives `None` if the failure is not found again by the names of its steps.
    pub fn shrink(
        &self,
        played: &Played,
        deviations: &[Deviation],
        fails: &dyn Fn(&Played) -> bool,
    ) -> Option<Shrunk> {
        let script = Script { faults: played.struck.clone(), ..played.script.clone() };
        let best = Shrunk { script, deviations: deviations.to_vec(), why: String::new(), runs: 0 };
        let mut shrinking = Shrinking { stages: self, fails, best };
        let first = shrinking.best.clone();
        if !shrinking.is_better(first.script, first.deviations) {
            return None;
        }
        shrinking.smaller_script();
        shrinking.calm();
        loop {
            let before = (shrinking.best.script.clone(), shrinking.best.deviations.len());
            shrinking.fewer_steps();
            shrinking.smaller_script();
            let after = (shrinking.best.script.clone(), shrinking.best.deviations.len());
            if before == after || shrinking.best.runs >= RUNS_MAX {
                return Some(shrinking.best);
            }
        }
    }

    /// Plays what a failure was shrunk to.
    pub fn play_shrunk(&self, shrunk: &Shrunk, wants_trace: bool) -> Played {
        let mut replay = Replay::new(shrunk.deviations.iter().copied(), Vec::new());
        self.play_script(shrunk.script.clone(), &mut replay, wants_trace)
    }
}

impl Shrinking<'_> {
    /// Tries a smaller failure, and keeps it if it is one.
    fn is_better(&mut self, script: Script, deviations: Vec<Deviation>) -> bool {
        self.best.runs += 1;
        let mut recorder = Recorder::new(Replay::new(deviations, Vec::new()));
        let played = self.stages.play_script(script, &mut recorder, false);
        if !(self.fails)(&played) {
            return false;
        }
        // What had no time in this run is not needed.
        self.best.deviations = recorder.deviations().to_vec();
        self.best.script = Script { faults: played.struck, ..played.script };
        self.best.why = played.wrong.unwrap_or_default();
        true
    }

    /// Tries to do without any step that is not natural, at the price of other moments for the faults.
    fn calm(&mut self) {
        let mut script = self.best.script.clone();
        let faults = std::mem::take(&mut script.faults);
        if !faults.is_empty() && self.is_better(script.clone(), Vec::new()) {
            return;
        }
        self.place(&mut script, &faults);
    }

    /// Tries the first of these faults at every moment that the script then has, and the others behind it.
    fn place(&mut self, script: &mut Script, faults: &[Planned]) -> bool {
        let Some((&fault, others)) = faults.split_first() else { return false };
        for (name, nth) in self.stages.moments(script) {
            if nth > MOMENTS_MAX || self.best.runs >= RUNS_MAX {
                continue;
            }
            script.faults.push(Planned { when: When::Before(name, nth), ..fault });
            let is_placed = if others.is_empty() {
                self.is_better(script.clone(), Vec::new())
            } else {
                self.place(script, others)
            };
            if is_placed {
                return true;
            }
            script.faults.pop();
        }
        false
    }

    /// Leaves out ever smaller chunks of the steps.
    fn fewer_steps(&mut self) {
        let mut size = self.best.deviations.len().div_ceil(2);
        while size > 0 {
            let mut from = 0;
            while from < self.best.deviations.len() && self.best.runs < RUNS_MAX {
                let mut fewer = self.best.deviations.clone();
                fewer.drain(from..(from + size).min(fewer.len()));
                if !self.is_better(self.best.script.clone(), fewer) {
                    from += size;
                }
            }
            size /= 2;
        }
    }

    fn smaller_script(&mut self) {
        for at in (0..self.best.script.commands.len()).rev() {
            self.without(|script| drop(script.commands.remove(at)));
        }
        for at in (0..self.best.script.faults.len()).rev() {
            self.without(|script| {
                if at < script.faults.len() {
                    script.faults.remove(at);
                }
            });
        }
        for at in 0..self.best.script.commands.len() {
            self.without(|script| script.commands[at].0 = Pause::REST);
        }
        for at in 0..self.best.script.faults.len() {
            self.without(|script| script.faults[at].which = 0);
        }
        self.without(|script| script.binary = 0);
        self.without(|script| script.workers = 1);
    }

    fn without(&mut self, change: impl FnOnce(&mut Script)) {
        let mut smaller = self.best.script.clone();
        change(&mut smaller);
        if smaller != self.best.script && !smaller.commands.is_empty() {
            self.is_better(smaller, self.best.deviations.clone());
        }
    }
}
