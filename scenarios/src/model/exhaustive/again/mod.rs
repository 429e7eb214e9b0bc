//! A second engine, beside the search: whole runs of the ordinary world, each from the beginning.
//!
//! The search walks over states that are values, and keeps the orchestrator between two calls as its memory and what
//! it was answered. Here the orchestrator's code simply runs, as it does in random scripts: [`carry_out`], its host
//! and [`World::tick`]. A run follows a tape of choices and then takes the first way everywhere; the next run takes
//! another way at the last place that has one left, and so on until there is none.
//!
//! # Where a run is cut
//! Where it stands as another did before. The code is opaque, so that it is known by what it was told: what it was
//! started for, and every answer since. All answers of a run would be too many to end; so an earlier turn counts by what
//! it left on disk and did then, one that only waited counts by when it asked, and any other by every answer. That the
//! code knows no more is not believed: wherever two runs were told the same in this sense, they must ask for the same
//! next. Two states may be taken for different ones that are not; the other way round the test ends.
//!
//! # What both must agree on
//! On every instant between two steps, as far as both know it: where the world stands, and what the subject waits
//! for. On what is wrong, and on what was claimed.
//!
//! # Not played
//! Stalls, which the ordinary world does not know; runbooks, whose reader is a value in both.
//! That a calm end can be reached from everywhere is the search's own.

mod knows;
mod tape;
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use super::cell::Cell;
use super::search;
use super::walk::typed_again;
use crate::model::choice::{Chooser, Label};
use crate::model::client::Clients;
use crate::model::fault::{Fault, Whom};
use crate::model::judge;
use crate::model::operator::{Command, Ended, carry_out};
use crate::model::script::{Mistakes, PATIENCE_MS, RECOVERIES, Script, Stages};
use crate::model::shared::{ByPrint, fingerprint};
use crate::model::truth::Promise;
use crate::model::world::{Broken, Tick, Told, Way, Wish, Witness, World};
use crate::scenario::Claim;

use knows::Knows;
use tape::Tape;

/// What was found by all runs so far, and where the one that is played stands.
struct Engine<'a> {
    cell: &'a Cell,
    script: Script,
    tape: Tape,
    /// Where runs have been.
    met: ByPrint<()>,
    instants: BTreeSet<u64>,
    wrong: BTreeSet<String>,
    claims: BTreeSet<String>,
    knows: Knows,
    /// What oldbin's code does next, by what it knows.
    next: ByPrint<u64>,
    faults_left: u8,
    crashes_left: u8,
    /// oldbin was killed right here, and nobody has typed anything since.
    is_killed: bool,
    is_over: bool,
}

/// Ends a run. Nobody asks why.
const CUT: Broken = Broken::Steps;

impl Engine<'_> {
    /// The world stands still: it is judged, and cut if another run was here.
    fn stands(&mut self, world: &mut World<'_>, wish: Wish) -> Result<(), Broken> {
        loop {
            if self.is_wrong(self.script.judge_service(world).map(|wrong| wrong.why)) {
                return Err(CUT);
            }
            if self.tape.is_over() {
                let snapshot = world.snapshot();
                let here = (&snapshot, self.knows.print(), self.faults_left, self.crashes_left);
                if self.met.insert(fingerprint(&here), ()).is_some() {
                    return Err(CUT);
                }
                self.instants.insert(instant(fingerprint(&snapshot), wish));
            }
            if !self.strikes(world)? {
                return Ok(());
            }
        }
    }

    /// Whether something goes wrong here, and what, is a choice.
    fn strikes(&mut self, world: &mut World<'_>) -> Result<bool, Broken> {
        if self.is_over {
            return Ok(false);
        }
        if self.crashes_left > 0 && world.is_commanded() && self.tape.pick(2) == 1 {
            self.crashes_left -= 1;
            self.is_killed = true;
            return Err(CUT);
        }
        if self.faults_left == 0 {
            return Ok(false);
        }
        let workers = u8::try_from(self.cell.workers).unwrap_or(u8::MAX);
        let several = |fault| matches!(fault, Fault::Blow(_, Whom::OldWorker | Whom::NewWorker));
        let whiches = |fault| if several(fault) { 0..workers } else { 0..1 };
        let all: Vec<(Fault, u8)> = self
            .cell
            .faults
            .iter()
            .flat_map(|&fault| whiches(fault).map(move |which| (fault, which)))
            .collect();
        let Some(nth) = self.tape.pick(1 + all.len()).checked_sub(1) else { return Ok(false) };
        let (fault, which) = all[nth];
        self.faults_left -= 1;
        if world.inflict(fault, which) { Ok(true) } else { Err(CUT) }
    }

    /// Whoever knows the same does the same.
    fn goes_on(&mut self, next: &(impl Hash + Debug)) {
        let print = fingerprint(next);
        let known = *self.next.entry(self.knows.print()).or_insert(print);
        assert_eq!(known, print, "oldbin's code knows more than it was told: {next:?}");
    }

    fn is_wrong(&mut self, why: Option<String>) -> bool {
        self.wrong.extend(why.as_deref().map(search::kind));
        why.is_some()
    }

    /// What follows depends on this, and not on what was told before.
    fn begins(&mut self, what: &impl Hash) {
        self.knows = Knows::of(fingerprint(what));
    }
}

/// The chooser and the witness of a run.
#[derive(Clone, Copy)]
struct Eye<'e, 'a>(&'e RefCell<Engine<'a>>);

impl Chooser for Eye<'_, '_> {
    fn choose(&mut self, n: usize, _: Label<'_>) -> usize {
        self.0.borrow_mut().tape.pick(n)
    }
}

impl Witness for Eye<'_, '_> {
    fn stands(&mut self, world: &mut World<'_>, wish: Wish) -> Result<(), Broken> {
        self.0.borrow_mut().stands(world, wish)
    }

    fn is_told(&mut self, told: Told<'_>) {
        let engine = &mut *self.0.borrow_mut();
        if let Told::Calls(call) = told {
            engine.knows.calls(call);
            engine.goes_on(call);
        }
        engine.knows.hears(told);
    }
}

/// One run, up to where it is cut, wrong, or at its end.
fn play(
    eye: Eye<'_, '_>,
    world: &mut World<'_>,
    oldbin: orchestrator::machine::Defects,
) -> Result<(), Broken> {
    let script = eye.0.borrow().script.clone();
    let mut own: VecDeque<Command> = script.commands.iter().map(|(_, command)| command.clone()).collect();
    let again = typed_again(&script);
    let mut recoveries = RECOVERIES;
    let mut typed: Option<Command> = own.pop_front();
    let mut claim = Claim::Refused;
    while let Some(command) = typed {
        eye.0.borrow_mut().begins(&(own.len(), recoveries, &command));
        let ended = carry_out(world, &command, oldbin, None);
        if std::mem::take(&mut eye.0.borrow_mut().is_killed) {
            world.counts.faults.push(Fault::Crash);
            own.clear();
            typed = Some(again[eye.0.borrow_mut().tape.pick(again.len())].clone());
            continue;
        }
        let Ended::Said(said, plan) = ended? else { return Err(CUT) };
        claim = said.claim;
        let mut engine = eye.0.borrow_mut();
        engine.goes_on(&said.words);
        engine.claims.insert(format!("claim.{claim}"));
        if engine.is_wrong(script.judge_service(world).map(|wrong| wrong.why)) {
            return Ok(());
        }
        // Either the words are judged, for which everybody comes to rest, or it goes on; behind a lie it does not.
        if engine.tape.pick(2) == 0 {
            let promise = plan.as_deref().map(|plan| Promise::of_plan(world, plan));
            let wrong = script.judge_claim(world, &command, &said, promise.as_ref())?;
            if engine.is_wrong(wrong.map(|wrong| wrong.why)) {
                engine.tape.has_no_other();
            }
            return Ok(());
        }
        typed = own.pop_front();
        if typed.is_none() && recoveries > 0 {
            typed = judge::unfinished(world);
            recoveries -= usize::from(claim != Claim::Refused);
        }
    }
    world.stop_clients();
    eye.0.borrow_mut().begins(&claim);
    eye.0.borrow_mut().is_over = true;
    rests(eye, world, claim)
}

/// Nothing is typed any more: what drains gets the time that it needs.
fn rests(eye: Eye<'_, '_>, world: &mut World<'_>, claim: Claim) -> Result<(), Broken> {
    loop {
        let wish = Wish::Time(world.now_ms() + PATIENCE_MS);
        let is_calm = world.is_quiet() && world.ways(wish).ways[..] == [Way::Time];
        if is_calm {
            world.is_watched(wish)?;
        } else if world.tick(wish)? == Tick::World {
            continue;
        }
        let mut engine = eye.0.borrow_mut();
        let wrong = engine.script.judge_end_of(claim, world);
        engine.is_wrong(wrong.map(|wrong| wrong.why));
        return Ok(());
    }
}

/// What both engines know of an instant.
fn instant(world: u64, wish: Wish) -> u64 {
    fingerprint(&(world, format!("{wish:?}")))
}

/// Plays a cell until no run has another way left.
fn play_all<'a>(cell: &'a Cell, mistakes: Mistakes) -> Engine<'a> {
    let script = cell.script();
    let stages = Stages::new(mistakes);
    let (setting, state) = stages.stage(&script);
    let mut state = state.clone();
    state.clients = Clients::with_budget(cell.fresh, cell.lasting, PATIENCE_MS);
    let engine = RefCell::new(Engine {
        cell,
        script,
        tape: Tape::default(),
        met: ByPrint::default(),
        instants: BTreeSet::new(),
        wrong: BTreeSet::new(),
        claims: BTreeSet::new(),
        knows: Knows::default(),
        next: ByPrint::default(),
        faults_left: 0,
        crashes_left: 0,
        is_killed: false,
        is_over: false,
    });
    loop {
        engine.borrow_mut().faults_left = cell.faults_max;
        engine.borrow_mut().crashes_left = cell.crashes_max;
        engine.borrow_mut().is_killed = false;
        engine.borrow_mut().is_over = false;
        let (mut chooser, mut witness) = (Eye(&engine), Eye(&engine));
        let mut world = World::from_state(state.clone(), Arc::clone(setting), &mut chooser, false);
        world.witness = Some(&mut witness);
        // A run that is cut has shown what it had to show.
        let _ = play(Eye(&engine), &mut world, mistakes.oldbin);
        if !engine.borrow_mut().tape.turns() {
            return engine.into_inner();
        }
    }
}
