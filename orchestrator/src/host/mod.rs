//! The seam between the machine and the world: one choke point, [`Host::call`], and typed sugar over it.
//!
//! `linux` answers from the machine that we run on, the laboratory's model from memory. Because every look
//! and every action is one [`Call`], a trace, a recorded run, an injected error and a crash at any instant
//! are each one small wrapper.

mod call;
pub mod linux;
mod traced;

pub use call::{Call, HostError, Reply};
pub use traced::Traced;

use crate::machine::{Action, FileId, Generation, Identity, Memory, PidFile, Process, Side, Waiting};

/// Everything that the orchestrator may ask of the world. Nothing else reaches it.
pub trait Host {
    /// Carries out one call. `Done` to a signal means sent, not that it took effect: look again to learn that.
    ///
    /// # Errors
    /// [`HostError::Os`] is the call's own failure; a missing process or file is a reply, not an error.
    /// [`HostError::Crashed`] is sticky: after it, every call returns it.
    fn call(&mut self, call: Call) -> Result<Reply, HostError>;
}

macro_rules! expect {
    ($reply:expr, $pattern:pat => $value:expr) => {
        match $reply {
            $pattern => Ok($value),
            other => unreachable!("not an answer to this call: {other:?}"),
        }
    };
}

/// The sugar: one method per call.
///
/// Each method fails as [`Host::call`] does.
#[expect(clippy::missing_errors_doc, reason = "they all fail as `Host::call` does, as the trait says")]
pub trait HostExt: Host {
    /// The time in microseconds since some instant of this boot, and whether the operator asked to stop.
    fn now(&mut self) -> Result<(u64, bool), HostError> {
        expect!(self.call(Call::Now)?, Reply::Now { now_us, is_interrupted } => (now_us, is_interrupted))
    }

    /// What the pid file (old side: the oldbin file) holds.
    fn pid_file(&mut self, side: Side) -> Result<PidFile, HostError> {
        expect!(self.call(Call::ReadPidFile(side))?, Reply::PidFile(content) => content)
    }

    /// The file at the binary's path.
    fn binary(&mut self) -> Result<Option<FileId>, HostError> {
        expect!(self.call(Call::LookAtBinary)?, Reply::Binary(file) => file)
    }

    /// A master and its children; `None`: it is gone.
    fn generation(
        &mut self,
        master: &Identity,
        listeners: Option<&[u64]>,
    ) -> Result<Option<Generation>, HostError> {
        let call =
            Call::LookAtGeneration { master: master.clone(), listeners: listeners.map(<[u64]>::to_vec) };
        expect!(self.call(call)?, Reply::Generation(generation) => generation)
    }

    /// Workers without a master.
    fn orphans(
        &mut self,
        new: FileId,
        kin: Vec<FileId>,
        listeners: &[u64],
        known: Vec<Identity>,
    ) -> Result<Vec<Process>, HostError> {
        let call = Call::FindOrphans { new, kin, listeners: listeners.to_vec(), known };
        expect!(self.call(call)?, Reply::Processes(processes) => processes)
    }

    /// One request: its status and how many microseconds it took. `Err` inside: how it failed.
    fn probe(&mut self, url: &str) -> Result<Result<(u16, u64), String>, HostError> {
        expect!(self.call(Call::Probe { url: url.to_owned() })?, Reply::Probe(answer) => answer)
    }

    /// One command of the operator's. `Err` inside: how it failed.
    fn check(&mut self, command: &str) -> Result<Result<(), String>, HostError> {
        expect!(self.call(Call::Check { command: command.to_owned() })?, Reply::Check(ended) => ended)
    }

    /// The addresses of those sockets from which none of the workers takes a connection.
    fn knock(&mut self, listeners: &[u64], workers: Vec<Identity>) -> Result<Vec<String>, HostError> {
        let call = Call::Knock { listeners: listeners.to_vec(), workers };
        expect!(self.call(call)?, Reply::Untaken(addresses) => addresses)
    }

    /// What has gone wrong since preflight, as these processes and the kernel tell.
    fn troubles(&mut self, pids: Vec<u32>) -> Result<Vec<String>, HostError> {
        expect!(self.call(Call::ReadTroubles { pids })?, Reply::Troubles(troubles) => troubles)
    }

    /// One change of the world; `false`: it was not made, because its precondition holds no more.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other reply is the host's mistake")]
    fn act(&mut self, action: &Action) -> Result<bool, HostError> {
        match self.call(Call::Act(action.clone()))? {
            Reply::Done => Ok(true),
            Reply::Gone => Ok(false),
            other => unreachable!("not an answer to this call: {other:?}"),
        }
    }

    /// Puts the memory on disk.
    fn save(&mut self, memory: &Memory) -> Result<(), HostError> {
        expect!(self.call(Call::Save(Box::new(memory.clone())))?, Reply::Done => ())
    }

    /// Waits until something may have changed, at the latest until `until_ms`.
    fn wait(&mut self, until_ms: u64, why: &Waiting, watch: Vec<Identity>) -> Result<(), HostError> {
        expect!(self.call(Call::Wait { until_ms, why: why.clone(), watch })?, Reply::Done => ())
    }
}

impl<H: Host + ?Sized> HostExt for H {}

impl<H: Host + ?Sized> Host for &mut H {
    fn call(&mut self, call: Call) -> Result<Reply, HostError> {
        (**self).call(call)
    }
}
