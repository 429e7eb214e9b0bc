//! What the agent waits for: one epoll set over everything that can tell it something.

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::epoll;
use rustix::fs::inotify::{self, ReadFlags, WatchFlags};
use rustix::time::Timespec;

use super::super::order::Paths;

/// Something that has news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A folder of the world changed.
    Folders,
    /// A process of nginx ended.
    Process(u32),
    /// A child or orphan of the agent ended, or the agent is asked to end.
    Signals,
    /// Bytes or the end of a pipe.
    Pipe(u32),
    /// Somebody connects to the control socket.
    Control,
    /// A process reports a moment there, or is gone.
    Controlled(u32),
    /// Standard input: the laboratory is gone.
    Laboratory,
}

/// A file in one of the world's folders that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Its name within its folder.
    pub(super) name: String,
    /// True if the name leads nowhere by this change.
    pub(super) is_removal: bool,
}

/// The epoll set.
pub(super) struct Reactor {
    epoll: OwnedFd,
    signals: SignalFd,
    folders: OwnedFd,
}

/// The signals that the agent reads instead of being interrupted.
fn own_signals() -> SigSet {
    [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect()
}

impl Reactor {
    /// Watches the world's folders, signals and standard input.
    pub(super) fn new(paths: &Paths) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&own_signals()), None)?;
        let signals = SignalFd::with_flags(&own_signals(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let folders = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let names = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE;
        inotify::add_watch(&folders, &paths.prefix, names | WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE)?;
        for path in [&paths.binary, &paths.log] {
            let folder = path.parent().unwrap_or(&paths.prefix);
            // A log grows by MODIFY; a binary is one when its writer closes it.
            let content = if path == &paths.log { WatchFlags::MODIFY } else { WatchFlags::CLOSE_WRITE };
            inotify::add_watch(&folders, folder, names | content)?;
        }
        // A journal is renamed into its place.
        inotify::add_watch(&folders, &paths.state, WatchFlags::MOVED_TO)?;
        let reactor = Self { epoll, signals, folders };
        reactor.add(&reactor.signals, Source::Signals)?;
        reactor.add(&reactor.folders, Source::Folders)?;
        reactor.add(io::stdin(), Source::Laboratory)?;
        Ok(reactor)
    }

    /// Begins to watch `what`.
    pub(super) fn add(&self, what: impl AsFd, source: Source) -> io::Result<()> {
        let data = epoll::EventData::new_u64(token(source));
        epoll::add(&self.epoll, what, data, epoll::EventFlags::IN)?;
        Ok(())
    }

    /// Begins to watch a connection to the control socket.
    pub(super) fn add_controlled(&self, connection: impl AsFd, number: u32) -> io::Result<()> {
        self.add(connection, Source::Controlled(number))
    }

    /// Stops watching `what`.
    pub(super) fn remove(&self, what: impl AsFd) {
        let _ = epoll::delete(&self.epoll, what);
    }

    /// Waits until something has news, at most `for_us`; folders first, then ends, then pipes.
    pub(super) fn wait(&self, for_us: u64) -> io::Result<Vec<Source>> {
        let timeout = Timespec {
            tv_sec: i64::try_from(for_us / 1_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(for_us % 1_000_000 * 1_000).unwrap_or(0),
        };
        let mut events = Vec::with_capacity(64);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut sources: Vec<Source> = events.iter().map(|event| source(event.data.u64())).collect();
        sources.sort_unstable();
        Ok(sources)
    }

    /// What changed in the world's folders.
    pub(super) fn changes(&self) -> Vec<Change> {
        let mut buffer = [MaybeUninit::uninit(); 8_192];
        let mut reader = inotify::Reader::new(&self.folders, &mut buffer);
        let mut changes: Vec<Change> = Vec::new();
        while let Ok(event) = reader.next() {
            let Some(name) = event.file_name().and_then(|name| name.to_str().ok()) else { continue };
            let is_removal = event.events().intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
            let change = Change { name: name.to_owned(), is_removal };
            if changes.last() != Some(&change) {
                changes.push(change);
            }
        }
        changes
    }

    /// Empties the signal queue; true if one of them asks the agent to end.
    pub(super) fn is_told_to_end(&self) -> bool {
        let mut told = false;
        while let Ok(Some(signal)) = self.signals.read_signal() {
            told |= signal.ssi_signo != Signal::SIGCHLD as u32;
        }
        told
    }

    /// Runs `start` with the agent's signals unblocked: a child inherits what is blocked.
    pub(super) fn unblocked<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&own_signals()), None)?;
        let started = start();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&own_signals()), None)?;
        started
    }
}

const KINDS: u64 = 32;

fn token(source: Source) -> u64 {
    match source {
        Source::Folders => 0,
        Source::Signals => 1 << KINDS,
        Source::Laboratory => 2 << KINDS,
        Source::Process(pid) => 3 << KINDS | u64::from(pid),
        Source::Pipe(pipe) => 4 << KINDS | u64::from(pipe),
        Source::Control => 5 << KINDS,
        Source::Controlled(number) => 6 << KINDS | u64::from(number),
    }
}

fn source(token: u64) -> Source {
    let number = u32::try_from(token & u64::from(u32::MAX)).unwrap_or(0);
    match token >> KINDS {
        0 => Source::Folders,
        1 => Source::Signals,
        2 => Source::Laboratory,
        3 => Source::Process(number),
        4 => Source::Pipe(number),
        5 => Source::Control,
        _ => Source::Controlled(number),
    }
}

/// Descriptors by number, so that an event can name one.
pub(super) type Pipes<T> = BTreeMap<u32, T>;
