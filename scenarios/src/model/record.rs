//! From what happened to a trace.
//!
//! The model sees everything, so its traces are blind to nothing. Times within one millisecond are told apart
//! by counting microseconds, so that the order of events is the order of their times.

use std::collections::BTreeMap;

use fake_nginx::conf::Level;
use fake_nginx::machine::{Entry, ExitStatus, Line, Names, Pid, Signal};

use super::choice::Who;
use super::client::End;
use super::kernel::{Content, Image, Kernel, Path, Proc, Seen, Setting};
use crate::trace::{self, Event, Exit, Fate, PidFile, Request, Role, What};

/// The signals that somebody asks for something with; the others are the kernel's news.
const COMMANDS: [Signal; 7] =
    [Signal::Hup, Signal::Int, Signal::Quit, Signal::Term, Signal::Usr1, Signal::Usr2, Signal::Winch];

/// A trace in the making.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) events: Vec<Event>,
    is_wanted: bool,
    names: Vec<Names>,
    /// What each image answers with, if it is not 200.
    codes: Vec<Option<u16>>,
    last_us: u64,
    pid_files: [trace::Content; 2],
    binary: Option<String>,
    holds: BTreeMap<u32, Option<bool>>,
}

impl Record {
    /// Writes everything down; or nothing, if nobody wants it.
    pub(super) fn new(setting: &Setting, is_wanted: bool) -> Self {
        let with_version = |version: String| {
            let mut names = setting.names.clone();
            names.version = version;
            names
        };
        let names = if is_wanted {
            setting.images.iter().map(|image| with_version(image.version.to_string())).collect()
        } else {
            Vec::new()
        };
        Self {
            events: Vec::new(),
            is_wanted,
            names,
            codes: setting.images.iter().map(Image::forced_status).collect(),
            last_us: 0,
            pid_files: [trace::Content::Absent, trace::Content::Absent],
            binary: None,
            holds: BTreeMap::new(),
        }
    }

    pub(super) const fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Something happened now.
    pub(super) fn note(&mut self, now_ms: u64, what: What) {
        if self.is_wanted {
            let at_us = self.at_us(now_ms);
            self.events.push(Event { at_us, what });
        }
    }

    /// One more microsecond, within the millisecond.
    fn at_us(&mut self, now_ms: u64) -> u64 {
        let from_us = now_ms * 1_000;
        self.last_us = if self.last_us < from_us { from_us } else { (self.last_us + 1).min(from_us + 999) };
        self.last_us
    }

    /// What is there already.
    pub(super) fn begin(&mut self, kernel: &Kernel) {
        for path in [Path::BINARY, Path::PID, Path::OLDBIN] {
            self.see(&Seen::File(path), kernel);
        }
        for process in kernel.living() {
            let Proc { pid, parent, actor, image, .. } = *process;
            self.see(&Seen::Born { pid, parent, actor, image: Some(image) }, kernel);
            self.see(&Seen::Holds(pid), kernel);
        }
        self.note(kernel.now_ms(), What::Quiescent);
    }

    pub(super) fn see(&mut self, seen: &Seen, kernel: &Kernel) {
        if !self.is_wanted {
            return;
        }
        let now_ms = kernel.now_ms();
        match *seen {
            Seen::Born { pid, parent, actor, image } => {
                let role = if actor.who == Who::Worker { Role::Worker } else { Role::Master };
                let version = image.map(|image| self.names[usize::from(image)].version.clone());
                let generation = u32::from(actor.generation);
                let (pid, parent) = (pid.0, parent.0);
                self.holds.insert(pid, None);
                self.note(now_ms, What::Born { pid, parent, role, generation, version });
            }
            Seen::Draining(pid) => self.note(now_ms, What::Draining { pid: pid.0 }),
            Seen::Died { pid, status } => {
                // The launcher is no process of the trace.
                if self.holds.remove(&pid.0).is_some() {
                    self.note(now_ms, What::Died { pid: pid.0, exit: Some(exit(status)) });
                }
            }
            Seen::Sent { from, to, signal } => {
                let (from, to, signal) = (Some(from.0), to.0, word(signal));
                self.note(now_ms, What::Signal { from, to, signal, arrived: false });
            }
            Seen::File(path) => self.look_at_file(path, kernel),
            Seen::Holds(pid) => self.look_at_sockets(pid, kernel),
            Seen::Logged { pid, image, entry } => self.log(now_ms, pid, image, entry),
            Seen::Answered { .. } | Seen::Ended { .. } => {}
        }
    }

    fn look_at_file(&mut self, path: Path, kernel: &Kernel) {
        let content = kernel.files().read(path);
        if path == Path::BINARY {
            let version = match content {
                Some(Content::Image(image)) => Some(self.names[usize::from(image)].version.clone()),
                _ => None,
            };
            if version != self.binary {
                self.binary.clone_from(&version);
                self.note(kernel.now_ms(), What::Binary { version });
            }
            return;
        }
        let (at, file) = match path {
            Path::PID => (0, PidFile::Current),
            Path::OLDBIN => (1, PidFile::Oldbin),
            _ => return,
        };
        let content = match content {
            None => trace::Content::Absent,
            Some(Content::Empty) => trace::Content::Empty,
            Some(Content::Pid(pid)) => trace::Content::Pid(pid.0),
            Some(Content::Image(_) | Content::Garbage) => trace::Content::Garbage("?".to_owned()),
        };
        if self.pid_files[at] != content {
            self.pid_files[at] = content.clone();
            self.note(kernel.now_ms(), What::PidFile { file, content });
        }
    }

    /// `None`: not held; otherwise, whether it is accepted from.
    fn look_at_sockets(&mut self, pid: Pid, kernel: &Kernel) {
        let Some(process) = kernel.process(pid).filter(|process| process.is_alive()) else { return };
        if process.actor.who == Who::Launcher {
            return;
        }
        let accepting = (!process.fds.is_empty()).then(|| Proc::is_accepting(process));
        let before = self.holds.insert(pid.0, accepting).flatten();
        if before == accepting {
            return;
        }
        let address = self.names[0].address_of(super::kernel::ADDRESS).to_string();
        let pid = pid.0;
        self.note(
            kernel.now_ms(),
            match accepting {
                Some(accepting) => What::Listening { pid, address, accepting },
                None => What::NotListening { pid, address },
            },
        );
    }

    fn log(&mut self, now_ms: u64, pid: Pid, image: u8, entry: Entry) {
        // The built-in log is another file.
        if entry.log.is_none() || entry.line.level() > Level::Notice {
            return;
        }
        let text = entry.line.shown(&self.names[usize::from(image)]).to_string();
        let level = entry.line.level().word().to_owned();
        self.note(now_ms, What::Log { pid: pid.0, level, text });
        if let Line::Signal { signal, sender, .. } = entry.line
            && COMMANDS.contains(&signal)
        {
            let (from, to, signal) = (sender.map(|sender| sender.0), pid.0, word(signal));
            self.note(now_ms, What::Signal { from, to, signal, arrived: true });
        }
    }

    /// A request has ended.
    pub(super) fn request(&mut self, now_ms: u64, end: &End) {
        if !self.is_wanted {
            return;
        }
        let &End { connection, nth, kind, started_us, fate, by } = end;
        let version = by.map(|(_, image)| self.names[usize::from(image)].version.clone());
        let pid = by.map(|(pid, _)| pid);
        let mut fate = Fate::from(fate);
        let forced = by.and_then(|(_, image)| self.codes[usize::from(image)]);
        if let (Fate::Served { status }, Some(code)) = (&mut fate, forced) {
            *status = code;
        }
        let request = Request { connection, nth, kind, started_us, fate, pid, version };
        self.note(now_ms, What::Request(request));
    }
}

fn exit(status: ExitStatus) -> Exit {
    match status {
        ExitStatus::Code(code) => Exit::Code(i32::from(code)),
        ExitStatus::Signal { number, .. } => Exit::Signal(i32::from(number)),
    }
}

/// `USR2`
fn word(signal: Signal) -> String {
    signal.name().trim_start_matches("SIG").to_owned()
}
