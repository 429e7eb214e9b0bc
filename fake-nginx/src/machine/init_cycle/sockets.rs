//! The sockets of a new cycle: taken over from the old one, opened, adjusted.
//!
//! # Source
//! `ngx_init_cycle` in `src/core/ngx_cycle.c`, `ngx_open_listening_sockets` and `ngx_configure_listening_sockets` in
//! `src/core/ngx_connection.c`, nginx 1.18 to 1.30.

use super::{BIND_ROUNDS, InitCycle, Step};
use crate::machine::cycle::{Fd, Listening, Speaks};
use crate::machine::effect::Effect;
use crate::machine::line::{Errno, Line};
use crate::machine::reply::Reply;
use crate::machine::unanswered;

impl InitCycle {
    /// Each configured socket takes the first unused old one with the same address.
    pub(super) fn match_old(&mut self) -> Option<Effect> {
        let Self { old, remain, new, opened, .. } = self;
        let new = new.as_mut().expect("the configuration was read before");
        for listening in &mut new.listening {
            let found = old
                .iter()
                .zip(remain.iter_mut())
                .find(|(old, used)| !**used && old.fd.is_some() && old.address == listening.address);
            if let Some((old, used)) = found {
                listening.fd = old.fd;
                listening.is_inherited = old.is_inherited;
                *used = true;
            }
        }
        *opened = new.listening.iter().map(|listening| listening.fd.is_none()).collect();
        self.to(Step::Round(0))
    }

    pub(super) fn open(&mut self, round: u8, at: u8, failed: bool) -> Option<Effect> {
        let Some(&listening) = self.cycle().listening.get(usize::from(at)) else {
            return self.to(Step::RoundOver { round, failed });
        };
        if let Some(fd) = listening.fd {
            let next = Step::Open { round, at: at + 1, failed };
            // Before its clones are bound, or they meet EADDRINUSE.
            let shares = listening.worker.is_some() && round == 0 && !self.opened[usize::from(at)];
            if shares && self.before(fd).is_none_or(|old| old.worker.is_none()) {
                return self.go(next, Effect::AdjustListener { fd, backlog: None, reuseport: true });
            }
            return self.to(next);
        }
        let (conf, is_test) = (self.cycle().conf, self.is_test());
        self.go(Step::Opening { round, at, failed }, Effect::OpenListener { conf, listening, is_test })
    }

    pub(super) fn opening(&mut self, round: u8, at: u8, failed: bool, reply: &Reply) -> Option<Effect> {
        let is_test = self.is_test();
        let new = self.new.as_mut().expect("the configuration was read before");
        let listening = &mut new.listening[usize::from(at)];
        let next = Step::Open { round, at: at + 1, failed };
        if let Reply::Fd(fd) = *reply {
            listening.fd = Some(fd);
            return self.to(next);
        }
        let &Reply::SocketFailed(call, errno) = reply else { unanswered(&self.step, reply) };
        if is_test && errno == Errno::EADDRINUSE {
            return self.to(next);
        }
        let (address, backlog) = (listening.address, listening.backlog);
        self.log(Step::NotOpened { round, at, errno }, Line::SocketFailed { call, address, backlog, errno })
    }

    pub(super) fn round_over(&mut self, round: u8, failed: bool) -> Option<Effect> {
        if !failed {
            return self.to(Step::Adjust(0));
        }
        // The fifth pause is followed by no further attempt.
        if round == BIND_ROUNDS {
            return self.log(Step::Undo(0), Line::StillCouldNotBind);
        }
        self.log(Step::Again { round }, Line::TryAgainToBind)
    }

    pub(super) fn adjust(&mut self, at: u8) -> Option<Effect> {
        if self.is_test() {
            return self.to(Step::UsingEpoll);
        }
        let Some(listening) = self.cycle().listening.get(usize::from(at)) else {
            return self.to(Step::Stderr);
        };
        let Some(fd) = listening.fd.filter(|_| !self.opened[usize::from(at)]) else {
            return self.to(Step::Adjust(at + 1));
        };
        if listening.speaks == Speaks::Datagrams {
            return self.to(Step::Adjust(at + 1));
        }
        let is_new = |backlog: &i32| self.before(fd).is_none_or(|old| old.backlog != *backlog);
        let Some(backlog) = Some(listening.backlog).filter(is_new) else {
            return self.to(Step::Adjust(at + 1));
        };
        self.go(Step::Adjust(at + 1), Effect::AdjustListener { fd, backlog: Some(backlog), reuseport: false })
    }

    /// The socket with this descriptor as it was in the old cycle.
    fn before(&self, fd: Fd) -> Option<&Listening> {
        self.old.iter().find(|old| old.fd == Some(fd))
    }
}
