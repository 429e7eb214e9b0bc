//! One connection of a worker: where it is, and how much of its answer may go out now.
//!
//! # Source
//! `ngx_http_write_filter` in `src/http/ngx_http_write_filter_module.c`, nginx 1.18 to 1.30, for the law of
//! `limit_rate`.
//!
//! # Units
//! Durations and times are milliseconds and end in `_ms`.

use crate::conf::Patience;
use crate::machine::cycle::Fd;
use crate::machine::reply::Answer;

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It owes a request, the first or the rest of one. Not idle: a graceful shutdown waits for it.
    Header,
    /// Its answer goes out.
    Sending {
        /// Whether `limit_rate` holds it back.
        delayed: bool,
    },
    /// Between requests, and answered less than `keepalive_min_timeout` ago: a graceful shutdown waits for it.
    Kept,
    /// Between requests. A graceful shutdown closes it at once.
    Idle,
    /// The answer is out, and what the client still sends is thrown away.
    Lingering {
        /// Until when at most.
        until_ms: u64,
    },
}

/// A connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Where it is.
    pub phase: Phase,
    /// When patience, or a pause of `limit_rate`, ends.
    pub deadline_ms: u64,
    /// How many requests it has brought.
    pub requests: u32,
    /// Its place in the cycle's sockets.
    pub(super) listener: u8,
    /// For the log.
    pub(super) number: u32,
    /// For the log.
    pub(super) fd: Fd,
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
    /// The other side has finished.
    pub(super) has_finished: bool,
    pub(super) answer: Answer,
    pub(super) sent: u64,
    /// When the request began.
    pub(super) start_ms: u64,
}

/// What `limit_rate` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    /// So many bytes.
    Bytes(u64),
    /// Nothing for so long.
    Pause(u64),
}

impl Connection {
    pub(super) fn new(listener: u8, number: u32, fd: Fd, deadline_ms: u64) -> Self {
        Self {
            phase: Phase::Header,
            deadline_ms,
            requests: 0,
            listener,
            number,
            fd,
            is_readable: false,
            is_writable: true,
            has_finished: false,
            answer: Answer {
                length: 0,
                limit_rate: 0,
                keep_alive: false,
                keepalive_timeout_ms: 0,
                keepalive_min_timeout_ms: 0,
                patience: Patience::default(),
                has_unread: false,
            },
            sent: 0,
            start_ms: 0,
        }
    }

    /// How much may go out now: what the rate gives for every second begun, less what has gone out.
    pub(super) fn allowance(&self, now_ms: u64) -> Allowance {
        let left = self.answer.length - self.sent;
        let rate = self.answer.limit_rate;
        if rate == 0 {
            return Allowance::Bytes(left);
        }
        let seconds = (now_ms / 1000).saturating_sub(self.start_ms / 1000) + 1;
        let limit = rate.saturating_mul(seconds);
        if limit > self.sent {
            return Allowance::Bytes(left.min(limit - self.sent));
        }
        Allowance::Pause((self.sent - limit) * 1000 / rate + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(limit_rate: u64, sent: u64) -> Connection {
        let mut connection = Connection::new(0, 1, Fd(9), 0);
        connection.answer = Answer {
            length: 5000,
            limit_rate,
            keep_alive: true,
            keepalive_timeout_ms: 1,
            keepalive_min_timeout_ms: 0,
            patience: Patience::default(),
            has_unread: false,
        };
        connection.sent = sent;
        connection.start_ms = 10_900;
        connection
    }

    #[test]
    fn without_a_rate_everything_goes_out() {
        assert_eq!(connection(0, 0).allowance(10_900), Allowance::Bytes(5000));
    }

    #[test]
    fn every_begun_second_of_the_wall_clock_gives_one_rate() {
        assert_eq!(connection(1000, 0).allowance(10_900), Allowance::Bytes(1000));
        assert_eq!(connection(1000, 1000).allowance(11_000), Allowance::Bytes(1000));
    }

    #[test]
    fn what_was_sent_too_early_is_waited_for() {
        assert_eq!(connection(1000, 1000).allowance(10_950), Allowance::Pause(1));
        assert_eq!(connection(1000, 1500).allowance(10_950), Allowance::Pause(501));
    }
}
