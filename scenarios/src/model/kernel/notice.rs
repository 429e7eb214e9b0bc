//! Steps that nobody else notices, so that it makes no difference when they are taken.
//!
//! Whoever walks all interleavings may take such a step at once, before everything else: what others do before it, they
//! can do behind it, and all that anybody sees, claims or loses is the same.
//!
//! # What does differ
//! A worker that was told of another's channel later holds the master's end of it later. So there are orders in which a
//! master is sent SIGIO once more or once less when it closes that channel, besides the SIGCHLD that it gets anyway; and
//! a worker without a master closes its own channel earlier or later.

use fake_nginx::machine::{Effect, Process};

use super::channel::is_news;
use super::{Doing, Kernel, Proc};
use crate::trace::Kind;

impl Kernel {
    /// True if the next step of this process is one that nobody else notices.
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not known to be unnoticed is noticed")]
    pub(in crate::model) fn is_unnoticed(&self, process: &Proc) -> bool {
        let Doing::Effect(effect) = &process.doing else { return false };
        match *effect {
            Effect::Tell { command, .. } => is_news(command),
            Effect::CloseChannel(_) => true,
            Effect::WaitEvents { .. } => {
                self.brings_only_news(process.own_channel)
                    && self.is_woken_by_readiness_alone(process)
                    && !self.has_several_ready(process)
            }
            // Somebody else was faster.
            Effect::Accept { fd, .. } => self.waiting_at(process.socket(fd)) == 0,
            Effect::ShutdownWrite(conn) | Effect::Close(conn) => {
                let id = process.connection(conn);
                let connection = self.connections.iter().find(|connection| Some(connection.id) == id);
                connection.is_some_and(|connection| connection.kind != Kind::Kept && connection.is_answered())
            }
            _ => false,
        }
    }

    /// True if this worker would be woken for connections alone, and for each of them somebody else is about to accept.
    ///
    /// Linux wakes but one of those who wait (EPOLLEXCLUSIVE); and one who is woken in vain does nothing.
    pub(in crate::model) fn is_woken_in_vain(&self, process: &Proc) -> bool {
        let is_taken = |socket: Option<u16>| {
            let is_at_it = |other: &&Proc| match other.doing {
                Doing::Effect(Effect::Accept { fd, .. }) => other.socket(fd) == socket,
                Doing::Effect(_) | Doing::Writing(..) | Doing::Told | Doing::Dead(_) => false,
            };
            self.waiting_at(socket) <= self.living().filter(is_at_it).count()
        };
        matches!(process.doing, Doing::Effect(Effect::WaitEvents { .. }))
            && self.is_woken_by_readiness_alone(process)
            && !self.is_channel_readable(process.own_channel)
            && !self.has_changed_connection(process)
            && process.watches.iter().all(|&(fd, _)| is_taken(process.socket(fd)))
    }

    /// Where nobody connects any more, how often somebody has accepted makes no difference.
    pub(in crate::model) fn forget_accepts(&mut self) {
        if !self.connections.is_empty() {
            return;
        }
        for process in &mut self.processes {
            if matches!(&process.machine, Process::Worker(worker) if worker.has_accepted())
                && let Process::Worker(worker) = &mut process.make_mut().machine
            {
                worker.forget_accepts();
            }
        }
    }

    /// True if no signal and no time wakes it.
    fn is_woken_by_readiness_alone(&self, process: &Proc) -> bool {
        !process.signals.is_any_unread() && process.until_ms.is_none_or(|until_ms| until_ms > self.now_ms)
    }
}
