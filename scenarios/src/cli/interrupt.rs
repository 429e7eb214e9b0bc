//! Ctrl-C, read instead of suffered: a long run finishes what is under way and tells what it has counted.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// From its making on, Ctrl-C and TERM wait to be read; a thread that is started later waits too.
///
/// A second Ctrl-C is not waited for: once the first was read, the signals are what they were.
pub(super) struct Interrupt {
    signals: SignalFd,
    was_there: bool,
}

fn ours() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM].into_iter().collect()
}

impl Interrupt {
    pub(super) fn new() -> io::Result<Self> {
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&ours()), None)?;
        let signals = SignalFd::with_flags(&ours(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { signals, was_there: false })
    }

    /// True if somebody has wanted the run to end.
    pub(super) fn was_there(&mut self) -> bool {
        if !self.was_there && matches!(self.signals.read_signal(), Ok(Some(_))) {
            self.was_there = true;
            let _ = sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&ours()), None);
        }
        self.was_there
    }
}
