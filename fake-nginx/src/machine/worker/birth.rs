//! The first acts of a worker, up to its event loop.
//!
//! # Source
//! `ngx_worker_process_init` in `src/os/unix/ngx_process_cycle.c`, `ngx_event_process_init` in
//! `src/event/ngx_event.c`, nginx 1.18 to 1.30.

use super::{Serves, Step as WorkerStep, Worker};
use crate::fault::Fault;
use crate::machine::Defect;
use crate::machine::effect::{Effect, Title};
use crate::machine::line::Line;
use crate::machine::reply::Reply;
use crate::release::Version;

/// The code that says: do not start me again.
const FATAL_CODE: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    User,
    /// Its fault ends it.
    Doomed {
        status: u8,
    },
    Enter,
    Entered,
    Watch {
        index: u8,
    },
    Title,
    Fail,
}

impl Worker {
    pub(super) fn birth(&mut self, step: Step, reply: &Reply) -> Option<Effect> {
        if let Reply::CallFailed(level, call, errno) = *reply {
            return self.log(birth(Step::Fail), Line::WorkerFailed { level, call, errno });
        }
        match step {
            Step::User if let Some(Fault::WorkersExitAtStart { live_ms, status }) = self.fault => {
                self.go(birth(Step::Doomed { status }), Effect::Pause { for_ms: live_ms })
            }
            Step::Doomed { status } => self.go(birth(step), Effect::Exit(status)),
            Step::User => {
                let conf = self.cycle.conf;
                self.go(birth(Step::Enter), Effect::BecomeUser(conf))
            }
            Step::Enter => {
                let slot = (self.serves == Serves::Workers).then_some(self.slot);
                self.go(birth(Step::Entered), Effect::EnterWorker(slot))
            }
            Step::Entered => self.to(birth(Step::Watch { index: 0 })),
            Step::Watch { index } => {
                if usize::from(index) == self.cycle.listening.len() {
                    return self.to(birth(Step::Title));
                }
                self.watch(index, birth(Step::Watch { index: index + 1 }))
            }
            Step::Title if self.serves != Serves::Workers => self.to(WorkerStep::Loop),
            Step::Title => self.go(WorkerStep::Loop, Effect::SetTitle(Title::Worker)),
            Step::Fail => self.go(birth(Step::Fail), Effect::Exit(FATAL_CODE)),
        }
    }

    /// Adds a listening socket to the epoll, unless it is another worker's.
    pub(super) fn watch(&mut self, index: u8, then: WorkerStep) -> Option<Effect> {
        let listening = self.cycle.listening[usize::from(index)];
        match listening.fd {
            Some(fd) if self.is_own(listening.worker) => {
                let exclusive = self.is_exclusive();
                self.go(then, Effect::Watch { fd, index, exclusive })
            }
            _ => self.to(then),
        }
    }

    fn is_own(&self, worker: Option<u16>) -> bool {
        self.defects.has(Defect::WatchesAllClones) || worker.is_none_or(|worker| worker == self.index)
    }

    /// Whether one event wakes one worker.
    pub(super) fn is_exclusive(&self) -> bool {
        self.profile.version >= Version::new(1, 11, 3) && self.cycle.workers > 1
    }
}

const fn birth(step: Step) -> WorkerStep {
    WorkerStep::Birth(step)
}
