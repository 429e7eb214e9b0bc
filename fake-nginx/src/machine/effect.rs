//! What a machine asks of its world, one act at a time, and what the world answers.
//!
//! An effect is an act of the kernel or of a file, never a decision: whoever carries it out needs to know
//! nothing of nginx. Each variant names the [`Reply`] that it is answered by; where none is named that is
//! [`Reply::Done`], or [`Reply::Failed`] if the act can fail.
//!
//! # Units
//! Durations and times are milliseconds and end in `_ms`; times count from any fixed point that lies on a
//! whole second of the wall clock.

use smallvec::SmallVec;

use super::cycle::{Cycle, Fd, Listening, PidFile};
use super::line::{Errno, Line, SocketCall};
use super::names::{AddressId, ConfId, PathId, TextId};
use super::signal::{Arrivals, ExitStatus, Pid, Signal};

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
    /// The version, and what was asked for besides.
    Version {
        /// `-V`
        configure: bool,
        /// `-h`
        help: bool,
    },
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

/// An act.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Write a line.
    Log(Entry),
    /// Tell standard error.
    Say(Notice),
    /// Print.
    Print(Print),
    /// Answered by [`Reply::Pid`].
    OwnPid,
    /// Answered by [`Reply::Pid`].
    ParentPid,
    /// Open the log that is built in or named by `-e`. May fail with a path.
    OpenBuiltInLog,
    /// Close it.
    CloseBuiltInLog,
    /// Answered by [`Reply::Inherited`].
    ReadInherited,
    /// getsockname(2), answered by [`Reply::Socket`].
    NameOfSocket(Fd),
    /// Answered by [`Reply::Conf`].
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
    /// socket(2), bind(2) and listen(2), answered by [`Reply::Fd`] or [`Reply::SocketFailed`].
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
    /// Answered by [`Reply::PidRead`] or [`Reply::Failed`].
    ReadPid(PathId),
    /// Rename `nginx.pid` to `nginx.pid.oldbin`.
    RenameToOldbin(PathId),
    /// Rename it back.
    RenameBack(PathId),
    /// unlink(2).
    UnlinkPid(PidFile),
    /// Answered by [`Reply::System`].
    LookAtSystem,
    /// Handlers for all of [`Signal::HANDLED`]; PIPE and SYS are ignored.
    InstallHandlers,
    /// Block all of [`Signal::HANDLED`], answered by [`Reply::Woken`] with what the handlers met before.
    BlockSignals,
    /// sigsuspend(2), answered by [`Reply::Woken`].
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
    /// fork(2): [`Reply::Forked`] in the parent, [`Reply::Child`] in the child, or it fails.
    Fork,
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
    /// waitpid(2) for any child without blocking, answered by [`Reply::Waited`].
    Wait,
    /// In a worker: become the user of the configuration. May fail with the name of the call.
    BecomeUser(ConfId),
    /// In a worker: keep one's own end of the channel, make an epoll, unblock all signals.
    EnterWorker(Slot),
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
    /// epoll_wait(2) until that time, answered by [`Reply::Events`].
    WaitEvents {
        /// The latest time; `None` is for ever.
        until_ms: Option<u64>,
    },
    /// Read one command from the channel, answered by [`Reply::Command`].
    ReadChannel,
    /// accept(2), answered by [`Reply::Accepted`].
    Accept {
        /// The listening socket.
        fd: Fd,
        /// Its `listen`.
        listen: u8,
        /// What to call the connection.
        conn: Conn,
    },
    /// recv(2) into the connection's buffer, answered by [`Reply::Received`].
    Receive(Conn),
    /// recv(2) without taking, answered by [`Reply::Received`].
    Peek(Conn),
    /// recv(2) and forget, answered by [`Reply::Received`].
    Discard(Conn),
    /// Look for a request in what was received, answered by [`Reply::Parsed`].
    Parse(Conn),
    /// Make the answer to the request that was found, answered by [`Reply::Answer`].
    Respond {
        /// Whose.
        conn: Conn,
        /// How many requests it has brought.
        requests: u32,
        /// Whether the worker is shutting down.
        is_draining: bool,
    },
    /// send(2) of at most that many bytes of the answer, answered by [`Reply::Sent`].
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

/// What a socket said when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Received {
    /// So many bytes; `more` if the buffer was filled.
    Bytes {
        /// Whether there may be more.
        more: bool,
    },
    /// EAGAIN.
    Nothing,
    /// The other side has finished.
    End,
    /// ECONNRESET and the like.
    Reset,
}

/// What the bytes of a connection amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parsed {
    /// Nothing was received.
    Empty,
    /// Part of a request.
    Partial,
    /// A request.
    Whole,
    /// Anything else.
    Bad,
}

/// The answer to a request, as far as the machine has to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// Head and body, in bytes.
    pub length: u64,
    /// Bytes per second; 0 is no limit.
    pub limit_rate: u64,
    /// Whether another request may follow.
    pub keep_alive: bool,
    /// How long to wait for it.
    pub keepalive_timeout_ms: u64,
    /// Whether something was received behind the request, or its body is not there yet.
    pub has_unread: bool,
}

/// What send(2) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sent {
    /// So many bytes went out; fewer than asked for means that the socket is full.
    Bytes(u64),
    /// EPIPE and the like.
    Failed,
}

/// What became ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ready {
    /// A listening socket, by its place in the cycle.
    Listener(u8),
    /// The channel to the master.
    Channel,
    /// A connection.
    Connection {
        /// Which.
        conn: Conn,
        /// Something can be read, or the other side has finished.
        readable: bool,
        /// Something can be written.
        writable: bool,
        /// The other side has finished.
        finished: bool,
    },
}

/// What waitpid(2) said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waited {
    /// A child has ended.
    Exited {
        /// Which.
        pid: Pid,
        /// How.
        status: ExitStatus,
    },
    /// There are children, and none has ended.
    Nobody,
    /// ECHILD.
    NoChildren,
}

/// The sockets that came through `NGINX`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Inherited {
    /// The variable.
    pub text: TextId,
    /// The descriptors, in order.
    pub sockets: SmallVec<[Fd; 4]>,
    /// A number that is none: what was there, and whether the rest was not looked at.
    pub invalid: Option<(TextId, bool)>,
}

/// A listening socket that was asked for its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// Its address.
    pub address: AddressId,
    /// Whether that is a path.
    pub is_unix: bool,
}

/// What came of reading the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConfRead {
    /// What was said, in order; the last is the reason if there is no cycle.
    pub said: SmallVec<[Line; 1]>,
    /// The configuration.
    pub cycle: Option<Cycle>,
}

/// What the world answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The first reply of a machine's life; answers nothing.
    Begin,
    /// The act was done.
    Done,
    /// It failed.
    Failed(Errno),
    /// It failed on this file.
    FailedAt(PathId, Errno),
    /// It failed in this call of a socket.
    SocketFailed(SocketCall, Errno),
    /// It failed in the call with this name.
    CallFailed(TextId, Errno),
    /// A process number.
    Pid(Pid),
    /// To the parent: the child.
    Forked(Pid),
    /// To the child.
    Child,
    /// An open descriptor.
    Fd(Fd),
    /// `None` if there is no variable `NGINX`.
    Inherited(Option<Inherited>),
    /// A socket's name.
    Socket(Named),
    /// The configuration.
    Conf(ConfRead),
    /// What a pid file holds: a pid, or a text that is none.
    PidRead(Result<Pid, TextId>),
    /// For the log: the system's name and the limit of open files.
    System {
        /// `Linux 6.1.0`
        os: TextId,
        /// The soft limit.
        soft: u64,
        /// The hard limit.
        hard: u64,
    },
    /// The handlers that ran.
    Woken(Arrivals),
    /// A child.
    Waited(Waited),
    /// What happened while a worker waited.
    Events {
        /// The time.
        now_ms: u64,
        /// The handlers that ran.
        arrivals: Arrivals,
        /// What became ready, in order.
        ready: SmallVec<[Ready; 4]>,
    },
    /// A command, if there was one.
    Command(Option<Command>),
    /// `None` if another worker was faster. The number and the descriptor are for the log.
    Accepted(Option<(u32, Fd)>),
    /// What was read.
    Received(Received),
    /// What it amounts to.
    Parsed(Parsed),
    /// The answer.
    Answer(Answer),
    /// What was sent.
    Sent(Sent),
}
