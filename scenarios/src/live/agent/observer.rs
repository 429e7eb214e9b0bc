//! The observer: turns what can be seen into events.
//!
//! The log is first: nginx names every process that it forks there, in the instant that it does, and the agent
//! is woken by it. `/proc` is second: a look at it finds what no line tells (the first master, listening
//! sockets), and for a foreign master's new worker there is no event at all, so while something is unsettled the
//! observer looks again after a pause that doubles from [`PAUSE_US_MIN`] to [`PAUSE_US_MAX`].

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

use super::super::clock::Clock;
use super::super::order::Paths;
use super::binary::{Binaries, FileId, file_id};
use super::log::{Line, News, Tail, news};
use super::moment::Moments;
use super::pid_file::PidFiles;
use super::process::Process;
use super::reactor::Change;
use super::{listener, proc};
use crate::trace::{Event, Exit, Role, What};

/// The first pause before another look. A worker needs about as long from its fork to its epoll set.
const PAUSE_US_MIN: u64 = 200;
/// The longest pause. A look costs a tenth of it.
const PAUSE_US_MAX: u64 = 5_000;
/// How the name of a journal ends.
const JOURNAL_ENDS: &str = ".journal.json";
/// The signals that nginx acts on; the others in its log are the kernel's news to it.
const COMMANDS: [&str; 7] = ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH"];

/// Everything seen so far.
pub(super) struct Observer {
    /// The trace in the making; sorted by time at the end.
    pub(super) events: Vec<Event>,
    /// The processes of nginx, alive and gone.
    pub(super) processes: BTreeMap<u32, Process>,
    /// Processes that the agent started, which are no nginx of the world even if they run its binary.
    pub(super) strangers: BTreeSet<u32>,
    /// The binaries that a world knows.
    pub(super) binaries: Binaries,
    /// True if a journal that is put in its place is an event.
    pub(super) tells_journal: bool,
    clock: Clock,
    own: u32,
    paths: Paths,
    tail: Tail,
    pid_files: PidFiles,
    sockets: listener::Sockets,
    moments: Moments,
    versions: BTreeMap<FileId, String>,
    binary: Option<String>,
    generations: u32,
    unwatched: Vec<u32>,
    look_us: Option<u64>,
    pause_us: u64,
    is_unsettled: bool,
}

impl Observer {
    /// Has seen nothing yet but the binaries.
    pub(super) fn new(clock: Clock, paths: &Paths, binaries: Binaries) -> Self {
        let mut observer = Self {
            events: Vec::new(),
            processes: BTreeMap::new(),
            strangers: BTreeSet::new(),
            binaries,
            tells_journal: false,
            clock,
            own: getpid().as_raw_nonzero().get().cast_unsigned(),
            paths: paths.clone(),
            tail: Tail::new(&paths.log),
            pid_files: PidFiles::new(paths),
            sockets: listener::Sockets::new(),
            moments: Moments::default(),
            versions: BTreeMap::new(),
            binary: None,
            generations: 0,
            unwatched: Vec::new(),
            look_us: None,
            pause_us: PAUSE_US_MIN,
            is_unsettled: false,
        };
        observer.look_at_binary();
        observer
    }

    /// The agent's own pid.
    pub(super) fn own(&self) -> u32 {
        self.own
    }

    /// Notes an event that happens now, and the moment that it is.
    pub(super) fn note(&mut self, what: What) {
        let at_us = self.clock.now_us();
        let moment = self.moments.of(&what, &self.processes);
        self.events.push(Event { at_us, what });
        if let Some(name) = moment {
            self.events.push(Event { at_us, what: What::Moment { name: name.to_owned() } });
        }
    }

    /// Takes in what changed in the world's folders.
    pub(super) fn folders_changed(&mut self, changes: &[Change]) {
        // In their order: nginx writes its pid file before it logs its workers.
        for Change { name, is_removal } in changes {
            if self.paths.log.file_name().is_some_and(|log| log == name.as_str()) {
                self.read_log();
            }
            for (file, content) in self.pid_files.changes(name, *is_removal) {
                self.note(What::PidFile { file, content });
            }
            if self.tells_journal && name.ends_with(JOURNAL_ENDS) {
                self.note(What::Moment { name: "subject.save".into() });
            }
            if self.paths.binary.file_name().is_some_and(|binary| binary == name.as_str()) {
                self.look_at_binary();
            }
        }
    }

    /// Takes in the log's new lines.
    pub(super) fn read_log(&mut self) {
        for line in self.tail.lines() {
            let line = Line::of(&line);
            self.note(What::Log { pid: line.pid, level: line.level.to_owned(), text: line.text.to_owned() });
            if let Some(news) = news(line.text) {
                self.hear(line.pid, &news);
            }
        }
    }

    fn hear(&mut self, writer: u32, news: &News<'_>) {
        self.stir();
        match *news {
            News::Signal { name, from } if COMMANDS.contains(&name) => {
                self.note(What::Signal { from, to: writer, signal: name.to_owned(), arrived: true });
            }
            News::Signal { .. } => {}
            News::Master => self.know_master(writer),
            News::Worker(pid) => {
                self.know_master(writer);
                self.born(pid, writer, Role::Worker);
            }
            News::NewBinary(pid) => {
                self.know_master(writer);
                self.born(pid, writer, Role::Master);
            }
            News::Draining => {
                if let Some(worker) =
                    self.processes.get_mut(&writer).filter(|of| of.role == Role::Worker && !of.is_draining)
                {
                    worker.is_draining = true;
                    self.note(What::Draining { pid: writer });
                }
            }
            News::Reaped(pid, exit) => self.died(pid, Some(exit)),
        }
    }

    /// A process that starts workers is a master, even if nobody told of its birth.
    fn know_master(&mut self, pid: u32) {
        if !self.processes.contains_key(&pid) {
            let parent = proc::parent(pid).unwrap_or(self.own);
            self.born(pid, parent, Role::Master);
        }
    }

    /// A process of nginx is there.
    fn born(&mut self, pid: u32, parent: u32, role: Role) {
        if self.processes.get(&pid).is_some_and(Process::is_alive) {
            return;
        }
        let (generation, version) = match role {
            Role::Master => {
                self.generations += 1;
                (self.generations, self.version_of_master(pid, parent))
            }
            Role::Worker => {
                let master = self.processes.get(&parent);
                let generation = master.map_or(self.generations, |master| master.generation);
                (generation, master.and_then(|master| master.version.clone()))
            }
        };
        self.processes.insert(
            pid,
            Process {
                role,
                generation,
                parent,
                version: version.clone(),
                handle: None,
                is_draining: false,
                listening: BTreeMap::new(),
                is_doubtful: false,
                died: None,
            },
        );
        self.unwatched.push(pid);
        self.note(What::Born { pid, parent, role, generation, version });
        self.stir();
    }

    /// A process has ended. The way it did may be learnt later: then it is added to the same event.
    pub(super) fn died(&mut self, pid: u32, exit: Option<Exit>) {
        self.stir();
        let next = self.events.len();
        let Some(process) = self.processes.get_mut(&pid) else { return };
        match process.died {
            None => {
                process.died = Some(next);
                self.note(What::Died { pid, exit });
            }
            Some(at) => {
                if let Some(What::Died { exit: told @ None, .. }) =
                    self.events.get_mut(at).map(|event| &mut event.what)
                {
                    *told = exit;
                }
            }
        }
    }

    /// The processes that were born since the last call, each with its handle.
    pub(super) fn take_unwatched(&mut self) -> Vec<u32> {
        let mut opened = Vec::new();
        for pid in std::mem::take(&mut self.unwatched) {
            let handle =
                Pid::from_raw(pid.cast_signed()).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
            // Not somebody who got the number later. What nginx executes may be a script, so its child is ours.
            let is_known = |pid| pid == self.own || self.processes.contains_key(&pid);
            let is_ours = self.is_of_world(pid) || proc::parent(pid).is_some_and(is_known);
            match handle.filter(|_| is_ours) {
                None => self.died(pid, None),
                Some(handle) => {
                    if let Some(process) = self.processes.get_mut(&pid) {
                        process.handle = Some(handle);
                        opened.push(pid);
                    }
                }
            }
        }
        opened
    }

    /// Sends a signal to the very process that was seen, and notes it. False if it is gone.
    pub(super) fn signal(&mut self, pid: u32, name: &str, signal: Signal) -> bool {
        let handle = self.processes.get(&pid).and_then(|process| process.handle.as_ref());
        let sent = handle.is_some_and(|handle| pidfd_send_signal(handle, signal).is_ok());
        if sent {
            self.sent(pid, name);
        }
        sent
    }

    /// Notes a signal that was sent by another handle than the observer's.
    pub(super) fn sent(&mut self, pid: u32, name: &str) {
        let signal = name.to_owned();
        self.note(What::Signal { from: Some(self.own), to: pid, signal, arrived: false });
        self.stir();
    }

    /// True if `pid` runs a binary of this world.
    pub(super) fn is_of_world(&self, pid: u32) -> bool {
        proc::exe_path(pid).is_some_and(|path| path.starts_with(&self.paths.prefix))
    }

    /// When the observer wants to look again although nothing tells.
    pub(super) fn next_look_us(&self) -> u64 {
        self.look_us.unwrap_or(u64::MAX)
    }

    /// True if something is there that has not shown yet what it is or will do.
    pub(super) fn is_unsettled(&self) -> bool {
        self.is_unsettled
    }

    /// Something moves: look at once, and then again soon.
    fn stir(&mut self) {
        self.pause_us = PAUSE_US_MIN;
        self.look_us = Some(0);
    }

    /// Looks at `/proc`, and decides when to look again.
    pub(super) fn look(&mut self) {
        // What is seen there has a reason, and nginx has logged it before.
        self.read_log();
        let mut is_unsettled = false;
        for (pid, parent) in proc::descendants(self.own) {
            if let Some(process) = self.processes.get_mut(&pid).filter(|process| process.is_alive()) {
                process.parent = parent;
            } else if !self.strangers.contains(&pid) && self.is_of_world(pid) {
                match self.role_of(pid, parent) {
                    Some(role) => {
                        // A worker's parent is a master, even if nobody has told of it yet.
                        if role == Role::Worker && parent != self.own {
                            self.know_master(parent);
                        }
                        self.born(pid, parent, role);
                    }
                    None => is_unsettled = true,
                }
            }
        }
        self.look_at_listeners();
        is_unsettled |= self.processes.values().any(Process::is_unsettled);
        self.is_unsettled = is_unsettled;
        self.look_us = is_unsettled.then(|| self.clock.now_us() + self.pause_us);
        self.pause_us = (self.pause_us * 2).min(PAUSE_US_MAX);
    }

    /// The listening sockets that there are now, by inode.
    pub(super) fn sockets(&self) -> BTreeMap<u64, String> {
        self.sockets.all()
    }

    /// True if a connection to this port waits to be accepted.
    pub(super) fn is_anybody_waiting(&self, port: u16) -> bool {
        self.sockets.is_anybody_waiting(port)
    }

    fn look_at_listeners(&mut self) {
        let all = self.sockets.all();
        let mut seen = Vec::new();
        for (&pid, process) in self.processes.iter_mut().filter(|(_, process)| process.is_alive()) {
            // It is accepted from an address if it is from one of its sockets.
            let mut held: BTreeMap<String, bool> = listener::held_by(pid, &all)
                .into_iter()
                .map(|(address, held)| (address, held.watched > 0))
                .collect();
            let stopped =
                |(address, accepting): (&String, &bool)| *accepting && held.get(address) == Some(&false);
            let has_stopped = !process.is_draining && process.listening.iter().any(stopped);
            if has_stopped && !process.is_doubtful {
                process.is_doubtful = true;
                continue;
            }
            process.is_doubtful = false;
            std::mem::swap(&mut held, &mut process.listening);
            let before = held;
            for (address, &accepting) in &process.listening {
                if before.get(address) != Some(&accepting) {
                    seen.push(What::Listening { pid, address: address.clone(), accepting });
                }
            }
            for address in before.keys().filter(|address| !process.listening.contains_key(*address)) {
                seen.push(What::NotListening { pid, address: address.clone() });
            }
        }
        for what in seen {
            self.note(what);
        }
    }

    fn look_at_binary(&mut self) {
        let version = self.binaries.version_at(&self.paths.binary);
        if let (Some(id), Some(version)) = (file_id(&self.paths.binary), &version) {
            self.versions.insert(id, version.clone());
        }
        if version != self.binary {
            self.binary.clone_from(&version);
            self.note(What::Binary { version });
        }
    }

    /// The version that a master runs, or is about to run: until it is exec'ed, a new binary looks like its parent.
    fn version_of_master(&mut self, pid: u32, parent: u32) -> Option<String> {
        // The file may have changed with the news of it still on the way.
        self.look_at_binary();
        let runs = proc::exe_id(pid)
            .filter(|&own| !self.processes.contains_key(&parent) || Some(own) != proc::exe_id(parent));
        runs.and_then(|id| self.versions.get(&id).cloned()).or_else(|| self.binary.clone())
    }
}
