//! Virtual time: it stands still while anybody can go on, and jumps to the next timer when all sleep.

use fake_nginx::machine::{Arrival, Effect, Pid, Signal};
use smallvec::SmallVec;

use super::{Around, Doing, Kernel, Proc};

impl Kernel {
    /// Milliseconds since the world began.
    #[must_use]
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The processes that can take a step now, by pid.
    pub fn runnable(&self) -> impl Iterator<Item = &Proc> {
        self.living().filter(|process| self.can_go_on(process))
    }

    pub(super) fn can_go_on(&self, process: &Proc) -> bool {
        let is_over = process.until_ms.is_some_and(|until_ms| until_ms <= self.now_ms);
        match &process.doing {
            Doing::Effect(Effect::Sleep) => process.signals.is_any_pending(),
            Doing::Effect(Effect::Pause { .. }) => is_over,
            Doing::Effect(Effect::WaitEvents { .. }) => {
                is_over || process.signals.is_interrupted() || self.is_ready(process)
            }
            Doing::Effect(_) | Doing::Writing(..) => true,
            Doing::Told | Doing::Dead(_) => false,
        }
    }

    /// When the next process has a reason to wake that is a time.
    #[must_use]
    pub fn next_timer_ms(&self) -> Option<u64> {
        self.living().flat_map(|process| [process.until_ms, process.alarm_ms]).flatten().min()
    }

    /// Time passes; alarms strike.
    pub fn advance_to(&mut self, now_ms: u64, around: &mut Around<'_>) {
        self.now_ms = self.now_ms.max(now_ms);
        let is_due = |process: &&Proc| process.alarm_ms.is_some_and(|at_ms| at_ms <= self.now_ms);
        let due: SmallVec<[Pid; 2]> = self.living().filter(is_due).map(|process| process.pid).collect();
        for pid in due {
            self.of(pid).alarm_ms = None;
            self.deliver(pid, Arrival { signal: Signal::Alrm, sender: None }, around);
        }
    }
}
