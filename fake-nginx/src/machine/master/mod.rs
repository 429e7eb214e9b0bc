//! The master: its state, and which of its parts goes on with a reply.
//!
//! Signals are blocked except while the master sleeps. Their handlers only set flags and write lines
//! ([`handler`]); after each sleep one turn of the loop looks at the flags in a fixed order ([`turn`]).
//! Flags, their order and the early ways back to sleep are nginx's, errors included: an old master that was
//! told no-accept and then HUP forgets that it is alive (`is_live`).
//!
//! # Source
//! `ngx_master_process_cycle` in `src/os/unix/ngx_process_cycle.c`, nginx 1.18 to 1.30.

mod children;
mod exit;
mod handler;
mod reap;
mod spawn;
mod turn;

#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use super::cycle::Cycle;
use super::effect::{Effect, Entry, Title};
use super::init_cycle::InitCycle;
use super::line::Line;
use super::names::ConfId;
use super::reply::Reply;
use super::signal::{Arrivals, Pid};
use super::{Defect, Defects, Turn, unanswered};
use crate::fault::Fault;
use crate::release::Profile;

pub use children::Child;
use children::Children;

/// What the master knows of the binary that USR2 started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NewBinary {
    /// There is none.
    None,
    /// It runs, or has ended and was not reaped.
    Runs(Pid),
    /// The last attempt failed before a process was there: nginx's -1.
    Failed,
}

/// One flag per signal, set by its handler, cleared (if ever) by the loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Flags {
    reap: bool,
    terminate: bool,
    quit: bool,
    reconfigure: bool,
    reopen: bool,
    change_binary: bool,
    noaccept: bool,
    sigalrm: bool,
}

/// What a start-up leaves to its master.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) cycle: Cycle,
    pub(super) profile: Profile,
    pub(super) defects: Defects,
    pub(super) fault: Option<Fault>,
    pub(super) own: Pid,
    pub(super) parent: Pid,
    pub(super) is_daemonized: bool,
}

/// Where in its loop a master is, between its longer acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Point {
    Title,
    Entered,
    Loop,
    Sleep,
    Awake,
    AfterReap,
    Terminate,
    Quit,
    Reconfigure,
    ReloadPause,
    ReloadQuit,
    Restart,
    Restarted,
    Reopen,
    ReopenTell,
    ChangeBinary,
    Noaccept,
    CloseListeners,
    Exit,
    /// A process that is its own worker: goes on with that.
    Serve,
    /// The same, behind its events.
    ServeFlags,
    /// The same, behind its reload.
    ServeReopen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Block,
    Armed,
    Blocked,
    Slept,
    At(Point),
    Handler(handler::Step),
    Reap(reap::Step),
    Spawn(spawn::Step),
    Tell(children::Step),
    Reload,
    ReopenLogs,
    Reopened,
    Upgrade(turn::Upgrade),
    Exit(exit::Step),
    Close(exit::Close),
    Over,
}

/// A master process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Master {
    cycle: Cycle,
    profile: Profile,
    defects: Defects,
    fault: Option<Fault>,
    own: Pid,
    /// The parent from the start: an old master, or a launcher that has gone.
    parent: Pid,
    is_daemonized: bool,
    flags: Flags,
    new_binary: NewBinary,
    is_noaccepting: bool,
    is_restarting: bool,
    is_live: bool,
    /// The escalation's delay; 0 until TERM.
    delay_ms: u32,
    /// How many wake-ups the escalation still ignores.
    sigio: u32,
    children: Children,
    arrivals: Arrivals,
    reload: Option<InitCycle>,
    /// `master_process off`: the configuration by which this process answers.
    serving: Option<ConfId>,
    step: Step,
}

impl Master {
    pub(super) fn new(birth: Birth) -> Self {
        Self {
            cycle: birth.cycle,
            profile: birth.profile,
            defects: birth.defects,
            fault: birth.fault,
            own: birth.own,
            parent: birth.parent,
            is_daemonized: birth.is_daemonized,
            flags: Flags::default(),
            new_binary: NewBinary::None,
            is_noaccepting: false,
            is_restarting: false,
            is_live: true,
            delay_ms: 0,
            sigio: 0,
            children: SmallVec::new(),
            arrivals: SmallVec::new(),
            reload: None,
            serving: None,
            step: Step::Block,
        }
    }

    /// The part of a process that is its own worker.
    pub(super) fn single(birth: Birth) -> Self {
        Self { serving: Some(birth.cycle.conf), ..Self::new(birth) }
    }

    /// True while there is nothing else to do than to serve.
    pub(super) fn lets_serve(&self) -> bool {
        self.step == Step::At(Point::Serve)
    }

    /// True if it runs another configuration than the one by which it answers.
    pub(super) fn has_reloaded(&self) -> bool {
        self.serving.is_some_and(|serving| serving != self.cycle.conf)
    }

    /// Signals came while it served.
    pub(super) fn handle_arrivals(&mut self, arrivals: Arrivals) {
        self.arrivals = arrivals;
        self.step = Step::Handler(handler::Step::Next { then: Point::Serve });
    }

    /// It has served what there was.
    pub(super) fn look_at_flags_of_single(&mut self) {
        self.step = Step::At(Point::ServeFlags);
    }

    /// The process table, by slot.
    #[must_use]
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// What it knows of a new binary.
    #[must_use]
    pub const fn new_binary(&self) -> NewBinary {
        self.new_binary
    }

    /// The configuration that it runs.
    #[must_use]
    pub const fn cycle(&self) -> &Cycle {
        &self.cycle
    }

    /// Whether it told its workers to stop and was not told otherwise since.
    #[must_use]
    pub const fn is_noaccepting(&self) -> bool {
        self.is_noaccepting
    }

    /// Whether it was told to end; nothing takes that back.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        self.flags.quit || self.flags.terminate
    }

    /// Whether it sleeps and waits for a signal.
    #[must_use]
    pub const fn is_asleep(&self) -> bool {
        matches!(self.step, Step::Slept)
    }

    pub(super) fn next(&mut self, reply: Reply) -> Turn {
        let mut reply = reply;
        loop {
            if let Some(turn) = self.advance(reply) {
                return turn;
            }
            reply = Reply::Done;
        }
    }

    pub(super) fn advance(&mut self, reply: Reply) -> Option<Turn> {
        match self.step {
            Step::Block => self.begin(),
            Step::Armed => self.go(Step::Blocked, Effect::BlockSignals),
            Step::Blocked => {
                let then = if self.serving.is_some() { Point::Serve } else { Point::Title };
                self.woken(reply, then)
            }
            Step::Slept => self.woken(reply, Point::Awake),
            Step::At(point) => self.at(point),
            Step::Handler(step) => self.handle(step, &reply),
            Step::Reap(step) => self.reap(step, &reply),
            Step::Spawn(step) => self.spawn(step, &reply),
            Step::Tell(step) => self.tell(step, &reply),
            Step::Reload => self.reloading(reply),
            Step::ReopenLogs => self.reopen_logs(),
            Step::Reopened => self.reopened(&reply),
            Step::Upgrade(step) => self.upgrade(step, &reply),
            Step::Exit(step) => self.exit(step, &reply),
            Step::Close(step) => self.close(step, &reply),
            Step::Over => self.go(Step::Over, Effect::Exit(0)),
        }
    }

    /// A master that shall die after a while has its timer for that first.
    fn begin(&mut self) -> Option<Turn> {
        match self.fault {
            Some(Fault::DiesAfter { serve_ms, .. }) => {
                let after_ms = u32::try_from(serve_ms).unwrap_or(u32::MAX).max(1);
                self.go(Step::Armed, Effect::StartTimer { after_ms })
            }
            _ => self.to(Step::Armed),
        }
    }

    fn woken(&mut self, reply: Reply, then: Point) -> Option<Turn> {
        let Reply::Woken(arrivals) = reply else { unanswered(&self.step, &reply) };
        self.arrivals = arrivals;
        if self.defects.has(Defect::HandlesTheLowestFirst) {
            self.arrivals.reverse();
        }
        self.to(Step::Handler(handler::Step::Next { then }))
    }

    fn set_title(&mut self) -> Option<Turn> {
        self.go(Step::At(Point::Entered), Effect::SetTitle(Title::Master))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the way every step ends")]
    fn go(&mut self, step: Step, effect: Effect) -> Option<Turn> {
        self.step = step;
        Some(Turn::Do(effect))
    }

    fn to(&mut self, step: Step) -> Option<Turn> {
        self.step = step;
        None
    }

    fn log(&mut self, step: Step, line: Line) -> Option<Turn> {
        let log = Some(self.cycle.conf);
        self.go(step, Effect::Log(Entry { log, echo: false, line }))
    }
}
