//! Every line that the machines write to a log, as a value, and nginx's text for it.
//!
//! # Source
//! The calls of `ngx_log_error` in `src/core/nginx.c`, `src/core/ngx_cycle.c`, `src/core/ngx_connection.c`,
//! `src/os/unix/ngx_process.c`, `src/os/unix/ngx_process_cycle.c`, nginx 1.18 to 1.30.

use std::fmt;

use super::cycle::{Fd, PidFile};
use super::names::{AddressId, Names, PathId, TextId};
use super::signal::{ExitStatus, Pid, Signal};
use crate::conf::Level;

/// An error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Errno(pub u16);

impl Errno {
    /// No such file or directory.
    pub const ENOENT: Self = Self(2);
    /// No such process.
    pub const ESRCH: Self = Self(3);
    /// Address already in use.
    pub const EADDRINUSE: Self = Self(98);
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(i32::from(self.0)).to_string();
        let text = text.split(" (os error ").next().unwrap_or_default();
        write!(f, "({}: {text})", self.0)
    }
}

/// What a child is, in the log's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A worker, with its number among them.
    Worker(u16),
    /// The binary that USR2 started.
    NewBinary,
}

impl Kind {
    /// `worker process`
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Worker(_) => "worker process",
            Self::NewBinary => "new binary process",
        }
    }
}

/// What a handler says that the signal will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Nothing is said.
    None,
    /// QUIT, and WINCH to a worker.
    ShuttingDown,
    /// TERM, INT.
    Exiting,
    /// WINCH.
    StopAccepting,
    /// HUP.
    Reconfiguring,
    /// USR1.
    ReopeningLogs,
    /// USR2.
    ChangingBinary,
    /// A signal that this process does not obey.
    Ignoring,
}

impl Action {
    const fn words(self) -> &'static str {
        match self {
            Self::None => "",
            Self::ShuttingDown => ", shutting down",
            Self::Exiting => ", exiting",
            Self::StopAccepting => ", stop accepting connections",
            Self::Reconfiguring => ", reconfiguring",
            Self::ReopeningLogs => ", reopening logs",
            Self::ChangingBinary => ", changing binary",
            Self::Ignoring => ", ignoring",
        }
    }
}

/// A call whose failure is told with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketCall {
    /// socket(2)
    Socket,
    /// bind(2)
    Bind,
    /// listen(2)
    Listen,
}

/// A line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "a variant is its text in `Shown`, and its fields are what the text names")]
pub enum Line {
    Said { level: Level, text: TextId },
    CouldNotOpenLog { path: PathId, errno: Errno },
    UsingInherited { text: TextId },
    InvalidInherited { text: TextId, ends: bool },
    GetsocknameFailed { fd: Fd, errno: Errno },
    OpenFailed { path: PathId, errno: Errno },
    PidOpenFailed { file: PidFile, errno: Errno },
    ReadPidFailed { path: PathId, errno: Errno },
    InvalidPid { text: TextId, path: PathId },
    SocketFailed { call: SocketCall, address: AddressId, backlog: i32, errno: Errno },
    TryAgainToBind,
    StillCouldNotBind,
    CloseSocketFailed { address: Option<AddressId>, errno: Errno },
    DeletingSocket { address: AddressId },
    UnlinkSocketFailed { address: AddressId, errno: Errno },
    UsingEpoll,
    Version,
    OperatingSystem { text: TextId },
    Limits { soft: u64, hard: u64 },
    SignalProcessStarted,
    StartWorkerProcesses,
    Started { kind: Kind, pid: Pid },
    ForkFailed { kind: Option<Kind>, errno: Errno },
    ChannelFailed { kind: Kind, errno: Errno },
    CouldNotRespawn { kind: Kind },
    Signal { signal: Signal, sender: Option<Pid>, action: Action },
    ChangingBinaryIgnored,
    Exited { kind: Option<Kind>, pid: Pid, status: ExitStatus },
    FatalCode { kind: Kind, pid: Pid, code: u8 },
    WaitFailed { errno: Errno },
    KillFailed { pid: Pid, signal: Signal, errno: Errno },
    RenameBeforeExecFailed { path: PathId, errno: Errno },
    RenameBackFailed { path: PathId, errno: Errno },
    RenameBackAfterExitFailed { path: PathId, errno: Errno },
    ExecFailed { errno: Errno },
    UnlinkPidFailed { file: PidFile, errno: Errno },
    Reconfiguring,
    ReopeningLogs,
    ChangingBinary,
    GracefullyShuttingDown,
    Exiting,
    Exit,
    Aborting,
    WorkerFailed { level: Level, call: TextId, errno: Errno },
    OpenSocketLeft { number: u32, fd: Fd, slot: u16 },
}

impl Line {
    /// How bad it is.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::Said { level, .. } | Self::WorkerFailed { level, .. } => level,
            Self::InvalidInherited { .. }
            | Self::OpenFailed { .. }
            | Self::PidOpenFailed { .. }
            | Self::SocketFailed { .. }
            | Self::StillCouldNotBind
            | Self::CloseSocketFailed { .. }
            | Self::UnlinkSocketFailed { .. } => Level::Emerg,
            Self::CouldNotOpenLog { .. }
            | Self::ForkFailed { .. }
            | Self::ChannelFailed { .. }
            | Self::CouldNotRespawn { .. }
            | Self::Exited { status: ExitStatus::Signal { .. }, .. }
            | Self::FatalCode { .. }
            | Self::WaitFailed { .. }
            | Self::KillFailed { .. }
            | Self::RenameBeforeExecFailed { .. }
            | Self::RenameBackFailed { .. }
            | Self::RenameBackAfterExitFailed { .. }
            | Self::ExecFailed { .. }
            | Self::UnlinkPidFailed { .. }
            | Self::Aborting
            | Self::OpenSocketLeft { .. } => Level::Alert,
            Self::GetsocknameFailed { .. } | Self::ChangingBinaryIgnored => Level::Crit,
            Self::ReadPidFailed { .. } | Self::InvalidPid { .. } => Level::Error,
            Self::DeletingSocket { .. } => Level::Warn,
            Self::UsingInherited { .. }
            | Self::TryAgainToBind
            | Self::UsingEpoll
            | Self::Version
            | Self::OperatingSystem { .. }
            | Self::Limits { .. }
            | Self::SignalProcessStarted
            | Self::StartWorkerProcesses
            | Self::Started { .. }
            | Self::Signal { .. }
            | Self::Exited { status: ExitStatus::Code(_), .. }
            | Self::Reconfiguring
            | Self::ReopeningLogs
            | Self::ChangingBinary
            | Self::GracefullyShuttingDown
            | Self::Exiting
            | Self::Exit => Level::Notice,
        }
    }

    /// Its text, without time, level and pid.
    #[must_use]
    pub const fn shown(self, names: &Names) -> Shown<'_> {
        Shown { line: self, names }
    }
}

/// A [`Line`] with the words that it needs.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    line: Line,
    names: &'a Names,
}

impl Shown<'_> {
    fn pid_file(&self, file: PidFile) -> String {
        match file {
            PidFile::Normal(path) => self.names.path_of(path).to_owned(),
            PidFile::Oldbin(path) => format!("{}.oldbin", self.names.path_of(path)),
        }
    }

    fn renamed(&self, f: &mut fmt::Formatter<'_>, path: PathId, back: bool, when: &str) -> fmt::Result {
        let (path, argv0) = (self.names.path_of(path), &self.names.argv0);
        if back {
            write!(
                f,
                "rename() {path}.oldbin back to {path} failed {when} the new binary process \"{argv0}\""
            )
        } else {
            write!(f, "rename() {path} to {path}.oldbin failed {when} new binary process \"{argv0}\"")
        }
    }

    fn socket_failed(
        &self,
        f: &mut fmt::Formatter<'_>,
        call: SocketCall,
        address: AddressId,
        backlog: i32,
    ) -> fmt::Result {
        let address = self.names.address_of(address);
        match call {
            SocketCall::Socket => write!(f, "socket() {address} failed"),
            SocketCall::Bind => write!(f, "bind() to {address} failed"),
            SocketCall::Listen => write!(f, "listen() to {address}, backlog {backlog} failed"),
        }
    }

    fn exited(f: &mut fmt::Formatter<'_>, kind: Option<Kind>, pid: Pid, status: ExitStatus) -> fmt::Result {
        let kind = kind.map_or("unknown process", Kind::words);
        match status {
            ExitStatus::Code(code) => write!(f, "{kind} {} exited with code {code}", pid.0),
            ExitStatus::Signal { number, core } => {
                let core = if core { " (core dumped)" } else { "" };
                write!(f, "{kind} {} exited on signal {number}{core}", pid.0)
            }
        }
    }

    fn unix_path(&self, address: AddressId) -> String {
        let address = self.names.address_of(address).to_string();
        address.strip_prefix("unix:").map_or_else(|| address.clone(), str::to_owned)
    }
}

impl fmt::Display for Shown<'_> {
    #[expect(clippy::too_many_lines, reason = "one table, one arm per line of the log")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names;
        match self.line {
            Line::Said { text, .. } => f.write_str(names.text_of(text)),
            Line::CouldNotOpenLog { path, errno } => {
                write!(f, "could not open error log file: open() \"{}\" failed {errno}", names.path_of(path))
            }
            Line::UsingInherited { text } => {
                write!(f, "using inherited sockets from \"{}\"", names.text_of(text))
            }
            Line::InvalidInherited { text, ends } => write!(
                f,
                "invalid socket number \"{}\" in NGINX environment variable, ignoring{}",
                names.text_of(text),
                if ends { " the rest of the variable" } else { "" }
            ),
            Line::GetsocknameFailed { fd, errno } => {
                write!(f, "getsockname() of the inherited socket #{} failed {errno}", fd.0)
            }
            Line::OpenFailed { path, errno } | Line::ReadPidFailed { path, errno } => {
                write!(f, "open() \"{}\" failed {errno}", names.path_of(path))
            }
            Line::PidOpenFailed { file, errno } => {
                write!(f, "open() \"{}\" failed {errno}", self.pid_file(file))
            }
            Line::InvalidPid { text, path } => {
                write!(f, "invalid PID number \"{}\" in \"{}\"", names.text_of(text), names.path_of(path))
            }
            Line::SocketFailed { call, address, backlog, errno } => {
                self.socket_failed(f, call, address, backlog)?;
                write!(f, " {errno}")
            }
            Line::TryAgainToBind => f.write_str("try again to bind() after 500ms"),
            Line::StillCouldNotBind => f.write_str("still could not bind()"),
            Line::CloseSocketFailed { address, errno } => {
                let address =
                    address.map(|address| names.address_of(address).to_string()).unwrap_or_default();
                write!(f, "close() socket listening socket on {address} failed {errno}")
            }
            Line::DeletingSocket { address } => write!(f, "deleting socket {}", self.unix_path(address)),
            Line::UnlinkSocketFailed { address, errno } => {
                write!(f, "unlink() {} failed {errno}", self.unix_path(address))
            }
            Line::UsingEpoll => f.write_str("using the \"epoll\" event method"),
            Line::Version => write!(f, "nginx/{}", names.version),
            Line::OperatingSystem { text } => write!(f, "OS: {}", names.text_of(text)),
            Line::Limits { soft, hard } => write!(f, "getrlimit(RLIMIT_NOFILE): {soft}:{hard}"),
            Line::SignalProcessStarted => f.write_str("signal process started"),
            Line::StartWorkerProcesses => f.write_str("start worker processes"),
            Line::Started { kind, pid } => write!(f, "start {} {}", kind.words(), pid.0),
            Line::ForkFailed { kind: Some(kind), errno } => {
                write!(f, "fork() failed while spawning \"{}\" {errno}", kind.words())
            }
            Line::ForkFailed { kind: None, errno } => write!(f, "fork() failed {errno}"),
            Line::ChannelFailed { kind, errno } => {
                write!(f, "socketpair() failed while spawning \"{}\" {errno}", kind.words())
            }
            Line::CouldNotRespawn { kind } => write!(f, "could not respawn {}", kind.words()),
            Line::Signal { signal, sender, action } => {
                write!(f, "signal {} ({}) received", signal.number(), signal.name())?;
                if let Some(Pid(sender)) = sender {
                    write!(f, " from {sender}")?;
                }
                f.write_str(action.words())
            }
            Line::ChangingBinaryIgnored => f.write_str(
                "the changing binary signal is ignored: \
                 you should shutdown or terminate before either old or new binary's process",
            ),
            Line::Exited { kind, pid, status } => Self::exited(f, kind, pid, status),
            Line::FatalCode { kind, pid, code } => {
                write!(f, "{} {} exited with fatal code {code} and cannot be respawned", kind.words(), pid.0)
            }
            Line::WaitFailed { errno } => write!(f, "waitpid() failed {errno}"),
            Line::KillFailed { pid, signal, errno } => {
                write!(f, "kill({}, {}) failed {errno}", pid.0, signal.number())
            }
            Line::RenameBeforeExecFailed { path, errno } => {
                self.renamed(f, path, false, "before executing")?;
                write!(f, " {errno}")
            }
            Line::RenameBackFailed { path, errno } => {
                self.renamed(f, path, true, "after an attempt to execute")?;
                write!(f, " {errno}")
            }
            Line::RenameBackAfterExitFailed { path, errno } => {
                self.renamed(f, path, true, "after")?;
                write!(f, " exited {errno}")
            }
            Line::ExecFailed { errno } => {
                write!(f, "execve() failed while executing new binary process \"{}\" {errno}", names.argv0)
            }
            Line::UnlinkPidFailed { file, errno } => {
                write!(f, "unlink() \"{}\" failed {errno}", self.pid_file(file))
            }
            Line::Reconfiguring => f.write_str("reconfiguring"),
            Line::ReopeningLogs => f.write_str("reopening logs"),
            Line::ChangingBinary => f.write_str("changing binary"),
            Line::GracefullyShuttingDown => f.write_str("gracefully shutting down"),
            Line::Exiting => f.write_str("exiting"),
            Line::Exit => f.write_str("exit"),
            Line::Aborting => f.write_str("aborting"),
            Line::WorkerFailed { call, errno, .. } => write!(f, "{} failed {errno}", names.text_of(call)),
            Line::OpenSocketLeft { number, fd, slot } => {
                write!(f, "*{number} open socket #{} left in connection {slot}", fd.0)
            }
        }
    }
}
