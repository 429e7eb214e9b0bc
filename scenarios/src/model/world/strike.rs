//! What goes wrong: processes that are taken away, crashes, reloads, full disks.

use fake_nginx::machine::{Pid, Signal};
use orchestrator::machine::{Defects, Phase};

use super::World;
use crate::model::binaries::PACKAGED;
use crate::model::choice::{Act, Actor, Name, Who, count};
use crate::model::fault::{Blow, Fault, Order, Planned, When, Whom};
use crate::model::kernel::{Content, LABORATORY, Path, Proc, Seen};
use crate::model::operator;
use crate::trace::What;

/// What a process leaves to its parent that calls exit(3) where it should not.
const EXIT_CODE: u8 = 1;

impl World<'_> {
    /// The faults whose time has come. `natural` is what would happen otherwise.
    pub(super) fn strike(&mut self, natural: Name) -> bool {
        let nth = count(&mut self.naturals, natural);
        if let Some(moments) = &mut self.moments {
            moments.push((natural, nth));
        }
        let mut has_struck = false;
        for planned in std::mem::take(&mut self.planned) {
            let is_due = planned.when.is_due(self.counts.steps, natural, nth);
            if is_due && self.inflict(planned.fault, planned.which) {
                has_struck = true;
                self.struck_before.push(Planned { when: When::Before(natural, nth), ..planned });
            } else {
                let when = if is_due { When::Step(0) } else { planned.when };
                self.planned.push(Planned { when, ..planned });
            }
        }
        has_struck
    }

    /// From now on every natural step is written down.
    pub(in crate::model) fn keep_moments(&mut self) {
        self.moments = Some(Vec::new());
    }

    /// From now on it is counted how often each step is the natural one.
    pub(in crate::model) const fn count_naturals(&mut self) {
        self.counts_naturals = true;
    }

    /// What was written down.
    pub(in crate::model) fn into_moments(self) -> Vec<(Name, u32)> {
        self.moments.unwrap_or_default()
    }

    /// The faults that have struck, each with the step that it came before.
    #[must_use]
    pub fn struck_before(&self) -> &[Planned] {
        &self.struck_before
    }

    /// Makes it go wrong. False: there is nothing to strike yet.
    pub fn inflict(&mut self, fault: Fault, which: u8) -> bool {
        let has_struck = match fault {
            Fault::Blow(blow, whom) => self.whom(whom, which).is_some_and(|pid| self.deal(blow, pid)),
            Fault::Reload => self.send_to_named(Signal::Hup),
            Fault::Reopen => self.send_to_named(Signal::Usr1),
            Fault::Package => self.replaces_binary(),
            Fault::ReusedPid => self.reuses_pid(which),
            Fault::Sent(order, whom) => self.gives_order(order, whom),
            Fault::SecondOperator => self.is_commanded && self.types_beside(),
            Fault::PowerFailure => self.loses_power(which),
            Fault::SecondUsr2 => self.upgrading_master().is_some_and(|pid| self.send(pid, Signal::Usr2)),
            Fault::Crash | Fault::Interrupt | Fault::FullDisk => self.is_commanded,
        };
        if !has_struck {
            return false;
        }
        if fault.is_of_command() {
            self.struck.push(fault);
        } else {
            self.counts.faults.push(fault);
            if !fault.is_harmless() {
                self.last_kill = Some(self.counts.steps);
            }
        }
        self.has_changed = true;
        self.note(What::Moment { name: format!("fault.{}", fault.name()) });
        self.digest();
        self.judge(Name { actor: Actor { who: Who::Fault, generation: 0, nth: 0 }, act: Act::Strike });
        true
    }

    /// Takes a process away, and remembers whose service that was.
    pub fn deal(&mut self, blow: Blow, pid: Pid) -> bool {
        let Some(process) = self.state.kernel.process(pid) else { return false };
        let is_master = process.actor.who == Who::Master;
        self.excuses.is_about_to_be_struck(process, blow, &self.state.kernel);
        match blow {
            Blow::Kill => self.send(pid, Signal::Kill),
            Blow::Term => self.send(pid, Signal::Term),
            Blow::Quit => self.send(pid, Signal::Quit),
            Blow::Winch => self.send(pid, Signal::Winch),
            Blow::Exit => {
                debug_assert!(is_master || process.actor.who == Who::Worker);
                self.with(|kernel, around| kernel.exit(pid, EXIT_CODE, around));
                true
            }
        }
    }

    /// A process calls exit(3) with this code by itself.
    pub(super) fn exit_with(&mut self, pid: Pid, code: u8) -> bool {
        let Some(process) = self.state.kernel.process(pid) else { return false };
        self.excuses.is_about_to_be_struck(process, Blow::Exit, &self.state.kernel);
        self.with(|kernel, around| kernel.exit(pid, code, around));
        true
    }

    fn send(&mut self, pid: Pid, signal: Signal) -> bool {
        self.with(|kernel, around| kernel.kill(LABORATORY, pid, signal, around))
    }

    /// As `nginx -s` does.
    fn send_to_named(&mut self, signal: Signal) -> bool {
        match self.state.kernel.files().read(Path::PID) {
            Some(Content::Pid(pid)) => self.send(pid, signal),
            Some(Content::Empty | Content::Garbage | Content::Image(_)) | None => false,
        }
    }

    /// A file of its own, that was written elsewhere and renamed.
    fn replaces_binary(&mut self) -> bool {
        let is_there = self.setting.images.len() > usize::from(PACKAGED);
        if is_there {
            self.with(|kernel, around| {
                kernel.files_mut().create(Path::BINARY, Content::Image(PACKAGED));
                around.seen.push(Seen::File(Path::BINARY));
            });
        }
        is_there
    }

    fn gives_order(&mut self, order: Order, whom: Whom) -> bool {
        let signal = match order {
            Order::Usr2 => Signal::Usr2,
            Order::Hup => Signal::Hup,
        };
        let is_there = order == Order::Usr2 || self.all_masters().nth(1).is_some();
        let Some(pid) = self.whom(whom, 0).filter(|_| is_there) else { return false };
        self.excuses.is_about_to_be_told(pid);
        self.send(pid, signal)
    }

    /// Whatever else is typed while a command runs, that one's lock keeps it away, and nothing has changed.
    fn types_beside(&mut self) -> bool {
        let before = self.state.clone();
        for command in operator::others() {
            let has_begun = operator::begin(self, &command, Defects::default()).is_ok();
            if has_begun || self.state != before {
                self.first_beside.get_or_insert(command);
            }
        }
        true
    }

    /// A process that is no nginx gets the number of one that has died.
    fn reuses_pid(&mut self, which: u8) -> bool {
        let count = self.state.kernel.free_pids().count();
        let nth = usize::from(which).checked_rem(count);
        let pid = nth.and_then(|nth| self.state.kernel.free_pids().nth(nth));
        if let Some(pid) = pid {
            self.with(|kernel, around| kernel.reuse(pid, around));
        }
        pid.is_some()
    }

    fn whom(&self, whom: Whom, which: u8) -> Option<Pid> {
        match whom {
            Whom::OldMaster => self.all_masters().next(),
            Whom::NewMaster => self.all_masters().skip(1).last(),
            Whom::OldWorker => self.nth_worker(which, |generation, youngest| generation < youngest),
            Whom::NewWorker => self.nth_worker(which, |generation, youngest| generation == youngest),
        }
    }

    fn all_masters(&self) -> impl Iterator<Item = Pid> {
        self.state.kernel.living().filter(|process| process.actor.who == Who::Master).map(|master| master.pid)
    }

    /// A worker by age, among those whose generation is right.
    fn nth_worker(&self, which: u8, is_right: impl Fn(u8, u8) -> bool) -> Option<Pid> {
        let kernel = &self.state.kernel;
        let is_process = |process: &&Proc| process.actor.who != Who::Launcher;
        let generations = || kernel.living().filter(is_process).map(|process| process.actor.generation);
        // With one generation, it is the old one.
        let youngest = generations().max().filter(|&max| generations().any(|it| it < max)).unwrap_or(u8::MAX);
        let is_it = |process: &&Proc| {
            process.actor.who == Who::Worker && is_right(process.actor.generation, youngest)
        };
        let count = kernel.living().filter(is_it).count();
        let nth = usize::from(which).checked_rem(count)?;
        kernel.living().filter(is_it).nth(nth).map(|worker| worker.pid)
    }

    /// A master whose new binary runs.
    fn upgrading_master(&self) -> Option<Pid> {
        let mut masters = self.state.kernel.living().filter(|process| process.actor.who == Who::Master);
        let (old, mut others) = (masters.next()?.pid, masters);
        others.any(|new| new.parent == old).then_some(old)
    }

    /// Takes a fault that struck the orchestrator; it counts from here.
    pub(in crate::model) fn take_struck(&mut self, fault: Fault) -> bool {
        let at = self.struck.iter().position(|&struck| struck == fault);
        let taken = at.map(|at| self.struck.remove(at));
        self.counts.faults.extend(taken);
        if taken == Some(Fault::Interrupt) {
            self.interrupted_in = self.entry().map(|entry| entry.1.phase);
        }
        taken.is_some()
    }

    /// A command begins: from here on it can be killed, be interrupted, and meet a full disk. `takes_lock`: no other
    /// command is carried out until it has ended.
    pub(in crate::model) const fn command_begins(&mut self, takes_lock: bool) {
        self.is_commanded = true;
        self.is_locked = takes_lock;
        self.interrupted_in = None;
    }

    /// True while a command runs.
    #[cfg(test)]
    pub(in crate::model) const fn is_commanded(&self) -> bool {
        self.is_commanded
    }

    /// Where the journal stood when the last command was told of an interruption, if the upgrade could still be undone.
    pub(in crate::model) fn interrupted_in(&self) -> Option<Phase> {
        let may_undo = |phase: &Phase| {
            matches!(
                phase,
                Phase::Installing | Phase::Changing | Phase::Draining | Phase::Soaking | Phase::Held
            )
        };
        self.interrupted_in.filter(may_undo)
    }

    /// True while a command runs that has locked its state folder: the kernel lets the lock go with its process.
    pub(in crate::model) const fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// It has ended. What has not struck it by now never will.
    pub(in crate::model) fn command_ends(&mut self) {
        self.is_commanded = false;
        self.is_locked = false;
        self.struck.clear();
    }
}
