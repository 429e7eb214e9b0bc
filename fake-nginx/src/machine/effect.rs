//! What a machine asks of its world, one act at a time.
//!
//! An effect is an act of the kernel or of a file, never a decision: whoever carries it out needs to know
//! nothing of nginx. Each variant names the [`Reply`](super::Reply) that it is answered by; where none is named that is
//! [`Reply::Done`](super::Reply::Done), or [`Reply::Failed`](super::Reply::Failed) if the act can fail.
//!
//! # Units
//! Durations and times are milliseconds and end in `_ms`; times count from any fixed point that lies on a
//! whole second of the wall clock.

use smallvec::SmallVec;

use super::cycle::{Fd, Listening, PidFile};
use super::line::Line;
use super::names::{AddressId, ConfId, PathId};
use super::signal::{Pid, Signal};

/// Index into the master's process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

/// A worker's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conn(pub u16);

/// A log line and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The configuration whose logs take it; `None` is the built-in log.
    pub log: Option<ConfId>,
    /// Whether warnings and worse are repeated on standard error.
    pub echo: bool,
    /// The line.
    pub line: Line,
}

/// What is told on standard error, without time and pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// `the configuration file F syntax is ok`
    SyntaxIsOk,
    /// `configuration file F test is successful`
    TestIsSuccessful,
    /// `configuration file F test failed`
    TestFailed,
    /// A log line that no log can take.
    Line(Line),
}

/// What `-v`, `-V`, `-h` and `-T` print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Print {
    /// The version, the configure arguments, the usage: what was asked for.
    Version,
    /// Every file of the configuration, on standard output.
    Dump {
        /// Which configuration.
        conf: ConfId,
    },
}

/// A process title.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Title {
    /// `nginx: master process ARGV`
    Master,
    /// `nginx: worker process`
    Worker,
    /// `nginx: worker process is shutting down`
    ShuttingDown,
}

/// What a master tells a worker through its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// There is another worker; comes with its end of a channel.
    OpenChannel(Slot),
    /// That worker is gone.
    CloseChannel(Slot),
    /// Shut down gracefully.
    Quit,
    /// Exit.
    Terminate,
    /// Reopen the logs.
    Reopen,
}

/// What a fork is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Offspring {
    /// The daemon that becomes the master.
    Master,
    /// A worker.
    Worker,
    /// A process that executes the new binary.
    NewBinary,
}

/// An act.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Write a line.
    Log(Entry),
    /// Tell standard error.
    Say(Notice),
    /// Print.
    Print(Print),
    /// Answered by [`Reply::Pid`](super::Reply::Pid).
    OwnPid,
    /// Answered by [`Reply::Pid`](super::Reply::Pid).
    ParentPid,
    /// Open the log that is built in or named by `-e`. May fail with a path.
    OpenBuiltInLog,
    /// Close it.
    CloseBuiltInLog,
    /// Answered by [`Reply::Inherited`](super::Reply::Inherited).
    ReadInherited,
    /// getsockname(2), answered by [`Reply::Socket`](super::Reply::Socket).
    NameOfSocket(Fd),
    /// Answered by [`Reply::Conf`](super::Reply::Conf).
    ReadConf,
    /// Open the logs of a configuration. May fail with a path.
    OpenLogs(ConfId),
    /// Close them.
    CloseLogs(ConfId),
    /// Reopen them; the master gives them to the workers' user. May fail with a path.
    ReopenLogs {
        /// Which.
        conf: ConfId,
        /// Whether the files are given to the configured user.
        give_to_user: bool,
    },
    /// Point standard error to the log.
    RedirectStderr(ConfId),
    /// socket(2), bind(2) and listen(2), answered by [`Reply::Fd`](super::Reply::Fd) or [`Reply::SocketFailed`](super::Reply::SocketFailed).
    OpenListener {
        /// The configuration that holds the `listen`.
        conf: ConfId,
        /// What to open.
        listening: Listening,
        /// Whether a unix path is removed at once.
        is_test: bool,
    },
    /// What is due on a socket that is already there: listen(2) again if the backlog differs.
    AdjustListener {
        /// The socket.
        fd: Fd,
        /// The backlog, if it changed.
        backlog: Option<i32>,
        /// Whether SO_REUSEPORT is switched on.
        reuseport: bool,
    },
    /// close(2) of a listening socket.
    CloseListener(Fd),
    /// unlink(2) of the path of a unix address.
    UnlinkSocket(AddressId),
    /// Create a pid file, with a pid in it or, without truncating, as it is.
    WritePid {
        /// Which file.
        file: PidFile,
        /// What it holds; `None` only makes sure that it can be opened.
        pid: Option<Pid>,
    },
    /// Answered by [`Reply::PidRead`](super::Reply::PidRead) or [`Reply::Failed`](super::Reply::Failed).
    ReadPid(PathId),
    /// Rename `nginx.pid` to `nginx.pid.oldbin`.
    RenameToOldbin(PathId),
    /// Rename it back.
    RenameBack(PathId),
    /// unlink(2).
    UnlinkPid(PidFile),
    /// Answered by [`Reply::System`](super::Reply::System).
    LookAtSystem,
    /// Handlers for all of [`Signal::HANDLED`]; PIPE and SYS are ignored.
    InstallHandlers,
    /// Block all of [`Signal::HANDLED`], answered by [`Reply::Woken`](super::Reply::Woken) with what the handlers met before.
    BlockSignals,
    /// sigsuspend(2), answered by [`Reply::Woken`](super::Reply::Woken).
    Sleep,
    /// setitimer(2): one SIGALRM.
    StartTimer {
        /// When.
        after_ms: u32,
    },
    /// Sleep without waking for signals.
    Pause {
        /// How long.
        for_ms: u64,
    },
    /// fork(2): [`Reply::Forked`](super::Reply::Forked) in the parent, [`Reply::Child`](super::Reply::Child) in the child, or it fails.
    Fork(Offspring),
    /// setsid(2), umask 0, standard input and output to `/dev/null`.
    Detach,
    /// execve(2) of the own command line. Only a failure is answered.
    Exec {
        /// Whose `env` directives hold.
        conf: ConfId,
        /// What `NGINX` lists.
        sockets: SmallVec<[Fd; 4]>,
    },
    /// _exit(2). Never answered.
    Exit(u8),
    /// Die of SIGSEGV. Never answered.
    Crash,
    /// Change the process title.
    SetTitle(Title),
    /// socketpair(2) for a child to come.
    OpenChannel(Slot),
    /// Close both ends.
    CloseChannel(Slot),
    /// Write to a child's channel.
    Tell {
        /// Whose.
        to: Slot,
        /// What.
        command: Command,
    },
    /// kill(2).
    Kill {
        /// Whom.
        pid: Pid,
        /// With what.
        signal: Signal,
    },
    /// waitpid(2) for any child without blocking, answered by [`Reply::Waited`](super::Reply::Waited).
    Wait,
    /// In a worker: become the user of the configuration. May fail with the name of the call.
    BecomeUser(ConfId),
    /// In a worker: keep one's own end of the channel, make an epoll, unblock all signals. A process that is master
    /// and worker at once has no slot: it only makes an epoll, and goes back to the mask that it was started with.
    EnterWorker(Option<Slot>),
    /// In a worker: add a listening socket to the epoll.
    Watch {
        /// Which.
        fd: Fd,
        /// Its place in the cycle; events name it.
        index: u8,
        /// EPOLLEXCLUSIVE.
        exclusive: bool,
    },
    /// In a worker: take it out of the epoll.
    Unwatch(Fd),
    /// epoll_wait(2) until that time, answered by [`Reply::Events`](super::Reply::Events).
    WaitEvents {
        /// The latest time; `None` is for ever.
        until_ms: Option<u64>,
    },
    /// Read one command from the channel, answered by [`Reply::Command`](super::Reply::Command).
    ReadChannel,
    /// accept(2), answered by [`Reply::Accepted`](super::Reply::Accepted).
    Accept {
        /// The listening socket.
        fd: Fd,
        /// Its `listen`.
        listen: u8,
        /// What to call the connection.
        conn: Conn,
    },
    /// recvfrom(2) of one datagram, and sendto(2) of what `stream` returns for it.
    AnswerDatagram {
        /// By which configuration.
        conf: ConfId,
        /// The socket.
        fd: Fd,
        /// Its `listen`.
        listen: u8,
    },
    /// recv(2) into the connection's buffer, answered by [`Reply::Received`](super::Reply::Received).
    Receive(Conn),
    /// recv(2) without taking, answered by [`Reply::Received`](super::Reply::Received).
    Peek(Conn),
    /// recv(2) and forget, answered by [`Reply::Received`](super::Reply::Received).
    Discard(Conn),
    /// Look for a request in what was received, answered by [`Reply::Parsed`](super::Reply::Parsed).
    Parse(Conn),
    /// Make the answer to the request that was found, answered by [`Reply::Answer`](super::Reply::Answer).
    Respond {
        /// By which configuration.
        conf: ConfId,
        /// Whose.
        conn: Conn,
        /// How many requests it has brought.
        requests: u32,
        /// Whether the worker is shutting down.
        is_draining: bool,
    },
    /// send(2) of at most that many bytes of the answer, answered by [`Reply::Sent`](super::Reply::Sent).
    Send {
        /// To whom.
        conn: Conn,
        /// How many bytes of the answer were sent before.
        from: u64,
        /// How many at most.
        bytes_max: u64,
    },
    /// shutdown(2) for writing.
    ShutdownWrite(Conn),
    /// close(2).
    Close(Conn),
}
