//! A way to something wrong, as a script with the order of its steps: what `oldbin-lab replay` plays.
//!
//! The names of the way's edges are followed in an ordinary play of the script. What goes wrong on the way strikes
//! before the same step there. The play is then made small, as a random script is.
//!
//! # What has no such story
//! A pause although somebody could go on; a runbook; and what depends on somebody who types before others have come
//! to rest behind an earlier command: in a script they have.

use super::cell::{Cell, Procedure};
use super::node::Label;
use super::search::{Found, kind};
use crate::model::Shrunk;
use crate::model::choice::{Act, Actor, Chooser, Label as Asked, Name, Recorder};
use crate::model::fault::{Fault, Planned, When};
use crate::model::operator::Command;
use crate::model::script::{Mistakes, Played, Script, Stages};

/// The story of something that the search has found, made small; `None`: there is none, or it shows something else.
#[must_use]
pub fn as_story(cell: &Cell, mistakes: Mistakes, found: &Found) -> Option<Shrunk> {
    if matches!(cell.procedure, Procedure::Runbook(_)) || found.path.contains(&Label::Stall) {
        return None;
    }
    let stages = Stages::new(mistakes);
    let mut script = Script { commands: typed(cell, &found.path), ..cell.script() };
    let faults: Vec<(Fault, u8)> = found.path.iter().filter_map(struck).collect();
    for nth in 0..=faults.len() {
        let mut recorder = Recorder::new(Follow::new(&found.path));
        let played = stages.play_script(script.clone(), &mut recorder, false);
        let Some(&(fault, which)) = faults.get(nth) else {
            let fails = |played: &Played| played.wrong.as_deref().map(kind) == Some(kind(&found.why));
            return stages.shrink(&played, recorder.deviations(), &fails);
        };
        // Where the next one strikes is known once the others have struck.
        let step = *recorder.inner().strikes.get(nth)?;
        script.faults.push(Planned { when: When::Step(step), fault, which });
    }
    None
}

/// What is typed on the way: what the cell says until somebody is killed, and then what was typed instead.
fn typed(cell: &Cell, path: &[Label]) -> Vec<(u64, Command)> {
    let own = cell.script().commands;
    let is_typed = |label: &&Label| matches!(label, Label::Step(Name { act: Act::Type, .. }));
    let Some(killed) = path.iter().position(|label| *label == Label::Crash) else { return own };
    let before = path[..killed].iter().filter(is_typed).count();
    let others = path.iter().filter_map(|label| match label {
        Label::Types(command) => Some((0, command.clone())),
        Label::Step(_) | Label::Fault(..) | Label::Crash | Label::Stall | Label::Between(_) => None,
    });
    own.into_iter().take(before).chain(others).collect()
}

fn struck(label: &Label) -> Option<(Fault, u8)> {
    match label {
        Label::Fault(fault, which) => Some((*fault, *which)),
        Label::Crash => Some((Fault::Crash, 0)),
        Label::Step(_) | Label::Stall | Label::Types(_) | Label::Between(_) => None,
    }
}

/// Takes the steps of a way, by their names, and the natural one where the next of them is not possible.
struct Follow<'p> {
    path: std::slice::Iter<'p, Label>,
    next: Option<Name>,
    /// How many steps were taken.
    steps: u32,
    /// Before which of them something went wrong.
    strikes: Vec<u32>,
    /// oldbin was killed, and does not know it yet.
    is_dying: bool,
}

impl<'p> Follow<'p> {
    fn new(path: &'p [Label]) -> Self {
        let mut follow =
            Self { path: path.iter(), next: None, steps: 0, strikes: Vec::new(), is_dying: false };
        follow.turn();
        follow
    }

    /// To the next step of the way.
    fn turn(&mut self) {
        self.next = None;
        for label in self.path.by_ref() {
            match label {
                Label::Step(name) => {
                    self.next = Some(*name);
                    return;
                }
                Label::Fault(..) | Label::Crash => {
                    self.strikes.push(self.steps);
                    self.is_dying |= *label == Label::Crash;
                }
                Label::Stall | Label::Types(_) | Label::Between(_) => {}
            }
        }
    }

    fn pick(&mut self, ways: &[Name]) -> usize {
        let is_call = |way: &Name| way.actor == Actor::SUBJECT && way.act != Act::Type;
        let last_call = ways.iter().position(is_call).filter(|_| self.is_dying);
        self.is_dying &= last_call.is_some();
        self.steps += 1;
        if let Some(last_call) = last_call {
            return last_call;
        }
        let taken = self.next.and_then(|next| ways.iter().position(|way| *way == next));
        if taken.is_some() {
            self.turn();
        }
        taken.unwrap_or(0)
    }
}

impl Chooser for Follow<'_> {
    fn choose(&mut self, _: usize, asked: Asked<'_>) -> usize {
        // What is no step is the socket of a client, and there is but one.
        if asked.ways.is_empty() { 0 } else { self.pick(asked.ways) }
    }

    fn passes(&mut self, only: Name) {
        self.pick(&[only]);
    }
}
