//! The clients: who sends when, and what is written about it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::super::order::{LOAD_NOW, LOAD_READY, LOAD_STOP, LoadOrder};
use super::connection::{Connection, End, News, Stand};
use super::timer::{Due, Timers};
use crate::trace::{Event, Fate, Kind, Request, What};

/// What a kept-alive client does between two requests: long enough to be idle when a worker closes idle
/// connections, short enough to meet every phase of an upgrade.
const KEPT_PAUSE_US: u64 = 10_000;
/// Before a lasting client tries again after a failure, so that an outage is no busy loop.
const RETRY_PAUSE_US: u64 = 10_000;
/// How long records may wait to be written together: the agent is woken by each write.
const RECORDS_US: u64 = 10_000;
const STDIN: Token = Token(usize::MAX - 1);

/// All clients of one run.
pub(super) struct Clients {
    order: LoadOrder,
    poll: Poll,
    connections: BTreeMap<u32, Connection>,
    timers: Timers,
    /// Lasting clients, kept-alive ones first: the connection that each has, and whether it was ever at work.
    lasting: Vec<(Kind, Option<u32>, bool)>,
    next: u32,
    records: Vec<u8>,
    has_begun: bool,
    has_served_fresh: bool,
    is_stopping: bool,
}

impl Clients {
    pub(super) fn new(order: LoadOrder) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut SourceFd(&0), STDIN, Interest::READABLE)?;
        let mut timers = Timers::default();
        let now = order.clock.now_us();
        let load = &order.load;
        let kinds = std::iter::repeat_n(Kind::Kept, load.kept as usize)
            .chain(std::iter::repeat_n(Kind::Slow, load.slow as usize));
        let lasting: Vec<_> = kinds.map(|kind| (kind, None, false)).collect();
        for client in 0..lasting.len() {
            timers.set(now, Due::Client(client));
        }
        if load.fresh_per_second > 0 {
            timers.set(now, Due::Fresh);
        }
        let has_served_fresh = load.fresh_per_second == 0;
        Ok(Self {
            order,
            poll,
            connections: BTreeMap::new(),
            timers,
            lasting,
            next: 0,
            records: Vec::new(),
            has_begun: false,
            has_served_fresh,
            is_stopping: false,
        })
    }

    /// Works until told to stop, and then until nothing is in flight.
    pub(super) fn work(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        while !(self.is_stopping && self.connections.is_empty()) {
            let now = self.order.clock.now_us();
            let pause = self.timers.next_us().map(|at| Duration::from_micros(at.saturating_sub(now)));
            match self.poll.poll(&mut events, pause) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                Ok(()) | Err(_) => {}
            }
            for event in &events {
                match event.token() {
                    STDIN => self.hear()?,
                    Token(number) => self.go_on(u32::try_from(number).unwrap_or(0))?,
                }
            }
            while let Some((at_us, due)) = self.timers.take(self.order.clock.now_us()) {
                self.is_due(at_us, due)?;
            }
            self.tell_when_ready();
        }
        self.write_records()
    }

    fn is_due(&mut self, at_us: u64, due: Due) -> io::Result<()> {
        match due {
            Due::Fresh if self.is_stopping => Ok(()),
            Due::Fresh => {
                // From when it was due: a late timer does not thin out the load.
                self.timers
                    .set(at_us + 1_000_000 / u64::from(self.order.load.fresh_per_second.max(1)), Due::Fresh);
                self.open(Kind::Fresh, None)
            }
            Due::Client(client) => self.work_of(client),
            Due::Patience(number) => {
                if self.connections.get(&number).is_some_and(Connection::is_busy) {
                    self.ended(number, End { fate: Fate::TimedOut, pid: None, version: None });
                }
                self.forget(number);
                Ok(())
            }
            Due::Records => self.write_records(),
        }
    }

    /// A lasting client sends: on its idle connection, or on a new one.
    fn work_of(&mut self, client: usize) -> io::Result<()> {
        if self.is_stopping {
            return Ok(());
        }
        let (kind, connection, _) = self.lasting[client];
        let now = self.order.clock.now_us();
        match connection.and_then(|number| Some((number, self.connections.get_mut(&number)?))) {
            Some((number, idle)) if idle.stand == Stand::Idle => {
                idle.send_again(now);
                self.timers.set(now + self.order.load.patience_ms * 1_000, Due::Patience(number));
                self.go_on(number)
            }
            _ => self.open(kind, Some(client)),
        }
    }

    fn open(&mut self, kind: Kind, client: Option<usize>) -> io::Result<()> {
        let started_us = self.order.clock.now_us();
        self.next += 1;
        let number = self.next;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.order.port));
        let opened = Connection::open(address, self.poll.registry(), number, kind, client, started_us);
        if let Some(client) = client {
            self.lasting[client].1 = Some(number);
        }
        match opened {
            Ok(connection) => {
                self.connections.insert(number, connection);
                self.timers.set(started_us + self.order.load.patience_ms * 1_000, Due::Patience(number));
                self.go_on(number)
            }
            // The kernel may refuse at once.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                let end = End { fate: Fate::Refused, pid: None, version: None };
                self.record(number, 1, kind, started_us, end);
                self.rest(client, RETRY_PAUSE_US);
                Ok(())
            }
            Err(error) => {
                Err(io::Error::new(error.kind(), format!("cannot open connection {number}: {error}")))
            }
        }
    }

    fn go_on(&mut self, number: u32) -> io::Result<()> {
        while let Some(connection) = self.connections.get_mut(&number) {
            match connection.go_on() {
                News::None => break,
                // Once more: the server may have closed behind its answer, and readiness is told only once.
                News::Ended(end) => self.ended(number, end),
                News::Closed => self.forget(number),
            }
        }
        Ok(())
    }

    /// A request has ended: it is recorded, and its client's next one is due.
    fn ended(&mut self, number: u32, end: End) {
        let Some(connection) = self.connections.get(&number) else { return };
        let &Connection { kind, client, stand, nth, started_us, .. } = connection;
        let is_served = matches!(end.fate, Fate::Served { .. });
        let pause = match (&end.fate, kind) {
            (Fate::Served { .. }, Kind::Kept) => KEPT_PAUSE_US,
            // HTTP lets the client send it again at once.
            (Fate::Served { .. }, Kind::Fresh | Kind::Slow) | (Fate::KeepAliveRace, _) => 0,
            _ => RETRY_PAUSE_US,
        };
        self.record(number, nth, kind, started_us, end);
        self.has_served_fresh |= kind == Kind::Fresh;
        self.timers.cancel(started_us + self.order.load.patience_ms * 1_000, Due::Patience(number));
        if !is_served || self.is_stopping {
            self.forget(number);
        } else if stand == Stand::Leaving {
            // The server closes first, so that no port of this side is left waiting; but not for ever.
            let patience_us = self.order.load.patience_ms * 1_000;
            self.timers.set(self.order.clock.now_us() + patience_us, Due::Patience(number));
        }
        self.rest(client, pause);
    }

    /// A lasting client's next request is due after a pause.
    fn rest(&mut self, client: Option<usize>, pause_us: u64) {
        if let Some(client) = client {
            self.lasting[client].2 = true;
            self.timers.set(self.order.clock.now_us() + pause_us, Due::Client(client));
        }
    }

    fn forget(&mut self, number: u32) {
        self.connections.remove(&number);
    }

    fn record(&mut self, connection: u32, nth: u32, kind: Kind, started_us: u64, end: End) {
        let End { fate, pid, version } = end;
        let what = What::Request(Request { connection, nth, kind, started_us, fate, pid, version });
        let at_us = self.order.clock.now_us();
        if self.records.is_empty() {
            self.timers.set(at_us + RECORDS_US, Due::Records);
        }
        // Writing to memory, of a type that has no keys but strings, does not fail.
        if serde_json::to_writer(&mut self.records, &Event { at_us, what }).is_ok() {
            self.records.push(b'\n');
        }
    }

    fn write_records(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(&self.records)?;
        self.records.clear();
        out.flush()
    }

    /// Tells once that every client is at work.
    fn tell_when_ready(&mut self) {
        let is_at_work = |(kind, connection, was): &(Kind, Option<u32>, bool)| {
            let is_in_flight = || {
                connection
                    .and_then(|number| self.connections.get(&number))
                    .is_some_and(|at| at.stand == Stand::Reading)
            };
            *was || (*kind == Kind::Slow && is_in_flight())
        };
        if !self.has_begun && self.has_served_fresh && self.lasting.iter().all(is_at_work) {
            self.has_begun = true;
            self.records.extend_from_slice(LOAD_READY.as_bytes());
            self.records.push(b'\n');
            self.timers.set(self.order.clock.now_us(), Due::Records);
        }
    }

    /// The agent says how to end, or is gone.
    fn hear(&mut self) -> io::Result<()> {
        let mut words = [0; 64];
        let read = io::stdin().lock().read(&mut words)?;
        match &words[..read] {
            [] => return Err(io::Error::other("the agent is gone")),
            LOAD_STOP => {}
            LOAD_NOW => {
                let busy: Vec<u32> = self
                    .connections
                    .iter()
                    .filter(|(_, at)| at.is_busy())
                    .map(|(&number, _)| number)
                    .collect();
                for number in busy {
                    self.ended(number, End { fate: Fate::Unfinished, pid: None, version: None });
                }
            }
            other => {
                return Err(io::Error::other(format!("{:?} is no word", String::from_utf8_lossy(other))));
            }
        }
        self.is_stopping = true;
        self.connections.retain(|_, connection| connection.is_busy());
        Ok(())
    }
}
