//! One call of the orchestrator that is under way: what it waits for, and what it has seen so far.
//!
//! On Linux a call is several looks, and the world moves between them. Here it is a value that goes on whenever it
//! is its turn, so that somebody who walks all interleavings can stop in the middle of it, and clone it.
//!
//! # Source
//! `orchestrator::host::linux`, call by call; where it reads `/proc` twice, so does this.
//!
//! # Not modelled
//! A probe is answered from what holds at one instant; it is no connection of its own.

use std::collections::BTreeSet;

use fake_nginx::machine::{Errno, Pid};
use orchestrator::host::{Call, HostError, Reply};
use orchestrator::machine::{
    Action, Defect, FileId, Generation, Identity, Intent, Memory, Plan, Process, Side, Signal, Title,
};
use smallvec::SmallVec;

use super::{act_of, file_id, identity, look, number, pid_file};
use crate::model::choice::Act;
use crate::model::fault::Fault;
use crate::model::kernel::{Image, LABORATORY, Path, Proc, Shown};
use crate::model::world::{Wish, World};

/// What a run of the orchestrator has besides its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::model) struct Run {
    old_link: Path,
    new_link: Path,
    is_interrupted: bool,
    /// It signals whoever has the number now: a deliberate mistake.
    is_by_number: bool,
    /// It asks that what it has written be on disk; otherwise that is a deliberate mistake.
    syncs: bool,
}

impl Run {
    /// A run with this plan.
    pub(in crate::model) fn new(world: &mut World<'_>, intent: &Intent) -> Self {
        let Intent { plan, defects, .. } = intent;
        Self {
            old_link: world.paths.number(&plan.old_link.to_string_lossy()),
            new_link: world.paths.number(&plan.new_link.to_string_lossy()),
            is_interrupted: false,
            is_by_number: defects.has(Defect::SignalsByNumber),
            syncs: !defects.has(Defect::SyncsNoFolder),
        }
    }
}

/// A call, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::model) struct UnderWay {
    call: Call,
    stage: Stage,
}

/// How far a call has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Stage {
    /// Nothing was done.
    Begin,
    /// It knows whether the master sleeps, and looks for its children next.
    Children { is_asleep: bool },
    /// It knows which they are, and looks what they are next.
    Titles { is_asleep: bool, children: SmallVec<[Pid; 4]> },
    /// It knows all but who accepts.
    Listeners(Box<Generation>),
    /// It has sent to so many processes without a master.
    Sent(usize),
    /// Everybody sees what it has written, and it waits until that is on disk.
    Written,
}

type Answer = Result<Reply, HostError>;

impl UnderWay {
    /// A call that begins.
    pub(in crate::model) const fn new(call: Call) -> Self {
        Self { call, stage: Stage::Begin }
    }

    /// What it waits for.
    pub(in crate::model) const fn wish(&self) -> Wish {
        match (&self.stage, &self.call) {
            (Stage::Begin, Call::Wait { until_ms, .. }) => Wish::Change(*until_ms),
            (Stage::Begin, call) => Wish::Act(act_of(call)),
            (Stage::Children { .. }, _) => Wish::Act(Act::LookChildren),
            (Stage::Titles { .. }, _) => Wish::Act(Act::LookChild),
            (Stage::Listeners(_), _) => Wish::Act(Act::LookListeners),
            (Stage::Sent(_), _) => Wish::Act(Act::SendOrphans),
            (Stage::Written, _) => Wish::Act(Act::Sync),
        }
    }

    /// True if it only looks, and what it sees does not depend on the time.
    pub(in crate::model) const fn is_look(&self) -> bool {
        match &self.call {
            Call::ReadPidFile(_)
            | Call::LookAtBinary
            | Call::LookAtGeneration { .. }
            | Call::FindOrphans { .. }
            | Call::Probe { .. }
            | Call::Check { .. }
            | Call::Knock { .. }
            | Call::ReadTroubles { .. } => true,
            Call::Now | Call::Act(_) | Call::Save(_) | Call::Wait { .. } => false,
        }
    }

    /// True if it asks for the time, as every turn does first.
    pub(in crate::model) const fn is_clock(&self) -> bool {
        matches!(self.call, Call::Now)
    }

    /// True if it sleeps.
    pub(in crate::model) const fn is_wait(&self) -> bool {
        matches!(self.call, Call::Wait { .. })
    }

    /// True if it touches nothing but the journal, which nobody else reads, or the disk, which nobody sees.
    pub(in crate::model) const fn is_private(&self) -> bool {
        matches!(self.call, Call::Save(_) | Call::Act(Action::Note)) || matches!(self.stage, Stage::Written)
    }

    /// Whose pid file it reads, if it does that.
    pub(in crate::model) const fn pid_file_of(&self) -> Option<Side> {
        if let Call::ReadPidFile(side) = self.call { Some(side) } else { None }
    }

    /// It is its turn. `None`: it is not at its end.
    pub(in crate::model) fn go(
        &mut self,
        world: &mut World<'_>,
        plan: &Plan,
        run: &mut Run,
    ) -> Option<Answer> {
        match std::mem::replace(&mut self.stage, Stage::Begin) {
            Stage::Begin => self.begin(world, plan, run),
            Stage::Children { is_asleep } => {
                let children = self.master().map_or_else(SmallVec::new, |master| children(world, master));
                self.goes_on(Stage::Titles { is_asleep, children })
            }
            Stage::Titles { is_asleep, children } => self.titles(world, is_asleep, &children),
            Stage::Listeners(generation) => Some(Ok(self.listeners(world, *generation))),
            Stage::Sent(count) => self.send_on(world, run, count),
            Stage::Written => {
                world.sync_folders();
                Some(Ok(Reply::Done))
            }
        }
    }

    fn goes_on(&mut self, stage: Stage) -> Option<Answer> {
        self.stage = stage;
        None
    }

    fn begin(&mut self, world: &mut World<'_>, plan: &Plan, run: &mut Run) -> Option<Answer> {
        let files = world.state.kernel.files();
        Some(Ok(match &self.call {
            Call::Now => {
                world.looks();
                run.is_interrupted |= world.take_struck(Fault::Interrupt);
                Reply::Now { now_us: world.now_ms() * 1_000, is_interrupted: run.is_interrupted }
            }
            Call::ReadPidFile(Side::New) => Reply::PidFile(pid_file(files.read(Path::PID))),
            Call::ReadPidFile(Side::Old) => Reply::PidFile(pid_file(files.read(Path::OLDBIN))),
            Call::LookAtBinary => Reply::Binary(files.at(Path::BINARY).map(file_id)),
            Call::LookAtGeneration { master, .. } => {
                // Asleep first: what was sent before is then done, and its effect is in what follows.
                let is_asleep = world.state.kernel.process(Pid(master.pid)).is_some_and(Proc::is_asleep);
                return self.goes_on(Stage::Children { is_asleep });
            }
            Call::FindOrphans { new, kin, listeners, known } => {
                Reply::Processes(orphans(world, (*new, kin), listeners, known))
            }
            Call::Probe { .. } => Reply::Probe(probe(world).map(|status| (status, 0))),
            Call::Check { .. } => Reply::Check(Ok(())),
            Call::Knock { workers, .. } => Reply::Untaken(untaken(world, workers)),
            Call::ReadTroubles { .. } => Reply::Troubles(Vec::new()),
            Call::Act(Action::SignalOrphans { .. }) => return self.send_on(world, run, 0),
            // Nobody else's file is written over.
            Call::Act(Action::Replace(_)) if !plan.may_replace(files.at(Path::BINARY).map(file_id)) => {
                Reply::Gone
            }
            Call::Act(Action::Replace(side)) => {
                let done = replace(world, run, *side);
                return self.written(run, done);
            }
            Call::Act(action) => return Some(act(world, run, action)),
            Call::Save(memory) => {
                let done = save(world, plan, memory);
                return self.written(run, done);
            }
            Call::Wait { .. } => Reply::Done,
        }))
    }

    /// True inside: it is not on disk by itself.
    fn written(&mut self, run: &Run, done: Result<bool, HostError>) -> Option<Answer> {
        match done {
            Ok(true) if run.syncs => self.goes_on(Stage::Written),
            done => Some(done.map(|_| Reply::Done)),
        }
    }

    const fn master(&self) -> Option<Pid> {
        if let Call::LookAtGeneration { master, .. } = &self.call { Some(Pid(master.pid)) } else { None }
    }

    fn titles(&mut self, world: &World<'_>, is_asleep: bool, pids: &[Pid]) -> Option<Answer> {
        let kernel = &world.state.kernel;
        let children: Vec<Process> =
            pids.iter().filter_map(|&pid| kernel.process(pid)).filter_map(look).collect();
        let Call::LookAtGeneration { master: known, .. } = &self.call else {
            return Some(Ok(Reply::Generation(None)));
        };
        // Its number may be somebody else's by now.
        let seen = kernel.process(Pid(known.pid)).and_then(look);
        let Some(master) = seen.filter(|seen| seen.identity.is_same_process(known)) else {
            return Some(Ok(Reply::Generation(None)));
        };
        let is_asleep = is_asleep && children.len() == pids.len();
        let generation = Generation { master, is_asleep, children, unserved: None };
        if matches!(self.call, Call::LookAtGeneration { listeners: None, .. }) {
            return Some(Ok(Reply::Generation(Some(generation))));
        }
        self.goes_on(Stage::Listeners(Box::new(generation)))
    }

    fn listeners(&self, world: &World<'_>, generation: Generation) -> Reply {
        let Call::LookAtGeneration { listeners: Some(listeners), .. } = &self.call else {
            return Reply::Generation(Some(generation));
        };
        let kernel = &world.state.kernel;
        let serves = |child: &Process, socket: u64| {
            child.title == Title::Worker
                && kernel.process(Pid(child.identity.pid)).is_some_and(|process| {
                    process.watches.iter().any(|&(fd, _)| process.socket(fd).map(u64::from) == Some(socket))
                })
        };
        let is_served = |socket: u64| generation.children.iter().any(|child| serves(child, socket));
        let held = kernel.process(Pid(generation.master.identity.pid)).map(|master| &master.fds);
        let held = held.into_iter().flatten().map(|&(_, socket)| u64::from(socket));
        let all: BTreeSet<u64> = listeners.iter().copied().chain(held).collect();
        let unserved = all.into_iter().filter(|&socket| !is_served(socket)).collect();
        Reply::Generation(Some(Generation { unserved: Some(unserved), ..generation }))
    }

    /// The next of several processes is told; the world moves behind each.
    fn send_on(&mut self, world: &mut World<'_>, run: &Run, count: usize) -> Option<Answer> {
        let Call::Act(Action::SignalOrphans { processes, signal: told, while_lives }) = &self.call else {
            return Some(Ok(Reply::Done));
        };
        let Some(process) = processes.get(count) else { return Some(Ok(Reply::Done)) };
        if !lives(world, while_lives) {
            return Some(Ok(Reply::Gone));
        }
        signal(world, run, process, *told);
        self.goes_on(Stage::Sent(count + 1))
    }
}

/// Everybody who has this parent, zombies included.
fn children(world: &World<'_>, master: Pid) -> SmallVec<[Pid; 4]> {
    let is_child = |process: &&Proc| process.parent == master;
    world.state.kernel.processes().filter(is_child).map(|child| child.pid).collect()
}

fn orphans(
    world: &World<'_>,
    (new, kin): (FileId, &[FileId]),
    listeners: &[u64],
    known: &[Identity],
) -> Vec<Process> {
    let kernel = &world.state.kernel;
    let has_master = |process: &Proc| {
        kernel
            .process(process.parent)
            .is_some_and(|parent| parent.is_alive() && parent.shown == Shown::MASTER)
    };
    let is_ours = |process: &&Proc| {
        let exe = file_id(process.exe);
        let is_known = known.iter().any(|known| known.is_same_process(&identity(process)));
        let holds_one = process.fds.iter().any(|&(_, socket)| listeners.contains(&u64::from(socket)));
        let is_worker = matches!(process.shown, Shown::WORKER | Shown::SHUTTING_DOWN);
        let may_be_ours = process.shown != Shown::CommandLine || exe == new;
        let is_of_ours = (exe == new || kin.contains(&exe)) && holds_one && may_be_ours;
        is_worker && (is_known || exe == new) || is_of_ours
    };
    kernel.living().filter(is_ours).filter(|process| !has_master(process)).filter_map(look).collect()
}

/// True inside: it is not on disk by itself.
fn replace(world: &mut World<'_>, run: &Run, side: Side) -> Result<bool, HostError> {
    let link = match side {
        Side::Old => run.old_link,
        Side::New => run.new_link,
    };
    full_disk(world, "replacing the binary")?;
    let is_late = world.is_about_to_replace();
    let done = world.change(|kernel, around| {
        let _ = kernel.unlink(Path::BESIDE, around);
        kernel.files_mut().link(link, Path::BESIDE)?;
        kernel.rename(Path::BESIDE, Path::BINARY, around)?;
        // rename does nothing if both are already the same file.
        let _ = kernel.unlink(Path::BESIDE, around);
        Ok::<(), Errno>(())
    });
    done.map_err(|errno| HostError::os("replacing the binary", errno))?;
    Ok(is_late)
}

fn act(world: &mut World<'_>, run: &Run, action: &Action) -> Answer {
    match action {
        Action::Note | Action::SignalOrphans { .. } | Action::Replace(_) => Ok(Reply::Done),
        Action::Signal { while_lives: Some(master), .. } if !lives(world, master) => Ok(Reply::Gone),
        Action::Signal { process, signal: told, .. } => Ok(signal(world, run, process, *told)),
        Action::RemoveOldbin => {
            let done = world.change(|kernel, around| kernel.unlink(Path::OLDBIN, around));
            done.map_err(|errno| HostError::os("removing the oldbin file", errno))?;
            Ok(Reply::Done)
        }
        Action::RenameOldbinBack => {
            let done = world.change(|kernel, around| kernel.rename(Path::OLDBIN, Path::PID, around));
            done.map_err(|errno| HostError::os("renaming the oldbin file back", errno))?;
            Ok(Reply::Done)
        }
    }
}

/// The youngest who accepts answers: a probe asks whether the new ones do.
fn probe(world: &World<'_>) -> Result<u16, String> {
    if !world.fresh_connection_finds_worker() {
        return Err("nobody accepts".to_owned());
    }
    let youngest = world.state.kernel.living().filter(|process| process.is_accepting()).last();
    let image = youngest.map(|worker| &world.setting.images[usize::from(worker.image)]);
    Ok(image.and_then(Image::forced_status).unwrap_or(200))
}

/// Nobody opens who knocks at a socket from which none of the workers accepts.
fn untaken(world: &World<'_>, workers: &[Identity]) -> Vec<String> {
    let accepts =
        |worker: &Identity| world.state.kernel.process(Pid(worker.pid)).is_some_and(Proc::is_accepting);
    if workers.iter().any(accepts) { Vec::new() } else { vec!["the site".to_owned()] }
}

fn lives(world: &World<'_>, identity: &Identity) -> bool {
    the_very(world, identity).is_some()
}

/// The living process that has this number and was born then.
fn the_very<'w>(world: &'w World<'_>, known: &Identity) -> Option<&'w Proc> {
    let process = world.state.kernel.process(Pid(known.pid))?;
    (process.is_alive() && identity(process).is_same_process(known)).then_some(process)
}

/// Only the process that still has the whole identity gets the signal.
fn signal(world: &mut World<'_>, run: &Run, known: &Identity, signal: Signal) -> Reply {
    let pid = Pid(known.pid);
    let is_it = the_very(world, known)
        .is_some_and(|process| known.exe.is_none() || known.exe == Some(file_id(process.exe)));
    let has_number = run.is_by_number && world.state.kernel.process(pid).is_some_and(Proc::is_alive);
    if !is_it && !has_number {
        return Reply::Gone;
    }
    world.is_about_to_signal(pid, number(signal));
    world.change(|kernel, around| kernel.kill(LABORATORY, pid, number(signal), around));
    Reply::Done
}

/// True inside: it is not on disk by itself.
fn save(world: &mut World<'_>, plan: &Plan, memory: &Memory) -> Result<bool, HostError> {
    full_disk(world, "writing the journal")?;
    Ok(world.write_journal(plan, memory))
}

fn full_disk(world: &mut World<'_>, what: &str) -> Result<(), HostError> {
    if world.take_struck(Fault::FullDisk) {
        return Err(HostError::os(what, "No space left on device"));
    }
    Ok(())
}
