//! Who lives and what the files hold, at one position of a trace.

use std::collections::{BTreeMap, BTreeSet};

use crate::trace::{Content, Event, Exit, Header, PidFile, Role, Trace, What};

/// A process of nginx, alive or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// Its parent when it was born.
    pub parent: u32,
    /// What it is.
    pub role: Role,
    /// Its generation.
    pub generation: u32,
    /// What its executable tells with `-v`, where known.
    pub version: Option<String>,
    /// When it was first seen.
    pub born_us: u64,
    /// When it was seen to drain.
    pub draining_us: Option<u64>,
    /// True if QUIT, TERM, INT or KILL was sent to it.
    pub told_to_go: bool,
    /// When and how it died.
    pub died: Option<(u64, Option<Exit>)>,
}

/// The old release or the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What served at the start.
    Old,
    /// What the subject was given.
    New,
}

/// What is known behind some event of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Every process by its pid, the dead included.
    pub processes: BTreeMap<u32, Process>,
    /// The pid file; `None`: nobody has told yet.
    pub current: Option<Content>,
    /// The oldbin file; `None`: nobody has told yet.
    pub oldbin: Option<Content>,
    /// The version of the file at the binary's path; the outer `None`: nobody has told yet.
    pub binary: Option<Option<String>>,
    /// Generations of which some worker has drained.
    pub drained: BTreeSet<u32>,
    /// The latest generation of a master.
    pub generations: u32,
}

impl Process {
    /// True until its death.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.died.is_none()
    }

    /// True for a live worker that has not been told to drain.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.is_alive() && self.role == Role::Worker && self.draining_us.is_none()
    }

    /// Whose release it runs: by its version, or by its generation where that tells nothing.
    #[must_use]
    pub fn side(&self, header: &Header) -> Side {
        let by_version = self.version.as_deref().filter(|_| header.old != header.new);
        match by_version {
            Some(version) if version == header.old => Side::Old,
            Some(version) if version == header.new => Side::New,
            _ if self.generation <= 1 => Side::Old,
            _ => Side::New,
        }
    }
}

impl State {
    /// What is known behind the event at `position`.
    #[must_use]
    pub fn at(trace: &Trace, position: usize) -> Self {
        let mut state = Self::default();
        trace.events.iter().take(position + 1).for_each(|event| state.apply(event));
        state
    }

    /// The position of the first event behind which `is_so` is true.
    pub fn find(trace: &Trace, mut is_so: impl FnMut(&Self, &Event) -> bool) -> Option<usize> {
        let mut state = Self::default();
        trace.events.iter().position(|event| {
            state.apply(event);
            is_so(&state, event)
        })
    }

    /// Takes one event in.
    pub fn apply(&mut self, event: &Event) {
        match &event.what {
            What::Born { pid, parent, role, generation, version } => {
                if *role == Role::Master {
                    self.generations = self.generations.max(*generation);
                }
                let process = Process {
                    pid: *pid,
                    parent: *parent,
                    role: *role,
                    generation: *generation,
                    version: version.clone(),
                    born_us: event.at_us,
                    draining_us: None,
                    told_to_go: false,
                    died: None,
                };
                self.processes.insert(*pid, process);
            }
            What::Draining { pid } => {
                if let Some(worker) = self.processes.get_mut(pid) {
                    worker.draining_us.get_or_insert(event.at_us);
                    self.drained.insert(worker.generation);
                }
            }
            What::Died { pid, exit } => {
                if let Some(process) = self.processes.get_mut(pid) {
                    process.died = Some((event.at_us, *exit));
                }
            }
            What::Signal { to, signal, .. } => {
                if let Some(process) = self.processes.get_mut(to) {
                    process.told_to_go |= matches!(signal.as_str(), "QUIT" | "TERM" | "INT" | "KILL");
                }
            }
            What::PidFile { file: PidFile::Current, content } => self.current = Some(content.clone()),
            What::PidFile { file: PidFile::Oldbin, content } => self.oldbin = Some(content.clone()),
            What::Binary { version } => self.binary = Some(version.clone()),
            What::SignalToStranger { .. }
            | What::Listening { .. }
            | What::NotListening { .. }
            | What::Request(_)
            | What::Log { .. }
            | What::StepBegan { .. }
            | What::StepEnded { .. }
            | What::Claimed { .. }
            | What::Moment { .. }
            | What::Quiescent
            | What::Survivor { .. } => {}
        }
    }

    /// The live masters, oldest generation first.
    #[must_use]
    pub fn masters(&self) -> Vec<&Process> {
        let mut masters: Vec<_> = self.live().filter(|process| process.role == Role::Master).collect();
        masters.sort_by_key(|master| (master.generation, master.pid));
        masters
    }

    /// The live workers, draining or not.
    pub fn workers(&self) -> impl Iterator<Item = &Process> {
        self.live().filter(|process| process.role == Role::Worker)
    }

    /// The live workers of a master, draining or not.
    pub fn workers_of(&self, master: u32) -> impl Iterator<Item = &Process> {
        self.workers().filter(move |worker| worker.parent == master)
    }

    /// How many workers of a master take new connections.
    #[must_use]
    pub fn serving(&self, master: u32) -> usize {
        self.workers_of(master).filter(|worker| worker.is_serving()).count()
    }

    /// A live worker whose master is gone.
    #[must_use]
    pub fn orphan(&self) -> Option<&Process> {
        self.workers().find(|worker| !self.masters().iter().any(|master| master.pid == worker.parent))
    }

    fn live(&self) -> impl Iterator<Item = &Process> {
        self.processes.values().filter(|process| process.is_alive())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Run;
    use super::*;

    #[test]
    fn what_is_known_at_a_position_is_known_behind_its_event() {
        let run = Run::new().drains(30, 11);
        let at = |position| State::at(&run.trace, position).processes[&11].draining_us;
        assert_eq!((at(run.last() - 1), at(run.last())), (None, Some(30_000)));
    }

    /// A generation goes back to the old release, or forward from the new one.
    #[test]
    fn a_version_tells_more_than_a_generation_unless_both_releases_have_it() {
        let mut header = Run::new().trace.header;
        let of = |generation, version: &str| {
            let run = Run::new().master(10, 99, 1, generation, version);
            State::at(&run.trace, run.last()).processes[&99].clone()
        };
        assert_eq!(of(2, "1.22.1").side(&header), Side::Old);
        assert_eq!(of(1, "1.26.3").side(&header), Side::New);
        assert_eq!(of(1, "1.99.9").side(&header), Side::Old);
        assert_eq!(of(2, "1.99.9").side(&header), Side::New);
        header.new.clone_from(&header.old);
        assert_eq!(of(1, "1.22.1").side(&header), Side::Old);
        assert_eq!(of(2, "1.22.1").side(&header), Side::New);
    }
}
