//! The orchestrator's `Host` on the simulated kernel: the simulator is inside the call.
//!
//! Before each call, and between the looks that one call takes on Linux, the world moves for as long as the
//! chooser likes. A crash strikes between two calls; from then on every call fails with the same error. What
//! was saved stays: the journal is part of the world, not of the host.
//!
//! # Source
//! `orchestrator::host::linux`, call by call; where it reads `/proc` twice, so does this.
//!
//! # Not modelled
//! A probe is answered from what holds at one instant; it is no connection of its own.

use fake_nginx::machine::{Pid, Signal};
use orchestrator::host::{Call, Host, HostError, Reply};
use orchestrator::machine::{
    self as machine, Action, FileId, Generation, Identity, Memory, Plan, Process, Side, Title,
};
use std::sync::Arc;

use super::choice::Act;
use super::fault::Fault;
use super::kernel::{Content, Image, Inode, LABORATORY, Path, Proc, Shown};
use super::world::{Broken, Wish, World};

/// The only file system.
const DEVICE: u64 = 1;

/// One run of `oldbin` in a model world.
pub(super) struct ModelHost<'a, 'c> {
    pub(super) world: &'a mut World<'c>,
    plan: Plan,
    old_link: Path,
    new_link: Path,
    /// How many calls were made.
    calls: u32,
    /// At which call it is killed, if it is.
    crash_at: Option<u32>,
    is_crashed: bool,
    is_interrupted: bool,
    /// Why the world cannot go on.
    pub(super) broken: Option<Broken>,
}

impl<'a, 'c> ModelHost<'a, 'c> {
    pub(super) fn new(world: &'a mut World<'c>, plan: Plan, crash_at: Option<u32>) -> Self {
        let old_link = world.paths.number(&plan.old_link.to_string_lossy());
        let new_link = world.paths.number(&plan.new_link.to_string_lossy());
        Self {
            world,
            plan,
            old_link,
            new_link,
            calls: 0,
            crash_at,
            is_crashed: false,
            is_interrupted: false,
            broken: None,
        }
    }

    /// The world moves; or it cannot any more, which ends this run as a crash does.
    fn blink(&mut self, wish: Wish) -> Result<(), HostError> {
        self.world.until_turn(wish).map_err(|broken| {
            self.broken = Some(broken);
            self.is_crashed = true;
            HostError::Crashed
        })
    }

    fn look_at_generation(
        &mut self,
        master: &Identity,
        listeners: Option<&[u64]>,
    ) -> Result<Option<Generation>, HostError> {
        let pid = Pid(master.pid);
        // Asleep first: what was sent before is then done, and its effect is in what follows.
        let is_asleep = self.world.state.kernel.process(pid).is_some_and(Proc::is_asleep);
        self.blink(Wish::Act(Act::LookChildren))?;
        let pids: Vec<Pid> = self
            .world
            .state
            .kernel
            .processes()
            .filter(|child| child.parent == pid)
            .map(|child| child.pid)
            .collect();
        self.blink(Wish::Act(Act::LookChild))?;
        let kernel = &self.world.state.kernel;
        let children: Vec<Process> =
            pids.iter().filter_map(|&pid| kernel.process(pid)).filter_map(look).collect();
        let Some(seen) = kernel.process(pid).and_then(look) else { return Ok(None) };
        let is_asleep = is_asleep && children.len() == pids.len();
        let Some(listeners) = listeners else {
            return Ok(Some(Generation { master: seen, is_asleep, children, unserved: None }));
        };
        self.blink(Wish::Act(Act::LookListeners))?;
        let kernel = &self.world.state.kernel;
        let serves = |child: &Process, socket: u64| {
            child.title == Title::Worker
                && kernel.process(Pid(child.identity.pid)).is_some_and(|process| {
                    process.watches.iter().any(|&(fd, _)| process.socket(fd).map(u64::from) == Some(socket))
                })
        };
        let unserved =
            listeners.iter().copied().filter(|&socket| !children.iter().any(|child| serves(child, socket)));
        let unserved = Some(unserved.collect());
        Ok(Some(Generation { master: seen, is_asleep, children, unserved }))
    }

    fn orphans(
        &self,
        (new, kin): (FileId, &[FileId]),
        listeners: &[u64],
        known: &[Identity],
    ) -> Vec<Process> {
        let kernel = &self.world.state.kernel;
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

    fn act(&mut self, action: &Action) -> Result<Reply, HostError> {
        match action {
            Action::Note => Ok(Reply::Done),
            Action::Replace(side) => {
                let link = match side {
                    Side::Old => self.old_link,
                    Side::New => self.new_link,
                };
                self.full_disk("replacing the binary")?;
                let done = self.world.change(|kernel, around| {
                    kernel.files_mut().link(link, Path::BESIDE)?;
                    kernel.rename(Path::BESIDE, Path::BINARY, around)?;
                    // rename does nothing if both are already the same file.
                    let _ = kernel.unlink(Path::BESIDE, around);
                    Ok::<(), fake_nginx::machine::Errno>(())
                });
                done.map_err(|errno| HostError::os("replacing the binary", errno))?;
                Ok(Reply::Done)
            }
            Action::Signal { while_lives: Some(master), .. } if !self.lives(master) => Ok(Reply::Gone),
            Action::Signal { process, signal, .. } => Ok(self.signal(process, *signal)),
            Action::SignalOrphans { processes, signal, while_lives } => {
                for process in processes {
                    if !self.lives(while_lives) {
                        return Ok(Reply::Gone);
                    }
                    self.signal(process, *signal);
                    self.blink(Wish::Act(Act::SendOrphans))?;
                }
                Ok(Reply::Done)
            }
            Action::RemoveOldbin => {
                let done = self.world.change(|kernel, around| kernel.unlink(Path::OLDBIN, around));
                done.map_err(|errno| HostError::os("removing the oldbin file", errno))?;
                Ok(Reply::Done)
            }
            Action::RenameOldbinBack => {
                let done = self.world.change(|kernel, around| kernel.rename(Path::OLDBIN, Path::PID, around));
                done.map_err(|errno| HostError::os("renaming the oldbin file back", errno))?;
                Ok(Reply::Done)
            }
        }
    }

    /// The youngest who accepts answers: a probe asks whether the new ones do.
    fn probe(&self) -> Result<u16, String> {
        if !self.world.fresh_connection_finds_worker() {
            return Err("nobody accepts".to_owned());
        }
        let youngest = self.world.state.kernel.living().filter(|process| process.is_accepting()).last();
        let image = youngest.map(|worker| &self.world.setting.images[usize::from(worker.image)]);
        Ok(image.and_then(Image::forced_status).unwrap_or(200))
    }

    fn lives(&self, identity: &Identity) -> bool {
        self.world.state.kernel.process(Pid(identity.pid)).is_some_and(Proc::is_alive)
    }

    /// Only the process that still has the whole identity gets the signal.
    fn signal(&mut self, identity: &Identity, signal: machine::Signal) -> Reply {
        let process = self.world.state.kernel.process(Pid(identity.pid)).filter(|process| process.is_alive());
        let is_it = process
            .is_some_and(|process| identity.exe.is_none() || identity.exe == Some(file_id(process.exe)));
        if !is_it {
            return Reply::Gone;
        }
        let pid = Pid(identity.pid);
        self.world.change(|kernel, around| kernel.kill(LABORATORY, pid, number(signal), around));
        Reply::Done
    }

    fn full_disk(&mut self, what: &str) -> Result<(), HostError> {
        if self.world.take_struck(Fault::FullDisk) {
            return Err(HostError::os(what, "No space left on device"));
        }
        Ok(())
    }

    fn save(&mut self, memory: &Memory) -> Result<Reply, HostError> {
        self.full_disk("writing the journal")?;
        self.world.state.journal = Some(Arc::new((self.plan.clone(), memory.clone())));
        Ok(Reply::Done)
    }
}

impl Host for ModelHost<'_, '_> {
    fn call(&mut self, call: Call) -> Result<Reply, HostError> {
        if self.is_crashed {
            return Err(HostError::Crashed);
        }
        self.calls += 1;
        let waits = matches!(call, Call::Wait { .. });
        if !waits {
            self.blink(Wish::Act(act_of(&call)))?;
        }
        if self.world.take_struck(Fault::Crash) || self.crash_at == Some(self.calls) {
            self.is_crashed = true;
            return Err(HostError::Crashed);
        }
        let kernel = &self.world.state.kernel;
        Ok(match call {
            Call::Now => {
                self.world.looks();
                self.is_interrupted |= self.world.take_struck(Fault::Interrupt);
                Reply::Now { now_us: self.world.now_ms() * 1_000, is_interrupted: self.is_interrupted }
            }
            Call::ReadPidFile(Side::New) => Reply::PidFile(pid_file(kernel.files().read(Path::PID))),
            Call::ReadPidFile(Side::Old) => Reply::PidFile(pid_file(kernel.files().read(Path::OLDBIN))),
            Call::LookAtBinary => Reply::Binary(kernel.files().at(Path::BINARY).map(file_id)),
            Call::LookAtGeneration { master, listeners } => {
                Reply::Generation(self.look_at_generation(&master, listeners.as_deref())?)
            }
            Call::FindOrphans { new, kin, listeners, known } => {
                Reply::Processes(self.orphans((new, &kin), &listeners, &known))
            }
            Call::Probe { .. } => Reply::Probe(self.probe()),
            Call::Act(action) => self.act(&action)?,
            Call::Save(memory) => self.save(&memory)?,
            Call::Wait { until_ms, .. } => {
                self.blink(Wish::Change(until_ms))?;
                Reply::Done
            }
        })
    }
}

/// The word for a call.
pub(crate) const fn act_of(call: &Call) -> Act {
    match call {
        Call::Act(Action::Replace(_)) => Act::Replace,
        Call::Act(Action::RemoveOldbin | Action::RenameOldbinBack) => Act::MendPid,
        Call::Act(Action::SignalOrphans { .. }) => Act::SendOrphans,
        Call::Act(Action::Signal { signal, .. }) => match signal {
            machine::Signal::Hup => Act::SendHup,
            machine::Signal::Quit => Act::SendQuit,
            machine::Signal::Term => Act::SendTerm,
            machine::Signal::Kill => Act::SendKill,
            machine::Signal::Usr2 => Act::SendUsr2,
            machine::Signal::Winch => Act::SendWinch,
        },
        Call::Act(Action::Note) => Act::Note,
        Call::Save(_) => Act::Save,
        Call::Now => Act::AskTime,
        Call::ReadPidFile(_) => Act::LookPid,
        Call::LookAtBinary => Act::LookBinary,
        Call::LookAtGeneration { .. } => Act::LookMaster,
        Call::FindOrphans { .. } => Act::LookOrphans,
        Call::Probe { .. } => Act::Probe,
        Call::Wait { .. } => Act::Rest,
    }
}

/// What a process shows; zombies are none.
pub(super) fn look(process: &Proc) -> Option<Process> {
    let title = match process.shown {
        Shown::CommandLine => Title::Other,
        Shown::MASTER => Title::Master,
        Shown::WORKER => Title::Worker,
        Shown::SHUTTING_DOWN => Title::ShuttingDown,
    };
    process.is_alive().then(|| Process { identity: identity(process), title })
}

/// Who a process is. Pids are never used again here, so the pid says when it was born.
pub(super) fn identity(process: &Proc) -> Identity {
    let Pid(pid) = process.pid;
    Identity { pid, started: u64::from(pid), exe: Some(file_id(process.exe)) }
}

pub(super) const fn file_id(Inode(inode): Inode) -> FileId {
    FileId { device: DEVICE, inode: inode as u64 }
}

/// What a pid file holds.
pub(super) const fn pid_file(content: Option<Content>) -> machine::PidFile {
    match content {
        None => machine::PidFile::Absent,
        Some(Content::Empty) => machine::PidFile::Empty,
        Some(Content::Pid(Pid(pid))) => machine::PidFile::Pid(pid),
        Some(Content::Image(_) | Content::Garbage) => machine::PidFile::Garbage,
    }
}

const fn number(signal: machine::Signal) -> Signal {
    match signal {
        machine::Signal::Hup => Signal::Hup,
        machine::Signal::Quit => Signal::Quit,
        machine::Signal::Term => Signal::Term,
        machine::Signal::Kill => Signal::Kill,
        machine::Signal::Usr2 => Signal::Usr2,
        machine::Signal::Winch => Signal::Winch,
    }
}
