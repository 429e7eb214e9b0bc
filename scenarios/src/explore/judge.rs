//! The rules of the property, for a script whose trace is all that there is.

use crate::live::storm;
use crate::model::script::Script;
use crate::scenario::{Expect, Scenario};
use crate::trace::Trace;
use crate::verdict::{Verdict, judge};

/// What must hold in a live world whatever goes wrong. The others promise something about a calm end.
pub const JUDGED: [&str; 7] = [
    "fresh-connection-finds-a-worker",
    "no-accepted-request-is-lost",
    "claim-is-true",
    "pid-files-name-live-masters",
    "no-signal-to-a-stranger",
    "one-generation-at-the-end",
    "nothing-outlives-the-run",
];

/// Why something may stay unchecked.
const BECAUSE: &str = "a script may fell the last master, or be killed before it claims anything";

/// What a script's trace says: its story, and the verdict.
#[must_use]
pub fn verdict(script: &Script, trace: &Trace) -> (Scenario, Verdict) {
    let unchecked = JUDGED.iter().skip(1).map(|name| ((*name).to_owned(), BECAUSE.to_owned())).collect();
    let invariants = JUDGED.iter().map(|name| (*name).to_owned()).collect();
    let expect = Expect { invariants, unchecked, ..Expect::default() };
    let scenario = Scenario { expect, ..storm::scenario(script, trace.header.world) };
    let verdict = judge(&scenario, trace);
    (scenario, verdict)
}

/// What did not hold first; `None`: all did.
#[must_use]
pub fn wrong(script: &Script, trace: &Trace) -> Option<String> {
    verdict(script, trace).1.surprises.first().cloned()
}
