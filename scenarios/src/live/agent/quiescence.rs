//! When nothing moves any more: every process sleeps where nginx sleeps, with nothing pending, twice in a row.
//!
//! All of it can be read in `/proc`, so nobody has to sleep to be sure. While the load runs, workers are woken
//! by clients, and only masters must sleep.

use super::Stop;
use super::proc::{self, Doing};
use super::world::World;
use crate::trace::{Role, What};

/// Between two looks that must agree. A process that is about to move has been woken, and shows it.
const BETWEEN_LOOKS_US: u64 = 1_000;
/// Between looks as long as something moves.
const PAUSE_US: u64 = 5_000;
/// How long a drain may hold back the next act. A drain is as long as its longest request; one that takes longer
/// than this never ends, and the trace shows that without waiting for it.
const DRAIN_US_MAX: u64 = 3_000_000;

/// The system calls that nginx sleeps in.
#[cfg(target_arch = "x86_64")]
mod syscall {
    pub(super) const SIGSUSPEND: u64 = 130;
    pub(super) const EPOLL_WAIT: [u64; 3] = [232, 281, 441];
}
/// The system calls that nginx sleeps in.
#[cfg(not(target_arch = "x86_64"))]
mod syscall {
    pub(super) const SIGSUSPEND: u64 = 133;
    pub(super) const EPOLL_WAIT: [u64; 3] = [22, 22, 441];
}

/// Whether clients are at work meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    /// They are: workers need not sleep.
    Runs,
    /// They are not.
    Stopped,
}

impl World {
    /// Waits until nothing moves, and notes it. A world that never rests is left by the run's deadline.
    pub(super) fn wait_until_quiescent(&mut self, load: Load) -> Result<(), Stop> {
        self.wait_until_rest(load, DRAIN_US_MAX)
    }

    /// The same, but what drains may go on: everybody else has done what there was to do.
    pub(super) fn wait_until_settled(&mut self) -> Result<(), Stop> {
        self.wait_until_rest(Load::Runs, 0)
    }

    /// The same, and no client makes workers move: what drains sleeps until its client does something.
    pub(super) fn wait_until_still(&mut self) -> Result<(), Stop> {
        self.wait_until_rest(Load::Stopped, 0)
    }

    fn wait_until_rest(&mut self, load: Load, drain_us: u64) -> Result<(), Stop> {
        let began_us = self.clock.now_us();
        let mut last: Option<Vec<(u32, Doing)>> = None;
        loop {
            let waited_us = self.clock.now_us() - began_us;
            let seen = self.rest(load, waited_us >= drain_us, waited_us >= DRAIN_US_MAX);
            match (&last, &seen) {
                (Some(before), Some(now)) if before == now => {
                    self.observer.note(What::Quiescent);
                    return Ok(());
                }
                (None, Some(_)) => self.turn(self.clock.now_us() + BETWEEN_LOOKS_US)?,
                _ => self.turn(self.clock.now_us() + PAUSE_US)?,
            }
            last = seen;
        }
    }

    /// What every process does, if all of them rest.
    fn rest(&self, load: Load, may_drain: bool, may_be_unsettled: bool) -> Option<Vec<(u32, Doing)>> {
        let mut seen = Vec::new();
        if self.mishaps.is_anybody_paused() {
            return None;
        }
        // An accepting worker is what the observer waits for; one that never will must not hold the run.
        if self.observer.is_unsettled() && !may_be_unsettled {
            return None;
        }
        for (&pid, process) in self.observer.processes.iter().filter(|(_, process)| process.is_alive()) {
            let doing = proc::doing(pid)?;
            if process.is_draining && !may_drain {
                return None;
            }
            let rests = match process.role {
                // A process that is master and worker at once waits as workers do.
                Role::Master => {
                    doing.sleeps_in(&[syscall::SIGSUSPEND]) || doing.sleeps_in(&syscall::EPOLL_WAIT)
                }
                Role::Worker => load == Load::Runs || doing.sleeps_in(&syscall::EPOLL_WAIT),
            };
            if doing.has_pending || !rests {
                return None;
            }
            let doing = if load == Load::Runs && process.role == Role::Worker {
                Doing { state: 'S', has_pending: false, syscall: None }
            } else {
                doing
            };
            seen.push((pid, doing));
        }
        Some(seen)
    }
}

/// True if the process sleeps where only masters do.
pub(super) fn rests_as_master(pid: u32) -> bool {
    proc::doing(pid).is_some_and(|doing| doing.sleeps_in(&[syscall::SIGSUSPEND]))
}

/// True if the process sleeps where only those do who serve.
pub(super) fn rests_as_worker(pid: u32) -> bool {
    proc::doing(pid).is_some_and(|doing| doing.syscall.is_some() && doing.sleeps_in(&syscall::EPOLL_WAIT))
}

impl Doing {
    /// True if the process sleeps in one of these; where the kernel does not say in which, that it sleeps is all.
    fn sleeps_in(&self, syscalls: &[u64]) -> bool {
        self.state == 'S' && self.syscall.is_none_or(|syscall| syscalls.contains(&syscall))
    }
}
