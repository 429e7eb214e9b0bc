//! The rules of the property, for a script whose trace is all that there is.

use fake_nginx::fault::Fault as BinaryFault;

use crate::live::storm;
use crate::model::binaries::BINARIES;
use crate::model::script::Script;
use crate::scenario::{Expect, Scenario};
use crate::trace::Trace;
use crate::verdict::{Verdict, judge};

/// What must hold in a live world whatever goes wrong. The others promise something about a calm end.
pub const JUDGED: [&str; 7] = [
    "fresh-connection-finds-a-worker",
    NO_ERRORS,
    "claim-is-true",
    "pid-files-name-live-masters",
    "no-signal-to-a-stranger",
    "one-generation-at-the-end",
    "nothing-outlives-the-run",
];

/// What a server's error violates too.
const NO_ERRORS: &str = "no-accepted-request-is-lost";
/// Why something may stay unchecked.
const BECAUSE: &str = "a script may fell the last master, or be killed before it claims anything";

/// What a script's trace says: its story, and the verdict.
#[must_use]
pub fn verdict(script: &Script, trace: &Trace) -> (Scenario, Verdict) {
    // Who answers everything with an error loses every request, and no probe was asked for.
    let answers_errors = matches!(BINARIES[script.binary], Some(BinaryFault::Answers { .. }));
    let judged = || JUDGED.iter().filter(move |&&name| !answers_errors || name != NO_ERRORS);
    let unchecked = judged().skip(1).map(|name| ((*name).to_owned(), BECAUSE.to_owned())).collect();
    let invariants = judged().map(|name| (*name).to_owned()).collect();
    let expect = Expect { invariants, unchecked, ..Expect::default() };
    // Whether its faults struck is counted elsewhere.
    let scenario = Scenario { expect, faults: Vec::new(), ..storm::scenario(script, trace.header.world) };
    let verdict = judge(&scenario, trace);
    (scenario, verdict)
}

/// What did not hold first; `None`: all did.
#[must_use]
pub fn wrong(script: &Script, trace: &Trace) -> Option<String> {
    verdict(script, trace).1.surprises.first().cloned()
}
