//! The list of all invariants.

use std::fmt;

use crate::trace::Evidence;

/// One invariant.
#[derive(Debug, Clone, Copy)]
pub struct Invariant {
    /// A kebab-case sentence, stable for ever.
    pub name: &'static str,
    /// When it must hold.
    pub kind: Kind,
    /// What it says, for a system administrator.
    pub sentence: &'static str,
    /// The evidence that it needs; where a world is blind to it, the answer is *unchecked*.
    pub needs: &'static [Evidence],
}

/// When an invariant must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// At every instant: nothing bad ever happens.
    Always,
    /// At the end: something good has happened by then.
    Eventually,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Always => "always",
            Self::Eventually => "eventually",
        })
    }
}

/// Every invariant, in the order of reports.
pub const INVARIANTS: &[Invariant] = &[
    Invariant {
        name: "fresh-connection-finds-a-worker",
        kind: Kind::Always,
        sentence: "Whoever connects is served: nobody is refused, dropped before an answer, or left waiting.",
        needs: &[Evidence::Requests],
    },
    Invariant {
        name: "no-accepted-request-is-lost",
        kind: Kind::Always,
        sentence: "A request that was taken is answered in full and without a server's error.",
        needs: &[Evidence::Requests],
    },
    Invariant {
        name: "answers-come-from-the-claimed-release",
        kind: Kind::Always,
        sentence: "After the last claim, when all is at rest, every answer comes from the claimed release.",
        needs: &[Evidence::Requests],
    },
    Invariant {
        name: "pid-files-name-live-masters",
        kind: Kind::Always,
        sentence: "When all is at rest, each pid file names the live master that it is for.",
        needs: &[],
    },
    Invariant {
        name: "claim-is-true",
        kind: Kind::Always,
        sentence: "What the subject says it has done is what it was expected to do, and it has done it.",
        needs: &[],
    },
    Invariant {
        name: "no-signal-to-a-stranger",
        kind: Kind::Always,
        sentence: "No signal goes to a process that is not this nginx.",
        needs: &[Evidence::Signals],
    },
    Invariant {
        name: "one-generation-at-the-end",
        kind: Kind::Eventually,
        sentence: "At the end one master runs with all its workers, and no worker drains or has lost its master.",
        needs: &[],
    },
    Invariant {
        name: "nothing-outlives-the-run",
        kind: Kind::Eventually,
        sentence: "When nginx is told to go, nothing of it stays behind.",
        needs: &[],
    },
];
