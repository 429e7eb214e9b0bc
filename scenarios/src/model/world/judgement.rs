//! What holds at an instant, and what has ever not held.

use fake_nginx::machine::{Pid, Process, Signal};

use super::{Broken, Gap, STEPS_MAX, World};
use crate::model::choice::{Name, Who};
use crate::model::client::End;
use crate::model::kernel::{Proc, Shown};
use crate::model::operator::Command;
use crate::trace::What;

impl World<'_> {
    /// True if a connection that begins now would be accepted by somebody who runs, without anybody else's
    /// help: every socket that it could come to is watched by a process.
    #[must_use]
    pub fn fresh_connection_finds_worker(&self) -> bool {
        let kernel = &self.state.kernel;
        !kernel.sockets().is_empty()
            && kernel.sockets().iter().all(|socket| kernel.is_accepted_from(socket.id))
    }

    /// True if nobody accepts because the script took away those who would: see `excuses`.
    #[must_use]
    pub fn script_killed_the_last_one(&self) -> bool {
        self.excuses.covers_gap()
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

    /// The first signal of a subject that went to somebody who is no nginx, and when.
    #[must_use]
    pub const fn first_stranger(&self) -> Option<(u64, Signal)> {
        self.first_stranger
    }

    /// The first command that was not kept away, or changed something, while another one ran.
    #[must_use]
    pub const fn first_beside(&self) -> Option<&Command> {
        self.first_beside.as_ref()
    }

    /// The subject sends this; nginx and the script may do as they like.
    pub(in crate::model) fn is_about_to_signal(&mut self, pid: Pid, signal: Signal) {
        if self.state.kernel.process(pid).is_some_and(Proc::is_stranger) {
            self.first_stranger = self.first_stranger.or(Some((self.now_ms(), signal)));
            let signal = signal.name().trim_start_matches("SIG").to_owned();
            self.note(What::SignalToStranger { pid: i64::from(pid.0), signal });
        }
    }

    /// True if the script meddled after the subject's last look, or before it without a sign of it.
    #[must_use]
    pub fn has_meddled_unseen(&self) -> bool {
        self.has_hidden_blow || self.last_kill.is_some_and(|step| step >= self.last_look)
    }

    /// True if a master runs that nobody has told to end, neither the script nor anybody else.
    #[must_use]
    pub fn has_master_that_stays(&self) -> bool {
        let is_told = |process: &Proc| {
            let is_pending = |signal| process.signals.is_pending(signal);
            matches!(&process.machine, Process::Master(master) if master.is_ending())
                || is_pending(Signal::Quit)
                || is_pending(Signal::Term)
        };
        let mut masters = self.state.kernel.living().filter(|process| process.actor.who == Who::Master);
        masters.any(|master| !is_told(master))
    }

    /// The subject begins to look.
    pub(in crate::model) fn looks(&mut self) {
        self.last_look = self.counts.steps;
        self.has_changed = false;
        self.has_hidden_blow = self.excuses.is_any_hidden(&self.state.kernel);
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
            if self.excuses.covers_gap() && self.is_settled_since_last_blow() {
                self.excuses.is_over();
            }
            return;
        }
        if self.excuses.covers_gap() {
            return;
        }
        self.counts.gaps += 1;
        if self.first_gap.is_none() {
            self.first_gap = Some(Gap { at_ms: self.now_ms(), step: self.counts.steps, by });
        }
    }

    /// True if nobody has anything left to do, and the command that runs has seen all that the script did.
    fn is_settled_since_last_blow(&self) -> bool {
        let kernel = &self.state.kernel;
        let has_looked = !self.is_commanded
            || !self.has_hidden_blow && self.last_kill.is_some_and(|step| step < self.last_look);
        has_looked
            && kernel.runnable().next().is_none()
            && self.masters().all(Proc::is_asleep)
            && !kernel.living().any(|process| process.signals.is_any_unread())
            && !self.excuses.is_any_hidden(kernel)
    }

    /// True if this process was taken away by the script, or told to go.
    #[must_use]
    pub fn was_struck(&self, pid: Pid) -> bool {
        self.excuses.has_struck(pid)
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
