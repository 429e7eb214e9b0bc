//! Linux: pidfds, /proc, inotify and the socket tables.

mod command;
mod files;
mod knock;
mod probe;
mod process;
mod socket_diag;
mod sockets;
mod troubles;
mod wait;

pub(crate) use command::{Ran, check, run_as_owner, run_bare};
pub(crate) use files::{
    PLAIN, beside, file_at, in_real_folder, oldbin_path, open_plain, read_pid_file, replace, sync_folder,
};
pub(crate) use knock::{taken, untaken};
pub(crate) use probe::{Target, is_good};
pub use process::children_of_thread;
pub(crate) use process::{
    all, children, command_line, ends_within, exe, file_id, has_master, is_asleep_in_sigsuspend, look, owner,
    stat, title,
};
pub use socket_diag::SocketDiag;
pub(crate) use sockets::{accepted_by, connections, listeners, named_listeners};
pub(crate) use troubles::{dropped, lines_since, mark, tail};
pub(crate) use wait::Handles;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;

use rustix::process::{Signal as Number, pidfd_send_signal};

use self::wait::Waiter;
use super::{Call, Host, HostError, Reply};
use crate::journal::{Entry, Journal, SCHEMA};
use crate::machine::{
    Action, Baseline, FileId, Generation, Identity, Memory, PidFile, Plan, Process, Side, Signal, Title,
    Waiting,
};

/// How many dropped connections are told one by one: enough for any error budget.
const DROPS_TOLD_MAX: usize = 1_000;

/// The machine that we run on.
pub struct Linux {
    plan: Plan,
    journal: Option<(Journal, String)>,
    handles: Handles,
    epolls: BTreeMap<(u32, u64), Vec<u32>>,
    waiter: Waiter,
}

/// Microseconds of the monotonic clock: the same for every process until the next boot.
#[must_use]
pub fn now_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000
}

/// The name of this boot.
#[must_use]
pub fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

impl Linux {
    /// A host for one plan. From here on Ctrl-C, TERM and HUP are told to the machine and do not end this
    /// process.
    #[must_use]
    pub fn new(plan: Plan, journal: Journal) -> Self {
        let mut handles = Handles::default();
        let _ = handles.hold(&plan.old);
        let waiter = Waiter::new(&plan.pid_file, true);
        Self { journal: Some((journal, boot())), handles, epolls: BTreeMap::new(), waiter, plan }
    }

    /// A host that only looks: nothing is written, and Ctrl-C ends the process as usual.
    #[must_use]
    pub fn looking(plan: Plan) -> Self {
        let waiter = Waiter::new(&plan.pid_file, false);
        Self { journal: None, handles: Handles::default(), epolls: BTreeMap::new(), waiter, plan }
    }

    fn look_at_generation(&mut self, master: &Identity, listeners: Option<&[u64]>) -> Option<Generation> {
        let _ = self.handles.hold(master);
        // Asleep first: what was sent before is then done, and its effect is in what follows.
        let is_asleep = is_asleep_in_sigsuspend(master.pid);
        let pids = children(master.pid);
        let children: Vec<_> = pids.iter().filter_map(|&pid| look(pid)).collect();
        let seen = look(master.pid).filter(|now| now.identity.started == master.started)?;
        for child in &children {
            let _ = self.handles.hold(&child.identity);
        }
        // A child that has ended and is not reaped is work that the master still has before it.
        let is_asleep = is_asleep && children.len() == pids.len();
        let unserved = listeners.and_then(|listeners| {
            // Whatever the new configuration listens on too: the kernel may give any of them a connection.
            let mut all = self::listeners(master.pid);
            all.extend(listeners);
            all.sort_unstable();
            all.dedup();
            self.unserved(&children, &all)
        });
        Some(Generation { master: seen, is_asleep, children, unserved })
    }

    /// Listeners that none of the workers accepts from; `None`: not allowed to see.
    fn unserved(&mut self, children: &[Process], listeners: &[u64]) -> Option<Vec<u64>> {
        let mut left = listeners.to_vec();
        for worker in children.iter().filter(|child| child.title == Title::Worker) {
            if left.is_empty() {
                break;
            }
            let served = self.accepts_from(&worker.identity)?;
            left.retain(|inode| !served.contains(inode));
        }
        Some(left)
    }

    fn accepts_from(&mut self, worker: &Identity) -> Option<Vec<u64>> {
        let key = (worker.pid, worker.started);
        if self.epolls.get(&key).is_none_or(Vec::is_empty) {
            // A worker that is just gone accepts from nothing; one that is alive and hidden is unknown.
            match sockets::epolls(worker.pid) {
                Some(epolls) => self.epolls.insert(key, epolls),
                None if process::is_alive(worker) => return None,
                None => return Some(Vec::new()),
            };
        }
        let epolls = self.epolls.get(&key)?;
        Some(epolls.iter().filter_map(|&fd| sockets::watched(worker.pid, fd)).flatten().collect())
    }

    /// What has gone wrong since preflight.
    fn troubles(&self, pids: &[u32]) -> Vec<String> {
        let Baseline { log, dropped: before, .. } = &self.plan.baseline;
        let mut troubles = log.as_ref().map(|mark| lines_since(mark, pids)).unwrap_or_default();
        let now = before.and_then(|_| dropped(&self.plan.listeners));
        let lost = now.zip(*before).map_or(0, |(now, before)| now.since(&before));
        let lost = usize::try_from(lost).unwrap_or(usize::MAX).min(DROPS_TOLD_MAX);
        troubles.extend(std::iter::repeat_n("a full queue dropped a connection".to_owned(), lost));
        troubles
    }

    fn signal(&mut self, identity: &Identity, signal: Signal) -> Result<Reply, HostError> {
        // The precondition, once more, at the last instant: the same process, executing the same file.
        let is_it =
            process::is_alive(identity) && (identity.exe.is_none() || exe(identity.pid) == identity.exe);
        let Some(handle) = self.handles.hold(identity).filter(|_| is_it) else { return Ok(Reply::Gone) };
        match pidfd_send_signal(handle, number(signal)) {
            Ok(()) => Ok(Reply::Done),
            Err(rustix::io::Errno::SRCH) => Ok(Reply::Gone),
            Err(error) => Err(HostError::os(format!("sending {signal} to {}", identity.pid), error)),
        }
    }

    fn act(&mut self, action: &Action) -> Result<Reply, HostError> {
        let pid_file = &self.plan.pid_file;
        match action {
            Action::Note => Ok(Reply::Done),
            // Once more, at the last instant: nobody else's file is written over.
            Action::Replace(_) if !self.plan.may_replace(file_at(&self.plan.binary)) => Ok(Reply::Gone),
            Action::Replace(side) => {
                let link = match side {
                    Side::Old => &self.plan.old_link,
                    Side::New => &self.plan.new_link,
                };
                replace(&self.plan.binary, link).map_err(|error| {
                    HostError::os(format!("replacing {}", self.plan.binary.display()), error)
                })?;
                Ok(Reply::Done)
            }
            Action::Signal { while_lives: Some(master), .. } if !process::is_alive(master) => Ok(Reply::Gone),
            Action::Signal { process, signal, .. } => self.signal(process, *signal),
            Action::SignalOrphans { processes, signal, while_lives } => {
                for process in processes {
                    if !process::is_alive(while_lives) {
                        return Ok(Reply::Gone);
                    }
                    self.signal(process, *signal)?;
                }
                Ok(Reply::Done)
            }
            Action::RemoveOldbin => match fs::remove_file(oldbin_path(pid_file)) {
                Ok(()) => Ok(Reply::Done),
                Err(error) => Err(HostError::os("removing the oldbin file", error)),
            },
            Action::RenameOldbinBack => match fs::rename(oldbin_path(pid_file), pid_file) {
                Ok(()) => Ok(Reply::Done),
                Err(error) => Err(HostError::os("renaming the oldbin file back", error)),
            },
        }
    }

    fn save(&mut self, memory: &Memory) -> Result<Reply, HostError> {
        let Some((journal, boot)) = &self.journal else { return Ok(Reply::Done) };
        let entry =
            Entry { schema: SCHEMA, boot: boot.clone(), plan: self.plan.clone(), memory: memory.clone() };
        journal.write(&entry).map_err(|error| HostError::os("writing the journal", error))?;
        Ok(Reply::Done)
    }

    fn wait(&mut self, until_ms: u64, why: &Waiting, watch: &[Identity]) -> Result<Reply, HostError> {
        let for_us = until_ms.saturating_mul(1_000).saturating_sub(now_us());
        let handles: Vec<&OwnedFd> = self.handles.of(watch).collect();
        self.waiter.wait(for_us, why, handles.into_iter())?;
        Ok(Reply::Done)
    }

    fn orphans(
        &mut self,
        (new, kin): (FileId, &[FileId]),
        listeners: &[u64],
        known: &[Identity],
    ) -> Vec<Process> {
        let is_orphan = |process: &Process| {
            let Identity { pid, exe, .. } = process.identity;
            let is_known = known.iter().any(|known| known.is_same_process(&process.identity));
            let is_ours = || {
                exe.is_some_and(|exe| exe == new || kin.contains(&exe))
                    && sockets::sockets_of(pid).iter().any(|socket| listeners.contains(socket))
            };
            let is_worker = matches!(process.title, Title::Worker | Title::ShuttingDown);
            let may_be_ours = process.title != Title::Other || exe == Some(new);
            (is_worker && (is_known || exe == Some(new)) || may_be_ours && is_ours()) && !has_master(pid)
        };
        let is_candidate = |pid: &u32| match title(*pid) {
            Title::Worker | Title::ShuttingDown | Title::Master => true,
            Title::Other => exe(*pid) == Some(new),
            Title::Helper => false,
        };
        let found: Vec<_> = all().filter(is_candidate).filter_map(look).filter(is_orphan).collect();
        for process in &found {
            let _ = self.handles.hold(&process.identity);
        }
        found
    }
}

impl Host for Linux {
    fn call(&mut self, call: Call) -> Result<Reply, HostError> {
        Ok(match call {
            Call::Now => Reply::Now { now_us: now_us(), is_interrupted: self.waiter.interrupted() },
            Call::ReadPidFile(side) => {
                let path = match side {
                    Side::New => self.plan.pid_file.clone(),
                    Side::Old => oldbin_path(&self.plan.pid_file),
                };
                // What cannot be read names nobody, and is no reason to stop half-way.
                Reply::PidFile(read_pid_file(&path).unwrap_or(PidFile::Garbage))
            }
            Call::LookAtBinary => Reply::Binary(file_at(&self.plan.binary)),
            Call::LookAtGeneration { master, listeners } => {
                Reply::Generation(self.look_at_generation(&master, listeners.as_deref()))
            }
            Call::FindOrphans { new, kin, listeners, known } => {
                Reply::Processes(self.orphans((new, &kin), &listeners, &known))
            }
            Call::Probe { url } => Reply::Probe(Target::parse(&url).and_then(|target| target.get())),
            Call::Check { command } => Reply::Check(check(&command)),
            Call::Knock { listeners, workers } => {
                Reply::Untaken(untaken(self.plan.old.pid, &listeners, &workers))
            }
            Call::ReadTroubles { pids } => Reply::Troubles(self.troubles(&pids)),
            Call::Act(action) => self.act(&action)?,
            Call::Save(memory) => self.save(&memory)?,
            Call::Wait { until_ms, why, watch } => self.wait(until_ms, &why, &watch)?,
        })
    }
}

fn number(signal: Signal) -> Number {
    match signal {
        Signal::Hup => Number::HUP,
        Signal::Quit => Number::QUIT,
        Signal::Term => Number::TERM,
        Signal::Kill => Number::KILL,
        Signal::Usr2 => Number::USR2,
        Signal::Winch => Number::WINCH,
        Signal::Io => Number::IO,
    }
}
