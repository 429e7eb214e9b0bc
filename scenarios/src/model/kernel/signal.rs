//! Signals: sets, not queues; masks; what a handler has met.
//!
//! A blocked signal waits in the pending set, once, with its first sender. sigsuspend(2) lets all of them in
//! at one wake-up, and as each handler's frame lies on top of the one before, the handler of the highest
//! number runs first. A worker has nothing blocked: its handlers run at once, but what they have set is looked
//! at only when epoll_wait(2) returns, and a handler that ran *before* that call does not wake it.
//!
//! # Source
//! `get_signal` and `dequeue_signal` in `kernel/signal.c`, `ep_poll` in `fs/eventpoll.c`, Linux 6.1.

use fake_nginx::machine::{Arrival, Arrivals, Effect, ExitStatus, Pid, Signal};

use super::{Around, Defect, Doing, Kernel, Seen};

/// What a process has of signals.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Signals {
    /// Highest number first.
    pending: Arrivals,
    /// What handlers met since somebody asked.
    met: Arrivals,
    is_blocked: bool,
    has_handlers: bool,
    /// A handler ran while the process waited in epoll_wait(2).
    is_interrupted: bool,
}

impl Signals {
    /// What an executed process keeps: the mask and what is pending.
    pub(super) fn after_exec(&self) -> Self {
        Self { pending: self.pending.clone(), is_blocked: self.is_blocked, ..Self::default() }
    }

    /// What a child gets: everything but what is pending.
    pub(super) fn after_fork(&self) -> Self {
        Self { pending: Arrivals::new(), is_interrupted: false, ..self.clone() }
    }

    pub(super) const fn install_handlers(&mut self) {
        self.has_handlers = true;
    }

    pub(super) fn block(&mut self) -> Arrivals {
        self.is_blocked = true;
        std::mem::take(&mut self.met)
    }

    pub(super) fn unblock(&mut self) {
        self.is_blocked = false;
        self.met.append(&mut self.pending);
    }

    pub(super) fn take_pending(&mut self) -> Arrivals {
        std::mem::take(&mut self.pending)
    }

    pub(super) fn take_met(&mut self) -> Arrivals {
        self.is_interrupted = false;
        std::mem::take(&mut self.met)
    }

    /// True if a blocked signal waits.
    #[must_use]
    pub fn is_any_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// True if a handler has met a signal that nobody has looked at.
    #[must_use]
    pub fn is_any_unread(&self) -> bool {
        !self.met.is_empty()
    }

    /// True if this signal waits.
    #[must_use]
    pub fn is_pending(&self, signal: Signal) -> bool {
        self.pending.iter().any(|arrival| arrival.signal == signal)
    }

    pub(super) const fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    /// Whether the signal ends the process.
    fn receive(&mut self, arrival: Arrival, waits_for_events: bool) -> bool {
        if self.is_blocked {
            if self.pending.iter().all(|pending| pending.signal != arrival.signal) {
                let number = arrival.signal.number();
                let place = self.pending.iter().position(|pending| pending.signal.number() < number);
                self.pending.insert(place.unwrap_or(self.pending.len()), arrival);
            }
            return false;
        }
        if self.has_handlers {
            self.met.push(arrival);
            self.is_interrupted |= waits_for_events;
            return false;
        }
        !matches!(arrival.signal, Signal::Chld | Signal::Winch)
    }
}

impl Kernel {
    /// kill(2). False: there is no such process.
    pub fn kill(&mut self, from: Pid, to: Pid, signal: Signal, around: &mut Around<'_>) -> bool {
        let Some(at) = self.index(to) else { return false };
        around.seen.push(Seen::Sent { from, to, signal });
        if self.processes[at].is_alive() {
            self.deliver(to, Arrival { signal, sender: Some(from) }, around);
        }
        true
    }

    /// A process calls exit(3), whatever its machine would do next.
    pub fn exit(&mut self, pid: Pid, code: u8, around: &mut Around<'_>) {
        self.end(pid, ExitStatus::Code(code), around);
    }

    /// A signal arrives at a process that runs.
    pub(super) fn deliver(&mut self, to: Pid, arrival: Arrival, around: &mut Around<'_>) {
        let ends = arrival.signal == Signal::Kill || {
            let process = self.of(to);
            let waits = matches!(process.doing, Doing::Effect(Effect::WaitEvents { .. }))
                || around.has(Defect::WakesForAnOldHandler);
            process.signals.receive(arrival, waits)
        };
        if ends {
            let status = ExitStatus::Signal { number: arrival.signal.number(), core: false };
            self.end(to, status, around);
        }
    }
}

#[cfg(test)]
impl Signals {
    /// Receives as a process that waits for nothing.
    pub(super) fn receive_for_test(&mut self, arrival: Arrival) {
        assert!(!self.receive(arrival, false));
    }
}
