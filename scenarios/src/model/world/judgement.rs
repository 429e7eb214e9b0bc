//! What holds at an instant, and what has ever not held.

use super::{Broken, Gap, STEPS_MAX, World};
use crate::model::choice::{Name, Who};
use crate::model::client::End;
use crate::model::kernel::{Proc, Shown};

impl World<'_> {
    /// True if a connection that begins now would be accepted by somebody who runs, without anybody else's
    /// help: every socket that it could come to is watched by a process.
    #[must_use]
    pub fn fresh_connection_finds_worker(&self) -> bool {
        let kernel = &self.state.kernel;
        !kernel.sockets().is_empty()
            && kernel.sockets().iter().all(|socket| kernel.is_accepted_from(socket.id))
    }

    /// True if nobody accepts because the script killed those who would: see `last_worker`.
    #[must_use]
    pub fn script_killed_the_last_one(&self) -> bool {
        self.last_worker.is_killed()
    }

    /// The first instant at which nobody accepted and the script had not killed them.
    #[must_use]
    pub const fn first_gap(&self) -> Option<&Gap> {
        self.first_gap.as_ref()
    }

    /// The first request that was lost and should not have been, and when.
    #[must_use]
    pub const fn first_loss(&self) -> Option<&(u64, End)> {
        self.first_loss.as_ref()
    }

    /// At which step the script last killed somebody.
    #[must_use]
    pub const fn last_kill(&self) -> Option<u32> {
        self.last_kill
    }

    /// At which step the subject last began to look.
    #[must_use]
    pub const fn last_look(&self) -> u32 {
        self.last_look
    }

    /// The subject begins to look.
    pub(in crate::model) const fn looks(&mut self) {
        self.last_look = self.counts.steps;
    }

    /// Every process goes on until none can; no time passes, nothing goes wrong, and nothing is chosen.
    ///
    /// # Errors
    /// [`Broken::Steps`] if this never ends.
    pub fn settle(&mut self) -> Result<(), Broken> {
        for _ in 0..STEPS_MAX {
            let Some(pid) = self.state.kernel.runnable().map(|process| process.pid).next() else {
                return Ok(());
            };
            let name = self.state.kernel.process(pid).map(Proc::next_step);
            self.with(|kernel, around| kernel.step(pid, around));
            self.digest();
            name.into_iter().for_each(|name| self.judge(name));
        }
        Err(Broken::Steps)
    }

    pub(super) fn judge(&mut self, by: Name) {
        if self.fresh_connection_finds_worker() {
            let is_quiet = self.state.kernel.runnable().next().is_none();
            self.last_worker.somebody_accepts(is_quiet);
            return;
        }
        if self.last_worker.is_killed() {
            return;
        }
        self.counts.gaps += 1;
        if self.first_gap.is_none() {
            self.first_gap = Some(Gap { at_ms: self.now_ms(), step: self.counts.steps, by });
        }
    }

    /// True if no process can take a step, and no worker drains.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let kernel = &self.state.kernel;
        kernel.runnable().next().is_none()
            && !kernel.living().any(|process| process.shown == Shown::SHUTTING_DOWN)
            && !kernel.living().any(|process| process.actor.who == Who::Master && !process.is_asleep())
    }

    /// The masters that show themselves as such, the oldest first.
    pub fn masters(&self) -> impl Iterator<Item = &Proc> {
        self.state
            .kernel
            .living()
            .filter(|process| process.actor.who == Who::Master && process.shown == Shown::MASTER)
    }
}
