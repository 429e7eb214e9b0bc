//! The commands of `oldbin` that the model knows, and their words.

use std::fmt;

use orchestrator::cli::{Asked, asked};
use orchestrator::machine::{Options, Phase};

/// What the person types.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// `oldbin upgrade`
    Upgrade(Options),
    /// `oldbin rollback`
    Rollback(Options),
    /// `oldbin commit`
    Commit,
    /// `oldbin recover`
    Recover,
}

impl Command {
    /// What has to be typed so that an upgrade that stands there comes to its end.
    #[must_use]
    pub const fn finishing(phase: Phase) -> Option<Self> {
        match phase {
            Phase::Finished(_) => None,
            Phase::Held => Some(Self::Commit),
            Phase::Planned
            | Phase::Installing
            | Phase::Changing
            | Phase::Draining
            | Phase::Soaking
            | Phase::Committing
            | Phase::Watching
            | Phase::Back => Some(Self::Recover),
        }
    }

    /// The words behind `oldbin`.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let with = |name: &str, options: &Options| {
            let mut words = vec![name.to_owned(), "--soak".to_owned(), format!("{}ms", options.soak_ms)];
            if let Some(within_ms) = options.drain_within_ms {
                words.extend(["--drain-within".to_owned(), format!("{within_ms}ms")]);
            }
            words.extend(options.is_held.then(|| "--hold".to_owned()));
            words
        };
        match self {
            Self::Upgrade(options) => with("upgrade", options),
            Self::Rollback(options) => with("rollback", options),
            Self::Commit => vec!["commit".to_owned()],
            Self::Recover => vec!["recover".to_owned()],
        }
    }
}

impl fmt::Display for Command {
    /// As it is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oldbin {}", self.words().join(" "))
    }
}

/// The choices that `oldbin upgrade` makes if nothing else is said, with this soak.
#[must_use]
pub fn options(soak_ms: u64, is_held: bool) -> Options {
    Options { is_held, ..Options::usual(soak_ms) }
}

/// A command from a scenario's words, as `oldbin` itself reads them.
///
/// # Errors
/// What `oldbin` says of words that it does not understand, or that ask for nothing here.
pub fn parse(words: &[String]) -> Result<Command, String> {
    let mut words = words.to_vec();
    // A scenario need not say what the laboratory knows.
    let is_missing = !words.iter().any(|word| word == "--new");
    if words.first().is_some_and(|name| name == "upgrade") && is_missing {
        words.extend(["--new".to_owned(), "new".to_owned()]);
    }
    match asked(&words)? {
        Asked::Upgrade(options) => Ok(Command::Upgrade(options)),
        Asked::Rollback(options) => Ok(Command::Rollback(options)),
        Asked::Commit => Ok(Command::Commit),
        Asked::Recover => Ok(Command::Recover),
        Asked::Look => Err(format!("the model world has nothing to do for `oldbin {}`", words.join(" "))),
    }
}
