//! `oldbin status`: who runs, who accepts, and where an upgrade stands.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::arguments::Common;
use crate::discover;
use crate::host::linux::{
    accepted_by, all, boot, children, has_master, look, named_listeners, oldbin_path, read_pid_file, title,
};
use crate::journal::{Entry, Journal, JournalError};
use crate::machine::{Phase, PidFile, Process, Title};
use crate::preflight;
use crate::refusal::Refusal;
use crate::state;

#[derive(Debug, Serialize)]
struct Status {
    schema: u32,
    outcome: &'static str,
    nginx: Vec<Nginx>,
    /// Workers without a master: they accept for ever, and nobody manages them.
    orphans: Vec<u32>,
    /// Upgrades that are known, of whichever nginx.
    upgrades: Vec<Known>,
    /// Journals that cannot be read.
    unreadable: Vec<Unreadable>,
}

/// One nginx: a master, and those that it has started.
#[derive(Debug, Serialize)]
struct Nginx {
    pid_file: Option<PathBuf>,
    generations: Vec<Generation>,
    listeners: Vec<Listener>,
}

#[derive(Debug, Serialize)]
struct Generation {
    /// From 1: the oldest that still runs.
    generation: usize,
    master: u32,
    version: Option<String>,
    exe: Option<PathBuf>,
    /// `nginx.pid` or `nginx.pid.oldbin`, whichever names this master.
    named_by: Option<PathBuf>,
    workers: Vec<u32>,
    draining: Vec<u32>,
}

#[derive(Debug, Serialize)]
struct Listener {
    address: String,
    /// Generations that hold it.
    held_by: Vec<usize>,
    /// Generations whose workers accept from it; `null`: not allowed to see.
    accepted_by: Option<Vec<usize>>,
}

#[derive(Debug, Serialize)]
struct Known {
    pid_file: PathBuf,
    phase: Phase,
    old_version: String,
    new_version: String,
    backup: PathBuf,
    /// Begun since the machine was started: its processes may still run.
    is_of_this_boot: bool,
}

/// A journal that does not tell what it is about.
#[derive(Debug, Serialize)]
struct Unreadable {
    journal: PathBuf,
    reason: String,
    remedy: &'static str,
}

impl Unreadable {
    fn of(error: JournalError) -> Self {
        let (journal, refusal) = (error.path().to_owned(), Refusal::from(error));
        Self { journal, reason: refusal.to_string(), remedy: refusal.remedy() }
    }
}

/// Prints it.
pub(super) fn print(common: &Common) -> Result<(), Refusal> {
    let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
    for read in state::journals(&common.state_dir) {
        match read {
            Ok(entry) => entries.push(entry),
            Err(error) => unreadable.push(Unreadable::of(error)),
        }
    }
    let given = common.pid_file.as_deref().map(discover::real_path).transpose()?;
    let nginx = discover::masters().into_iter().map(|master| Nginx::of(master, &entries));
    let is_meant = |nginx: &Nginx| given.is_none() || nginx.pid_file == given;
    let nginx: Vec<_> = nginx.filter(is_meant).collect();
    let journal_of = |given: &PathBuf| Journal::of(&common.state_dir, given).path().to_owned();
    unreadable.retain(|known| given.as_ref().is_none_or(|given| journal_of(given) == known.journal));
    let this_boot = boot();
    let upgrades = entries.into_iter().map(|entry| Known {
        pid_file: entry.plan.pid_file,
        phase: entry.memory.phase,
        old_version: entry.plan.old_version,
        new_version: entry.plan.new_version,
        backup: entry.plan.old_link,
        is_of_this_boot: entry.boot == this_boot,
    });
    let is_meant = |known: &Known| given.as_ref().is_none_or(|given| known.pid_file == *given);
    let status = Status {
        schema: super::result::SCHEMA,
        outcome: "status",
        nginx,
        orphans: orphans(),
        upgrades: upgrades.filter(is_meant).collect(),
        unreadable,
    };
    let text = if common.json { serde_json::to_string(&status).unwrap_or_default() } else { status.tell() };
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}

fn orphans() -> Vec<u32> {
    let is_worker = |pid: &u32| matches!(title(*pid), Title::Worker | Title::ShuttingDown);
    all().filter(is_worker).filter(|&pid| !has_master(pid)).collect()
}

impl Nginx {
    fn of(oldest: Process, entries: &[Entry]) -> Self {
        let oldest = discover::running(oldest);
        let pid_file = discover::pid_file_of(&oldest).or_else(|| {
            let names = |entry: &&Entry| entry.plan.old.is_same_process(&oldest.master.identity);
            entries.iter().find(names).map(|entry| entry.plan.pid_file.clone())
        });
        let mut generations = Vec::new();
        let mut next = vec![oldest.master.identity.pid];
        while let Some(pid) = next.pop() {
            generations.push(Generation::of(pid, generations.len() + 1, pid_file.as_deref()));
            next.extend(children(pid).into_iter().filter(|&child| title(child) == Title::Master));
        }
        let listeners = listeners(&generations);
        Self { pid_file, generations, listeners }
    }
}

impl Generation {
    fn of(master: u32, generation: usize, pid_file: Option<&Path>) -> Self {
        let children: Vec<_> = children(master).into_iter().filter_map(look).collect();
        let of = |wanted: Title| {
            let those = children.iter().filter(|child| child.title == wanted);
            those.map(|child| child.identity.pid).collect()
        };
        let names_it = |file: &PathBuf| matches!(read_pid_file(file), Ok(PidFile::Pid(pid)) if pid == master);
        let files = pid_file.map(|file| [file.to_owned(), oldbin_path(file)]).into_iter().flatten();
        let exe = PathBuf::from(format!("/proc/{master}/exe"));
        Self {
            generation,
            master,
            version: preflight::running_version(master).ok(),
            exe: std::fs::read_link(&exe).ok(),
            named_by: files.into_iter().find(names_it),
            workers: of(Title::Worker),
            draining: of(Title::ShuttingDown),
        }
    }
}

fn listeners(generations: &[Generation]) -> Vec<Listener> {
    let mut all: BTreeMap<String, Listener> = BTreeMap::new();
    for of in generations {
        let accepted: Option<Vec<BTreeSet<u64>>> = of.workers.iter().map(|&pid| accepted_by(pid)).collect();
        for (inode, address) in named_listeners(of.master) {
            let listener = all.entry(address.clone()).or_insert_with(|| Listener {
                address,
                held_by: Vec::new(),
                accepted_by: Some(Vec::new()),
            });
            if !listener.held_by.contains(&of.generation) {
                listener.held_by.push(of.generation);
            }
            match (&accepted, &mut listener.accepted_by) {
                (Some(sets), Some(by)) if sets.iter().any(|set| set.contains(&inode)) => {
                    if !by.contains(&of.generation) {
                        by.push(of.generation);
                    }
                }
                (None, by) => *by = None,
                (Some(_), _) => {}
            }
        }
    }
    all.into_values().collect()
}

impl Status {
    fn tell(&self) -> String {
        let mut lines: Vec<String> = self.nginx.iter().flat_map(Nginx::tell).collect();
        if self.nginx.is_empty() {
            lines.push("no nginx master runs here".to_owned());
        }
        if !self.orphans.is_empty() {
            let pids = words(&self.orphans);
            lines.push(format!("workers without a master: {pids}: `oldbin recover` ends those of its nginx"));
        }
        lines.extend(self.upgrades.iter().map(Known::tell));
        let tell = |Unreadable { reason, remedy, .. }: &Unreadable| format!("{reason}\n  {remedy}");
        lines.extend(self.unreadable.iter().map(tell));
        lines.join("\n")
    }
}

impl Nginx {
    fn tell(&self) -> Vec<String> {
        let file =
            self.pid_file.as_ref().map_or("unknown pid file".into(), |file| file.display().to_string());
        let mut lines = vec![format!("nginx of {file}")];
        for of in &self.generations {
            let version = of.version.as_deref().unwrap_or("?");
            let exe = of.exe.as_ref().map_or("?".into(), |exe| exe.display().to_string());
            let named =
                of.named_by.as_ref().and_then(|file| Some(file.file_name()?.to_string_lossy().into_owned()));
            let named = named.map_or("named by no pid file".to_owned(), |file| format!("named by {file}"));
            lines.push(format!(
                "  generation {}  master {}  {version}  {exe}  {named}",
                of.generation, of.master
            ));
            let told = match (of.workers.len(), of.draining.len()) {
                (0, 0) => "no workers".to_owned(),
                (_, 0) => format!("workers {}", words(&of.workers)),
                (0, _) => format!("draining {}", words(&of.draining)),
                (_, _) => format!("workers {}, draining {}", words(&of.workers), words(&of.draining)),
            };
            lines.push(format!("      {told}"));
        }
        for listener in &self.listeners {
            let accepts = match &listener.accepted_by {
                None => "(not allowed to see who accepts)".to_owned(),
                Some(by) if by.is_empty() => "nobody accepts: clients hang".to_owned(),
                Some(by) => format!("accepted by generation {}", words(by)),
            };
            lines.push(format!("  listens on {}  {accepts}", listener.address));
        }
        lines
    }
}

impl Known {
    fn tell(&self) -> String {
        let phase = match self.phase {
            Phase::Finished(outcome) => outcome.name().to_owned(),
            Phase::Held if self.is_of_this_boot => {
                "held: `oldbin commit` or `oldbin rollback` decides".to_owned()
            }
            phase @ (Phase::Planned
            | Phase::Installing
            | Phase::Changing
            | Phase::Draining
            | Phase::Soaking
            | Phase::Held
            | Phase::Committing
            | Phase::Watching
            | Phase::Back) => {
                let is_over = "when the machine was restarted: it is over";
                let now = if self.is_of_this_boot { "`oldbin recover` goes on" } else { is_over };
                format!("not finished ({phase:?}): {now}")
            }
        };
        let (file, old, new) = (self.pid_file.display(), &self.old_version, &self.new_version);
        format!("upgrade of {file}: {old} -> {new}: {phase}; {old} is kept at {}", self.backup.display())
    }
}

fn words<T: ToString>(numbers: &[T]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
