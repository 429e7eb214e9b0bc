//! Sockets that nobody needs: old ones that the new cycle does not use, new ones of a cycle that failed.
//!
//! # Source
//! The ends of `ngx_init_cycle` in `src/core/ngx_cycle.c`, nginx 1.18 to 1.30.

use super::{InitCycle, Step};
use crate::machine::Defect;
use crate::machine::effect::Effect;
use crate::machine::line::Line;
use crate::machine::reply::Reply;

impl InitCycle {
    pub(super) fn close_old(&mut self, at: u8) -> Option<Effect> {
        let index = usize::from(at);
        let Some(old) = self.old.get(index) else { return self.to(Step::OldLogsClosed) };
        let keeps = self.defects.has(Defect::KeepsInheritedSockets) && !self.is_reload();
        match old.fd {
            Some(fd) if !self.remain[index] && !keeps => {
                self.go(Step::OldClosed(at), Effect::CloseListener(fd))
            }
            _ => self.to(Step::CloseOld(at + 1)),
        }
    }

    pub(super) fn old_closed(&mut self, at: u8, reply: &Reply) -> Option<Effect> {
        let old = self.old[usize::from(at)];
        if let Reply::Failed(errno) = *reply {
            // The step stays: the reply to a log line is never a failure.
            return self
                .log(Step::OldClosed(at), Line::CloseSocketFailed { address: Some(old.address), errno });
        }
        if old.is_unix {
            return self.log(Step::OldDeleting(at), Line::DeletingSocket { address: old.address });
        }
        self.to(Step::CloseOld(at + 1))
    }

    pub(super) fn old_unlinked(&mut self, at: u8, reply: &Reply) -> Option<Effect> {
        let address = self.old[usize::from(at)].address;
        match reply.outcome() {
            Err(errno) => self.log(Step::CloseOld(at + 1), Line::UnlinkSocketFailed { address, errno }),
            Ok(()) => self.to(Step::CloseOld(at + 1)),
        }
    }

    /// Closes what was opened here; the old cycle stays as it is.
    pub(super) fn undo(&mut self, at: u8) -> Option<Effect> {
        let index = usize::from(at);
        let Some(listening) = self.cycle().listening.get(index) else { return self.to(Step::UndoLogs) };
        match listening.fd {
            Some(fd) if self.opened[index] => self.go(Step::Undo(at + 1), Effect::CloseListener(fd)),
            _ => self.to(Step::Undo(at + 1)),
        }
    }
}
