//! Clients: who connects when, and everything that they see.
//!
//! Under a *load* clients act at times, as the live worlds' clients do: fresh connections at a rate, kept-alive
//! ones with a short pause, slow ones again and again. With a *budget* they may act at any step, as many times
//! as the budget says, and when is a choice.
//!
//! # Units
//! Times are microseconds since the world began and end in `_us`, except where they end in `_ms`.

mod request;

use smallvec::SmallVec;

use super::choice::{Act, Actor, Name};
use super::kernel::{ADDRESS, Ending, Kernel, Seen};
use crate::scenario::Load;
use crate::trace::Kind;

pub use request::{End, Ended};

use request::{Asked, Lasting, Stand};

/// What a kept-alive client does between two requests.
const KEPT_PAUSE_US: u64 = 10_000;
/// Before a lasting client tries again after a failure.
const RETRY_PAUSE_US: u64 = 10_000;

/// All clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Clients {
    pace: Pace,
    /// Kept-alive ones first.
    lasting: SmallVec<[Lasting; 4]>,
    requests: SmallVec<[Asked; 4]>,
    patience_us: u64,
    refused: u32,
    is_stopping: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Pace {
    /// The next fresh connection, and the pause between two.
    Load { fresh_us: Option<u64>, every_us: u64 },
    /// How many more.
    Budget { fresh: u8, lasting: u8 },
}

/// What a client can do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    who: Mover,
    act: Act,
    is_optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mover {
    Fresh,
    Lasting(u8),
    Impatient(u32),
}

impl Move {
    /// True if it may happen now as well as at any other time.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        self.is_optional
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> Name {
        let nth = match self.who {
            Mover::Fresh | Mover::Impatient(_) => 0,
            Mover::Lasting(nth) => nth + 1,
        };
        Name { actor: Actor::client(nth), act: self.act }
    }
}

impl Clients {
    /// Nobody.
    #[must_use]
    pub fn none() -> Self {
        Self::with(Pace::Budget { fresh: 0, lasting: 0 }, SmallVec::new(), 60_000)
    }

    /// A scenario's clients, who begin now.
    #[must_use]
    pub fn under_load(load: &Load, now_us: u64) -> Self {
        let every_us = 1_000_000 / u64::from(load.fresh_per_second.max(1));
        let fresh_us = (load.fresh_per_second > 0).then_some(now_us);
        let kinds = std::iter::repeat_n(Kind::Kept, load.kept as usize)
            .chain(std::iter::repeat_n(Kind::Slow, load.slow as usize));
        let lasting = kinds.map(|kind| Lasting::new(kind, now_us)).collect();
        Self::with(Pace::Load { fresh_us, every_us }, lasting, load.patience_ms)
    }

    /// So many fresh connections, and so many requests of one kept-alive and one slow client, at any time.
    #[must_use]
    pub fn with_budget(fresh: u8, lasting: u8, patience_ms: u64) -> Self {
        let clients = [Kind::Kept, Kind::Slow].map(|kind| Lasting::new(kind, 0));
        Self::with(Pace::Budget { fresh, lasting }, SmallVec::from_slice(&clients), patience_ms)
    }

    fn with(pace: Pace, lasting: SmallVec<[Lasting; 4]>, patience_ms: u64) -> Self {
        let patience_us = patience_ms * 1_000;
        Self { pace, lasting, requests: SmallVec::new(), patience_us, refused: 0, is_stopping: false }
    }

    /// True if nobody will connect or ask any more.
    #[must_use]
    pub const fn are_done(&self) -> bool {
        matches!(self.pace, Pace::Budget { fresh: 0, lasting: 0 }) || self.is_stopping
    }

    /// What clients can do now.
    pub fn moves(&self, now_us: u64) -> impl Iterator<Item = Move> + '_ {
        let is_optional = matches!(self.pace, Pace::Budget { .. });
        let fresh = match self.pace {
            Pace::Load { fresh_us, .. } => fresh_us.is_some_and(|at_us| at_us <= now_us),
            Pace::Budget { fresh, .. } => fresh > 0,
        };
        let may_ask = match self.pace {
            Pace::Load { .. } => true,
            Pace::Budget { lasting, .. } => lasting > 0,
        };
        let fresh = (fresh && !self.is_stopping).then_some(Move {
            who: Mover::Fresh,
            act: Act::ConnectFresh,
            is_optional,
        });
        let is_due = move |lasting: &Lasting| lasting.next_us.is_some_and(|at_us| at_us <= now_us);
        let lasting = self
            .lasting
            .iter()
            .zip(0..)
            .filter(move |(lasting, _)| may_ask && !self.is_stopping && is_due(lasting))
            .map(move |(lasting, nth)| {
                let act = if lasting.kind == Kind::Slow { Act::ConnectSlow } else { Act::AskAgain };
                Move { who: Mover::Lasting(nth), act, is_optional }
            });
        let impatient = self
            .requests
            .iter()
            .filter(move |asked| asked.stand != Stand::Idle && asked.started_us + self.patience_us <= now_us)
            .map(|asked| Move {
                who: Mover::Impatient(asked.connection),
                act: Act::GiveUp,
                is_optional: false,
            });
        fresh.into_iter().chain(lasting).chain(impatient)
    }

    /// When somebody has something to do because of the time alone.
    #[must_use]
    pub fn next_us(&self) -> Option<u64> {
        let patience = self
            .requests
            .iter()
            .filter(|asked| asked.stand != Stand::Idle)
            .map(|asked| asked.started_us + self.patience_us);
        let Pace::Load { fresh_us, .. } = self.pace else { return patience.min() };
        let asking = self.lasting.iter().filter_map(|lasting| lasting.next_us);
        let acting = asking.chain(fresh_us).filter(|_| !self.is_stopping);
        patience.chain(acting).min()
    }

    /// Carries out a move. `pick` chooses the socket where there are several.
    pub fn act(
        &mut self,
        step: Move,
        kernel: &mut Kernel,
        now_us: u64,
        pick: impl FnOnce(usize) -> usize,
        ends: &mut Vec<End>,
    ) {
        match step.who {
            Mover::Fresh => {
                match &mut self.pace {
                    Pace::Load { fresh_us, every_us } => {
                        *fresh_us = fresh_us.map(|at_us| at_us + *every_us);
                    }
                    Pace::Budget { fresh, .. } => *fresh -= 1,
                }
                self.connect(Kind::Fresh, None, kernel, now_us, pick, ends);
            }
            Mover::Lasting(nth) => {
                if let Pace::Budget { lasting, .. } = &mut self.pace {
                    *lasting -= 1;
                }
                self.ask(nth, kernel, now_us, pick, ends);
            }
            Mover::Impatient(connection) => self.give_up(connection, kernel, now_us, Ended::TimedOut, ends),
        }
    }

    fn ask(
        &mut self,
        nth: u8,
        kernel: &mut Kernel,
        now_us: u64,
        pick: impl FnOnce(usize) -> usize,
        ends: &mut Vec<End>,
    ) {
        let client = &mut self.lasting[usize::from(nth)];
        client.next_us = None;
        let kind = client.kind;
        if let Some(id) = client.connection
            && kernel.ask(id)
            && let Some(asked) = self.requests.iter_mut().find(|asked| asked.connection == id)
        {
            asked.nth += 1;
            asked.started_us = now_us;
            asked.stand = Stand::Busy;
            return;
        }
        self.connect(kind, Some(nth), kernel, now_us, pick, ends);
    }

    fn connect(
        &mut self,
        kind: Kind,
        client: Option<u8>,
        kernel: &mut Kernel,
        now_us: u64,
        pick: impl FnOnce(usize) -> usize,
        ends: &mut Vec<End>,
    ) {
        let sockets = kernel.listening(ADDRESS);
        if sockets.is_empty() {
            self.refused += 1;
            // Numbers of connections that never were come from the other end.
            let connection = u32::MAX - self.refused;
            let fate = Ended::Refused;
            ends.push(End { connection, nth: 1, kind, started_us: now_us, fate, by: None });
            self.rest(client, now_us + RETRY_PAUSE_US);
            return;
        }
        let socket = sockets[if sockets.len() == 1 { 0 } else { pick(sockets.len()) }];
        let connection = kernel.connect(socket, kind);
        if let Some(nth) = client {
            self.lasting[usize::from(nth)].connection = Some(connection);
        }
        self.requests.push(Asked {
            connection,
            client,
            kind,
            nth: 1,
            started_us: now_us,
            stand: Stand::Busy,
        });
    }

    /// What the kernel tells, as its receiver sees it.
    pub fn see(&mut self, seen: &Seen, kernel: &mut Kernel, now_us: u64, ends: &mut Vec<End>) {
        match *seen {
            Seen::Answered { connection, pid, image } => {
                let Some(asked) = self.of(connection) else { return };
                let kind = asked.kind;
                asked.stand = if kind == Kind::Kept { Stand::Idle } else { Stand::Leaving };
                let (client, by) = (asked.client, Some((pid.0, image)));
                ends.push(asked.end(Ended::Served, by));
                if let Some(nth) = client {
                    let lasting = &mut self.lasting[usize::from(nth)];
                    lasting.was_served = true;
                    lasting.connection = lasting.connection.filter(|_| kind == Kind::Kept);
                }
                self.rest(client, now_us + if kind == Kind::Kept { KEPT_PAUSE_US } else { 0 });
            }
            Seen::Ended { connection, how, in_answer, .. } => {
                let Some(asked) = self.of(connection) else { return };
                let (client, kind) = (asked.client, asked.kind);
                if asked.stand == Stand::Busy {
                    let fate = match (in_answer, kind, asked.nth) {
                        (true, _, _) => Ended::Truncated,
                        (false, Kind::Kept, 2..) => Ended::KeepAliveRace,
                        (false, _, _) => Ended::Dropped,
                    };
                    ends.push(asked.end(fate, None));
                    let pause_us = if fate == Ended::KeepAliveRace { 0 } else { RETRY_PAUSE_US };
                    self.rest(client, now_us + pause_us);
                }
                self.forget(connection, kernel);
                debug_assert!(matches!(how, Ending::Fin | Ending::Rst));
            }
            Seen::Born { .. }
            | Seen::Draining(_)
            | Seen::Died { .. }
            | Seen::Sent { .. }
            | Seen::File(_)
            | Seen::Holds(_)
            | Seen::Logged { .. } => {}
        }
    }

    /// Nobody asks any more; what is in flight comes to its end.
    pub fn stop(&mut self, kernel: &mut Kernel) {
        self.is_stopping = true;
        let idle: SmallVec<[u32; 4]> = self
            .requests
            .iter()
            .filter(|asked| asked.stand == Stand::Idle)
            .map(|asked| asked.connection)
            .collect();
        for connection in idle {
            self.forget(connection, kernel);
        }
    }

    /// Everything in flight ends as it is.
    pub fn break_off(&mut self, kernel: &mut Kernel, now_us: u64, ends: &mut Vec<End>) {
        self.stop(kernel);
        let busy: SmallVec<[u32; 4]> = self.requests.iter().map(|asked| asked.connection).collect();
        for connection in busy {
            self.give_up(connection, kernel, now_us, Ended::Unfinished, ends);
        }
    }

    /// Whatever was in flight is gone, and so is everybody's connection.
    pub fn vanish(&mut self, kernel: &mut Kernel) {
        let all: SmallVec<[u32; 4]> = self.requests.iter().map(|asked| asked.connection).collect();
        all.into_iter().for_each(|connection| self.forget(connection, kernel));
        for lasting in &mut self.lasting {
            lasting.next_us = lasting.next_us.or(Some(0));
        }
    }

    /// True if an answer is awaited.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.requests.iter().any(|asked| asked.stand == Stand::Busy)
    }

    /// True if every lasting client was served once, or waits for a slow answer.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.lasting
            .iter()
            .all(|lasting| lasting.was_served || (lasting.kind == Kind::Slow && lasting.connection.is_some()))
    }

    fn give_up(
        &mut self,
        connection: u32,
        kernel: &mut Kernel,
        now_us: u64,
        fate: Ended,
        ends: &mut Vec<End>,
    ) {
        let Some(asked) = self.of(connection) else { return };
        if asked.stand == Stand::Busy {
            let client = asked.client;
            ends.push(asked.end(fate, None));
            self.rest(client, now_us + RETRY_PAUSE_US);
        }
        self.forget(connection, kernel);
    }

    fn of(&mut self, connection: u32) -> Option<&mut Asked> {
        self.requests.iter_mut().find(|asked| asked.connection == connection)
    }

    fn rest(&mut self, client: Option<u8>, until_us: u64) {
        if let Some(nth) = client {
            let client = &mut self.lasting[usize::from(nth)];
            client.next_us = Some(if matches!(self.pace, Pace::Load { .. }) { until_us } else { 0 });
        }
    }

    fn forget(&mut self, connection: u32, kernel: &mut Kernel) {
        kernel.hang_up(connection);
        self.requests.retain(|asked| asked.connection != connection);
        for lasting in &mut self.lasting {
            if lasting.connection == Some(connection) {
                lasting.connection = None;
            }
        }
    }
}
