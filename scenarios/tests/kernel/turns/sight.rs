//! What is compared after each turn, of Linux and of the model alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use fake_nginx::machine::Moment;
use scenarios::model::choice::Actor;

/// All that can be seen at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sight {
    /// Every process that was not waited for.
    pub(crate) processes: BTreeMap<Actor, Process>,
    /// The pid file and the oldbin file, and whom they name.
    pub(crate) pid_files: [Option<Content>; 2],
    /// How many wait in the queue of each listening socket, by the order in which they were opened.
    pub(crate) queues: BTreeMap<usize, usize>,
    /// Connections that their clients have not closed.
    pub(crate) clients: BTreeMap<usize, Client>,
}

/// A process, as /proc shows it and as it reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    /// Whose child it is; `None`: nobody's of nginx.
    pub(crate) parent: Option<Actor>,
    /// Where it stands.
    pub(crate) stands: Stands,
    /// What `ps` shows.
    pub(crate) title: Title,
    /// Which of the two binaries it runs.
    pub(crate) binary: Option<u8>,
    /// Signals that are blocked and wait, by their numbers.
    pub(crate) pending: BTreeSet<u8>,
    /// Listening sockets that it has open.
    pub(crate) holds: BTreeSet<usize>,
    /// Those of them that are in its epoll set.
    pub(crate) watches: BTreeSet<usize>,
}

/// Where a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stands {
    /// It is held at a moment.
    At(Moment),
    /// It waits in sigsuspend(2).
    Sleeps,
    /// It waits in epoll_wait(2).
    WaitsForEvents,
    /// It has ended, and nobody has waited for it.
    Zombie,
    /// None of these.
    Runs,
}

/// What `ps` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Title {
    CommandLine,
    Master,
    Worker,
    ShuttingDown,
    /// Nothing: it has ended.
    None,
}

/// What a pid file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Empty,
    Pid(Actor),
    Words(String),
}

/// What a client has seen of its connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Client {
    /// Who has answered, and the binary that it runs, one for each answer.
    pub(crate) answers: Vec<(Actor, u8)>,
    pub(crate) end: End,
}

/// How it stands with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum End {
    #[default]
    Open,
    Finished,
    Reset,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parent, stands, title, binary, pending, holds, watches } = self;
        f.write_str(match stands {
            Stands::At(_) => "is held at ",
            Stands::Sleeps => "sleeps in sigsuspend",
            Stands::WaitsForEvents => "waits for events",
            Stands::Zombie => "has ended, and nobody has waited for it",
            Stands::Runs => "runs",
        })?;
        if let Stands::At(moment) = stands {
            f.write_str(moment.word())?;
        }
        if let Some(parent) = parent {
            write!(f, ", child of {parent}")?;
        }
        write!(
            f,
            ", shows {title:?}, runs {binary:?}, pending {pending:?}, holds {holds:?}, watches {watches:?}"
        )
    }
}

impl Sight {
    /// What differs, line by line.
    pub(crate) fn against(&self, linux: &Self) -> String {
        let (model, linux) = (self.lines(), linux.lines());
        let mut told = String::new();
        for (side, lines, others) in [("model", &model, &linux), ("linux", &linux, &model)] {
            for line in lines.iter().filter(|line| !others.contains(line)) {
                let _ = writeln!(told, "{side}   {line}");
            }
        }
        told
    }

    fn lines(&self) -> Vec<String> {
        let processes = self.processes.iter().map(|(actor, process)| format!("{actor} {process}"));
        let files = ["nginx.pid", "nginx.pid.oldbin"].into_iter().zip(&self.pid_files);
        let files = files.map(|(name, content)| format!("{name}: {content:?}"));
        let queues = self.queues.iter().map(|(socket, queue)| format!("socket {socket}: {queue} wait"));
        let clients = self.clients.iter().map(|(client, seen)| format!("client {client}: {seen:?}"));
        processes.chain(files).chain(queues).chain(clients).collect()
    }
}
