//! A world: the kernel, the clients and what goes wrong, moved one step at a time.
//!
//! [`World::tick`] is the only place where anything moves. It lists every way to go on (each process that can
//! take a step, each client that has something to do, the subject), asks the chooser for one, and takes it.
//! The process that moved last comes first, so that the natural way has the fewest changes between actors.
//! Time passes only when nothing else can happen.

use std::sync::Arc;

use fake_nginx::machine::{ExitStatus, Pid, Signal};
use orchestrator::machine::{Memory, Plan};
use smallvec::SmallVec;

use super::choice::{Act, Actor, Chooser, Label, Name, Who};
use super::client::{Clients, End, Ended, Move};
use super::fault::{Fault, Planned};
use super::kernel::{Around, Content, Kernel, LABORATORY, Path, Proc, Seen, Setting, Shown};
use super::last_worker::LastWorker;
use super::paths::Paths;
use super::record::Record;
use crate::trace::{Event, What};

/// Steps after which a run is broken off: something spins.
pub const STEPS_MAX: u32 = 200_000;
/// How many ends of processes are remembered.
const STATUSES_MAX: usize = 16;

/// Everything that can differ between two instants, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Processes, files, sockets, time.
    pub kernel: Kernel,
    /// Those who connect.
    pub clients: Clients,
    /// What the orchestrator has on disk.
    pub journal: Option<Arc<(Plan, Memory)>>,
    last: Option<Pid>,
}

/// What has been counted in a run, so that a run in which nothing happened is told from a good one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Choices with more than one way.
    pub choices: u32,
    /// Steps taken.
    pub steps: u32,
    /// Steps after which the predicate was false and nobody was excused.
    pub gaps: u32,
    /// Requests by their end.
    pub requests: [u32; 7],
    /// Requests that were lost although the script killed neither their worker nor the last one who accepted.
    pub lost: u32,
    /// Faults that struck.
    pub faults: Vec<Fault>,
    /// WINCH reached a master that had a younger one beside it.
    pub winches: u32,
}

/// A world in motion.
pub struct World<'c> {
    /// Where it stands.
    pub state: State,
    /// What does not change.
    pub setting: Arc<Setting>,
    /// What was counted.
    pub counts: Counts,
    /// The words behind path numbers.
    pub paths: Paths,
    chooser: &'c mut dyn Chooser,
    record: Record,
    planned: Vec<Planned>,
    last_worker: LastWorker,
    /// Struck, and not yet noticed by the orchestrator.
    struck: SmallVec<[Fault; 2]>,
    seen: Vec<Seen>,
    ends: Vec<End>,
    first_gap: Option<Gap>,
    /// Something changed that a subject that waits would look at.
    has_changed: bool,
    /// How the last few processes ended.
    statuses: SmallVec<[(Pid, ExitStatus); 4]>,
    /// Connections of workers that the script killed.
    cut: SmallVec<[u32; 8]>,
    first_loss: Option<(u64, End)>,
    /// At which step the script last killed somebody.
    last_kill: Option<u32>,
    /// At which step the subject last began to look.
    last_look: u32,
    deadline_ms: u64,
}

/// An instant at which a fresh connection found nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// When.
    pub at_ms: u64,
    /// Behind which step.
    pub step: u32,
    /// The step that brought it about.
    pub by: Name,
}

/// What the subject wants while the world moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To act: it may be its turn at once, or after any number of steps.
    Act,
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

enum Way {
    Process(Pid),
    Client(Move),
    Subject,
    Time,
}

struct Ways {
    ways: SmallVec<[Way; 8]>,
    names: SmallVec<[Name; 8]>,
}

impl Ways {
    fn add(&mut self, way: Way, name: Name) {
        self.ways.push(way);
        self.names.push(name);
    }
}

/// Why a run cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The scenario's deadline has passed.
    #[error("the deadline passed")]
    Deadline,
    /// Something spins.
    #[error("{STEPS_MAX} steps were taken, and nobody comes to rest")]
    Steps,
}

impl<'c> World<'c> {
    /// Somebody starts nginx; nothing is chosen yet.
    #[must_use]
    pub fn boot(setting: Arc<Setting>, chooser: &'c mut dyn Chooser, wants_trace: bool) -> Self {
        let record = Record::new(&setting, wants_trace);
        let state = State { kernel: Kernel::new(), clients: Clients::none(), journal: None, last: None };
        let mut world = Self::at(state, setting, chooser, record);
        world.with(|kernel, around| {
            around.seen.push(Seen::File(Path::BINARY));
            kernel.start(around)
        });
        world.digest();
        loop {
            let Some(pid) = world.state.kernel.runnable().map(|process| process.pid).next() else { break };
            world.with(|kernel, around| kernel.step(pid, around));
            world.digest();
        }
        world
    }

    /// Goes on from a state that another world has reached; its trace begins here.
    #[must_use]
    pub fn from_state(
        state: State,
        setting: Arc<Setting>,
        chooser: &'c mut dyn Chooser,
        wants_trace: bool,
    ) -> Self {
        let mut record = Record::new(&setting, wants_trace);
        record.begin(&state.kernel);
        Self::at(state, setting, chooser, record)
    }

    fn at(state: State, setting: Arc<Setting>, chooser: &'c mut dyn Chooser, record: Record) -> Self {
        Self {
            state,
            setting,
            counts: Counts::default(),
            paths: Paths::new(),
            chooser,
            record,
            planned: Vec::new(),
            last_worker: LastWorker::default(),
            struck: SmallVec::new(),
            seen: Vec::new(),
            ends: Vec::new(),
            first_gap: None,
            has_changed: false,
            statuses: SmallVec::new(),
            cut: SmallVec::new(),
            first_loss: None,
            last_kill: None,
            last_look: 0,
            deadline_ms: u64::MAX,
        }
    }

    /// How long the run may take.
    pub const fn set_deadline(&mut self, at_ms: u64) {
        self.deadline_ms = at_ms;
    }

    /// What will go wrong.
    pub fn plan_faults(&mut self, planned: Vec<Planned>) {
        self.planned = planned;
        self.planned.sort_unstable();
        self.planned.reverse();
    }

    /// Whoever picks the ways.
    pub fn chooser(&mut self) -> &mut dyn Chooser {
        self.chooser
    }

    /// Milliseconds since the world began.
    #[must_use]
    pub const fn now_ms(&self) -> u64 {
        self.state.kernel.now_ms()
    }

    /// One step of somebody, or the subject's turn, or time passes.
    ///
    /// # Errors
    /// [`Broken::Steps`] if this never ends.
    pub fn tick(&mut self, wish: Wish) -> Result<Tick, Broken> {
        self.strike();
        let Ways { mut ways, names } = self.ways(wish);
        let taken = if ways.len() == 1 {
            0
        } else {
            self.counts.choices += 1;
            self.chooser.choose(ways.len(), Label::step(&names))
        };
        self.counts.steps += 1;
        if self.counts.steps > STEPS_MAX {
            return Err(Broken::Steps);
        }
        self.take(ways.swap_remove(taken), names[taken], wish)
    }

    /// Every way to go on, the natural one first.
    fn ways(&self, wish: Wish) -> Ways {
        let now_us = self.now_ms() * 1_000;
        let mut ways = Ways { ways: SmallVec::new(), names: SmallVec::new() };
        let subject = |act| Name { actor: Actor::SUBJECT, act };
        if wish == Wish::Act {
            ways.add(Way::Subject, subject(Act::Call));
        }
        let is_last = |process: &&Proc| Some(process.pid) == self.state.last;
        for process in self.state.kernel.runnable().filter(is_last) {
            ways.add(Way::Process(process.pid), process.next_step());
        }
        for process in self.state.kernel.runnable().filter(|process| !is_last(process)) {
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

    fn take(&mut self, way: Way, name: Name, wish: Wish) -> Result<Tick, Broken> {
        match way {
            Way::Subject => {
                self.has_changed = false;
                return Ok(Tick::Subject);
            }
            Way::Time => return self.pass_time(wish),
            Way::Process(pid) => {
                self.state.last = Some(pid);
                self.has_changed |= !is_service(name.act);
                if name.act == Act::Wake {
                    self.count_winch(pid);
                }
                self.with(|kernel, around| kernel.step(pid, around));
            }
            Way::Client(step) => {
                let now_us = self.now_ms() * 1_000;
                let Self { state: State { kernel, clients, .. }, chooser, ends, .. } = self;
                let pick = |n| chooser.choose(n, Label::number(super::choice::About::Script));
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
            Wish::Act => Some(self.now_ms()),
            Wish::Change(at_ms) | Wish::Time(at_ms) => Some(at_ms),
        };
        let clients = self.state.clients.next_us().map(|at_us| at_us.div_ceil(1_000));
        let processes = self.state.kernel.next_timer_ms();
        let next_ms = [wished, clients, processes].into_iter().flatten().min().unwrap_or(self.now_ms());
        if next_ms > self.deadline_ms {
            return Err(Broken::Deadline);
        }
        self.with(|kernel, around| kernel.advance_to(next_ms, around));
        self.digest();
        if wished.is_some_and(|at_ms| at_ms <= next_ms) {
            self.has_changed = false;
            return Ok(Tick::Subject);
        }
        Ok(Tick::World)
    }

    /// Lets the world move until it is the subject's turn.
    ///
    /// # Errors
    /// As [`Self::tick`].
    pub fn until_turn(&mut self, wish: Wish) -> Result<(), Broken> {
        while self.tick(wish)? == Tick::World {}
        Ok(())
    }

    /// Does something to the kernel, as a subject or a fault.
    pub fn with<T>(&mut self, act: impl FnOnce(&mut Kernel, &mut Around<'_>) -> T) -> T {
        let Self { state, setting, seen, .. } = self;
        act(&mut state.kernel, &mut Around { setting, seen })
    }

    /// What happened is told to clients and written down.
    pub fn digest(&mut self) {
        let now_us = self.now_ms() * 1_000;
        let Self { state: State { kernel, clients, .. }, seen, ends, record, .. } = self;
        for seen in seen.drain(..) {
            if let Seen::Died { pid, status } = seen {
                if self.statuses.len() == STATUSES_MAX {
                    self.statuses.remove(0);
                }
                self.statuses.push((pid, status));
            }
            record.see(&seen, kernel);
            clients.see(&seen, kernel, now_us, ends);
        }
        let now_ms = kernel.now_ms();
        for end in ends.drain(..) {
            self.counts.requests[end.fate as usize] += 1;
            let is_cut = self.cut.contains(&end.connection) || self.last_worker.is_killed();
            if end.is_lost() && !is_cut {
                self.counts.lost += 1;
                self.first_loss = self.first_loss.or(Some((now_ms, end)));
            }
            self.record.request(now_ms, &end);
        }
    }

    /// Does a subject's or a script's change, and takes in what came of it.
    pub fn change<T>(&mut self, act: impl FnOnce(&mut Kernel, &mut Around<'_>) -> T) -> T {
        let done = self.with(act);
        self.digest();
        self.judge(Name { actor: Actor::SUBJECT, act: Act::Call });
        done
    }
}

impl World<'_> {
    /// How a process ended that a subject has started a moment ago.
    #[must_use]
    pub fn status_of(&self, pid: Pid) -> Option<ExitStatus> {
        self.statuses.iter().find(|(ended, _)| *ended == pid).map(|&(_, status)| status)
    }
}

/// What holds at an instant.
impl World<'_> {
    /// True if a connection that begins now would be accepted by somebody who runs, without anybody else's
    /// help: every socket that it could come to is watched by a process.
    #[must_use]
    pub fn fresh_connection_finds_worker(&self) -> bool {
        let kernel = &self.state.kernel;
        !kernel.sockets().is_empty()
            && kernel.sockets().iter().all(|socket| kernel.is_accepted_from(socket.id))
    }

    /// True if nobody accepts because the script killed those who would: see [`LastWorker`].
    #[must_use]
    pub fn script_killed_the_last_one(&self) -> bool {
        self.last_worker.is_killed()
    }

    /// The first instant at which nobody accepted and the script had not killed them.
    #[must_use]
    pub const fn first_gap(&self) -> Option<&Gap> {
        self.first_gap.as_ref()
    }

    /// The first request that was lost and should not have been, and when.
    #[must_use]
    pub const fn first_loss(&self) -> Option<&(u64, End)> {
        self.first_loss.as_ref()
    }

    /// At which step the script last killed somebody.
    #[must_use]
    pub const fn last_kill(&self) -> Option<u32> {
        self.last_kill
    }

    /// At which step the subject last began to look.
    #[must_use]
    pub const fn last_look(&self) -> u32 {
        self.last_look
    }

    /// The subject begins to look.
    pub(super) const fn looks(&mut self) {
        self.last_look = self.counts.steps;
    }

    /// Every process goes on until none can; no time passes, nothing goes wrong, and nothing is chosen.
    ///
    /// # Errors
    /// [`Broken::Steps`] if this never ends.
    pub fn settle(&mut self) -> Result<(), Broken> {
        for _ in 0..STEPS_MAX {
            let Some(pid) = self.state.kernel.runnable().map(|process| process.pid).next() else {
                return Ok(());
            };
            let name = self.state.kernel.process(pid).map(Proc::next_step);
            self.with(|kernel, around| kernel.step(pid, around));
            self.digest();
            name.into_iter().for_each(|name| self.judge(name));
        }
        Err(Broken::Steps)
    }

    fn judge(&mut self, by: Name) {
        if self.fresh_connection_finds_worker() {
            let is_quiet = self.state.kernel.runnable().next().is_none();
            self.last_worker.somebody_accepts(is_quiet);
            return;
        }
        if self.last_worker.is_killed() {
            return;
        }
        self.counts.gaps += 1;
        if self.first_gap.is_none() {
            self.first_gap = Some(Gap { at_ms: self.now_ms(), step: self.counts.steps, by });
        }
    }

    /// True if no process can take a step, and no worker drains.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let kernel = &self.state.kernel;
        kernel.runnable().next().is_none()
            && !kernel.living().any(|process| process.shown == Shown::SHUTTING_DOWN)
            && !kernel.living().any(|process| process.actor.who == Who::Master && !process.is_asleep())
    }

    /// The masters that show themselves as such, the oldest first.
    pub fn masters(&self) -> impl Iterator<Item = &Proc> {
        self.state
            .kernel
            .living()
            .filter(|process| process.actor.who == Who::Master && process.shown == Shown::MASTER)
    }
}

/// What goes wrong.
impl World<'_> {
    /// The faults whose time has come.
    fn strike(&mut self) {
        while let Some(&Planned { step, fault }) = self.planned.last() {
            if step > self.counts.steps || !self.inflict(fault) {
                return;
            }
            self.planned.pop();
        }
    }

    /// Makes it go wrong. False: there is nothing to strike yet.
    pub fn inflict(&mut self, fault: Fault) -> bool {
        let struck = match fault {
            Fault::KillOldMaster => self.kill(self.master(Age::Old)),
            Fault::KillNewMaster => self.kill(self.master(Age::New)),
            Fault::KillOldWorker => self.kill(self.worker(Age::Old)),
            Fault::KillNewWorker => self.kill(self.worker(Age::New)),
            Fault::Reload => match self.state.kernel.files().read(Path::PID) {
                Some(Content::Pid(pid)) => {
                    self.with(|kernel, around| kernel.kill(LABORATORY, pid, Signal::Hup, around))
                }
                _ => false,
            },
            Fault::Crash | Fault::Interrupt | Fault::FullDisk => {
                self.struck.push(fault);
                true
            }
        };
        if struck {
            self.counts.faults.push(fault);
            self.note(What::Moment { name: format!("fault.{}", fault.name()) });
            self.digest();
            self.judge(Name {
                actor: Actor { who: Who::Fault, generation: 0, nth: 0 },
                act: Act::KillByFault,
            });
        }
        struck
    }

    /// kill -9, remembered if it was somebody who accepted.
    pub fn kill(&mut self, whom: Option<Pid>) -> bool {
        let Some(pid) = whom else { return false };
        let Some(process) = self.state.kernel.process(pid) else { return false };
        self.last_worker.is_about_to_be_killed(process);
        self.cut.extend(process.connections.iter().map(|&(_, id)| id));
        self.last_kill = Some(self.counts.steps);
        self.with(|kernel, around| kernel.kill(LABORATORY, pid, Signal::Kill, around))
    }

    fn master(&self, age: Age) -> Option<Pid> {
        let mut masters = self.state.kernel.living().filter(|process| process.actor.who == Who::Master);
        let old = masters.next()?;
        match age {
            Age::Old => Some(old.pid),
            Age::New => masters.last().map(|new| new.pid),
        }
    }

    fn worker(&self, age: Age) -> Option<Pid> {
        let master = self.master(age)?;
        let is_its = |process: &&Proc| process.parent == master && process.actor.who == Who::Worker;
        self.state.kernel.living().find(is_its).map(|worker| worker.pid)
    }

    /// Takes a fault that struck the orchestrator.
    pub(super) fn take_struck(&mut self, fault: Fault) -> bool {
        let at = self.struck.iter().position(|&struck| struck == fault);
        at.map(|at| self.struck.remove(at)).is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Old,
    New,
}

/// Clients who are told.
impl World<'_> {
    /// Nobody asks any more; what is in flight comes to its end.
    pub fn stop_clients(&mut self) {
        self.state.clients.stop(&mut self.state.kernel);
    }

    /// What is in flight ends as it is.
    pub fn break_off_clients(&mut self) {
        let now_us = self.now_ms() * 1_000;
        let Self { state: State { kernel, clients, .. }, ends, .. } = self;
        clients.break_off(kernel, now_us, ends);
        self.digest();
    }
}

/// What is written down.
impl World<'_> {
    /// Something that a trace shall tell.
    pub fn note(&mut self, what: What) {
        if self.record.is_wanted() {
            let now_ms = self.now_ms();
            self.record.note(now_ms, what);
        }
    }

    /// The trace's events so far.
    #[must_use]
    pub fn into_events(self) -> Vec<Event> {
        self.record.events
    }

    /// How many requests have ended like this.
    #[must_use]
    pub const fn requests(&self, how: Ended) -> u32 {
        self.counts.requests[how as usize]
    }
}

/// A worker's daily work, which nobody who waits for an upgrade looks at.
const fn is_service(act: Act) -> bool {
    matches!(
        act,
        Act::Events
            | Act::ReadChannel
            | Act::Accept
            | Act::Receive
            | Act::Send
            | Act::ShutdownWrite
            | Act::Close
    )
}
