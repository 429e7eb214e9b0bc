//! Along the natural run of a story: a fault at each of its moments, and then a crash of `oldbin` at each later one.
//!
//! No order of steps is varied here, only where something strikes; so all of it is some thousand plays, and nothing is
//! left to chance. The stories end with a person who types what comes to mind.

use super::binaries::BINARIES;
use super::choice::{Act, Actor, Calm, Deviation, Name, Recorder};
use super::fault::{Fault, Planned, When};
use super::operator::{Command, options};
use super::script::{Pause, Played, Script, Stages};
use super::shrink::Shrunk;

/// A story, and what is typed when it was cut short.
#[derive(Debug, Clone)]
pub struct Story {
    /// It, without faults.
    pub script: Script,
}

impl Story {
    /// Every story: what is typed first, with a sound binary and with one that exits at its start, and what afterwards.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let upgrade = || Command::Upgrade(options(0, false));
        let rollback = || Command::Rollback(options(0, false));
        let hold = || Command::Upgrade(options(0, true));
        let begins: [(usize, Vec<Command>); 6] = [
            (0, vec![upgrade()]),
            (0, vec![Command::Upgrade(options(200, false))]),
            (0, vec![hold(), rollback()]),
            (0, vec![hold(), Command::Commit]),
            (0, vec![upgrade(), rollback()]),
            (1, vec![upgrade()]),
        ];
        let endings = [Command::Recover, rollback(), upgrade()];
        let with = |(binary, begin): &(usize, Vec<Command>)| {
            let (binary, begin) = (*binary, begin.clone());
            endings.clone().map(move |ending| {
                // Twice: the first may be cut short too.
                let all = begin.iter().cloned().chain([ending.clone(), ending]);
                let commands = all.map(|command| (Pause::REST, command)).collect();
                Self { script: Script { workers: 2, binary, commands, faults: Vec::new() } }
            })
        };
        begins.iter().flat_map(with).collect()
    }
}

impl std::fmt::Display for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<String> =
            self.script.commands.iter().map(|(_, command)| command.words().join(" ")).collect();
        let binary = if BINARIES[self.script.binary].is_some() { " (the new binary exits)" } else { "" };
        write!(f, "{}{binary}", words.join(", "))
    }
}

/// What came of some plays.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// How many there were.
    pub plays: u64,
    /// In how many of them everything struck that was planned.
    pub struck: u64,
    /// The first in which something did not hold.
    pub found: Option<Script>,
    /// In how many something did not hold.
    pub failed: u64,
}

impl Told {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            plays: self.plays + other.plays,
            struck: self.struck + other.struck,
            found: self.found.or(other.found),
            failed: self.failed + other.failed,
        }
    }
}

/// Walks along stories.
pub struct Linear {
    stages: Stages,
    stories: Vec<Story>,
    /// Which story, and what strikes first.
    firsts: Vec<(usize, Planned)>,
    /// Whether a crash follows faults of other kinds too.
    is_deep: bool,
}

impl Linear {
    /// Every kind of fault at every moment, and a crash of `oldbin` at every pair; `is_deep`: a crash behind each of
    /// the other faults too.
    #[must_use]
    pub fn new(stages: Stages, is_deep: bool) -> Self {
        let stories = Story::all();
        let mut firsts = Vec::new();
        for (index, story) in stories.iter().enumerate() {
            let moments = stages.moments(&story.script);
            for fault in Fault::all() {
                let strikes = moments.iter().filter(|(name, _)| can_strike(fault, *name));
                firsts.extend(strikes.map(|&(name, nth)| (index, at(fault, name, nth))));
            }
        }
        Self { stages, stories, firsts, is_deep }
    }

    /// How many first faults there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.firsts.len()
    }

    /// True if there is nothing to play.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.firsts.is_empty()
    }

    /// How many stories.
    #[must_use]
    pub fn stories(&self) -> usize {
        self.stories.len()
    }

    /// Plays one first fault, alone and, if it is of that kind, with a crash at each later call.
    #[must_use]
    pub fn play(&self, number: usize) -> Told {
        let (story, first) = self.firsts[number];
        let alone = Script { faults: vec![first], ..self.stories[story].script.clone() };
        let mut told = self.play_script(alone.clone());
        if first.fault != Fault::Crash && !self.is_deep {
            return told;
        }
        for (name, nth) in self.later(&alone, first) {
            let script = Script { faults: vec![first, at(Fault::Crash, name, nth)], ..alone.clone() };
            told = told.and(self.play_script(script));
        }
        told
    }

    /// The calls of the run in which this has struck, behind it.
    fn later(&self, script: &Script, first: Planned) -> Vec<(Name, u32)> {
        let all = self.stages.moments(script);
        let When::Before(name, nth) = first.when else { return all };
        let behind = all.iter().position(|&moment| moment == (name, nth)).map_or(0, |at| at + 1);
        all[behind..].iter().filter(|(name, _)| can_strike(Fault::Crash, *name)).copied().collect()
    }

    fn play_script(&self, script: Script) -> Told {
        let planned = script.faults.len();
        let played = self.stages.play_script(script, &mut Calm, false);
        let has_failed = played.wrong.is_some();
        Told {
            plays: 1,
            struck: u64::from(played.struck.len() == planned),
            found: has_failed.then_some(played.script),
            failed: u64::from(has_failed),
        }
    }

    /// Makes a failure smaller; `None`: by the names of its steps it is not found again.
    #[must_use]
    pub fn shrink(&self, script: Script) -> Option<Shrunk> {
        let mut recorder = Recorder::new(Calm);
        let played = self.stages.play_script(script, &mut recorder, false);
        let deviations: &[Deviation] = recorder.deviations();
        let fails = |played: &Played| played.wrong.is_some();
        self.stages.shrink(&played, deviations, &fails)
    }
}

/// Only what `oldbin` does is struck by what strikes `oldbin`; other faults strike between any two steps.
fn can_strike(fault: Fault, name: Name) -> bool {
    // Nobody runs yet who is only typed.
    !fault.is_of_command() || name.actor == Actor::SUBJECT && name.act != Act::Type
}

const fn at(fault: Fault, name: Name, nth: u32) -> Planned {
    Planned { when: When::Before(name, nth), fault, which: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::script::Mistakes;

    /// Red when a fault is planned where it cannot strike, or a second before the first.
    #[test]
    fn both_of_a_pair_strike() {
        let linear = Linear::new(Stages::new(Mistakes::default()), false);
        let is_crash = |&number: &usize| linear.firsts[number].1.fault == Fault::Crash;
        let number = (0..linear.len()).find(is_crash).map_or(0, |first| first + 20);
        let told = linear.play(number);
        assert!(told.plays > 50, "{told:?}");
        assert_eq!((told.failed, told.struck), (0, told.plays));
    }

    /// Some of what `oldbin-lab explore --linear` plays.
    #[test]
    fn nothing_that_strikes_along_the_stories_breaks_a_rule() {
        let linear = Linear::new(Stages::new(Mistakes::default()), false);
        let told =
            (0..linear.len()).step_by(997).map(|number| linear.play(number)).fold(Told::default(), Told::and);
        assert_eq!(told.found, None);
        assert!(told.plays > 100, "{}", told.plays);
    }

    /// Red when a crash is struck where everything is on disk already.
    #[test]
    fn who_acts_before_it_writes_is_found() {
        let mistakes = crate::mutant::mistakes(&["orchestrator.announces-late".parse().unwrap()]);
        let linear = Linear::new(Stages::new(mistakes), false);
        let is_crash = |&number: &usize| linear.firsts[number].1.fault == Fault::Crash;
        let mut crashes = (0..linear.len()).filter(is_crash);
        assert!(crashes.any(|number| linear.play(number).failed > 0));
    }
}
