//! A way to something wrong, as a script with the order of its steps: what `oldbin-lab replay` plays.
//!
//! The names of the way's edges are followed in an ordinary play of the script. What goes wrong on the way strikes
//! before the same step there, and what is typed is typed before the same step. The play is then made small, as a
//! random script is.
//!
//! # What has no such story
//! A pause although somebody could go on; a runbook; and a crash of a command that was typed because something was
//! unfinished.

use std::collections::VecDeque;

use super::cell::{Cell, Procedure};
use super::node::Label;
use super::search::{Found, kind};
use crate::model::Shrunk;
use crate::model::choice::{Act, Actor, Chooser, Label as Asked, Name, Recorder};
use crate::model::fault::{Fault, Planned, When};
use crate::model::operator::Command;
use crate::model::script::{Mistakes, Pause, Played, Script, Stages};

/// The story of something that the search has found, made small; `None`: there is none, or it shows something else.
#[must_use]
pub fn as_story(cell: &Cell, mistakes: Mistakes, found: &Found) -> Option<Shrunk> {
    if matches!(cell.procedure, Procedure::Runbook(_)) || found.path.contains(&Label::Stall) {
        return None;
    }
    let stages = Stages::new(mistakes);
    let (commands, acts) = typed(cell, &found.path);
    let mut script = Script { commands, ..cell.script() };
    for nth in 0..=acts.len() {
        let mut recorder = Recorder::new(Follow::new(&found.path));
        let mut known = script.clone();
        if nth < acts.len() && cell.loses_power() {
            known.faults.push(FEARED);
        }
        let played = stages.play_script(known, &mut recorder, false);
        let Some(&act) = acts.get(nth) else {
            let fails = |played: &Played| played.wrong.as_deref().map(kind) == Some(kind(&found.why));
            return stages.shrink(&played, recorder.deviations(), &fails);
        };
        // Where the next one comes is known once the others have come.
        let when = When::Step(*recorder.inner().acts.get(nth)?);
        match act {
            Human::Strikes(fault, which) => script.faults.push(Planned { when, fault, which }),
            Human::Types(nth) => script.commands[nth].0 = Pause::Until(when),
            Human::TypesAgain => {}
        }
    }
    None
}

/// A power failure that never comes: whoever fears one waits for the disk, on the way and before it is known where it strikes.
const FEARED: Planned = Planned { when: When::Step(u32::MAX), fault: Fault::PowerFailure, which: 0 };

/// What people do on a way.
#[derive(Clone, Copy)]
enum Human {
    /// Something goes wrong, at the which-th that it could strike.
    Strikes(Fault, u8),
    /// Somebody types the nth command.
    Types(usize),
    /// Somebody types what is unfinished, as in every script.
    TypesAgain,
}

/// What is typed on the way, and what people do on it: what the cell says is typed until somebody is killed, then what was
/// typed instead, and what others type between two commands.
fn typed(cell: &Cell, path: &[Label]) -> (Vec<(Pause, Command)>, Vec<Human>) {
    let mut own = VecDeque::from(cell.script().commands);
    let (mut typed, mut acts, mut other) = (Vec::new(), Vec::new(), None);
    for label in path {
        match label {
            Label::Step(Name { act: Act::Type, .. }) => {
                let next = other.take().or_else(|| own.pop_front());
                acts.push(next.as_ref().map_or(Human::TypesAgain, |_| Human::Types(typed.len())));
                typed.extend(next);
            }
            Label::Types(command) => {
                own.clear();
                other = Some((Pause::REST, command.clone()));
            }
            Label::Between(command) => other = Some((Pause::REST, command.clone())),
            Label::Fault(fault, which) => acts.push(Human::Strikes(*fault, *which)),
            Label::Crash => {
                own.clear();
                acts.push(Human::Strikes(Fault::Crash, 0));
            }
            Label::Step(_) | Label::Stall => {}
        }
    }
    (typed.into_iter().chain(own).collect(), acts)
}

const fn is_power_failure(label: &Label) -> bool {
    matches!(label, Label::Fault(Fault::PowerFailure, _))
}

/// Takes the steps of a way, by their names, and the natural one where the next of them is not possible.
struct Follow<'p> {
    path: std::slice::Iter<'p, Label>,
    next: Option<Name>,
    /// How many steps were taken.
    steps: u32,
    /// Before which of them people did something.
    acts: Vec<u32>,
    /// oldbin was killed, and does not know it yet.
    is_dying: bool,
}

impl<'p> Follow<'p> {
    fn new(path: &'p [Label]) -> Self {
        let mut follow = Self { path: path.iter(), next: None, steps: 0, acts: Vec::new(), is_dying: false };
        follow.turn();
        follow
    }

    /// To the next step of the way.
    fn turn(&mut self) {
        self.next = None;
        for label in self.path.by_ref() {
            match label {
                Label::Step(name) => {
                    self.acts.extend((name.act == Act::Type).then_some(self.steps));
                    self.next = Some(*name);
                    return;
                }
                Label::Fault(..) | Label::Crash => {
                    self.acts.push(self.steps);
                    self.is_dying |= *label == Label::Crash || is_power_failure(label);
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
