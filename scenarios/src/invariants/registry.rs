//! The list of all invariants.

use std::fmt;

use super::{
    Finding, answers_come_from_the_claimed_release, claim_is_true, fresh_connection_finds_a_worker,
    no_accepted_request_is_lost, no_signal_to_a_stranger, nothing_outlives_the_run,
    one_generation_at_the_end, pid_files_name_live_masters,
};
use crate::trace::{Evidence, Trace};

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
    check: fn(&Trace) -> Finding,
}

impl Invariant {
    /// Its answer to a trace. A violation that is seen counts even where not all is seen.
    #[must_use]
    pub fn judge(&self, trace: &Trace) -> Finding {
        let finding = (self.check)(trace);
        match self.needs.iter().find(|evidence| trace.header.blind_to.contains(evidence)) {
            Some(evidence) if finding == Finding::Held => {
                Finding::unchecked(format!("world {} cannot show {evidence}", trace.header.world))
            }
            Some(_) | None => finding,
        }
    }
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
        check: fresh_connection_finds_a_worker::check,
    },
    Invariant {
        name: "no-accepted-request-is-lost",
        kind: Kind::Always,
        sentence: "A request that was taken is answered in full and without a server's error.",
        needs: &[Evidence::Requests],
        check: no_accepted_request_is_lost::check,
    },
    Invariant {
        name: "answers-come-from-the-claimed-release",
        kind: Kind::Always,
        sentence: "After the last claim, when all is at rest, every answer comes from the claimed release.",
        needs: &[Evidence::Requests],
        check: answers_come_from_the_claimed_release::check,
    },
    Invariant {
        name: "pid-files-name-live-masters",
        kind: Kind::Always,
        sentence: "When all is at rest, each pid file names the live master that it is for.",
        needs: &[],
        check: pid_files_name_live_masters::check,
    },
    Invariant {
        name: "claim-is-true",
        kind: Kind::Always,
        sentence: "What the subject says it has done is what it was expected to do, and it has done it.",
        needs: &[],
        check: claim_is_true::check,
    },
    Invariant {
        name: "no-signal-to-a-stranger",
        kind: Kind::Always,
        sentence: "No signal goes to a process that is not this nginx.",
        needs: &[Evidence::Signals],
        check: no_signal_to_a_stranger::check,
    },
    Invariant {
        name: "one-generation-at-the-end",
        kind: Kind::Eventually,
        sentence: "At the end one master runs with all its workers, and no worker drains or has lost its master.",
        needs: &[],
        check: one_generation_at_the_end::check,
    },
    Invariant {
        name: "nothing-outlives-the-run",
        kind: Kind::Eventually,
        sentence: "When nginx is told to go, nothing of it stays behind.",
        needs: &[],
        check: nothing_outlives_the_run::check,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_an_invariant_is_in_the_list_under_its_name() {
        let mut files: Vec<String> =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/invariants"))
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().replace('_', "-"))
                .filter(|stem| stem.contains('-'))
                .collect();
        let mut names: Vec<_> = INVARIANTS.iter().map(|invariant| invariant.name).collect();
        files.sort();
        names.sort_unstable();
        assert_eq!(files, names);
    }
}
