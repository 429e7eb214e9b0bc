//! The world: the loop that everything waits in, and the processes that the agent starts.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::os::fd::OwnedFd;
use std::process::{ChildStdin, Command, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, wait};

use super::super::clock::Clock;
use super::super::order::{LOAD_READY, Paths};
use super::Stop;
use super::child::{Child, Pipe, Stream};
use super::control::Control;
use super::mishaps::Mishaps;
use super::observer::Observer;
use super::reactor::{Pipes, Reactor, Source};
use super::strike::Strikes;
use crate::trace::{Event, Exit, What};

/// One running world.
pub(super) struct World {
    /// The run's clock.
    pub(super) clock: Clock,
    /// What was seen.
    pub(super) observer: Observer,
    /// Where everything lies.
    pub(super) paths: Paths,
    /// When the run must be over, in microseconds.
    pub(super) deadline_us: u64,
    /// How many steps have begun.
    pub(super) steps: u32,
    /// What goes wrong, and after how many events.
    pub(super) strikes: Strikes,
    /// The command that runs, where a random script types one.
    pub(super) subject: Option<u32>,
    /// True once every client of the load is at work.
    pub(super) load_is_ready: bool,
    /// Where stamped fakes and the subject report their moments.
    pub(super) control: Option<Control>,
    /// What goes wrong there.
    pub(super) mishaps: Mishaps,
    pub(super) reactor: Reactor,
    children: BTreeMap<u32, Child>,
    pipes: Pipes<Pipe>,
    next_pipe: u32,
    is_told_to_end: bool,
    half_record: Vec<u8>,
}

/// What a finished child was given and has said.
pub(super) use super::child::Child as Finished;

impl World {
    /// A world in which nothing runs yet.
    pub(super) fn new(
        clock: Clock,
        paths: Paths,
        observer: Observer,
        deadline_us: u64,
    ) -> Result<Self, Stop> {
        let reactor = Reactor::new(&paths).map_err(Stop::broken("watch the world"))?;
        Ok(Self {
            clock,
            observer,
            paths,
            deadline_us,
            steps: 0,
            strikes: Strikes::default(),
            subject: None,
            load_is_ready: false,
            control: None,
            mishaps: Mishaps::default(),
            reactor,
            children: BTreeMap::new(),
            pipes: BTreeMap::new(),
            next_pipe: 0,
            is_told_to_end: false,
            half_record: Vec::new(),
        })
    }

    /// Waits until something happens, at most until `until_us`, and takes it in.
    pub(super) fn turn(&mut self, until_us: u64) -> Result<(), Stop> {
        let now = self.clock.now_us();
        let wake =
            until_us.min(self.deadline_us).min(self.observer.next_look_us()).min(self.mishaps.next_us());
        let sources = self.reactor.wait(wake.saturating_sub(now)).map_err(Stop::broken("wait"))?;
        for source in sources {
            match source {
                Source::Folders => {
                    let changes = self.reactor.changes();
                    self.observer.folders_changed(&changes);
                }
                Source::Process(pid) => {
                    // Whatever it logged, it logged before it ended.
                    self.observer.read_log();
                    self.unwatch(pid);
                    self.observer.died(pid, None);
                }
                Source::Signals => self.is_told_to_end |= self.reactor.is_told_to_end(),
                Source::Pipe(pipe) => self.hear(pipe)?,
                Source::Laboratory => self.is_told_to_end = true,
                Source::Control => self.welcome()?,
                Source::Controlled(connection) => self.reported(connection),
            }
        }
        self.end_pauses();
        self.catch_up();
        self.strike();
        if self.is_told_to_end {
            return Err(Stop::Told);
        }
        if self.clock.now_us() >= self.deadline_us {
            return Err(Stop::Deadline);
        }
        Ok(())
    }

    /// A turn in which the deadline and the laboratory's end are no news.
    pub(super) fn turn_to_end(&mut self, for_us: u64) -> Result<(), Stop> {
        match self.turn(self.clock.now_us() + for_us) {
            Ok(()) | Err(Stop::Deadline | Stop::Told) => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    /// Sends a signal to the very process that was seen. False if it is gone.
    pub(super) fn signal(&mut self, pid: u32, name: &str, signal: Signal) -> bool {
        self.watch_new_processes();
        self.observer.signal(pid, name, signal)
    }

    /// Takes in what needs no waiting: the log, ends, and a look if one is due.
    fn catch_up(&mut self) {
        self.observer.read_log();
        self.reap();
        self.watch_new_processes();
        if self.observer.next_look_us() <= self.clock.now_us() {
            self.observer.look();
            self.watch_new_processes();
        }
    }

    /// Starts a program, and hears what it says. It is no nginx of the world, whatever it runs.
    pub(super) fn start(&mut self, command: &mut Command) -> Result<u32, Stop> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (pid, _) = self.spawn(command, Stream::Out)?;
        Ok(pid)
    }

    /// Starts nginx where its first process may be the one that stays: it is of the world.
    pub(super) fn start_nginx(&mut self, command: &mut Command) -> Result<u32, Stop> {
        let pid = self.start(command)?;
        self.observer.strangers.remove(&pid);
        Ok(pid)
    }

    /// Starts the load, whose standard output is events.
    pub(super) fn start_load(&mut self, command: &mut Command) -> Result<(u32, ChildStdin), Stop> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (pid, stdin) = self.spawn(command, Stream::Records)?;
        Ok((pid, stdin.ok_or_else(|| Stop::Broken("the load has no standard input".into()))?))
    }

    fn spawn(&mut self, command: &mut Command, out: Stream) -> Result<(u32, Option<ChildStdin>), Stop> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.env_remove("NGINX");
        let mut child =
            Reactor::unblocked(|| command.spawn()).map_err(Stop::broken(&format!("start {name}")))?;
        let pid = child.id();
        self.observer.strangers.insert(pid);
        self.children.insert(pid, Child::default());
        let ends = [
            (out, child.stdout.take().map(OwnedFd::from)),
            (Stream::Err, child.stderr.take().map(OwnedFd::from)),
        ];
        for (stream, end) in ends {
            let Some(end) = end else { continue };
            let pipe = Pipe::new(pid, stream, end).map_err(Stop::broken("read a pipe"))?;
            self.next_pipe += 1;
            self.reactor
                .add(&pipe.end, Source::Pipe(self.next_pipe))
                .map_err(Stop::broken("watch a pipe"))?;
            self.pipes.insert(self.next_pipe, pipe);
        }
        Ok((pid, child.stdin.take()))
    }

    /// True if a started program has ended; what it said last may still be in its pipes.
    pub(super) fn has_ended(&self, pid: u32) -> bool {
        self.children.get(&pid).is_none_or(|child| child.exit.is_some())
    }

    /// Waits until a started program has ended.
    ///
    /// Its pipes are read to what is there, not to their end: a daemon that it left behind may hold them.
    pub(super) fn finish(&mut self, pid: u32) -> Result<Finished, Stop> {
        while !self.has_ended(pid) {
            self.turn(u64::MAX)?;
        }
        let own: Vec<u32> =
            self.pipes.iter().filter(|(_, pipe)| pipe.child == pid).map(|(&number, _)| number).collect();
        for number in own {
            self.hear(number)?;
            if let Some(pipe) = self.pipes.remove(&number) {
                self.reactor.remove(&pipe.end);
            }
        }
        Ok(self.children.remove(&pid).unwrap_or_default())
    }

    /// Notes what happened at an earlier time.
    pub(super) fn note_at(&mut self, at_us: u64, what: What) {
        self.observer.events.push(Event { at_us, what });
    }

    /// The programs that the agent has started and that still run.
    pub(super) fn running_children(&self) -> Vec<u32> {
        self.children.iter().filter(|(_, child)| child.exit.is_none()).map(|(&pid, _)| pid).collect()
    }

    /// Runs `write` on a child's input; that nobody reads it any more is no error here.
    pub(super) fn tell(stdin: &mut ChildStdin, words: &[u8]) {
        let _ = stdin.write_all(words).and_then(|()| stdin.flush());
    }

    fn hear(&mut self, number: u32) -> Result<(), Stop> {
        let Some(pipe) = self.pipes.get_mut(&number) else { return Ok(()) };
        let (bytes, has_ended) = pipe.read();
        let (child, stream) = (pipe.child, pipe.stream);
        if has_ended && let Some(pipe) = self.pipes.remove(&number) {
            self.reactor.remove(&pipe.end);
        }
        match stream {
            Stream::Records => self.record(&bytes),
            Stream::Out | Stream::Err => {
                if let Some(child) = self.children.get_mut(&child) {
                    child.says(stream, &bytes);
                }
                Ok(())
            }
        }
    }

    /// Takes in what the load wrote: events, one a line.
    fn record(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.half_record.extend_from_slice(bytes);
        let whole = self.half_record.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.half_record.drain(..whole).collect();
        for line in lines.lines() {
            let line = line.map_err(Stop::broken("read the load's records"))?;
            if line == LOAD_READY {
                self.load_is_ready = true;
            } else {
                let event: Event =
                    serde_json::from_str(&line).map_err(Stop::broken("understand the load's records"))?;
                self.observer.events.push(event);
            }
        }
        Ok(())
    }

    /// Reaps every child and orphan that has ended.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let exit = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => continue,
            };
            let pid = pid.as_raw_nonzero().get().cast_unsigned();
            self.observer.strangers.remove(&pid);
            let child = self.children.get_mut(&pid);
            let is_own = child.is_some();
            if let Some(child) = child {
                child.exit = Some(exit);
            }
            // One that the agent started may be a master that stays.
            if !is_own || self.observer.processes.contains_key(&pid) {
                self.observer.read_log();
                self.unwatch(pid);
                self.observer.died(pid, Some(exit));
            }
        }
    }

    /// Watches the ends of processes that the observer has found.
    fn watch_new_processes(&mut self) {
        for pid in self.observer.take_unwatched() {
            if let Some(handle) =
                self.observer.processes.get(&pid).and_then(|process| process.handle.as_ref())
            {
                // Without it the end is learnt from the log or by reaping.
                let _ = self.reactor.add(handle, Source::Process(pid));
            }
        }
    }

    fn unwatch(&mut self, pid: u32) {
        if let Some(handle) = self.observer.processes.get_mut(&pid).and_then(|process| process.handle.take())
        {
            self.reactor.remove(&handle);
        }
    }
}

/// A pid as the kernel's calls want it.
pub(super) fn raw(pid: u32) -> Option<Pid> {
    Pid::from_raw(pid.cast_signed())
}

/// Signals a descendant by handle. False if it is gone.
pub(super) fn kill(pid: u32, signal: Signal) -> bool {
    let handle = raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    handle.is_some_and(|handle| pidfd_send_signal(handle, signal).is_ok())
}
