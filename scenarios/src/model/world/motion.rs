//! Steps: every way to go on is listed, one is chosen and taken.
//!
//! The ways are each process that can take a step, each client that has something to do, and the subject. The
//! process that moved last comes first, so that the natural way has the fewest changes between actors. Time
//! passes only when nothing else can happen.

use fake_nginx::machine::{Moment, Pid, Signal};
use smallvec::SmallVec;

use super::{Broken, STEPS_MAX, State, World};
use crate::model::choice::{About, Act, Actor, Label, Name, Who};
use crate::model::client::Move;
use crate::model::fault::When;
use crate::model::kernel::Proc;

/// What the subject wants while the world moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To do this: it may be its turn at once, or after any number of steps.
    Act(Act),
    /// To sleep until something changes, or this time has come.
    Change(u64),
    /// To sleep until this time.
    Time(u64),
}

/// What came of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tick {
    /// It is the subject's turn.
    Subject,
    /// Somebody else took a step, or time has passed.
    World,
}

/// A way to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Way {
    /// A process takes its next step.
    Process(Pid),
    /// A client does something.
    Client(Move),
    /// It is the subject's turn.
    Subject,
    /// Nothing else can happen: time passes.
    Time,
}

/// Every way to go on, each with its name.
pub(in crate::model) struct Ways {
    pub(in crate::model) ways: SmallVec<[Way; 8]>,
    pub(in crate::model) names: SmallVec<[Name; 8]>,
}

impl Ways {
    fn add(&mut self, way: Way, name: Name) {
        self.ways.push(way);
        self.names.push(name);
    }
}

impl World<'_> {
    /// One step of somebody, or the subject's turn, or time passes.
    ///
    /// # Errors
    /// [`Broken::Steps`] if this never ends.
    pub fn tick(&mut self, wish: Wish) -> Result<Tick, Broken> {
        #[cfg(test)]
        self.is_watched(wish)?;
        let mut found = self.ways(wish);
        let counts = !self.planned.is_empty() || self.moments.is_some() || self.counts_naturals;
        if counts && self.strike(found.names[0]) {
            found = self.ways(wish);
        }
        let Ways { mut ways, names } = found;
        let taken = if ways.len() == 1 {
            self.chooser.passes(names[0]);
            0
        } else {
            self.counts.choices += 1;
            self.chooser.choose(ways.len(), Label::step(&names))
        };
        self.counts.steps += 1;
        if self.counts.steps > STEPS_MAX {
            return Err(Broken::Steps);
        }
        let name = names[taken];
        if self.mishaps.is_on() && !self.survives(name) {
            return Ok(Tick::World);
        }
        self.take(ways.swap_remove(taken), name, wish)
    }

    /// Every way to go on, the natural one first.
    pub(in crate::model) fn ways(&self, wish: Wish) -> Ways {
        let now_us = self.now_ms() * 1_000;
        let mut ways = Ways { ways: SmallVec::new(), names: SmallVec::new() };
        let subject = |act| Name { actor: Actor::SUBJECT, act };
        let is_free = |actor| !self.mishaps.is_paused(actor);
        if let Wish::Act(act) = wish
            && is_free(Actor::SUBJECT)
        {
            ways.add(Way::Subject, subject(act));
        }
        let is_last = |process: &&Proc| Some(process.pid) == self.state.last;
        let runnable = || self.state.kernel.runnable().filter(|process| is_free(process.actor));
        for process in runnable().filter(is_last) {
            ways.add(Way::Process(process.pid), process.next_step());
        }
        for process in runnable().filter(|process| !is_last(process)) {
            ways.add(Way::Process(process.pid), process.next_step());
        }
        for step in self.state.clients.moves(now_us).filter(|step| !step.is_optional()) {
            ways.add(Way::Client(step), step.name());
        }
        if matches!(wish, Wish::Change(_)) && self.has_changed {
            ways.add(Way::Subject, subject(Act::LookAgain));
        }
        if ways.ways.is_empty() {
            ways.add(Way::Time, Name { actor: Actor::TIME, act: Act::Pass });
        }
        for step in self.state.clients.moves(now_us).filter(|step| step.is_optional()) {
            ways.add(Way::Client(step), step.name());
        }
        ways
    }

    /// Goes that way.
    ///
    /// # Errors
    /// [`Broken::Deadline`] if time has passed beyond it.
    pub(in crate::model) fn take(&mut self, way: Way, name: Name, wish: Wish) -> Result<Tick, Broken> {
        match way {
            Way::Subject => {
                // What changes from here on is not yet seen. What has changed in the middle of a look may have
                // been missed by it, so that whoever waits next does not sleep.
                self.has_changed &= !matches!(wish, Wish::Change(_));
                return Ok(Tick::Subject);
            }
            Way::Time => return self.pass_time(wish),
            Way::Process(pid) => {
                self.state.last = Some(pid);
                self.has_changed |= !is_service(name.act);
                if name.act == Act::Nginx(Moment::Wake) {
                    self.count_winch(pid);
                }
                self.with(|kernel, around| kernel.step(pid, around));
            }
            Way::Client(step) => {
                let now_us = self.now_ms() * 1_000;
                let Self { state: State { kernel, clients, .. }, chooser, ends, .. } = self;
                let pick = |n| chooser.choose(n, Label::number(About::Script));
                clients.act(step, kernel, now_us, pick, ends);
            }
        }
        self.digest();
        self.judge(name);
        Ok(Tick::World)
    }

    fn count_winch(&mut self, pid: Pid) {
        let is_asked = |process: &Proc| process.signals.is_pending(Signal::Winch);
        let kernel = &self.state.kernel;
        let generation = kernel.process(pid).filter(|process| is_asked(process)).map(|p| p.actor.generation);
        if let Some(generation) = generation
            && kernel.living().any(|p| p.actor.who == Who::Master && p.actor.generation > generation)
        {
            self.counts.winches += 1;
        }
    }

    /// Nothing can happen now: the next thing that happens is a time.
    fn pass_time(&mut self, wish: Wish) -> Result<Tick, Broken> {
        let wished = match wish {
            Wish::Act(_) if self.mishaps.is_paused(Actor::SUBJECT) => None,
            Wish::Act(_) => Some(self.now_ms()),
            Wish::Change(at_ms) | Wish::Time(at_ms) => Some(at_ms),
        };
        let clients = self.state.clients.next_us().map(|at_us| at_us.div_ceil(1_000));
        let processes = self.state.kernel.next_timer_ms();
        let times = [wished, clients, processes, self.mishaps.next_ms()];
        let next_ms = times.into_iter().flatten().min().unwrap_or(u64::MAX);
        if next_ms > self.deadline_ms {
            return Err(Broken::Deadline);
        }
        self.with(|kernel, around| kernel.advance_to(next_ms, around));
        self.mishaps.time_is(next_ms);
        self.digest();
        if wished.is_some_and(|at_ms| at_ms <= next_ms) {
            self.has_changed &= !matches!(wish, Wish::Change(_));
            return Ok(Tick::Subject);
        }
        Ok(Tick::World)
    }

    /// The subject looks at everything in this instant, so that it need not look again at what has changed before.
    pub(in crate::model) const fn sees_all(&mut self) {
        self.has_changed = false;
    }

    /// Lets the world move until it is the subject's turn.
    ///
    /// # Errors
    /// As [`Self::tick`].
    pub fn until_turn(&mut self, wish: Wish) -> Result<(), Broken> {
        while self.tick(wish)? == Tick::World {}
        Ok(())
    }

    /// Lets the world move until this is due: before which step it stands then. `None`: all have come to rest before.
    ///
    /// # Errors
    /// As [`Self::tick`].
    pub(in crate::model) fn until_due(&mut self, when: When) -> Result<Option<When>, Broken> {
        let wish = Wish::Time(self.now_ms());
        loop {
            let natural = self.ways(wish).names[0];
            let nth = self.naturals.get(&natural).map_or(1, |count| count + 1);
            if natural.actor != Actor::TIME && when.is_due(self.counts.steps, natural, nth) {
                return Ok(Some(When::Before(natural, nth)));
            }
            if self.tick(wish)? == Tick::Subject {
                return Ok(None);
            }
        }
    }
}

/// A worker's daily work, which nobody who waits for an upgrade looks at.
const fn is_service(act: Act) -> bool {
    matches!(act, Act::Nginx(moment) if moment.is_service())
}
