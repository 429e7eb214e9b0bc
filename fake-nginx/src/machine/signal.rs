//! Signals as nginx knows them: their numbers on Linux, their names in the log, and who sent them.
//!
//! # Source
//! The table `signals` in `src/os/unix/ngx_process.c`, unchanged from nginx 1.14 to 1.30.

use smallvec::SmallVec;

/// A process number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u32);

/// A signal that nginx handles or sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Signal {
    /// Reconfigure.
    Hup = 1,
    /// Fast shutdown.
    Int = 2,
    /// Graceful shutdown.
    Quit = 3,
    /// What escalation ends with; never handled.
    Kill = 9,
    /// Reopen.
    Usr1 = 10,
    /// Change binary.
    Usr2 = 12,
    /// The timer of the escalation.
    Alrm = 14,
    /// Fast shutdown.
    Term = 15,
    /// A child ended.
    Chld = 17,
    /// No-accept.
    Winch = 28,
    /// The other end of a channel was closed.
    Io = 29,
}

impl Signal {
    /// Every signal that has a handler, and that a master blocks while it does not sleep.
    pub const HANDLED: [Self; 10] = [
        Self::Hup,
        Self::Int,
        Self::Quit,
        Self::Usr1,
        Self::Usr2,
        Self::Alrm,
        Self::Term,
        Self::Chld,
        Self::Winch,
        Self::Io,
    ];

    /// Its number on Linux.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The signal with that number, if it has a handler.
    #[must_use]
    pub fn handled(number: u8) -> Option<Self> {
        Self::HANDLED.into_iter().find(|signal| signal.number() == number)
    }

    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hup => "SIGHUP",
            Self::Int => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Kill => "SIGKILL",
            Self::Usr1 => "SIGUSR1",
            Self::Usr2 => "SIGUSR2",
            Self::Alrm => "SIGALRM",
            Self::Term => "SIGTERM",
            Self::Chld => "SIGCHLD",
            Self::Winch => "SIGWINCH",
            Self::Io => "SIGIO",
        }
    }
}

/// One run of a signal handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arrival {
    /// What arrived.
    pub signal: Signal,
    /// Who sent it; `None` for the kernel and for processes outside of the pid namespace.
    pub sender: Option<Pid>,
}

/// Runs of handlers, in their order: highest number first where several were pending.
pub type Arrivals = SmallVec<[Arrival; 3]>;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(u8),
    /// It was ended by this signal.
    Signal {
        /// The signal's number.
        number: u8,
        /// Whether it left a core file.
        core: bool,
    },
}
