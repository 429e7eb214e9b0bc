//! The drain, and the last acts of a worker.
//!
//! # Source
//! `ngx_worker_process_cycle` and `ngx_worker_process_exit` in `src/os/unix/ngx_process_cycle.c`,
//! `ngx_set_shutdown_timer`, `ngx_shutdown_timer_handler` in `src/core/ngx_cycle.c`,
//! `ngx_close_idle_connections` in `src/core/ngx_connection.c`, nginx 1.18 to 1.30.

use super::connection::Phase;
use super::{Step as WorkerStep, Worker};
use crate::machine::Defect;
use crate::machine::effect::{Conn, Effect, Title};
use crate::machine::line::Line;

/// The drain begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Change the title.
    Title,
    /// Once only: the timer.
    Once,
    /// Close the listening sockets.
    Sockets { at: u8 },
    /// Close idle connections.
    Idle { at: u16 },
}

/// The exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Leave {
    /// Say so.
    Exiting,
    /// Tell of sockets that are left.
    Left { at: u16 },
    /// Say the last word.
    Last,
    /// Exit.
    Exit,
}

impl Worker {
    pub(super) fn shut_down(&mut self, step: Step) -> Option<Effect> {
        match step {
            Step::Title => self.go(shutdown(Step::Once), Effect::SetTitle(Title::ShuttingDown)),
            Step::Once if self.is_exiting => self.after_shutdown(),
            Step::Once => {
                self.is_exiting = true;
                let timeout_ms = self.cycle.worker_shutdown_timeout_ms;
                self.shutdown_at_ms = timeout_ms.map(|timeout_ms| self.now_ms + u64::from(timeout_ms));
                self.to(shutdown(Step::Sockets { at: 0 }))
            }
            Step::Sockets { at } => {
                let Some(listening) = self.cycle.listening.get_mut(usize::from(at)) else {
                    return self.to(shutdown(Step::Idle { at: 0 }));
                };
                match listening.fd.take() {
                    Some(fd) => self.go(shutdown(Step::Sockets { at: at + 1 }), Effect::CloseListener(fd)),
                    None => self.to(shutdown(Step::Sockets { at: at + 1 })),
                }
            }
            Step::Idle { at } => {
                let is_over = usize::from(at) >= self.connections.len();
                if is_over || self.defects.has(Defect::KeepsIdleConnections) {
                    return self.after_shutdown();
                }
                let is_idle =
                    self.connection(Conn(at)).is_some_and(|connection| connection.phase == Phase::Idle);
                if !is_idle {
                    return self.to(shutdown(Step::Idle { at: at + 1 }));
                }
                self.forget(Conn(at));
                self.go(shutdown(Step::Idle { at: at + 1 }), Effect::Close(Conn(at)))
            }
        }
    }

    fn after_shutdown(&mut self) -> Option<Effect> {
        self.to(WorkerStep::Flags)
    }

    /// `worker_shutdown_timeout` is over: every connection is closed.
    pub(super) fn close_all(&mut self, at: u16) -> Option<Effect> {
        if usize::from(at) >= self.connections.len() {
            return self.to(WorkerStep::Ready);
        }
        let next = WorkerStep::CloseAll { at: at + 1 };
        if self.connection(Conn(at)).is_none() {
            return self.to(next);
        }
        self.forget(Conn(at));
        self.go(next, Effect::Close(Conn(at)))
    }

    pub(super) fn leave(&mut self, step: Leave) -> Option<Effect> {
        match step {
            Leave::Exiting => {
                let is_quiet = self.flags.terminate && self.profile.quiet_after_term;
                let next = if self.is_exiting && !is_quiet { Leave::Left { at: 0 } } else { Leave::Last };
                self.log(leave(next), Line::Exiting)
            }
            Leave::Left { at } => {
                let Some(place) = self.connections.get(usize::from(at)) else {
                    return self.to(leave(Leave::Last));
                };
                let next = leave(Leave::Left { at: at + 1 });
                match *place {
                    None => self.to(next),
                    Some(connection) => {
                        self.flags.debug_quit = true;
                        let slot = at + 1 + self.accepts.len() as u16;
                        let line =
                            Line::OpenSocketLeft { number: connection.number, fd: connection.fd, slot };
                        self.log(next, line)
                    }
                }
            }
            Leave::Last if self.flags.debug_quit => {
                self.flags.debug_quit = false;
                self.log(leave(Leave::Last), Line::Aborting)
            }
            Leave::Last => self.log(leave(Leave::Exit), Line::Exit),
            Leave::Exit => self.go(leave(Leave::Exit), Effect::Exit(0)),
        }
    }
}

const fn shutdown(step: Step) -> WorkerStep {
    WorkerStep::Shutdown(step)
}

const fn leave(step: Leave) -> WorkerStep {
    WorkerStep::Leave(step)
}
