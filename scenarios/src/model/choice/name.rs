//! Names of steps: `old-master.rename-to-oldbin`, `new-worker-2.accept`.
//!
//! A name is four bytes, so that a list of ways costs nothing; its text is made when somebody reads it.

use std::fmt;
use std::str::FromStr;

use fake_nginx::machine::Moment;

/// A step: who does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Who.
    pub actor: Actor,
    /// What.
    pub act: Act,
}

/// Somebody in a model world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor {
    /// What it is.
    pub who: Who,
    /// Of a process: its generation, from 1.
    pub generation: u8,
    /// Of a worker: which of its generation's, by age, from 1. Of a client: which of its kind.
    pub nth: u8,
}

/// What an actor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The process that a person starts; it ends when the master is there.
    Launcher,
    /// A master, or a new binary on its way to become one.
    Master,
    /// A worker.
    Worker,
    /// The orchestrator, a runbook, an operator.
    Subject,
    /// A client.
    Client,
    /// The clock.
    Time,
    /// Whatever goes wrong.
    Fault,
}

impl Actor {
    /// The subject.
    pub const SUBJECT: Self = Self { who: Who::Subject, generation: 0, nth: 0 };

    /// The clock.
    pub const TIME: Self = Self { who: Who::Time, generation: 0, nth: 0 };

    /// A client.
    #[must_use]
    pub const fn client(nth: u8) -> Self {
        Self { who: Who::Client, generation: 0, nth }
    }
}

impl Actor {
    /// The actor of that name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        actor_of(text)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.who, self.generation) {
            (Who::Launcher, _) => f.write_str("launcher"),
            (Who::Subject, _) => f.write_str("subject"),
            (Who::Time, _) => f.write_str("time"),
            (Who::Fault, _) => f.write_str("fault"),
            (Who::Client, _) => write!(f, "client-{}", self.nth),
            (Who::Master, 1) => f.write_str("old-master"),
            (Who::Master, 2) => f.write_str("new-master"),
            (Who::Master, generation) => write!(f, "master-of-{generation}"),
            (Who::Worker, 1) => write!(f, "old-worker-{}", self.nth),
            (Who::Worker, 2) => write!(f, "new-worker-{}", self.nth),
            (Who::Worker, generation) => write!(f, "worker-of-{generation}-{}", self.nth),
        }
    }
}

macro_rules! acts {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// What is done in one step.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Act {
            /// What a process of nginx does, in the fake's own words.
            Nginx(Moment),
            $($(#[$doc])* $variant,)+
        }

        impl Act {
            /// What nobody of nginx does.
            const OTHERS: &[Self] = &[$(Self::$variant),+];

            /// Its word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    Self::Nginx(moment) => moment.word(),
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

acts! {
    /// Connects and asks, on a connection of its own.
    ConnectFresh = "connect-fresh",
    /// Connects and asks for something slow.
    ConnectSlow = "connect-slow",
    /// Connects, or asks once more on its connection.
    AskAgain = "ask-again",
    /// Has waited long enough.
    GiveUp = "give-up",
    /// A step of a runbook begins.
    Step = "step",
    /// Somebody types a command.
    Type = "type",
    /// The orchestrator looks at the clock.
    AskTime = "look-at-the-clock",
    /// It reads a pid file.
    LookPid = "look-at-pid-file",
    /// It looks which file is at the binary's path.
    LookBinary = "look-at-binary",
    /// It looks whether a master sleeps.
    LookMaster = "look-at-master",
    /// It looks which children that master has.
    LookChildren = "look-for-children",
    /// It looks what these are.
    LookChild = "look-at-children",
    /// It looks who accepts.
    LookListeners = "look-at-listeners",
    /// It looks for workers without a master.
    LookOrphans = "look-for-orphans",
    /// It sends a request of its own.
    Probe = "probe",
    /// It goes to sleep.
    Rest = "rest",
    /// It notes something.
    Note = "note",
    /// It writes its journal.
    Save = "save",
    /// It puts a file at the binary's path.
    Replace = "replace-binary",
    /// It puts a pid file right.
    MendPid = "mend-pid-file",
    /// It sends HUP.
    SendHup = "send-hup",
    /// It sends QUIT.
    SendQuit = "send-quit",
    /// It sends TERM.
    SendTerm = "send-term",
    /// It sends KILL.
    SendKill = "send-kill",
    /// It sends USR2.
    SendUsr2 = "send-usr2",
    /// It sends WINCH.
    SendWinch = "send-winch",
    /// It sends IO, which only wakes.
    SendIo = "send-io",
    /// It sends a signal to workers without a master.
    SendOrphans = "send-to-orphans",
    /// It waits until what it has written is on disk.
    Sync = "sync",
    /// The subject stops waiting because something changed.
    LookAgain = "look-again",
    /// Nothing happens until the next timer.
    Pass = "passes",
    /// Something goes wrong.
    Strike = "strikes",
}

impl Act {
    /// Every act.
    pub fn all() -> impl Iterator<Item = Self> {
        Moment::ALL.iter().copied().map(Self::Nginx).chain(Self::OTHERS.iter().copied())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.actor, self.act.word())
    }
}

/// A text that names no step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no step such as old-master.fork")]
pub struct NoName(pub String);

impl FromStr for Name {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let parsed = || {
            let (actor, act) = text.split_once('.')?;
            let act = Act::all().find(|known| known.word() == act)?;
            Some(Self { actor: actor_of(actor)?, act })
        };
        parsed().ok_or_else(|| NoName(text.to_owned()))
    }
}

fn actor_of(text: &str) -> Option<Actor> {
    let actor = |who, generation, nth| Some(Actor { who, generation, nth });
    let number = |of: &str| of.parse::<u8>().ok();
    match text {
        "launcher" => return actor(Who::Launcher, 1, 0),
        "subject" => return actor(Who::Subject, 0, 0),
        "time" => return actor(Who::Time, 0, 0),
        "fault" => return actor(Who::Fault, 0, 0),
        "old-master" => return actor(Who::Master, 1, 0),
        "new-master" => return actor(Who::Master, 2, 0),
        _ => {}
    }
    if let Some(nth) = text.strip_prefix("client-") {
        return actor(Who::Client, 0, number(nth)?);
    }
    if let Some(nth) = text.strip_prefix("old-worker-") {
        return actor(Who::Worker, 1, number(nth)?);
    }
    if let Some(nth) = text.strip_prefix("new-worker-") {
        return actor(Who::Worker, 2, number(nth)?);
    }
    if let Some(generation) = text.strip_prefix("master-of-") {
        return actor(Who::Master, number(generation)?, 0);
    }
    let (generation, nth) = text.strip_prefix("worker-of-")?.split_once('-')?;
    actor(Who::Worker, number(generation)?, number(nth)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_written() {
        let actors = [
            Actor { who: Who::Launcher, generation: 1, nth: 0 },
            Actor::SUBJECT,
            Actor::TIME,
            Actor::client(7),
            Actor { who: Who::Master, generation: 1, nth: 0 },
            Actor { who: Who::Master, generation: 2, nth: 0 },
            Actor { who: Who::Master, generation: 3, nth: 0 },
            Actor { who: Who::Worker, generation: 1, nth: 2 },
            Actor { who: Who::Worker, generation: 2, nth: 1 },
            Actor { who: Who::Worker, generation: 4, nth: 11 },
        ];
        for actor in actors {
            for act in Act::all() {
                let name = Name { actor, act };
                assert_eq!(name.to_string().parse(), Ok(name));
            }
        }
        assert!("old-master.frok".parse::<Name>().is_err());
    }
}
