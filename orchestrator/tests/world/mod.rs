//! A small nginx in memory, just enough to kill `oldbin` at every call. The laboratory's model is the real
//! one; this one keeps the crate's own tests fast and alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use orchestrator::host::{Call, Host, HostError, Reply};
use orchestrator::machine::{
    Action, Baseline, Defects, FileId, Generation, Goal, Identity, Intent, Memory, Options, PidFile, Plan,
    Process, Side, Signal, Title,
};

pub(crate) const OLD_FILE: FileId = FileId { device: 1, inode: 10 };
pub(crate) const NEW_FILE: FileId = FileId { device: 1, inode: 20 };
const OLD_MASTER: u32 = 100;
const LISTENER: u64 = 77;
const WORKERS: u16 = 2;

/// What is wrong with the new binary, or with the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    ExitsAtStart,
    NeverReady,
    WorkersDieAtStart,
    MasterDiesAfterWinch,
    WorkerDiesAfterWinch,
    MasterKilledAfterWinch,
    IgnoresUsr2,
    JournalFailsAfter(u32),
}

/// When `oldbin` is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    Never,
    Before(u32),
    After(u32),
}

#[derive(Debug, Clone)]
struct Proc {
    exe: FileId,
    parent: u32,
    title: Title,
    pending: BTreeSet<Signal>,
    /// Looks until it acts on what is pending, or has started.
    lag: u32,
    is_noaccepting: bool,
    has_new: Option<u32>,
}

pub(crate) struct World {
    pub(crate) fault: Fault,
    pub(crate) crash: Crash,
    pub(crate) calls: u32,
    /// How many calls a master sleeps through before it acts.
    pub(crate) lag: u32,
    pub(crate) saved: Option<Memory>,
    pub(crate) signals: Vec<(u32, Signal)>,
    pub(crate) interrupt_at: Option<u32>,
    /// The longest time without any worker that accepts, in calls.
    pub(crate) is_deaf: bool,
    pub(crate) max_old_workers: usize,
    is_crashed: bool,
    now_us: u64,
    pid_file: PidFile,
    oldbin: PidFile,
    binary: FileId,
    procs: BTreeMap<u32, Proc>,
    next_pid: u32,
    saves: u32,
}

impl World {
    pub(crate) fn new(fault: Fault, lag: u32) -> Self {
        let mut world = Self {
            fault,
            crash: Crash::Never,
            calls: 0,
            lag,
            saved: None,
            signals: Vec::new(),
            interrupt_at: None,
            is_deaf: false,
            max_old_workers: 0,
            is_crashed: false,
            now_us: 1_000_000,
            pid_file: PidFile::Pid(OLD_MASTER),
            oldbin: PidFile::Absent,
            binary: OLD_FILE,
            procs: BTreeMap::new(),
            next_pid: 200,
            saves: 0,
        };
        world.procs.insert(OLD_MASTER, process(OLD_FILE, 1, Title::Master));
        world.start_workers(OLD_MASTER);
        world
    }

    /// `oldbin` is started again.
    pub(crate) fn revive(&mut self) {
        self.is_crashed = false;
        self.crash = Crash::Never;
    }

    pub(crate) fn is_upgraded(&self) -> bool {
        self.is_single(NEW_FILE)
    }

    pub(crate) fn is_rolled_back(&self) -> bool {
        self.is_single(OLD_FILE)
    }

    /// One master, its workers, its pid file, its file, and nobody else.
    fn is_single(&self, file: FileId) -> bool {
        let masters: Vec<_> = self.procs.iter().filter(|(_, p)| p.title == Title::Master).collect();
        let [(&master, state)] = masters[..] else { return false };
        state.exe == file
            && self.binary == file
            && self.pid_file == PidFile::Pid(master)
            && self.oldbin == PidFile::Absent
            && self.procs.len() == 1 + usize::from(WORKERS)
            && self.workers(master).len() == usize::from(WORKERS)
    }

    fn workers(&self, master: u32) -> Vec<u32> {
        let is_its = |p: &Proc| p.parent == master && p.title == Title::Worker;
        self.procs.iter().filter(|(_, p)| is_its(p)).map(|(&pid, _)| pid).collect()
    }

    fn start_workers(&mut self, master: u32) {
        let exe = self.procs[&master].exe;
        for _ in 0..WORKERS {
            let pid = self.pid();
            self.procs.insert(pid, process(exe, master, Title::Worker));
        }
    }

    fn pid(&mut self) -> u32 {
        self.next_pid += 1;
        self.next_pid
    }

    /// Every process that is due acts.
    fn turn(&mut self) {
        for pid in self.procs.keys().copied().collect::<Vec<_>>() {
            let Some(p) = self.procs.get_mut(&pid) else { continue };
            if p.lag > 0 {
                p.lag -= 1;
                continue;
            }
            match p.title {
                Title::Other => self.finish_start(pid),
                Title::Master => self.wake(pid),
                Title::Worker if p.pending.contains(&Signal::Quit) => {
                    self.procs.remove(&pid);
                }
                Title::Worker | Title::ShuttingDown | Title::Helper => {}
            }
        }
        let is_accepting = self.procs.values().any(|p| p.title == Title::Worker);
        self.is_deaf |= !is_accepting;
        self.max_old_workers = self.max_old_workers.max(self.workers(OLD_MASTER).len());
    }

    fn finish_start(&mut self, pid: u32) {
        match self.fault {
            Fault::ExitsAtStart => self.end(pid),
            Fault::NeverReady => {}
            _ => {
                self.pid_file = PidFile::Pid(pid);
                self.procs.get_mut(&pid).unwrap().title = Title::Master;
                if self.fault != Fault::WorkersDieAtStart {
                    self.start_workers(pid);
                }
            }
        }
    }

    fn wake(&mut self, pid: u32) {
        let p = self.procs.get_mut(&pid).unwrap();
        let pending = std::mem::take(&mut p.pending);
        let has_new = p.has_new.is_some();
        let exe = p.exe;
        let parent = p.parent;
        if pending.contains(&Signal::Quit) || pending.contains(&Signal::Term) {
            for worker in self.workers(pid) {
                self.procs.remove(&worker);
            }
            self.end(pid);
            return;
        }
        if pending.contains(&Signal::Hup) {
            if !has_new {
                for worker in self.workers(pid) {
                    self.procs.remove(&worker);
                }
            }
            self.procs.get_mut(&pid).unwrap().is_noaccepting = false;
            self.start_workers(pid);
        }
        let is_child_of_master = self.procs.contains_key(&parent);
        if pending.contains(&Signal::Usr2)
            && !has_new
            && !is_child_of_master
            && self.fault != Fault::IgnoresUsr2
        {
            self.oldbin = self.pid_file;
            self.pid_file = PidFile::Absent;
            let child = self.pid();
            let mut new = process(self.binary, pid, Title::Other);
            new.lag = self.lag;
            self.procs.insert(child, new);
            self.procs.get_mut(&pid).unwrap().has_new = Some(child);
        }
        if pending.contains(&Signal::Winch) {
            for worker in self.workers(pid) {
                self.procs.remove(&worker);
            }
            self.procs.get_mut(&pid).unwrap().is_noaccepting = true;
            if exe == OLD_FILE {
                self.after_winch();
            }
        }
    }

    fn after_winch(&mut self) {
        let Some(new) = self.procs[&OLD_MASTER].has_new else { return };
        match self.fault {
            Fault::MasterDiesAfterWinch => {
                for worker in self.workers(new) {
                    self.procs.remove(&worker);
                }
                self.end(new);
            }
            Fault::MasterKilledAfterWinch => self.end(new),
            Fault::WorkerDiesAfterWinch => {
                let worker = self.workers(new)[0];
                self.procs.remove(&worker);
                let again = self.pid();
                self.procs.insert(again, process(NEW_FILE, new, Title::Worker));
            }
            _ => {}
        }
    }

    /// A master ends; the other one notices at once, as its SIGCHLD is the next thing that it sees.
    fn end(&mut self, pid: u32) {
        let Some(gone) = self.procs.remove(&pid) else { return };
        for p in self.procs.values_mut().filter(|p| p.parent == pid) {
            p.parent = 1;
        }
        match gone.has_new {
            Some(_) => self.oldbin = PidFile::Absent,
            None if self.pid_file == PidFile::Pid(pid) => self.pid_file = PidFile::Absent,
            None => {}
        }
        if let Some(old) = self.procs.get_mut(&gone.parent).filter(|p| p.has_new == Some(pid)) {
            old.has_new = None;
            self.pid_file = self.oldbin;
            self.oldbin = PidFile::Absent;
            if std::mem::take(&mut old.is_noaccepting) {
                self.start_workers(gone.parent);
            }
        }
    }

    fn look(&self, pid: u32) -> Option<Process> {
        let p = self.procs.get(&pid)?;
        let identity = Identity { pid, started: u64::from(pid), exe: Some(p.exe) };
        Some(Process { identity, title: p.title })
    }

    fn generation(&self, master: u32, listeners: Option<Vec<u64>>) -> Option<Generation> {
        let p = self.procs.get(&master)?;
        let children = self.procs.iter().filter(|(_, p)| p.parent == master);
        let children: Vec<_> = children.filter_map(|(&pid, _)| self.look(pid)).collect();
        let is_served = children.iter().any(|child| child.title == Title::Worker);
        let unserved = listeners.map(|all| if is_served { Vec::new() } else { all });
        let is_asleep = p.title == Title::Master && p.pending.is_empty();
        Some(Generation { master: self.look(master)?, is_asleep, children, unserved })
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Note => {}
            Action::Replace(Side::Old) => self.binary = OLD_FILE,
            Action::Replace(Side::New) => self.binary = NEW_FILE,
            Action::Signal { process, signal, .. } => self.signal(process.pid, signal),
            Action::SignalOrphans { processes, signal, .. } => {
                for process in processes {
                    self.signal(process.pid, signal);
                }
            }
            Action::RemoveOldbin => self.oldbin = PidFile::Absent,
            Action::RenameOldbinBack => {
                self.pid_file = std::mem::replace(&mut self.oldbin, PidFile::Absent);
            }
        }
    }

    fn signal(&mut self, pid: u32, signal: Signal) {
        self.signals.push((pid, signal));
        if signal == Signal::Kill {
            self.end(pid);
            return;
        }
        let lag = self.lag;
        if let Some(p) = self.procs.get_mut(&pid) {
            p.pending.insert(signal);
            p.lag = p.lag.max(lag);
        }
    }

    fn answer(&mut self, call: Call) -> Result<Reply, HostError> {
        Ok(match call {
            Call::Now => Reply::Now {
                now_us: self.now_us,
                is_interrupted: self.interrupt_at.is_some_and(|at| self.calls >= at),
            },
            Call::ReadPidFile(Side::New) => Reply::PidFile(self.pid_file),
            Call::ReadPidFile(Side::Old) => Reply::PidFile(self.oldbin),
            Call::LookAtBinary => Reply::Binary(Some(self.binary)),
            Call::LookAtGeneration { master, listeners } => {
                Reply::Generation(self.generation(master.pid, listeners))
            }
            Call::FindOrphans { new: exe, .. } => {
                let is_orphan = |p: &Proc| p.parent == 1 && p.title == Title::Worker && p.exe == exe;
                let pids = self.procs.iter().filter(|(_, p)| is_orphan(p)).map(|(&pid, _)| pid);
                Reply::Processes(pids.filter_map(|pid| self.look(pid)).collect())
            }
            Call::Probe { .. } => Reply::Probe(Ok((200, 0))),
            Call::Check { .. } => Reply::Check(Ok(())),
            Call::Knock { .. } => Reply::Untaken(Vec::new()),
            Call::ReadTroubles { .. } => Reply::Troubles(Vec::new()),
            Call::Act(action) => {
                self.act(action);
                Reply::Done
            }
            Call::Save(memory) => {
                self.saves += 1;
                if matches!(self.fault, Fault::JournalFailsAfter(count) if self.saves > count) {
                    return Err(HostError::os("writing the journal", "No space left on device"));
                }
                self.saved = Some(*memory);
                Reply::Done
            }
            Call::Wait { until_ms, .. } => {
                self.now_us = (self.now_us + 5_000).min(until_ms.saturating_mul(1_000)).max(self.now_us + 1);
                Reply::Done
            }
        })
    }
}

impl Host for World {
    fn call(&mut self, call: Call) -> Result<Reply, HostError> {
        assert!(self.calls < 200_000, "it never ends");
        if self.is_crashed {
            return Err(HostError::Crashed);
        }
        self.calls += 1;
        if self.crash == Crash::Before(self.calls) {
            self.is_crashed = true;
            return Err(HostError::Crashed);
        }
        self.now_us += 20;
        self.turn();
        let reply = self.answer(call);
        if self.crash == Crash::After(self.calls) {
            self.is_crashed = true;
            return Err(HostError::Crashed);
        }
        reply
    }
}

fn process(exe: FileId, parent: u32, title: Title) -> Proc {
    Proc { exe, parent, title, pending: BTreeSet::new(), lag: 0, is_noaccepting: false, has_new: None }
}

pub(crate) fn intent(goal: Goal, is_held: bool, soak_ms: u64) -> Intent {
    let plan = Plan {
        pid_file: PathBuf::from("/run/nginx.pid"),
        binary: PathBuf::from("/usr/sbin/nginx"),
        old_link: PathBuf::from("/usr/sbin/.nginx.oldbin-old"),
        new_link: PathBuf::from("/usr/sbin/.nginx.oldbin-new"),
        binary_before: OLD_FILE,
        old_file: OLD_FILE,
        new_file: NEW_FILE,
        old: Identity { pid: OLD_MASTER, started: u64::from(OLD_MASTER), exe: Some(OLD_FILE) },
        old_workers: WORKERS,
        new_workers: WORKERS,
        listeners: vec![LISTENER],
        oldbin_before: PidFile::Absent,
        old_version: "1.22.1".to_owned(),
        new_version: "1.26.3".to_owned(),
        baseline: Baseline::default(),
        options: Options { soak_ms, is_held, ready_within_ms: 2_000, ..Options::NONE },
    };
    Intent { goal, plan, defects: Defects::default() }
}
