//! A world: the kernel, the clients and what goes wrong, moved one step at a time.
//!
//! [`World::tick`] is the only place where anything moves: see `motion`. After every step it is judged: see
//! `judgement`. What goes wrong was decided before the first step: see `strike`, and for a machine that comes up again
//! `restart`.

mod judgement;
mod mishap;
mod motion;
mod restart;
mod snapshot;
mod strike;
#[cfg(test)]
mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;

use fake_nginx::machine::{ExitStatus, Pid, Signal};
use orchestrator::machine::Phase;
use smallvec::SmallVec;

use super::choice::{Act, Actor, Chooser, Name, Who};
use super::client::{Clients, End, Ended};
use super::excuses::Excuses;
use super::fault::{Fault, Planned};
use super::kernel::{Around, Kernel, Path, Seen, Setting};
use super::operator::Command;
use super::paths::Paths;
use super::power::{Entry, Unsynced};
use super::record::Record;
use crate::trace::{Event, What};

use mishap::Mishaps;

pub use motion::{Tick, Wish};
pub(in crate::model) use motion::{Way, Ways};
pub(in crate::model) use snapshot::Snapshot;
#[cfg(test)]
pub(in crate::model) use witness::{Told, Witness};

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
    pub journal: Option<Entry>,
    /// The journal is of an earlier boot.
    pub is_journal_over: bool,
    /// What a power failure may take back; `None`: nothing.
    pub unsynced: Option<Box<Unsynced>>,
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
    /// New binaries that were started.
    pub new_masters: u32,
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
    planned: SmallVec<[Planned; 4]>,
    struck_before: SmallVec<[Planned; 4]>,
    mishaps: Mishaps,
    /// How often each step was the natural one.
    naturals: BTreeMap<Name, u32>,
    /// That is counted although no fault is planned.
    counts_naturals: bool,
    /// All of them in order, if somebody wants to know.
    moments: Option<Vec<(Name, u32)>>,
    excuses: Excuses,
    /// Struck, and not yet noticed by the orchestrator.
    struck: SmallVec<[Fault; 2]>,
    seen: Vec<Seen>,
    ends: Vec<End>,
    first_gap: Option<Gap>,
    /// Something changed that a subject that waits would look at.
    has_changed: bool,
    /// How the last few processes ended.
    statuses: SmallVec<[(Pid, ExitStatus); 4]>,
    /// Connections of workers that the script ended by force.
    cut: SmallVec<[u32; 8]>,
    first_loss: Option<(u64, End)>,
    /// The first signal of a subject to somebody who is no nginx, and when.
    first_stranger: Option<(u64, Signal)>,
    /// The first command that was not kept away, or changed something, while another one ran.
    first_beside: Option<Command>,
    /// The first time that a restart started what it should not.
    first_wrong_start: Option<String>,
    /// At which step the script last meddled.
    last_kill: Option<u32>,
    /// At which step the subject last began to look.
    last_look: u32,
    /// Somebody who was struck did not show it then.
    has_hidden_blow: bool,
    /// A command runs.
    is_commanded: bool,
    /// It holds its lock.
    is_locked: bool,
    /// Where the journal stood when the last command was told that it was interrupted.
    interrupted_in: Option<Phase>,
    /// The power may fail.
    may_lose_power: bool,
    /// It has failed, and the command that ran then does not know it.
    has_lost_power: bool,
    deadline_ms: u64,
    /// Who looks on.
    #[cfg(test)]
    pub(in crate::model) witness: Option<&'c mut dyn Witness>,
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
        let state = State {
            kernel: Kernel::new(),
            clients: Clients::none(),
            journal: None,
            is_journal_over: false,
            unsynced: None,
            last: None,
        };
        let mut world = Self::at(state, setting, chooser, record);
        world.starts_nginx();
        world
    }

    /// Somebody starts what is at the binary's path, and lets it come up.
    fn starts_nginx(&mut self) {
        self.with(|kernel, around| {
            around.seen.push(Seen::File(Path::BINARY));
            kernel.start(around)
        });
        self.digest();
        loop {
            let Some(pid) = self.state.kernel.runnable().map(|process| process.pid).next() else { break };
            self.with(|kernel, around| kernel.step(pid, around));
            self.digest();
        }
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
            planned: SmallVec::new(),
            struck_before: SmallVec::new(),
            mishaps: Mishaps::default(),
            naturals: BTreeMap::new(),
            counts_naturals: false,
            moments: None,
            excuses: Excuses::default(),
            struck: SmallVec::new(),
            seen: Vec::new(),
            ends: Vec::new(),
            first_gap: None,
            has_changed: false,
            statuses: SmallVec::new(),
            cut: SmallVec::new(),
            first_loss: None,
            first_stranger: None,
            first_beside: None,
            first_wrong_start: None,
            last_kill: None,
            last_look: 0,
            has_hidden_blow: false,
            is_commanded: false,
            is_locked: false,
            interrupted_in: None,
            may_lose_power: false,
            has_lost_power: false,
            deadline_ms: u64::MAX,
            #[cfg(test)]
            witness: None,
        }
    }

    /// How long the run may take.
    pub const fn set_deadline(&mut self, at_ms: u64) {
        self.deadline_ms = at_ms;
    }

    /// What will go wrong.
    pub fn plan_faults(&mut self, planned: Vec<Planned>) {
        self.planned = planned.into();
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
}

/// What subjects and faults do to it.
impl World<'_> {
    /// Does something to the kernel, as a subject or a fault.
    pub fn with<T>(&mut self, act: impl FnOnce(&mut Kernel, &mut Around<'_>) -> T) -> T {
        let Self { state, setting, seen, .. } = self;
        act(&mut state.kernel, &mut Around { setting, seen })
    }

    /// What happened is told to clients and written down.
    pub fn digest(&mut self) {
        let now_us = self.now_ms() * 1_000;
        let Self { state: State { kernel, clients, .. }, seen, ends, record, excuses, cut, counts, .. } =
            self;
        for seen in seen.drain(..) {
            if let Seen::Died { pid, status } = seen {
                if self.statuses.len() == STATUSES_MAX {
                    self.statuses.remove(0);
                }
                self.statuses.push((pid, status));
            }
            if let Seen::Born { pid, parent, actor, .. } = seen {
                excuses.is_born(pid, parent);
                counts.new_masters += u32::from(actor.who == Who::Master);
            }
            if let Seen::Ended { connection, by: Some(pid), .. } = seen
                && excuses.covers_loss_by(pid)
            {
                cut.push(connection);
            }
            record.see(&seen, kernel);
            clients.see(&seen, kernel, now_us, ends);
        }
        excuses.forget_done(kernel);
        let now_ms = kernel.now_ms();
        for end in ends.drain(..) {
            self.counts.requests[end.fate as usize] += 1;
            let is_cut = self.cut.contains(&end.connection) || self.excuses.covers_gap();
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
        self.judge(Name { actor: Actor::SUBJECT, act: Act::Step });
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
