//! What tables of decisions are made of: an upgrade from 100 to 200, each with two workers.

use std::path::PathBuf;

use orchestrator::machine::{
    Action, Baseline, Decision, Defects, FileId, Generation, Goal, Identity, Intent, Memory, Observation,
    Options, Phase, PidFile, Plan, Process, Reason, Signal, Title,
};

pub(crate) const OLD: FileId = FileId { device: 1, inode: 1 };
pub(crate) const NEW: FileId = FileId { device: 1, inode: 2 };

pub(crate) fn process(pid: u32, exe: FileId, title: Title) -> Process {
    Process { identity: Identity { pid, started: u64::from(pid), exe: Some(exe) }, title }
}

/// A sleeping master with these children; everything is accepted from.
pub(crate) fn generation(pid: u32, exe: FileId, children: &[Process]) -> Generation {
    let master = process(pid, exe, Title::Master);
    Generation { master, is_asleep: true, children: children.to_vec(), unserved: Some(Vec::new()) }
}

pub(crate) fn old_workers() -> [Process; 2] {
    [process(101, OLD, Title::Worker), process(102, OLD, Title::Worker)]
}

pub(crate) fn new_workers() -> [Process; 2] {
    [process(201, NEW, Title::Worker), process(202, NEW, Title::Worker)]
}

pub(crate) fn intent() -> Intent {
    let plan = Plan {
        pid_file: PathBuf::from("/run/nginx.pid"),
        binary: PathBuf::from("/usr/sbin/nginx"),
        old_link: PathBuf::from("/usr/sbin/.old"),
        new_link: PathBuf::from("/usr/sbin/.new"),
        binary_before: OLD,
        old_file: OLD,
        new_file: NEW,
        old: process(100, OLD, Title::Master).identity,
        old_workers: 2,
        new_workers: 2,
        listeners: vec![7],
        oldbin_before: PidFile::Absent,
        old_version: "1.22.1".to_owned(),
        new_version: "1.26.3".to_owned(),
        baseline: Baseline::default(),
        options: Options { soak_ms: 1_000, ready_within_ms: 5_000, ..Options::NONE },
    };
    Intent { goal: Goal::Forward, plan, defects: Defects::default() }
}

/// Before anything was done.
pub(crate) fn before() -> Observation {
    Observation {
        is_interrupted: false,
        pid_file: PidFile::Pid(100),
        oldbin: PidFile::Absent,
        binary: Some(OLD),
        old: Some(generation(100, OLD, &old_workers())),
        new: None,
        orphans: Vec::new(),
        answers: None,
    }
}

/// Both generations serve.
pub(crate) fn overlap() -> Observation {
    Observation {
        pid_file: PidFile::Pid(200),
        oldbin: PidFile::Pid(100),
        binary: Some(NEW),
        new: Some(generation(200, NEW, &new_workers())),
        ..before()
    }
}

/// The new generation serves alone.
pub(crate) fn drained() -> Observation {
    Observation { old: Some(generation(100, OLD, &[])), ..overlap() }
}

pub(crate) fn memory(phase: Phase) -> Memory {
    Memory { phase, ..Memory::new() }
}

/// WINCH was announced at once.
pub(crate) fn winched(phase: Phase) -> Memory {
    let ids = |all: [Process; 2]| all.map(|process| process.identity).to_vec();
    Memory {
        new: Some(process(200, NEW, Title::Master).identity),
        new_workers: ids(new_workers()),
        old_workers: ids(old_workers()),
        winched_ms: Some(0),
        ..memory(phase)
    }
}

/// The signal that is sent, and to whom.
pub(crate) fn sent(decision: &Decision) -> Option<(u32, Signal)> {
    match decision {
        Decision::Act(Action::Signal { process, signal, .. }, _) => Some((process.pid, *signal)),
        Decision::Act(..) | Decision::Ask(_) | Decision::Wait { .. } | Decision::Finished(..) => None,
    }
}

pub(crate) fn reason(decision: &Decision) -> Option<&Reason> {
    match decision {
        Decision::Act(_, memory) | Decision::Finished(_, memory) => memory.abort.as_ref(),
        Decision::Ask(_) | Decision::Wait { .. } => None,
    }
}
