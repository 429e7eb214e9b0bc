//! A worker's whole life: it becomes its user, watches the sockets, serves, drains and exits.
//!
//! # Source
//! `ngx_worker_process_cycle`, `ngx_worker_process_init` and `ngx_worker_process_exit` in
//! `src/os/unix/ngx_process_cycle.c`, `ngx_event_process_init` in `src/event/ngx_event.c`, nginx 1.18 to 1.30.
//!
//! # Not modelled
//! `accept_mutex` (off since 1.11.3), `multi_accept`, the limit of `worker_connections`.

mod birth;
mod connection;
mod event;
mod request;
mod shutdown;

use smallvec::SmallVec;

use super::cycle::Cycle;
use super::effect::{Conn, Effect, Entry, Slot};
use super::line::Line;
use super::reply::{Ready, Reply};
use super::signal::Arrivals;
use super::{Defects, Turn, unanswered};
use crate::fault::Fault;
use crate::release::Profile;

pub use connection::{Connection, Phase};

/// What a master leaves to its worker.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) cycle: Cycle,
    pub(super) profile: Profile,
    pub(super) fault: Option<Fault>,
    pub(super) defects: Defects,
    pub(super) slot: Slot,
    pub(super) index: u16,
    pub(super) is_daemonized: bool,
    /// Memory is forked, flags of pending signals included; a worker looks at this one.
    pub(super) has_reopen_pending: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Flags {
    terminate: bool,
    quit: bool,
    reopen: bool,
    /// WINCH came directly: the end will be an abort.
    debug_quit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Birth(birth::Step),
    Loop,
    Waiting,
    Handler,
    Ready,
    Channel,
    Accepting { index: u8, conn: Conn },
    Rewatch { index: u8, conn: Conn },
    Accepted { index: u8, conn: Conn },
    Request { conn: Conn, act: request::Act },
    CloseAll { at: u16 },
    Flags,
    Shutdown(shutdown::Step),
    Reopen,
    Reopened,
    Leave(shutdown::Leave),
}

/// Which process does this work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Serves {
    /// A worker.
    Workers,
    /// One that is its own master.
    Alone,
    /// The same, which has reloaded and has no room for connections any more.
    AloneWithoutRoom,
}

/// A worker process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Worker {
    cycle: Cycle,
    profile: Profile,
    fault: Option<Fault>,
    defects: Defects,
    /// How many requests it has got, if its fault counts them.
    requests: u16,
    slot: Slot,
    /// Its number among the workers; reuseport sockets know it.
    index: u16,
    is_daemonized: bool,
    flags: Flags,
    is_exiting: bool,
    serves: Serves,
    shutdown_at_ms: Option<u64>,
    now_ms: u64,
    /// Accepted connections modulo 16, by place in the cycle's sockets.
    accepts: SmallVec<[u8; 2]>,
    connections: SmallVec<[Option<Connection>; 1]>,
    arrivals: Arrivals,
    ready: SmallVec<[Ready; 4]>,
    step: Step,
}

impl Worker {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            accepts: origin.cycle.listening.iter().map(|_| 0).collect(),
            cycle: origin.cycle,
            profile: origin.profile,
            fault: origin.fault,
            defects: origin.defects,
            requests: 0,
            slot: origin.slot,
            index: origin.index,
            is_daemonized: origin.is_daemonized,
            flags: Flags { reopen: origin.has_reopen_pending, ..Flags::default() },
            is_exiting: false,
            serves: Serves::Workers,
            shutdown_at_ms: None,
            now_ms: 0,
            connections: SmallVec::new(),
            arrivals: SmallVec::new(),
            ready: SmallVec::new(),
            step: Step::Birth(birth::Step::User),
        }
    }

    /// The serving part of a process that is its own master.
    pub(super) fn single(cycle: Cycle, profile: Profile, defects: Defects) -> Self {
        let origin = Origin {
            cycle,
            profile,
            fault: None,
            defects,
            slot: Slot(0),
            index: 0,
            is_daemonized: false,
            has_reopen_pending: false,
        };
        Self { serves: Serves::Alone, step: Step::Birth(birth::Step::Enter), ..Self::new(origin) }
    }

    /// What has arrived while it waited; it goes on with the events.
    pub(super) fn take_arrivals(&mut self) -> Option<Arrivals> {
        if self.step != Step::Handler {
            return None;
        }
        self.step = Step::Ready;
        Some(std::mem::take(&mut self.arrivals))
    }

    /// True once it has done everything that it was woken for; then it begins again.
    pub(super) fn has_turned(&mut self) -> bool {
        let has_turned = self.step == Step::Flags;
        if has_turned {
            self.step = Step::Loop;
        }
        has_turned
    }

    /// From now on it can take no connection.
    pub(super) fn has_no_room(&mut self) {
        self.serves = Serves::AloneWithoutRoom;
    }

    /// Its connections, by number.
    #[must_use]
    pub fn connections(&self) -> &[Option<Connection>] {
        &self.connections
    }

    /// False if the count of what it has accepted, modulo 16, stands at zero; all that it tells is who accepts next.
    #[must_use]
    pub fn has_accepted(&self) -> bool {
        self.accepts.iter().any(|&accepts| accepts != 0)
    }

    /// For a world in which nobody connects any more: it has never accepted.
    pub fn forget_accepts(&mut self) {
        self.accepts.fill(0);
    }

    /// The configuration that it runs.
    #[must_use]
    pub const fn cycle(&self) -> &Cycle {
        &self.cycle
    }

    /// Whether it was told to shut down gracefully.
    #[must_use]
    pub const fn is_exiting(&self) -> bool {
        self.is_exiting
    }

    pub(super) fn next(&mut self, reply: Reply) -> Turn {
        let mut reply = reply;
        loop {
            if let Some(effect) = self.advance(reply) {
                return Turn::Do(effect);
            }
            reply = Reply::Done;
        }
    }

    pub(super) fn advance(&mut self, reply: Reply) -> Option<Effect> {
        match self.step {
            Step::Birth(step) => self.birth(step, &reply),
            Step::Loop => self.wait(),
            Step::Waiting => self.waited(reply),
            Step::Handler => self.next_arrival(),
            Step::Ready => self.next_ready(),
            Step::Channel => self.command(&reply),
            Step::Accepting { index, conn } => self.accepted(index, conn, &reply),
            Step::Rewatch { index, conn } => self.watch(index, Step::Accepted { index, conn }),
            Step::Accepted { index, conn } => self.greet(index, conn),
            Step::Request { conn, act } => self.request(conn, act, &reply),
            Step::CloseAll { at } => self.close_all(at),
            Step::Flags => self.look_at_flags(),
            Step::Shutdown(step) => self.shut_down(step),
            Step::Reopen => {
                let conf = self.cycle.conf;
                self.go(Step::Reopened, Effect::ReopenLogs { conf, give_to_user: false })
            }
            Step::Reopened => match reply.failure() {
                Some((path, errno)) => self.log(Step::Loop, Line::OpenFailed { path, errno }),
                None => self.to(Step::Loop),
            },
            Step::Leave(step) => self.leave(step),
        }
    }

    fn go(&mut self, step: Step, effect: Effect) -> Option<Effect> {
        self.step = step;
        Some(effect)
    }

    fn to(&mut self, step: Step) -> Option<Effect> {
        self.step = step;
        None
    }

    fn log(&mut self, step: Step, line: Line) -> Option<Effect> {
        let log = Some(self.cycle.conf);
        self.go(step, Effect::Log(Entry { log, echo: false, line }))
    }

    fn connection(&mut self, conn: Conn) -> Option<&mut Connection> {
        self.connections.get_mut(usize::from(conn.0)).and_then(Option::as_mut)
    }

    /// Forgets a connection; the table ends with a connection or is empty.
    fn forget(&mut self, conn: Conn) {
        if let Some(place) = self.connections.get_mut(usize::from(conn.0)) {
            *place = None;
        }
        while self.connections.last().is_some_and(Option::is_none) {
            self.connections.pop();
        }
    }
}
