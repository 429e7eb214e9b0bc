//! One step of a sequence, and how it is written: in words, as a person would say it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::site::{Listens, PidPath, Runs};

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
    Connect(Connect),
    /// A new connection that stays open, and that this worker takes.
    Hold(Hold, Whom),
    /// Every open connection sends what it has held back.
    Finish,
}

/// The signals that nginx's documentation names, and KILL.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are the kernel's")]
pub enum Signal {
    Hup,
    Int,
    Quit,
    Term,
    Winch,
    Usr1,
    Usr2,
    Kill,
}

/// Who is meant; nobody, if there is no such process.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Whom {
    /// The oldest master.
    OldMaster,
    /// The youngest, if there are two.
    NewMaster,
    /// The oldest worker of an older generation than the youngest, or of the only one.
    OldWorker,
    /// The youngest of these.
    LastOldWorker,
    /// The oldest worker of the youngest generation, if there are two.
    NewWorker,
    /// The youngest of these.
    LastNewWorker,
}

/// What lies at the binary's path.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Binary {
    /// The release that served at the start.
    Old,
    /// The other release of the pair.
    New,
    /// A file that no kernel executes.
    Broken,
    /// Nothing.
    Absent,
    /// The other release, which nobody may execute.
    Locked,
    /// A script that exits with 3.
    Failing,
}

/// What the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Configured {
    /// So many workers, and no mistake.
    Workers(u16),
    /// Other addresses.
    Listens(Listens),
    /// Another way to run.
    Runs(Runs),
    /// Another pid file.
    Pid(PidPath),
    /// An unknown directive.
    Broken,
}

/// What became of the pid file.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum PidFileIs {
    Empty,
    Absent,
    Garbage,
}

/// Where a connection goes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Connect {
    /// To the address that nginx always listens at.
    Tcp,
    /// To the unix socket's path.
    Unix,
}

/// What an open connection has sent.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
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
const FORMS: &str = "\"signal HUP old-master\", \"signals HUP QUIT new-master\", \"install new\", \"configure 2 workers\", \"configure listens unix\", \"configure runs single\", \"configure pid other\", \"configure broken\", \"pid-file empty\", \"nginx -s reload\", \"start\", \"connect tcp\", \"hold silent old-worker\", \"finish\"";
/// What `nginx` may be called with.
pub(super) const OPTIONS: [&str; 8] =
    ["-s reload", "-s stop", "-s quit", "-s reopen", "-t", "-T -q", "-v", "-t -s reload"];

impl Step {
    /// What kind of step it is, as steps are counted.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Signal(signal, whom) => {
                let role = match whom {
                    Whom::OldMaster | Whom::NewMaster => "master",
                    Whom::OldWorker | Whom::LastOldWorker | Whom::NewWorker | Whom::LastNewWorker => "worker",
                };
                format!("signal {} {role}", word(*signal))
            }
            Self::Signals(..) => "signals".into(),
            Self::Configure(Configured::Workers(_)) => "configure workers".into(),
            Self::Hold(hold, _) => format!("hold {}", word(*hold)),
            Self::Install(_)
            | Self::Configure(_)
            | Self::PidFile(_)
            | Self::CommandLine(_)
            | Self::Start
            | Self::Connect(_)
            | Self::Finish => self.to_string(),
        }
    }
}

/// A name of a list, as it is written.
pub(super) fn word(name: impl Into<&'static str>) -> &'static str {
    name.into()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Signal(signal, whom) => write!(f, "signal {} {}", word(signal), word(whom)),
            Self::Signals(one, two, whom) => {
                write!(f, "signals {} {} {}", word(one), word(two), word(whom))
            }
            Self::Install(binary) => write!(f, "install {}", word(binary)),
            Self::Configure(Configured::Workers(workers)) => write!(f, "configure {workers} workers"),
            Self::Configure(Configured::Listens(listens)) => write!(f, "configure listens {}", word(listens)),
            Self::Configure(Configured::Runs(runs)) => write!(f, "configure runs {}", word(runs)),
            Self::Configure(Configured::Pid(path)) => write!(f, "configure pid {}", word(path)),
            Self::Configure(Configured::Broken) => f.write_str("configure broken"),
            Self::PidFile(is) => write!(f, "pid-file {}", word(is)),
            Self::CommandLine(ref option) => write!(f, "nginx {option}"),
            Self::Start => f.write_str("start"),
            Self::Connect(to) => write!(f, "connect {}", word(to)),
            Self::Hold(hold, whom) => write!(f, "hold {} {}", word(hold), word(whom)),
            Self::Finish => f.write_str("finish"),
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
    Some(match words {
        ["signal", one, to] => Step::Signal(one.parse().ok()?, to.parse().ok()?),
        ["signals", one, two, to] => Step::Signals(one.parse().ok()?, two.parse().ok()?, to.parse().ok()?),
        ["install", name] => Step::Install(name.parse().ok()?),
        ["configure", "broken"] => Step::Configure(Configured::Broken),
        ["configure", workers, "workers"] => Step::Configure(Configured::Workers(workers.parse().ok()?)),
        ["configure", "listens", name] => Step::Configure(Configured::Listens(name.parse().ok()?)),
        ["configure", "runs", name] => Step::Configure(Configured::Runs(name.parse().ok()?)),
        ["configure", "pid", name] => Step::Configure(Configured::Pid(name.parse().ok()?)),
        ["pid-file", name] => Step::PidFile(name.parse().ok()?),
        ["nginx", option @ ..] => {
            let option = option.join(" ");
            Step::CommandLine(OPTIONS.contains(&option.as_str()).then_some(option)?)
        }
        ["start"] => Step::Start,
        ["connect", to] => Step::Connect(to.parse().ok()?),
        ["hold", name, by] => Step::Hold(name.parse().ok()?, by.parse().ok()?),
        ["finish"] => Step::Finish,
        _ => return None,
    })
}
