//! What somebody else has begun and not finished: a script that died, a person who was called away.
//!
//! No journal tells of it, so the plan is made from what runs, as if `oldbin` had come this far: the machine then goes
//! on from a memory that is true of what is seen. What can be found:
//!
//! | what runs | what is remembered |
//! |---|---|
//! | two masters, the old one with workers | USR2 was sent |
//! | two masters, the old one without | WINCH was sent |
//! | two masters, the old one holds no listener any more | QUIT was sent: the commit point is passed |
//! | a new master whose oldbin file names nobody | the old master was killed: beyond the commit point |
//! | a master without workers, or workers without a master | the new master is gone: on the way back |

use std::path::{Path, PathBuf};

use super::{count_workers, permitted, program, promised_workers, run, stage, workers};
use crate::discover::{Running, running};
use crate::host::linux::{
    all, children, exe, file_at, has_master, listeners, look, now_us, oldbin_path, read_pid_file, stat, title,
};
use crate::machine::{
    Baseline, Identity, Memory, Options, Phase, PidFile, Plan, Process, Reason, Retire, Retirement, Title,
};
use crate::refusal::Refusal;

/// An upgrade that `oldbin` did not begin.
#[derive(Debug)]
pub struct Adopted {
    /// Its facts.
    pub plan: Plan,
    /// How far it came.
    pub memory: Memory,
    /// What was found, for the operator.
    pub story: String,
}

/// Looks for an unfinished upgrade of the nginx with this pid file. `None`: there is none.
///
/// # Errors
/// A refusal, if there is one that cannot be followed; nothing was touched.
pub fn adopt(pid_file: &Path, options: &Options) -> Result<Option<Adopted>, Refusal> {
    let read = |path: PathBuf| {
        let content = read_pid_file(&path);
        content.map_err(|error| Refusal::BadPidFile { path, why: error.to_string() })
    };
    loop {
        let (named, reserve) = (read(pid_file.to_owned())?, read(oldbin_path(pid_file))?);
        let Some(found) = Found::look(named, reserve) else { return Ok(None) };
        let old = found.old().identity.clone();
        permitted(old.pid)?;
        let adopted = found.adopt(pid_file, options);
        // A master that was killed between two looks has no executable to ask: without it, it is another upgrade.
        let is_gone = || look(old.pid).is_none_or(|process| process.identity != old);
        if adopted.is_ok() || !is_gone() {
            return adopted.map(Some);
        }
    }
}

/// Who runs.
enum Found {
    /// Two masters, or a new binary that still loads.
    Two { old: Process, new: Process },
    /// The new master alone; the oldbin file names a process that is gone.
    NewAlone { new: Process, gone: u32 },
    /// A master without workers, or with orphans beside it.
    OldAlone { old: Process, orphans: Vec<Process> },
}

impl Found {
    fn look(named: PidFile, reserve: PidFile) -> Option<Self> {
        let master = |file| match file {
            // One that was killed a moment ago executes nothing any more.
            PidFile::Pid(pid) => {
                look(pid).filter(|process| process.title == Title::Master && process.identity.exe.is_some())
            }
            PidFile::Absent | PidFile::Empty | PidFile::Garbage => None,
        };
        let (current, old) = (master(named), master(reserve));
        let parent = |of: &Process| {
            let parent = look(stat(of.identity.pid)?.parent)?;
            (parent.title == Title::Master).then_some(parent)
        };
        let old = old.or_else(|| current.as_ref().and_then(parent)).or_else(|| current.clone())?;
        if let Some(new) = new_of(&old, named) {
            return Some(Self::Two { old, new });
        }
        if let PidFile::Pid(gone) = reserve
            && gone != old.identity.pid
            && look(gone).is_none_or(|process| process.identity.exe.is_none())
        {
            return Some(Self::NewAlone { new: old, gone });
        }
        let orphans = orphans(&old);
        let is_deaf = count_workers(old.identity.pid) == 0;
        (is_deaf || !orphans.is_empty()).then_some(Self::OldAlone { old, orphans })
    }

    /// Whoever answers for what runs.
    const fn old(&self) -> &Process {
        match self {
            Self::Two { old, .. } | Self::OldAlone { old, .. } => old,
            Self::NewAlone { new, .. } => new,
        }
    }

    fn adopt(self, pid_file: &Path, options: &Options) -> Result<Adopted, Refusal> {
        let now_ms = now_us() / 1_000;
        let serving = running(self.old().clone());
        let pid = serving.master.identity.pid;
        let mut plan = self.plan(&serving, pid_file, options)?;
        let memory = Memory { since_ms: now_ms, ..Memory::new() };
        let (memory, story) = match self {
            Self::Two { new, .. } => {
                let memory = Memory { new: Some(new.identity.clone()), ..memory };
                let story = format!(
                    "master {pid} has started master {}, and no journal tells of it",
                    new.identity.pid
                );
                (of_two(memory, &plan, &new, now_ms), story)
            }
            Self::NewAlone { new, gone } => {
                plan.old = Identity { pid: gone, started: 0, exe: None };
                let old_workers = orphans(&new).into_iter().map(|orphan| orphan.identity).collect();
                let memory =
                    Memory { phase: Phase::Committing, new: Some(new.identity), old_workers, ..memory };
                (memory, format!("the oldbin file names {gone}, and no such process runs"))
            }
            Self::OldAlone { orphans, .. } => {
                let is_deaf = count_workers(pid) == 0;
                let story = match (is_deaf, orphans.len()) {
                    (true, 0) => format!("master {pid} has no workers"),
                    (_, count) => format!("{count} workers serve beside master {pid} and have no master"),
                };
                let new_workers = orphans.into_iter().map(|orphan| orphan.identity).collect();
                let winched_ms = is_deaf.then_some(now_ms);
                let abort = Some(Reason::Changed("the new master is gone".to_owned()));
                (Memory { phase: Phase::Back, abort, new_workers, winched_ms, ..memory }, story)
            }
        };
        Ok(Adopted { plan, memory, story })
    }

    fn plan(&self, serving: &Running, pid_file: &Path, options: &Options) -> Result<Plan, Refusal> {
        let old = &serving.master.identity;
        let binary = program(serving, None)?;
        let new_file = match self {
            Self::Two { new, .. } => PathBuf::from(format!("/proc/{}/exe", new.identity.pid)),
            Self::NewAlone { .. } | Self::OldAlone { .. } => binary.clone(),
        };
        let bad = |why| Refusal::BadBinary { path: new_file.clone(), why };
        let old_version = run::running_version(old.pid).map_err(bad)?;
        let new_version = match self {
            Self::Two { new, .. } => run::running_version(new.identity.pid),
            Self::NewAlone { .. } | Self::OldAlone { .. } => run::version(&new_file, &serving.cwd),
        };
        let new_version = new_version.map_err(bad)?;
        // A configuration that the new binary cannot read leaves the way back.
        let promised = run::test(&new_file, serving).ok().and_then(|dump| promised_workers(&dump));
        let workers = count_workers(old.pid).max(promised.unwrap_or(1));
        let staged = stage::stage(old.pid, &binary, &new_file, false)?;
        Ok(Plan {
            pid_file: pid_file.to_owned(),
            binary,
            old_link: staged.old_link,
            new_link: staged.new_link,
            binary_before: staged.old_file,
            old_file: staged.old_file,
            new_file: staged.new_file,
            old: old.clone(),
            old_workers: workers,
            new_workers: promised.unwrap_or(workers).max(1),
            listeners: listeners(old.pid),
            oldbin_before: PidFile::Absent,
            baseline: Baseline::default(),
            old_version,
            new_version,
            options: options.clone(),
        })
    }
}

/// The child that runs another binary, still loads, or is named by the pid file.
fn new_of(old: &Process, named: PidFile) -> Option<Process> {
    let is_new = |child: &Process| {
        let is_named = named == PidFile::Pid(child.identity.pid);
        let is_other = child.identity.exe.is_some() && child.identity.exe != old.identity.exe;
        match child.title {
            Title::Master | Title::Other => is_named || is_other || child.title == Title::Other,
            Title::Worker | Title::ShuttingDown | Title::Helper => false,
        }
    };
    children(old.identity.pid).into_iter().filter_map(look).find(is_new)
}

/// Workers that have no master and hold a listening socket of this one.
pub(super) fn orphans(master: &Process) -> Vec<Process> {
    let ours = listeners(master.identity.pid);
    all()
        .filter(|&pid| title(pid) == Title::Worker && !has_master(pid))
        .filter(|&pid| listeners(pid).iter().any(|socket| ours.contains(socket)))
        .filter_map(look)
        .collect()
}

/// How far two masters have come.
fn of_two(memory: Memory, plan: &Plan, new: &Process, now_ms: u64) -> Memory {
    let (old_workers, new_workers) = (workers(plan.old.pid), workers(new.identity.pid));
    let is_put_back = exe(new.identity.pid) != Some(plan.new_file) || file_at(&plan.binary) == plan.old.exe;
    let memory = Memory { old_workers: old_workers.clone(), new_workers, ..memory };
    if plan.listeners.is_empty() {
        // A master that was told to quit has closed them all.
        let master = Retirement { how: Retire::Quit, since_ms: now_ms, is_repeated: false };
        return Memory { phase: Phase::Committing, master, ..memory };
    }
    let winched_ms = old_workers.is_empty().then_some(now_ms);
    if is_put_back {
        let abort =
            Some(Reason::Changed("the new master does not run the file at the binary's path".to_owned()));
        return Memory { phase: Phase::Back, abort, winched_ms, ..memory };
    }
    let phase = if winched_ms.is_some() { Phase::Draining } else { Phase::Changing };
    Memory { phase, winched_ms, old_workers: Vec::new(), ..memory }
}
