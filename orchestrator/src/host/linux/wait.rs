//! The only wait: on the ends of processes, on the pid file's folder, on Ctrl-C, and, because a process that
//! is not its parent gets no event for a new worker, on a short timer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

use crate::host::HostError;
use crate::machine::{Identity, Waiting};

/// The first look again; a worker forks in less.
const PAUSE_US_MIN: u64 = 200;
/// The slowest look again while something must happen soon.
const PAUSE_US_MAX: u64 = 5_000;
/// The slowest look again while only exits matter, which wake us anyway.
const PATIENT_PAUSE_US_MAX: u64 = 200_000;

/// What there is to wait on.
pub(super) struct Waiter {
    folder: Option<OwnedFd>,
    operator: Option<SignalFd>,
    is_interrupted: bool,
    last: Option<Waiting>,
    pause_us: u64,
}

impl Waiter {
    /// Watches the folder of `pid_file`. From here on, Ctrl-C and its kin are told by [`Self::interrupted`] and no longer end
    /// this process.
    pub(super) fn new(pid_file: &Path, may_be_interrupted: bool) -> Self {
        let operator = may_be_interrupted.then(catch_interrupts).flatten();
        Self {
            folder: watch_folder(pid_file),
            operator,
            is_interrupted: false,
            last: None,
            pause_us: PAUSE_US_MIN,
        }
    }

    /// True once there was a Ctrl-C, a TERM, or the end of the session.
    pub(super) fn interrupted(&mut self) -> bool {
        while let Some(Ok(Some(_))) = self.operator.as_ref().map(SignalFd::read_signal) {
            self.is_interrupted = true;
        }
        self.is_interrupted
    }

    /// Returns when something may have changed, at the latest after `for_us`.
    pub(super) fn wait<'a>(
        &mut self,
        for_us: u64,
        why: &Waiting,
        ends: impl Iterator<Item = &'a OwnedFd>,
    ) -> Result<(), HostError> {
        let max_us = if why.is_patient() { PATIENT_PAUSE_US_MAX } else { PAUSE_US_MAX };
        let is_same = self.last.as_ref() == Some(why);
        self.pause_us = if is_same { (self.pause_us * 2).min(max_us) } else { PAUSE_US_MIN };
        self.last = Some(why.clone());
        let nanoseconds = i64::try_from(for_us.min(self.pause_us)).unwrap_or(i64::MAX).saturating_mul(1_000);
        let timeout = Timespec { tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000 };
        let mut fds: Vec<_> = ends.map(|end| PollFd::new(end, PollFlags::IN)).collect();
        fds.extend(self.folder.as_ref().map(|folder| PollFd::new(folder, PollFlags::IN)));
        fds.extend(
            self.operator.as_ref().map(|operator| PollFd::from_borrowed_fd(operator.as_fd(), PollFlags::IN)),
        );
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(()),
            Ok(_) => {
                drop(fds);
                self.pause_us = PAUSE_US_MIN;
                self.drain_folder();
                Ok(())
            }
            Err(error) => Err(HostError::os("poll", error)),
        }
    }

    fn drain_folder(&self) {
        let Some(folder) = &self.folder else { return };
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        let mut reader = inotify::Reader::new(folder, &mut buffer);
        while reader.next().is_ok() {}
    }
}

/// `None`: no event then, and the timer alone must do.
fn watch_folder(pid_file: &Path) -> Option<OwnedFd> {
    use inotify::{CreateFlags, WatchFlags};
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
    let what = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
    inotify::add_watch(&fd, pid_file.parent()?, what).ok()?;
    Some(fd)
}

fn catch_interrupts() -> Option<SignalFd> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block().ok()?;
    SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).ok()
}

/// Processes by handle: a pid may be used again, a pidfd never means another process.
#[derive(Default)]
pub(crate) struct Handles(BTreeMap<(u32, u64), OwnedFd>);

impl Handles {
    /// The handle of this very process; `None`: it is gone.
    pub(crate) fn hold(&mut self, identity: &Identity) -> Option<&OwnedFd> {
        match self.0.entry((identity.pid, identity.started)) {
            Entry::Occupied(held) => Some(held.into_mut()),
            Entry::Vacant(place) => {
                let handle = super::process::handle_of(identity.pid)?;
                // Opened first, compared then: if it is alive now, the handle is its.
                super::process::is_alive(identity).then(|| &*place.insert(handle))
            }
        }
    }

    /// The handles that are held for these.
    pub(super) fn of<'a>(&'a self, watch: &'a [Identity]) -> impl Iterator<Item = &'a OwnedFd> {
        watch.iter().filter_map(|identity| self.0.get(&(identity.pid, identity.started)))
    }
}
