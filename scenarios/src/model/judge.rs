//! What must hold in a script, looked up in the world: while clients ask, behind a claim, and at the end.

use std::fmt;

use orchestrator::machine::{Outcome, Phase};

use super::choice::Who;
use super::fault::{Fault, Order};
use super::kernel::{Content, Inode, Proc};
use super::operator::Command;
use super::rules::{Rule, Wrong};
use super::runbook::Said;
use super::script::Script;
use super::truth::{Promise, is_orphan, lie};
use super::world::{Broken, World};
use crate::scenario::Claim;

/// What has to be typed so that the journal's upgrade comes to its end.
pub(super) fn unfinished(world: &World<'_>) -> Option<Command> {
    Command::finishing(world.entry()?.1.phase)
}

impl Script {
    /// A fresh connection that found nobody, a request that was lost, a signal to somebody who is no nginx, two commands
    /// at once, or a restart that started the wrong binary.
    pub(super) fn judge_service(&self, world: &World<'_>) -> Option<Wrong> {
        if let Some((at_ms, signal)) = world.first_stranger() {
            let why = format!("a process that is no nginx got {} at {at_ms} ms", signal.name());
            return Some(Rule::NoSignalToAStranger.broken(why));
        }
        if let Some(command) = world.first_beside() {
            let why = format!("`{command}` is not refused without a change while another command runs");
            return Some(Rule::OneCommandAtATime.broken(why));
        }
        if let Some(why) = world.first_wrong_start() {
            return Some(Rule::RestartStartsTheRightBinary.broken(why));
        }
        // These workers close connections, and leave for a while nobody, by themselves.
        if self.has_mortal_workers() {
            return None;
        }
        if let Some(gap) = world.first_gap() {
            let (by, at_ms, step) = (gap.by, gap.at_ms, gap.step);
            let why = format!("a fresh connection finds nobody after {by} at {at_ms} ms (step {step})");
            return Some(Rule::FreshConnectionFindsAWorker.broken(why));
        }
        let (at_ms, end) = world.first_loss()?;
        Some(Rule::NoRequestIsLost.broken(format!("a request was lost at {at_ms} ms: {end:?}")))
    }

    /// What a command has claimed and is not true, when all have had time to do what they were told.
    ///
    /// # Errors
    /// [`Broken`] if somebody never comes to rest.
    pub(super) fn judge_claim(
        &self,
        world: &mut World<'_>,
        command: &dyn fmt::Display,
        said: &Said,
        promise: Option<&Promise>,
    ) -> Result<Option<Wrong>, Broken> {
        let is_excused = world.has_meddled_unseen();
        world.settle()?;
        if let Some(wrong) = self.judge_service(world) {
            return Ok(Some(wrong));
        }
        let has_just_died =
            self.has_mortal_workers() || self.has_mortal_master() && world.masters().count() < 2;
        if is_excused || has_just_died || self.may_revive_worker(world) {
            return Ok(None);
        }
        let Said { claim, words, .. } = said;
        if let Some(lie) = promise.and_then(|promise| lie(world, promise, *claim)) {
            let why = format!("{command} claims {claim} ({words}), but {lie}");
            return Ok(Some(Rule::ClaimIsTrue.broken(why)));
        }
        let is_needless = *claim == Claim::Stuck && self.needs_no_person(world);
        let stuck = || Rule::OneFaultNeedsNoPerson.broken(format!("{command} is stuck: {words}"));
        Ok(is_needless.then(stuck))
    }

    /// A command that was refused, though nothing was in its way but that the machine was started again.
    pub(super) fn judge_refusal(&self, world: &World<'_>, command: &Command, said: &Said) -> Option<Wrong> {
        let is_restart_alone = self.binary == 0 && world.counts.faults[..] == [Fault::PowerFailure];
        let is_open = world.entry().is_some_and(|entry| !entry.1.is_finished());
        if said.claim != Claim::Refused || !is_restart_alone || is_open {
            return None;
        }
        let is_wanted = match command {
            Command::Upgrade(_) => true,
            Command::Rollback(_) => runs_what_was_new(world),
            Command::Commit | Command::Recover => false,
        };
        let words = &said.words;
        is_wanted.then(|| {
            Rule::OneFaultNeedsNoPerson.broken(format!("{command} is refused behind a restart: {words}"))
        })
    }

    /// The same behind all commands, the last of which has claimed this.
    pub(super) fn judge_end_of(&self, claim: Claim, world: &World<'_>) -> Option<Wrong> {
        match claim {
            // A runbook that has failed, or holds, leaves the rest to a person.
            Claim::Failed | Claim::Held => self.judge_service(world),
            Claim::Upgraded | Claim::Draining | Claim::RolledBack | Claim::Refused | Claim::Stuck => {
                self.judge_end(world)
            }
        }
    }

    /// What is wrong when nothing moves any more.
    pub(super) fn judge_end(&self, world: &World<'_>) -> Option<Wrong> {
        // Whoever is stuck may leave somebody who hangs to a person, and some workers never drain.
        if !world.is_quiet() && !is_stuck(world) && !self.never_drains() {
            return Some(Rule::EverythingComesToRest.broken("somebody never comes to rest"));
        }
        if let Some(wrong) = self.judge_service(world) {
            return Some(wrong);
        }
        let is_of_new_binary = self.binary != 0 && world.counts.faults.contains(&Fault::PowerFailure);
        let kernel = &world.state.kernel;
        let masters = kernel.living().filter(|process| process.actor.who == Who::Master).count();
        if is_stuck(world) || (masters == 0 && (self.may_end_masters(world) || is_of_new_binary)) {
            return None;
        }
        // Who upgrades by hand has to bring that to its end.
        let is_upgraded_by_hand =
            || world.counts.faults.iter().any(|fault| matches!(fault, Fault::Sent(Order::Usr2, _)));
        if masters != 1 && !(masters == 2 && is_upgraded_by_hand()) {
            let why = format!("{masters} masters are left at the end");
            return Some(Rule::OneGenerationAtTheEnd.broken(why));
        }
        // A master that the script ended before or after an upgrade leaves its workers to nobody.
        let is_left = |process: &Proc| {
            let master = kernel.master_of(process.actor.generation);
            let was_ended = master.is_some_and(|master| world.was_struck(master));
            is_orphan(world, process) && !was_ended && !self.has_mortal_master()
        };
        if let Some(orphan) = kernel.living().find(|process| is_left(process)) {
            let why = format!("{} has no master at the end", orphan.actor);
            return Some(Rule::OneGenerationAtTheEnd.broken(why));
        }
        let is_dark = !world.fresh_connection_finds_worker() && !world.script_killed_the_last_one();
        is_dark.then(|| Rule::OneGenerationAtTheEnd.broken("nobody accepts at the end"))
    }

    /// True if a worker of a master that lost WINCH was told to go: it drains as if by WINCH, and comes back.
    fn may_revive_worker(&self, world: &World<'_>) -> bool {
        self.loses_winch() && world.counts.faults.iter().any(|fault| fault.is_of_worker())
    }

    /// True if nothing went wrong that would excuse a command that gives up.
    fn needs_no_person(&self, world: &World<'_>) -> bool {
        if world.counts.faults.iter().any(|fault| fault.is_of_another_hand()) {
            return false;
        }
        let faults = world.counts.faults.len() + usize::from(self.binary != 0);
        let Some(entry) = world.entry() else { return faults < 2 };
        let Phase::Finished(Outcome::Stuck(_)) = entry.1.phase else {
            // A way back after a finished upgrade that was undone: the newer binary serves as before.
            return faults < 2 && !entry.0.options.is_way_back;
        };
        faults < 2 && (!self.may_end_masters(world) || world.has_master_that_stays())
    }

    /// True if a master was ended by the script, or may have ended by itself.
    fn may_end_masters(&self, world: &World<'_>) -> bool {
        self.has_mortal_master() || world.counts.faults.iter().any(|fault| fault.is_of_master())
    }
}

/// True if a restart has started the newer of the two binaries of the upgrade that it cut short or came behind.
fn runs_what_was_new(world: &World<'_>) -> bool {
    let Some(entry) = world.state.journal.as_deref().filter(|_| world.state.is_journal_over) else {
        return false;
    };
    let files = world.state.kernel.files();
    let new = Inode(u16::try_from(entry.0.new_file.inode).unwrap_or(0));
    let mut masters = world.masters();
    !entry.0.options.is_way_back && masters.any(|master| Content::Image(master.image) == files.content(new))
}

fn is_stuck(world: &World<'_>) -> bool {
    let phase = world.entry().map(|entry| entry.1.phase);
    matches!(phase, Some(Phase::Finished(Outcome::Stuck(_))))
}
