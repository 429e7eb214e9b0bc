//! From `main` to the master's loop, or to the end of `-t`, `-s` and `-v`.
//!
//! # Source
//! `main`, `ngx_add_inherited_sockets` and `ngx_signal_process` in `src/core/nginx.c` and
//! `src/core/ngx_cycle.c`, `ngx_daemon` in `src/os/unix/ngx_daemon.c`, nginx 1.18 to 1.30; with Debian's
//! change, by which the launcher and not the daemon writes the pid file.

mod daemon;

use smallvec::SmallVec;

use crate::fault::Fault;
use crate::machine::cycle::{Cycle, Fd, Listening, Listenings, Speaks};
use crate::machine::effect::{Effect, Entry, Notice, Print};
use crate::machine::init_cycle::{InitCycle, Occasion, Progress};
use crate::machine::line::Line;
use crate::machine::master::{Birth, Master};
use crate::machine::names::TextId;
use crate::machine::plan::{Plan, Purpose};
use crate::machine::reply::{Inherited, Reply};
use crate::machine::signal::Pid;
use crate::machine::single::Single;
use crate::machine::{Defect, Process, Turn, unanswered};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Begin,
    Printed,
    Pids,
    Parent,
    Log,
    LogOpen,
    Environment,
    Invalid,
    Name { at: u8 },
    Named { at: u8 },
    Fault,
    FaultOver,
    Cycle,
    TestTold,
    SignalStarted,
    PidRead,
    Killed(Pid),
    System,
    Looked(TextId, u64, u64),
    LimitsTold(u64, u64),
    Handlers,
    Daemon,
    Forked,
    LauncherWrote,
    Detached,
    ChildPid,
    WritePid,
    PidWritten,
    Stderr,
    BuiltInLog,
    Exiting(u8),
    Master,
}

/// A process that is not yet a master.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StartUp {
    plan: Plan,
    own: Pid,
    parent: Pid,
    inherited: Option<SmallVec<[Fd; 4]>>,
    invalid: Option<(TextId, bool)>,
    listening: Listenings,
    /// Inherited descriptors that are no sockets.
    ignored: SmallVec<[Fd; 2]>,
    init: Option<InitCycle>,
    cycle: Option<Cycle>,
    step: Step,
    has_forked: bool,
}

impl StartUp {
    /// A start with that plan.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            own: Pid(0),
            parent: Pid(0),
            inherited: None,
            invalid: None,
            listening: SmallVec::new(),
            ignored: SmallVec::new(),
            init: None,
            cycle: None,
            step: Step::Begin,
            has_forked: false,
        }
    }

    pub(in crate::machine) fn next(&mut self, reply: Reply) -> Turn {
        let mut reply = reply;
        loop {
            if self.step == Step::Master {
                let birth = self.birth();
                return Turn::Become(if birth.cycle.master_process {
                    Process::Master(Master::new(birth))
                } else {
                    Process::Single(Box::new(Single::new(birth)))
                });
            }
            if let Some(effect) = self.advance(reply) {
                return Turn::Do(effect);
            }
            reply = Reply::Done;
        }
    }

    fn advance(&mut self, reply: Reply) -> Option<Effect> {
        match self.step {
            Step::Begin => match self.plan.print {
                Some(print) => self.go(Step::Printed, Effect::Print(print)),
                None => self.to(Step::Pids),
            },
            Step::Printed if matches!(self.plan.purpose, Purpose::Test { .. }) => self.to(Step::Pids),
            Step::Printed => self.exit(0),
            Step::Pids => self.go(Step::Parent, Effect::OwnPid),
            Step::Parent => {
                self.own = pid(self.step, &reply);
                self.go(Step::Log, Effect::ParentPid)
            }
            Step::Log => {
                self.parent = pid(self.step, &reply);
                self.go(Step::LogOpen, Effect::OpenBuiltInLog)
            }
            Step::LogOpen => self.log_open(&reply),
            Step::Environment => self.inherit(reply),
            Step::Invalid => match self.invalid {
                Some((text, ends)) => {
                    // nginx says it once more, as if the rest were a last number without separator.
                    self.invalid = ends.then_some((text, false));
                    self.log(Step::Invalid, Line::InvalidInherited { text, ends })
                }
                None => self.to(Step::Name { at: 0 }),
            },
            Step::Name { at } => match self.inherited_fd(at) {
                Some(fd) => self.go(Step::Named { at }, Effect::NameOfSocket(fd)),
                None => self.to(Step::Fault),
            },
            Step::Named { at } => self.named(at, &reply),
            Step::Fault | Step::FaultOver => self.fault(),
            Step::Cycle => self.make_cycle(reply),
            Step::TestTold => self.test_told(),
            Step::SignalStarted | Step::PidRead | Step::Killed(_) => self.signal(&reply),
            Step::System | Step::Looked(..) | Step::LimitsTold(..) | Step::Handlers => self.status(&reply),
            Step::Daemon => self.daemonise(),
            Step::Forked | Step::LauncherWrote | Step::Detached | Step::ChildPid => self.forked(&reply),
            Step::WritePid | Step::PidWritten => self.pid_file(&reply),
            Step::Stderr => {
                let conf = self.cycle().conf;
                self.go(Step::BuiltInLog, Effect::RedirectStderr(conf))
            }
            Step::BuiltInLog => self.go(Step::Master, Effect::CloseBuiltInLog),
            Step::Exiting(code) => self.go(Step::Exiting(code), Effect::Exit(code)),
            Step::Master => None,
        }
    }

    fn cycle(&self) -> &Cycle {
        self.cycle.as_ref().expect("the cycle was made before")
    }

    fn go(&mut self, step: Step, effect: Effect) -> Option<Effect> {
        self.step = step;
        Some(effect)
    }

    fn to(&mut self, step: Step) -> Option<Effect> {
        self.step = step;
        None
    }

    fn exit(&mut self, code: u8) -> Option<Effect> {
        self.to(Step::Exiting(code))
    }

    /// Writes to the log of the configuration, or to the built-in one while there is none.
    fn log(&mut self, step: Step, line: Line) -> Option<Effect> {
        let is_signaller = matches!(self.plan.purpose, Purpose::Signal(_));
        let log = self.cycle.as_ref().filter(|_| !is_signaller).map(|cycle| cycle.conf);
        self.go(step, Effect::Log(Entry { log, echo: true, line }))
    }

    fn log_open(&mut self, reply: &Reply) -> Option<Effect> {
        if let Reply::FailedAt(path, errno) = *reply {
            // The step stays: the reply to what is said is never a failure.
            return self.go(Step::LogOpen, Effect::Say(Notice::Line(Line::CouldNotOpenLog { path, errno })));
        }
        self.go(Step::Environment, Effect::ReadInherited)
    }

    fn inherit(&mut self, reply: Reply) -> Option<Effect> {
        let Reply::Inherited(inherited) = reply else { unanswered(&self.step, &reply) };
        let Some(Inherited { text, sockets, invalid }) = inherited else { return self.to(Step::Fault) };
        self.inherited = Some(sockets);
        self.invalid = invalid;
        self.log(Step::Invalid, Line::UsingInherited { text })
    }

    fn inherited_fd(&self, at: u8) -> Option<Fd> {
        self.inherited.as_ref().and_then(|fds| fds.get(usize::from(at)).copied())
    }

    fn named(&mut self, at: u8, reply: &Reply) -> Option<Effect> {
        let fd = self.inherited_fd(at).expect("a socket that was just asked for its name");
        if let Reply::Failed(errno) = *reply {
            self.ignored.push(fd);
            return self.log(Step::Name { at: at + 1 }, Line::GetsocknameFailed { fd, errno });
        }
        let &Reply::Socket(named) = reply else { unanswered(&self.step, reply) };
        self.listening.push(Listening {
            listen: 0,
            address: named.address,
            is_unix: named.is_unix,
            worker: None,
            backlog: INHERITED_BACKLOG,
            client_header_timeout_ms: 0,
            fd: Some(fd),
            speaks: Speaks::Http,
            is_inherited: true,
        });
        self.to(Step::Name { at: at + 1 })
    }

    /// The fault of the stamp, at the place where the configuration is read, and only where it would serve.
    fn fault(&mut self) -> Option<Effect> {
        if let (Some(Fault::FailsTest { status }), Purpose::Test { .. }) =
            (self.plan.fault, self.plan.purpose)
        {
            return self.go(Step::Exiting(status), Effect::Say(Notice::TestFailed));
        }
        let fault = self.plan.fault.filter(|_| self.plan.purpose == Purpose::Run);
        match (self.step, fault) {
            (
                Step::Fault,
                Some(Fault::LoadsThenFails { load_ms, .. } | Fault::LoadsThenServes { load_ms }),
            ) => self.go(Step::FaultOver, Effect::Pause { for_ms: load_ms }),
            (Step::Fault, Some(Fault::HangsAtStart)) => {
                self.go(Step::FaultOver, Effect::Pause { for_ms: FOREVER_MS })
            }
            (_, Some(Fault::ExitsAtStart { status } | Fault::LoadsThenFails { status, .. })) => {
                self.exit(status)
            }
            (_, _) => {
                let occasion = match self.plan.purpose {
                    Purpose::Run => Occasion::Start,
                    Purpose::Test { quiet, signals, .. } => Occasion::Test { quiet, signals },
                    Purpose::Signal(_) => Occasion::Signal,
                };
                self.init = Some(InitCycle::first(
                    occasion,
                    std::mem::take(&mut self.listening),
                    std::mem::take(&mut self.ignored),
                    self.plan.defects,
                ));
                self.to(Step::Cycle)
            }
        }
    }

    fn make_cycle(&mut self, reply: Reply) -> Option<Effect> {
        let init = self.init.as_mut().expect("a cycle in the making");
        match init.next(reply) {
            Progress::Do(effect) => return Some(effect),
            Progress::Done(cycle) => self.cycle = Some(cycle),
            Progress::Failed => {
                self.init = None;
                return match self.plan.purpose {
                    Purpose::Test { .. } => self.go(Step::Exiting(1), Effect::Say(Notice::TestFailed)),
                    Purpose::Run | Purpose::Signal(_) => self.exit(1),
                };
            }
        }
        self.init = None;
        match self.plan.purpose {
            Purpose::Run => self.log(Step::System, Line::Version),
            Purpose::Test { quiet: true, .. } => self.to(Step::TestTold),
            Purpose::Test { quiet: false, .. } => {
                self.go(Step::TestTold, Effect::Say(Notice::TestIsSuccessful))
            }
            Purpose::Signal(_) => self.log(Step::SignalStarted, Line::SignalProcessStarted),
        }
    }

    fn test_told(&mut self) -> Option<Effect> {
        let conf = self.cycle().conf;
        if matches!(self.plan.purpose, Purpose::Test { dump: true, .. }) {
            return self.go(Step::Exiting(0), Effect::Print(Print::Dump { conf }));
        }
        self.exit(0)
    }

    fn signal(&mut self, reply: &Reply) -> Option<Effect> {
        let Purpose::Signal(signal) = self.plan.purpose else { return self.exit(1) };
        let path = self.cycle().pid;
        match (self.step, reply) {
            (Step::SignalStarted, _) => self.go(Step::PidRead, Effect::ReadPid(path)),
            (Step::PidRead, &Reply::Failed(errno)) => {
                let code = u8::from(!self.plan.defects.has(Defect::SignallerExitsZero));
                self.log(Step::Exiting(code), Line::ReadPidFailed { path, errno })
            }
            (Step::PidRead, &Reply::PidRead(Err(text))) => {
                self.log(Step::Exiting(1), Line::InvalidPid { text, path })
            }
            (Step::PidRead, &Reply::PidRead(Ok(pid))) => {
                self.go(Step::Killed(pid), Effect::Kill { pid, signal })
            }
            (Step::Killed(pid), &Reply::Failed(errno)) => {
                self.log(Step::Exiting(1), Line::KillFailed { pid, signal, errno })
            }
            _ => self.exit(0),
        }
    }

    fn status(&mut self, reply: &Reply) -> Option<Effect> {
        match (self.step, reply) {
            (Step::System, _) => self.go(Step::Looked(TextId(0), 0, 0), Effect::LookAtSystem),
            (Step::Looked(..), &Reply::System { os, soft, hard }) => {
                self.log(Step::LimitsTold(soft, hard), Line::OperatingSystem { text: os })
            }
            (Step::LimitsTold(soft, hard), _) => self.log(Step::Handlers, Line::Limits { soft, hard }),
            (Step::Handlers, _) => self.go(Step::Daemon, Effect::InstallHandlers),
            _ => unanswered(&self.step, reply),
        }
    }

    fn birth(&mut self) -> Birth {
        Birth {
            cycle: self.cycle.take().expect("the cycle was made before"),
            profile: self.plan.profile,
            defects: self.plan.defects,
            fault: self.plan.fault,
            own: self.own,
            parent: self.parent,
            is_daemonized: self.has_forked || self.inherited.is_some(),
        }
    }
}

/// A year: nobody waits for that.
const FOREVER_MS: u64 = 31_536_000_000;

/// What nginx takes an inherited socket's backlog to be.
const INHERITED_BACKLOG: i32 = 511;

fn pid(step: Step, reply: &Reply) -> Pid {
    let &Reply::Pid(pid) = reply else { unanswered(&step, reply) };
    pid
}
