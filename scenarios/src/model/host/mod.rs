//! The orchestrator's `Host` on the simulated kernel: the simulator is inside the call.
//!
//! Before each call, and between the looks that one call takes on Linux, the world moves for as long as the
//! chooser likes. A crash strikes between two calls; from then on every call fails with the same error. What
//! was saved stays: the journal is part of the world, not of the host.

mod under_way;

use fake_nginx::machine::{Pid, Signal};
use orchestrator::host::{Call, Host, HostError, Reply};
use orchestrator::machine::{self as machine, Action, FileId, Identity, Intent, Plan, Process, Title};

use super::choice::Act;
use super::fault::Fault;
use super::kernel::{Content, Inode, Proc, Shown};
#[cfg(test)]
use super::world::Told;
use super::world::{Broken, World};

pub(super) use under_way::{Run, UnderWay};

/// The only file system.
const DEVICE: u64 = 1;

/// One run of `oldbin` in a model world.
pub(super) struct ModelHost<'a, 'c> {
    pub(super) world: &'a mut World<'c>,
    plan: Plan,
    run: Run,
    /// How many calls were made.
    calls: u32,
    /// At which call it is killed, if it is.
    crash_at: Option<u32>,
    is_crashed: bool,
    /// Why the world cannot go on.
    pub(super) broken: Option<Broken>,
}

impl<'a, 'c> ModelHost<'a, 'c> {
    pub(super) fn new(world: &'a mut World<'c>, intent: &Intent, crash_at: Option<u32>) -> Self {
        let run = Run::new(world, intent);
        let plan = intent.plan.clone();
        Self { world, plan, run, calls: 0, crash_at, is_crashed: false, broken: None }
    }

    /// The world moves until the call may go on; or it cannot any more, or the power has failed, which ends this run as a
    /// crash does.
    fn blink(&mut self, call: &UnderWay) -> Result<(), HostError> {
        self.world.until_turn(call.wish()).map_err(|broken| {
            self.broken = Some(broken);
            self.is_crashed = true;
            HostError::Crashed
        })?;
        self.is_crashed |= self.world.take_lost_power();
        if self.is_crashed { Err(HostError::Crashed) } else { Ok(()) }
    }

    fn survives(&mut self) -> Result<(), HostError> {
        if self.world.take_struck(Fault::Crash) || self.crash_at == Some(self.calls) {
            self.is_crashed = true;
            return Err(HostError::Crashed);
        }
        Ok(())
    }
}

impl Host for ModelHost<'_, '_> {
    fn call(&mut self, call: Call) -> Result<Reply, HostError> {
        if self.is_crashed {
            return Err(HostError::Crashed);
        }
        self.calls += 1;
        #[cfg(test)]
        self.world.is_told(Told::Calls(&call));
        let waits = matches!(call, Call::Wait { .. });
        let mut call = UnderWay::new(call);
        if waits {
            self.survives()?;
            self.blink(&call)?;
        } else {
            self.blink(&call)?;
            self.survives()?;
        }
        loop {
            let answer = call.go(self.world, &self.plan, &mut self.run);
            #[cfg(test)]
            self.world.is_told(answer.as_ref().map_or(Told::Sees(&call), Told::Answer));
            if let Some(answer) = answer {
                return answer;
            }
            self.blink(&call)?;
        }
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
            machine::Signal::Io => Act::SendIo,
        },
        Call::Act(Action::Note) => Act::Note,
        Call::Save(_) => Act::Save,
        Call::Now => Act::AskTime,
        Call::ReadPidFile(_) => Act::LookPid,
        Call::LookAtBinary => Act::LookBinary,
        Call::LookAtGeneration { .. } => Act::LookMaster,
        Call::FindOrphans { .. } => Act::LookOrphans,
        Call::Probe { .. } | Call::Check { .. } | Call::Knock { .. } | Call::ReadTroubles { .. } => {
            Act::Probe
        }
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

/// Who a process is.
pub(super) fn identity(process: &Proc) -> Identity {
    let Proc { pid: Pid(pid), born, .. } = *process;
    Identity { pid, started: u64::from(born), exe: Some(file_id(process.exe)) }
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
        machine::Signal::Io => Signal::Io,
    }
}
