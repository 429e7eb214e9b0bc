//! From a configuration to open sockets: the part that a start, a test, `-s` and a reload share.
//!
//! # Source
//! `ngx_init_cycle` in `src/core/ngx_cycle.c`, `ngx_open_listening_sockets` in `src/core/ngx_connection.c`,
//! nginx 1.18 to 1.30.
//!
//! # Not modelled
//! Shared memory, temporary folders, the lock file, matching of inherited sockets by protocol (1.29.7).

mod leftover;
mod sockets;

use smallvec::SmallVec;

use super::cycle::{Cycle, Fd, Listenings, PidFile};
use super::effect::{Effect, Entry, Notice};
use super::line::{Errno, Line};
use super::names::ConfId;
use super::reply::Reply;
use super::signal::Pid;
use super::{Defect, Defects, unanswered};

/// How often a bind that met EADDRINUSE is tried.
const BIND_ROUNDS: u8 = 5;

/// The pause after each round.
const BIND_PAUSE_MS: u64 = 500;

/// For whom a cycle is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Occasion {
    /// A start.
    Start,
    /// `-t`.
    Test {
        /// `-q`
        quiet: bool,
        /// `-s` too: nginx stops behind the configuration, as for a signal.
        signals: bool,
    },
    /// `-s`.
    Signal,
    /// A reload by the master with this pid.
    Reload(Pid),
}

/// What comes of it.
#[derive(Debug)]
pub(super) enum Progress {
    Do(Effect),
    Done(Cycle),
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Begin,
    Reading,
    Said(u8),
    SyntaxTold,
    PidWritten,
    PidUnlinked,
    LogsOpen,
    Match,
    Round(u8),
    Open { round: u8, at: u8, failed: bool },
    Opening { round: u8, at: u8, failed: bool },
    NotOpened { round: u8, at: u8, errno: Errno },
    RoundOver { round: u8, failed: bool },
    Again { round: u8 },
    Adjust(u8),
    Stderr,
    UsingEpoll,
    CloseIgnored,
    IgnoredClosed,
    CloseOld(u8),
    OldClosed(u8),
    OldDeleting(u8),
    OldUnlinked(u8),
    OldLogsClosed,
    Finished,
    Undo(u8),
    UndoLogs,
    GivenUp,
}

/// A cycle in the making.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct InitCycle {
    occasion: Occasion,
    /// Sockets of the old cycle, or those inherited.
    old: Listenings,
    /// Which of them are used again.
    remain: SmallVec<[bool; 4]>,
    /// Sockets that were opened here, by place.
    opened: SmallVec<[bool; 4]>,
    /// What was inherited and is no socket.
    ignored: SmallVec<[Fd; 2]>,
    old_cycle: Option<(ConfId, PidFile)>,
    /// A configuration whose logs stay open.
    serving: Option<ConfId>,
    defects: Defects,
    new: Option<Cycle>,
    said: SmallVec<[Line; 1]>,
    is_syntax_ok: bool,
    step: Step,
}

impl InitCycle {
    /// A first cycle; `inherited` are the sockets that came through `NGINX`.
    pub(super) fn first(
        occasion: Occasion,
        inherited: Listenings,
        ignored: SmallVec<[Fd; 2]>,
        defects: Defects,
    ) -> Self {
        Self { ignored, defects, ..Self::new(occasion, inherited, None) }
    }

    /// The cycle of a reload; `serving` is a configuration that stays in use.
    pub(super) fn reload(old: &Cycle, master: Pid, serving: Option<ConfId>, defects: Defects) -> Self {
        let old_cycle = Some((old.conf, PidFile::Normal(old.pid)));
        Self { serving, defects, ..Self::new(Occasion::Reload(master), old.listening.clone(), old_cycle) }
    }

    fn new(occasion: Occasion, old: Listenings, old_cycle: Option<(ConfId, PidFile)>) -> Self {
        Self {
            occasion,
            remain: old.iter().map(|_| false).collect(),
            old,
            opened: SmallVec::new(),
            ignored: SmallVec::new(),
            old_cycle,
            serving: None,
            defects: Defects::default(),
            new: None,
            said: SmallVec::new(),
            is_syntax_ok: false,
            step: Step::Begin,
        }
    }

    /// Like [`super::Process::next`].
    pub(super) fn next(&mut self, reply: Reply) -> Progress {
        let mut reply = reply;
        loop {
            if self.step == Step::Finished {
                return Progress::Done(self.new.take().expect("a finished cycle was read"));
            }
            if self.step == Step::GivenUp {
                return Progress::Failed;
            }
            if let Some(effect) = self.advance(self.step, reply) {
                return Progress::Do(effect);
            }
            reply = Reply::Done;
        }
    }

    fn advance(&mut self, step: Step, reply: Reply) -> Option<Effect> {
        match step {
            Step::Begin => self.go(Step::Reading, Effect::ReadConf),
            Step::Reading => self.read(reply),
            Step::Said(at) => self.say(at),
            Step::SyntaxTold => self.after_syntax(),
            Step::PidWritten => self.pid_written(&reply),
            Step::PidUnlinked => self.pid_unlinked(&reply),
            Step::LogsOpen => self.logs_open(&reply),
            Step::Match => self.match_old(),
            Step::Round(BIND_ROUNDS) => self.to(Step::RoundOver { round: BIND_ROUNDS, failed: true }),
            Step::Round(round) => self.to(Step::Open { round, at: 0, failed: false }),
            Step::Open { round, at, failed } => self.open(round, at, failed),
            Step::Opening { round, at, failed } => self.opening(round, at, failed, &reply),
            Step::NotOpened { round, at, errno } => {
                let again = errno == Errno::EADDRINUSE;
                let next = Step::Open { round, at: at + 1, failed: !self.is_test() };
                self.to(if again { next } else { Step::Undo(0) })
            }
            Step::RoundOver { round, failed } => self.round_over(round, failed),
            Step::Again { round } => self.go(Step::Round(round + 1), Effect::Pause { for_ms: BIND_PAUSE_MS }),
            Step::Adjust(at) => self.adjust(at),
            Step::Stderr if self.is_reload() => {
                let conf = self.cycle().conf;
                self.go(Step::UsingEpoll, Effect::RedirectStderr(conf))
            }
            Step::Stderr => self.to(Step::UsingEpoll),
            Step::UsingEpoll if self.is_test() => self.to(Step::CloseIgnored),
            Step::UsingEpoll => self.log(Step::CloseIgnored, Line::UsingEpoll),
            Step::CloseIgnored => match self.ignored.pop() {
                Some(fd) => self.go(Step::IgnoredClosed, Effect::CloseListener(fd)),
                None => self.to(Step::CloseOld(0)),
            },
            Step::IgnoredClosed => match reply.outcome() {
                Ok(()) => self.to(Step::CloseIgnored),
                Err(errno) => {
                    self.log_old(Step::CloseIgnored, Line::CloseSocketFailed { address: None, errno })
                }
            },
            Step::CloseOld(at) => self.close_old(at),
            Step::OldClosed(at) => self.old_closed(at, &reply),
            Step::OldDeleting(at) => {
                self.go(Step::OldUnlinked(at), Effect::UnlinkSocket(self.old[usize::from(at)].address))
            }
            Step::OldUnlinked(at) => self.old_unlinked(at, &reply),
            Step::OldLogsClosed => match self.old_cycle {
                Some((conf, _)) if self.serving != Some(conf) => {
                    self.go(Step::Finished, Effect::CloseLogs(conf))
                }
                _ => self.to(Step::Finished),
            },
            Step::Undo(at) => self.undo(at),
            Step::UndoLogs => {
                let conf = self.cycle().conf;
                self.go(Step::GivenUp, Effect::CloseLogs(conf))
            }
            Step::Finished | Step::GivenUp => None,
        }
    }

    fn cycle(&self) -> &Cycle {
        self.new.as_ref().expect("the configuration was read before")
    }

    const fn is_test(&self) -> bool {
        matches!(self.occasion, Occasion::Test { .. })
    }

    const fn is_reload(&self) -> bool {
        matches!(self.occasion, Occasion::Reload(_))
    }

    fn go(&mut self, step: Step, effect: Effect) -> Option<Effect> {
        self.step = step;
        Some(effect)
    }

    fn to(&mut self, step: Step) -> Option<Effect> {
        self.step = step;
        None
    }

    /// Writes to the new logs.
    fn log(&mut self, step: Step, line: Line) -> Option<Effect> {
        let log = Some(self.cycle().conf);
        self.go(step, Effect::Log(Entry { log, echo: !self.is_reload(), line }))
    }

    /// Writes to the logs from before.
    fn log_old(&mut self, step: Step, line: Line) -> Option<Effect> {
        let log = self.old_cycle.map(|(conf, _)| conf);
        self.go(step, Effect::Log(Entry { log, echo: !self.is_reload(), line }))
    }

    fn read(&mut self, reply: Reply) -> Option<Effect> {
        let Reply::Conf(read) = reply else { unanswered(&self.step, &reply) };
        self.new = read.cycle;
        self.said = read.said;
        self.is_syntax_ok = read.is_syntax_ok;
        self.to(Step::Said(0))
    }

    fn say(&mut self, at: u8) -> Option<Effect> {
        let is_last = usize::from(at) + 1 == self.said.len();
        let is_told = matches!(self.occasion, Occasion::Test { quiet: false, .. }) && self.is_syntax_ok;
        if self.new.is_none() && is_last && is_told {
            // What is wrong is wrong with the whole.
            self.is_syntax_ok = false;
            return self.go(Step::Said(at), Effect::Say(Notice::SyntaxIsOk));
        }
        if let Some(&line) = self.said.get(usize::from(at)) {
            return self.log_old(Step::Said(at + 1), line);
        }
        self.said.clear();
        if self.new.is_none() {
            return self.to(Step::GivenUp);
        }
        match self.occasion {
            Occasion::Test { quiet: false, .. } => self.go(Step::SyntaxTold, Effect::Say(Notice::SyntaxIsOk)),
            Occasion::Signal => self.to(Step::Finished),
            Occasion::Test { quiet: true, .. } | Occasion::Start | Occasion::Reload(_) => {
                self.to(Step::SyntaxTold)
            }
        }
    }

    fn after_syntax(&mut self) -> Option<Effect> {
        if matches!(self.occasion, Occasion::Test { signals: true, .. }) {
            return self.to(Step::Finished);
        }
        let file = PidFile::Normal(self.cycle().pid);
        let pid = match (self.occasion, self.old_cycle) {
            (Occasion::Test { .. }, _) if self.defects.has(Defect::TestMakesNoPidFile) => {
                let conf = self.cycle().conf;
                return self.go(Step::LogsOpen, Effect::OpenLogs(conf));
            }
            (Occasion::Test { .. }, _) => None,
            (Occasion::Reload(master), Some((_, old))) if old != file => Some(master),
            _ => {
                let conf = self.cycle().conf;
                return self.go(Step::LogsOpen, Effect::OpenLogs(conf));
            }
        };
        self.go(Step::PidWritten, Effect::WritePid { file, pid })
    }

    fn pid_written(&mut self, reply: &Reply) -> Option<Effect> {
        let file = PidFile::Normal(self.cycle().pid);
        match (reply, self.old_cycle) {
            (&Reply::Failed(errno), _) => self.log_old(Step::GivenUp, Line::PidOpenFailed { file, errno }),
            (_, Some((_, old))) if !self.defects.has(Defect::LeavesTheOldPidFile) => {
                self.go(Step::PidUnlinked, Effect::UnlinkPid(old))
            }
            _ => {
                let conf = self.cycle().conf;
                self.go(Step::LogsOpen, Effect::OpenLogs(conf))
            }
        }
    }

    fn pid_unlinked(&mut self, reply: &Reply) -> Option<Effect> {
        if let (&Reply::Failed(errno), Some((_, file))) = (reply, self.old_cycle) {
            // The step stays: the reply to a log line is never a failure.
            return self.log_old(Step::PidUnlinked, Line::UnlinkPidFailed { file, errno });
        }
        let conf = self.cycle().conf;
        self.go(Step::LogsOpen, Effect::OpenLogs(conf))
    }

    fn logs_open(&mut self, reply: &Reply) -> Option<Effect> {
        match reply.failure() {
            Some((path, errno)) => self.log_old(Step::UndoLogs, Line::OpenFailed { path, errno }),
            None => self.to(Step::Match),
        }
    }
}
