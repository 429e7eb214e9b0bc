//! One turn of a worker's loop: wait, handlers, events in their order, timers, flags.
//!
//! # Source
//! `ngx_process_events_and_timers` in `src/event/ngx_event.c`, `ngx_event_accept` in
//! `src/event/ngx_event_accept.c`, `ngx_channel_handler` and `ngx_worker_process_cycle` in
//! `src/os/unix/ngx_process_cycle.c`, `ngx_signal_handler` in `src/os/unix/ngx_process.c`, nginx 1.18 to 1.30.

use super::connection::Connection;
use super::{Serves, Step, Worker, request, shutdown, unanswered};
use crate::fault::Fault;
use crate::machine::cycle::Speaks;
use crate::machine::effect::{Command, Conn, Effect};
use crate::machine::line::{Action, Line};
use crate::machine::reply::{Ready, Reply};
use crate::machine::signal::Signal;

/// After how many accepts a worker lets another one have the next (since 1.21.6).
const ACCEPTS_IN_A_ROW: u8 = 16;

impl Worker {
    /// A worker that drains exits when no timer is left, and every connection has one.
    pub(super) fn wait(&mut self) -> Option<Effect> {
        let drains = self.fault != Some(Fault::NeverDrains);
        if self.is_exiting && self.connections.is_empty() && drains {
            return self.to(Step::Leave(shutdown::Leave::Exiting));
        }
        let deadlines = self.connections.iter().flatten().map(|connection| connection.deadline_ms);
        let until_ms = deadlines.chain(self.shutdown_at_ms).min();
        self.go(Step::Waiting, Effect::WaitEvents { until_ms })
    }

    pub(super) fn waited(&mut self, reply: Reply) -> Option<Effect> {
        let Reply::Events { now_ms, arrivals, ready } = reply else { unanswered(&self.step, &reply) };
        self.now_ms = now_ms;
        self.arrivals = arrivals;
        self.ready = ready;
        self.to(Step::Handler)
    }

    pub(super) fn next_arrival(&mut self) -> Option<Effect> {
        if self.arrivals.is_empty() {
            return self.to(Step::Ready);
        }
        let arrival = self.arrivals.remove(0);
        let flags = &mut self.flags;
        let action = match arrival.signal {
            Signal::Winch if self.is_daemonized => {
                flags.debug_quit = true;
                flags.quit = true;
                Action::ShuttingDown
            }
            Signal::Quit => {
                flags.quit = true;
                Action::ShuttingDown
            }
            Signal::Term | Signal::Int => {
                flags.terminate = true;
                Action::Exiting
            }
            Signal::Usr1 => {
                flags.reopen = true;
                Action::ReopeningLogs
            }
            Signal::Hup | Signal::Usr2 | Signal::Io => Action::Ignoring,
            Signal::Winch | Signal::Alrm | Signal::Chld | Signal::Kill => Action::None,
        };
        let sender = arrival.sender.filter(|_| self.profile.logs_sender);
        self.log(Step::Handler, Line::Signal { signal: arrival.signal, sender, action })
    }

    pub(super) fn next_ready(&mut self) -> Option<Effect> {
        if self.ready.is_empty() {
            return self.expire();
        }
        match self.ready.remove(0) {
            Ready::Channel => self.go(Step::Channel, Effect::ReadChannel),
            Ready::Listener(index) => self.accept(index),
            Ready::Connection { conn, readable, writable, finished } => {
                let connection = self.connection(conn)?;
                connection.is_readable |= readable;
                connection.is_writable |= writable;
                connection.has_finished |= finished;
                self.to(Step::Request { conn, act: request::Act::Woken { readable } })
            }
        }
    }

    /// Takes the first timer that is due.
    fn expire(&mut self) -> Option<Effect> {
        if self.shutdown_at_ms.is_some_and(|at| at <= self.now_ms) {
            self.shutdown_at_ms = None;
            return self.to(Step::CloseAll { at: 0 });
        }
        let due = self
            .connections
            .iter()
            .zip(0u16..)
            .filter_map(|(connection, index)| connection.map(|it| (it.deadline_ms, Conn(index))))
            .filter(|(deadline_ms, _)| *deadline_ms <= self.now_ms)
            .min();
        match due {
            Some((_, conn)) => self.to(Step::Request { conn, act: request::Act::TimedOut }),
            None => self.to(Step::Flags),
        }
    }

    fn accept(&mut self, index: u8) -> Option<Effect> {
        let listening = self.cycle.listening[usize::from(index)];
        let Some(fd) = listening.fd else { return self.to(Step::Ready) };
        if listening.speaks == Speaks::Datagrams {
            let (conf, listen) = (self.cycle.conf, listening.listen);
            return self.go(Step::Ready, Effect::AnswerDatagram { conf, fd, listen });
        }
        let free = self.connections.iter().position(Option::is_none).unwrap_or(self.connections.len());
        let conn = Conn(u16::try_from(free).expect("a worker has fewer than 65536 connections"));
        self.go(Step::Accepting { index, conn }, Effect::Accept { fd, listen: listening.listen, conn })
    }

    pub(super) fn accepted(&mut self, index: u8, conn: Conn, reply: &Reply) -> Option<Effect> {
        let Reply::Accepted(accepted) = *reply else { unanswered(&self.step, reply) };
        let Some((number, fd)) = accepted else { return self.to(Step::Ready) };
        if self.serves == Serves::AloneWithoutRoom {
            return self.go(Step::Ready, Effect::Close(conn));
        }
        let listening = self.cycle.listening[usize::from(index)];
        let deadline_ms = self.now_ms + u64::from(listening.client_header_timeout_ms);
        let connection = Some(Connection::new(index, number, fd, deadline_ms));
        match self.connections.get_mut(usize::from(conn.0)) {
            Some(place) => *place = connection,
            None => self.connections.push(connection),
        }
        let accepts = &mut self.accepts[usize::from(index)];
        let is_due = *accepts == 0;
        *accepts = (*accepts + 1) % ACCEPTS_IN_A_ROW;
        let balances = self.profile.closes_while_draining && self.is_exclusive();
        match listening.fd {
            Some(fd) if balances && is_due && listening.worker.is_none() => {
                self.go(Step::Rewatch { index, conn }, Effect::Unwatch(fd))
            }
            _ => self.to(Step::Accepted { index, conn }),
        }
    }

    /// In `stream`, nobody is waited for.
    pub(super) fn greet(&mut self, index: u8, conn: Conn) -> Option<Effect> {
        match self.cycle.listening[usize::from(index)].speaks {
            Speaks::Stream => self.respond(conn),
            Speaks::Http | Speaks::Datagrams => self.to(Step::Ready),
        }
    }

    pub(super) fn command(&mut self, reply: &Reply) -> Option<Effect> {
        let Reply::Command(command) = reply else { unanswered(&self.step, reply) };
        match command {
            None => return self.to(Step::Ready),
            Some(Command::Quit) => self.flags.quit = true,
            Some(Command::Terminate) => self.flags.terminate = true,
            Some(Command::Reopen) => self.flags.reopen = true,
            Some(Command::OpenChannel(_) | Command::CloseChannel(_)) => {}
        }
        self.go(Step::Channel, Effect::ReadChannel)
    }

    pub(super) fn look_at_flags(&mut self) -> Option<Effect> {
        if self.flags.terminate {
            return self.to(Step::Leave(shutdown::Leave::Exiting));
        }
        if self.flags.quit {
            self.flags.quit = false;
            return self.log(Step::Shutdown(shutdown::Step::Title), Line::GracefullyShuttingDown);
        }
        if self.flags.reopen {
            self.flags.reopen = false;
            return self.log(Step::Reopen, Line::ReopeningLogs);
        }
        self.to(Step::Loop)
    }
}
