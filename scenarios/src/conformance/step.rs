//! One step of a sequence, and how it is written: in words, as a person would say it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is done to a world at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// A signal.
    Signal(Signal, Whom),
    /// Two signals that a process finds at the same time.
    Signals(Signal, Signal, Whom),
    /// Another file at the path that nginx was started from.
    Install(Binary),
    /// Another configuration.
    Configure(Configured),
    /// Somebody damages the pid file.
    PidFile(PidFileIs),
    /// `nginx` with this option: `-t`, `-v`, or `-s` with its word.
    CommandLine(String),
    /// `nginx` as at the start, whether it runs or not.
    Start,
    /// A new connection with one request.
    Connect,
    /// A new connection that stays open.
    Hold(Hold),
}

/// The signals that nginx's documentation names, and KILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the kernel's")]
pub enum Signal {
    Hup,
    Quit,
    Term,
    Winch,
    Usr1,
    Usr2,
    Kill,
}

/// Who is meant; nobody, if there is no such process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whom {
    /// The oldest master.
    OldMaster,
    /// The youngest, if there are two.
    NewMaster,
    /// The oldest worker of an older generation than the youngest, or of the only one.
    OldWorker,
    /// The oldest worker of the youngest generation, if there are two.
    NewWorker,
}

/// What lies at the binary's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binary {
    /// The release that served at the start.
    Old,
    /// The other release of the pair.
    New,
    /// A file that no kernel executes.
    Broken,
}

/// What the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Configured {
    /// So many workers, and no mistake.
    Workers(u16),
    /// An unknown directive.
    Broken,
}

/// What became of the pid file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PidFileIs {
    Empty,
    Absent,
    Garbage,
}

/// What an open connection has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// Nothing.
    Silent,
    /// The first half of a request.
    Half,
    /// A request, which was answered; the connection is kept alive.
    Kept,
}

/// Words that are no step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no step is written {0:?}; steps are written {FORMS}")]
pub struct NoStep(pub String);

/// Every form of a step.
const FORMS: &str = "\"signal HUP old-master\", \"signals HUP QUIT new-master\", \"install new\", \"configure 2 workers\", \"configure broken\", \"pid-file empty\", \"nginx -s reload\", \"start\", \"connect\", \"hold silent\"";
/// What `nginx` may be called with.
pub(super) const OPTIONS: [&str; 6] = ["-s reload", "-s stop", "-s quit", "-s reopen", "-t", "-v"];

impl Signal {
    /// Every one.
    pub const ALL: [Self; 7] =
        [Self::Hup, Self::Quit, Self::Term, Self::Winch, Self::Usr1, Self::Usr2, Self::Kill];

    /// `HUP`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hup => "HUP",
            Self::Quit => "QUIT",
            Self::Term => "TERM",
            Self::Winch => "WINCH",
            Self::Usr1 => "USR1",
            Self::Usr2 => "USR2",
            Self::Kill => "KILL",
        }
    }
}

impl Whom {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::OldMaster, Self::NewMaster, Self::OldWorker, Self::NewWorker];

    const fn name(self) -> &'static str {
        match self {
            Self::OldMaster => "old-master",
            Self::NewMaster => "new-master",
            Self::OldWorker => "old-worker",
            Self::NewWorker => "new-worker",
        }
    }
}

impl Binary {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Old, Self::New, Self::Broken];

    const fn name(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
            Self::Broken => "broken",
        }
    }
}

impl PidFileIs {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Empty, Self::Absent, Self::Garbage];

    const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Absent => "absent",
            Self::Garbage => "garbage",
        }
    }
}

impl Hold {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Silent, Self::Half, Self::Kept];

    /// `silent`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Half => "half",
            Self::Kept => "kept",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal, whom) => write!(f, "signal {} {}", signal.name(), whom.name()),
            Self::Signals(one, two, whom) => {
                write!(f, "signals {} {} {}", one.name(), two.name(), whom.name())
            }
            Self::Install(binary) => write!(f, "install {}", binary.name()),
            Self::Configure(Configured::Workers(workers)) => write!(f, "configure {workers} workers"),
            Self::Configure(Configured::Broken) => f.write_str("configure broken"),
            Self::PidFile(is) => write!(f, "pid-file {}", is.name()),
            Self::CommandLine(option) => write!(f, "nginx {option}"),
            Self::Start => f.write_str("start"),
            Self::Connect => f.write_str("connect"),
            Self::Hold(hold) => write!(f, "hold {}", hold.name()),
        }
    }
}

impl FromStr for Step {
    type Err = NoStep;

    fn from_str(text: &str) -> Result<Self, NoStep> {
        let words: Vec<&str> = text.split_whitespace().collect();
        of_words(&words).ok_or_else(|| NoStep(text.to_owned()))
    }
}

fn of_words(words: &[&str]) -> Option<Step> {
    let signal = |word: &str| Signal::ALL.into_iter().find(|signal| signal.name() == word);
    let whom = |word: &str| Whom::ALL.into_iter().find(|whom| whom.name() == word);
    Some(match words {
        ["signal", one, to] => Step::Signal(signal(one)?, whom(to)?),
        ["signals", one, two, to] => Step::Signals(signal(one)?, signal(two)?, whom(to)?),
        ["install", name] => Step::Install(Binary::ALL.into_iter().find(|binary| binary.name() == *name)?),
        ["configure", "broken"] => Step::Configure(Configured::Broken),
        ["configure", workers, "workers"] => Step::Configure(Configured::Workers(workers.parse().ok()?)),
        ["pid-file", name] => Step::PidFile(PidFileIs::ALL.into_iter().find(|is| is.name() == *name)?),
        ["nginx", option @ ..] => {
            let option = option.join(" ");
            Step::CommandLine(OPTIONS.contains(&option.as_str()).then_some(option)?)
        }
        ["start"] => Step::Start,
        ["connect"] => Step::Connect,
        ["hold", name] => Step::Hold(Hold::ALL.into_iter().find(|hold| hold.name() == *name)?),
        _ => return None,
    })
}
