//! Requests on a connection: read, answered, kept alive, closed with or without lingering.
//!
//! # Source
//! `ngx_http_wait_request_handler`, `ngx_http_keepalive_handler`, `ngx_http_finalize_connection`,
//! `ngx_http_set_keepalive`, `ngx_http_test_reading` and `ngx_http_set_lingering_close` in
//! `src/http/ngx_http_request.c`, `ngx_http_write_filter` in
//! `src/http/ngx_http_write_filter_module.c`, nginx 1.18 to 1.30.

use super::connection::{Allowance, Phase};
use super::shutdown::Leave;
use super::{Step, Worker, unanswered};
use crate::conf::Lingers;
use crate::fault::Fault;
use crate::machine::Defect;
use crate::machine::effect::{Conn, Effect};
use crate::machine::reply::{Answer, Parsed, Received, Reply, Sent};

/// `client_header_timeout`, where nothing says otherwise.
const HEADER_TIMEOUT_MS: u64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Act {
    /// An event came.
    Woken { readable: bool },
    /// Its deadline has passed.
    TimedOut,
    /// Read.
    Receive,
    /// That was done.
    Received,
    /// Looked for a request.
    Parsed,
    /// There is an answer.
    Answered,
    /// Send what may be sent.
    Send,
    /// That was done.
    Sent { asked: u64 },
    /// Looked whether the client is still there.
    Peeked,
    /// The answer is out: look for the next request.
    Next,
    /// Half closed; throw away what comes.
    Linger,
    /// That was done.
    Discarded,
}

impl Worker {
    pub(super) fn request(&mut self, conn: Conn, act: Act, reply: &Reply) -> Option<Effect> {
        match act {
            Act::Woken { readable } => self.woken(conn, readable),
            Act::TimedOut => self.timed_out(conn),
            Act::Receive => self.receive(conn),
            Act::Received => self.received(conn, reply),
            Act::Parsed => self.parsed(conn, reply),
            Act::Answered => self.answered(conn, reply),
            Act::Send => self.send(conn),
            Act::Sent { asked } => self.sent(conn, asked, reply),
            Act::Peeked => {
                let is_gone = matches!(reply, Reply::Received(Received::End | Received::Reset));
                if is_gone { self.close(conn) } else { self.to(Step::Ready) }
            }
            Act::Next => self.next_request(conn, reply),
            Act::Linger => self.linger(conn),
            Act::Discarded => self.discarded(conn, reply),
        }
    }

    fn act(&mut self, conn: Conn, act: Act, effect: Effect) -> Option<Effect> {
        self.go(Step::Request { conn, act }, effect)
    }

    fn then(&mut self, conn: Conn, act: Act) -> Option<Effect> {
        self.to(Step::Request { conn, act })
    }

    fn close(&mut self, conn: Conn) -> Option<Effect> {
        self.forget(conn);
        self.go(Step::Ready, Effect::Close(conn))
    }

    fn woken(&mut self, conn: Conn, readable: bool) -> Option<Effect> {
        let Some(connection) = self.connection(conn) else { return self.to(Step::Ready) };
        let is_writable = connection.is_writable;
        match connection.phase {
            Phase::Header | Phase::Kept | Phase::Idle => self.then(conn, Act::Receive),
            Phase::Sending { .. } if readable => self.act(conn, Act::Peeked, Effect::Peek(conn)),
            Phase::Sending { delayed: false } if is_writable => self.then(conn, Act::Send),
            Phase::Sending { .. } => self.to(Step::Ready),
            Phase::Lingering { .. } => self.then(conn, Act::Linger),
        }
    }

    fn timed_out(&mut self, conn: Conn) -> Option<Effect> {
        let (now_ms, is_exiting) = (self.now_ms, self.is_exiting);
        let Some(connection) = self.connection(conn) else { return self.to(Step::Ready) };
        let Answer { keepalive_timeout_ms, keepalive_min_timeout_ms, .. } = connection.answer;
        let rest_ms = keepalive_timeout_ms.saturating_sub(keepalive_min_timeout_ms);
        if connection.phase == Phase::Kept && rest_ms > 0 && !is_exiting {
            connection.phase = Phase::Idle;
            connection.deadline_ms = now_ms + rest_ms;
            return self.to(Step::Ready);
        }
        if connection.phase != (Phase::Sending { delayed: true }) {
            return self.close(conn);
        }
        connection.phase = Phase::Sending { delayed: false };
        connection.deadline_ms = now_ms + u64::from(connection.answer.patience.send_ms);
        if connection.is_writable { self.then(conn, Act::Send) } else { self.to(Step::Ready) }
    }

    fn receive(&mut self, conn: Conn) -> Option<Effect> {
        match self.connection(conn) {
            Some(connection) if connection.is_readable => {
                self.act(conn, Act::Received, Effect::Receive(conn))
            }
            _ => self.to(Step::Ready),
        }
    }

    fn received(&mut self, conn: Conn, reply: &Reply) -> Option<Effect> {
        let &Reply::Received(received) = reply else { unanswered(&self.step, reply) };
        let now_ms = self.now_ms;
        let timeout_ms = self.header_timeout_ms(conn);
        let Some(connection) = self.connection(conn) else { return self.to(Step::Ready) };
        match received {
            Received::End | Received::Reset => return self.close(conn),
            Received::Nothing => {
                connection.is_readable = false;
                return self.to(Step::Ready);
            }
            Received::Bytes { more } => connection.is_readable = more || connection.has_finished,
        }
        if matches!(connection.phase, Phase::Kept | Phase::Idle) {
            connection.phase = Phase::Header;
            connection.deadline_ms = now_ms + timeout_ms;
        }
        self.act(conn, Act::Parsed, Effect::Parse(conn))
    }

    fn header_timeout_ms(&self, conn: Conn) -> u64 {
        let connection = self.connections.get(usize::from(conn.0)).copied().flatten();
        let listening = connection.and_then(|it| self.cycle.listening.get(usize::from(it.listener)));
        listening.map_or(HEADER_TIMEOUT_MS, |it| u64::from(it.client_header_timeout_ms))
    }

    fn parsed(&mut self, conn: Conn, reply: &Reply) -> Option<Effect> {
        let &Reply::Parsed(parsed) = reply else { unanswered(&self.step, reply) };
        match parsed {
            Parsed::Empty | Parsed::Partial => self.then(conn, Act::Receive),
            Parsed::Whole | Parsed::Bad => self.respond(conn),
        }
    }

    pub(super) fn respond(&mut self, conn: Conn) -> Option<Effect> {
        if let Some(Fault::WorkersExitAfter { requests, status }) = self.fault {
            self.requests += 1;
            if self.requests >= requests {
                return self.go(Step::Leave(Leave::Exit), Effect::Exit(status));
            }
        }
        let (conf, now_ms) = (self.cycle.conf, self.now_ms);
        let is_draining = self.is_exiting && !self.defects.has(Defect::PromisesKeepAlive);
        let Some(connection) = self.connection(conn) else { return self.to(Step::Ready) };
        connection.requests += 1;
        connection.start_ms = now_ms;
        let requests = connection.requests;
        self.act(conn, Act::Answered, Effect::Respond { conf, conn, requests, is_draining })
    }

    fn answered(&mut self, conn: Conn, reply: &Reply) -> Option<Effect> {
        let &Reply::Answer(answer) = reply else { unanswered(&self.step, reply) };
        let now_ms = self.now_ms;
        let Some(connection) = self.connection(conn) else { return self.to(Step::Ready) };
        connection.answer = answer;
        connection.sent = 0;
        connection.phase = Phase::Sending { delayed: false };
        connection.deadline_ms = now_ms + u64::from(answer.patience.send_ms);
        self.then(conn, Act::Send)
    }

    fn send(&mut self, conn: Conn) -> Option<Effect> {
        let now_ms = self.now_ms;
        let Some(connection) = self.connection(conn) else { return self.to(Step::Ready) };
        match connection.allowance(now_ms) {
            Allowance::Pause(pause_ms) => {
                connection.phase = Phase::Sending { delayed: true };
                connection.deadline_ms = now_ms + pause_ms;
                self.to(Step::Ready)
            }
            Allowance::Bytes(asked) => {
                let from = connection.sent;
                self.act(conn, Act::Sent { asked }, Effect::Send { conn, from, bytes_max: asked })
            }
        }
    }

    fn sent(&mut self, conn: Conn, asked: u64, reply: &Reply) -> Option<Effect> {
        let &Reply::Sent(sent) = reply else { unanswered(&self.step, reply) };
        let now_ms = self.now_ms;
        let may_go_on = !self.flags.terminate && !self.is_exiting;
        let Some(connection) = self.connection(conn) else { return self.to(Step::Ready) };
        let Sent::Bytes(count) = sent else { return self.close(conn) };
        connection.sent += count;
        connection.is_writable = count == asked;
        if connection.sent == connection.answer.length {
            let keeps = connection.answer.keep_alive && connection.answer.keepalive_timeout_ms > 0;
            let lingers = match connection.answer.patience.lingers {
                Lingers::Never => false,
                Lingers::IfUnread => connection.is_readable || connection.answer.has_unread,
                Lingers::Always => true,
            };
            return if may_go_on && keeps {
                self.act(conn, Act::Next, Effect::Parse(conn))
            } else if lingers {
                self.half_close(conn)
            } else {
                self.close(conn)
            };
        }
        let pause_ms = (count * 1000).checked_div(connection.answer.limit_rate).unwrap_or(0);
        connection.phase = Phase::Sending { delayed: pause_ms > 0 };
        let patience_ms = u64::from(connection.answer.patience.send_ms);
        connection.deadline_ms = now_ms + if pause_ms > 0 { pause_ms } else { patience_ms };
        self.to(Step::Ready)
    }

    /// What was received behind the last request may hold the next one.
    fn next_request(&mut self, conn: Conn, reply: &Reply) -> Option<Effect> {
        let &Reply::Parsed(parsed) = reply else { unanswered(&self.step, reply) };
        let now_ms = self.now_ms;
        let timeout_ms = self.header_timeout_ms(conn);
        let Some(connection) = self.connection(conn) else { return self.to(Step::Ready) };
        match parsed {
            Parsed::Whole | Parsed::Bad => return self.respond(conn),
            Parsed::Empty => {
                let Answer { keepalive_timeout_ms, keepalive_min_timeout_ms, .. } = connection.answer;
                connection.phase = if keepalive_min_timeout_ms > 0 { Phase::Kept } else { Phase::Idle };
                let is_cut = keepalive_min_timeout_ms > 0 && keepalive_min_timeout_ms < keepalive_timeout_ms;
                let wait_ms = if is_cut { keepalive_min_timeout_ms } else { keepalive_timeout_ms };
                connection.deadline_ms = now_ms + wait_ms;
            }
            Parsed::Partial => {
                connection.phase = Phase::Header;
                connection.deadline_ms = now_ms + timeout_ms;
            }
        }
        self.then(conn, Act::Receive)
    }

    fn half_close(&mut self, conn: Conn) -> Option<Effect> {
        let now_ms = self.now_ms;
        if let Some(connection) = self.connection(conn) {
            let patience = connection.answer.patience;
            connection.phase = Phase::Lingering { until_ms: now_ms + u64::from(patience.linger_ms) };
            connection.deadline_ms = now_ms + u64::from(patience.linger_timeout_ms);
        }
        self.act(conn, Act::Linger, Effect::ShutdownWrite(conn))
    }

    fn linger(&mut self, conn: Conn) -> Option<Effect> {
        match self.connection(conn) {
            Some(connection) if connection.is_readable => {
                self.act(conn, Act::Discarded, Effect::Discard(conn))
            }
            _ => self.to(Step::Ready),
        }
    }

    fn discarded(&mut self, conn: Conn, reply: &Reply) -> Option<Effect> {
        let &Reply::Received(received) = reply else { unanswered(&self.step, reply) };
        let now_ms = self.now_ms;
        let Some(connection) = self.connection(conn) else { return self.to(Step::Ready) };
        match received {
            Received::End | Received::Reset => self.close(conn),
            Received::Nothing => {
                connection.is_readable = false;
                self.to(Step::Ready)
            }
            Received::Bytes { .. } => {
                let Phase::Lingering { until_ms } = connection.phase else { return self.close(conn) };
                let timeout_ms = u64::from(connection.answer.patience.linger_timeout_ms);
                connection.deadline_ms = until_ms.min(now_ms + timeout_ms);
                if until_ms <= now_ms { self.close(conn) } else { self.then(conn, Act::Linger) }
            }
        }
    }
}
