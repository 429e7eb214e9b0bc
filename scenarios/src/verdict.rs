//! The verdict: what a run's trace says about its scenario.
//!
//! A verdict has two answers. The *overall* one is about the subject: held, violated, or unchecked. The second
//! is whether that is *as expected*: a canary is a run in which something bad must be seen, and the day it
//! holds, the laboratory has gone blind.

use crate::invariants::{Finding, INVARIANTS, MOMENTS, Side, State, end};
use crate::scenario::{Claim, Expect, Scenario};
use crate::trace::{Header, Trace, What};

/// What a run has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Held, violated or unchecked.
    pub overall: Overall,
    /// Each invariant's answer, in the order of the list.
    pub findings: Vec<Judged>,
    /// What the scenario wants to be reached or logged, and what was not.
    pub missing: Vec<String>,
    /// True if the scenario expects exactly this.
    pub as_expected: bool,
    /// What is not as the scenario expects it, in one line each; empty if all is.
    pub surprises: Vec<String>,
}

/// One invariant's answer in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its name; `ends-on` for the release that must serve at the end.
    pub name: &'static str,
    /// What the trace says.
    pub finding: Finding,
    /// What the scenario says about it.
    pub role: Part,
}

/// What a scenario wants from an invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// It must hold.
    MustHold,
    /// It may stay unchecked, for this reason, but not be violated.
    MayBeUnchecked(String),
    /// It must be violated: this is a canary.
    MustBeViolated,
    /// A canary does not care.
    Free,
}

/// The answer about a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Overall {
    /// Everything that must hold did, and was seen to.
    Held,
    /// Something did not.
    Violated,
    /// The trace does not show enough.
    Unchecked,
}

impl Overall {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Unchecked => "unchecked",
        }
    }
}

/// Judges a run.
#[must_use]
pub fn judge(scenario: &Scenario, trace: &Trace) -> Verdict {
    let expect = &scenario.expect;
    let mut findings: Vec<_> = INVARIANTS
        .iter()
        .filter_map(|invariant| {
            let role = part(expect, invariant.name)?;
            Some(Judged { name: invariant.name, finding: invariant.judge(trace), role })
        })
        .collect();
    if let Some(on_new) = expect.ends_on_new {
        findings.push(Judged { name: "ends-on", finding: ends_on(trace, on_new), role: Part::MustHold });
    }
    let mut missing = missing(expect, trace);
    missing.extend(missing_faults(scenario, trace));
    missing.extend(missing_acts(scenario, trace));
    let surprises = surprises(&findings, &missing);
    let overall = overall(&findings, &missing);
    Verdict { overall, as_expected: surprises.is_empty(), findings, missing, surprises }
}

impl Verdict {
    /// The violated invariant whose first bad event comes first.
    #[must_use]
    pub fn first_violated(&self) -> Option<&Judged> {
        let event = |judged: &Judged| match judged.finding {
            Finding::Violated { event, .. } => Some(event),
            Finding::Held | Finding::Unchecked { .. } => None,
        };
        self.findings
            .iter()
            .filter_map(|judged| event(judged).map(|event| (event, judged)))
            .min_by_key(|(event, _)| *event)
            .map(|(_, judged)| judged)
    }

    /// The laboratory's exit code for this run: 0 as expected, 1 violated (or a canary that held), 3 something
    /// unchecked that the scenario does not list.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let is_wrong = |judged: &Judged| match (&judged.finding, &judged.role) {
            (Finding::Violated { .. }, Part::MustHold | Part::MayBeUnchecked(_)) => true,
            (Finding::Held, Part::MustBeViolated) => true,
            (Finding::Held | Finding::Violated { .. } | Finding::Unchecked { .. }, _) => false,
        };
        match (self.as_expected, self.findings.iter().any(is_wrong)) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 3,
        }
    }
}

/// The exit code of several runs: the worst one, where a violation is worse than something unchecked.
#[must_use]
pub fn exit_code<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> u8 {
    let codes: Vec<_> = verdicts.into_iter().map(Verdict::exit_code).collect();
    [1, 3].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}

/// What the scenario wants from an invariant; `None`: it does not name it, and names others.
fn part(expect: &Expect, name: &str) -> Option<Part> {
    let is_in = |names: &[String]| names.iter().any(|other| other == name);
    if is_in(&expect.violates) {
        return Some(Part::MustBeViolated);
    }
    let is_named = is_in(&expect.invariants);
    if !is_named && !expect.invariants.is_empty() {
        return None;
    }
    if !is_named && !expect.violates.is_empty() {
        return Some(Part::Free);
    }
    let reason = expect.unchecked.iter().find(|(other, _)| other == name).map(|(_, because)| because.clone());
    Some(reason.map_or(Part::MustHold, Part::MayBeUnchecked))
}

/// The release that serves at the end must be this one.
fn ends_on(trace: &Trace, on_new: bool) -> Finding {
    let Some(end) = end(trace) else {
        return Finding::unchecked("the run was cut off before it came to rest");
    };
    let wanted = if on_new { Side::New } else { Side::Old };
    let state = State::at(trace, end);
    let mut serving = state.workers().filter(|worker| worker.is_serving()).peekable();
    if serving.peek().is_none() {
        return Finding::violated(trace, end, "nobody serves at the end");
    }
    match serving.find(|worker| worker.side(&trace.header) != wanted) {
        Some(worker) => {
            let version = version(&trace.header, worker.side(&trace.header));
            Finding::violated(trace, end, format!("worker {} of {version} serves at the end", worker.pid))
        }
        None => Finding::Held,
    }
}

fn version(header: &Header, side: Side) -> &str {
    match side {
        Side::Old => &header.old,
        Side::New => &header.new,
    }
}

/// Moments and log texts that the scenario wants and the trace lacks.
fn missing(expect: &Expect, trace: &Trace) -> Vec<String> {
    let is_reached = |name: &str| {
        let known = MOMENTS.iter().find(|moment| moment.name == name);
        let told = |what: &What| matches!(what, What::Moment { name: other } if other == name);
        known.is_some_and(|moment| moment.reached(trace).is_some())
            || trace.events.iter().any(|e| told(&e.what))
    };
    let is_logged = |wanted: &str| {
        trace
            .events
            .iter()
            .any(|event| matches!(&event.what, What::Log { text, .. } if text.contains(wanted)))
    };
    let moments = expect.sometimes.iter().filter(|name| !is_reached(name));
    let logs = expect.log.iter().filter(|text| !is_logged(text));
    moments
        .map(|name| format!("the moment {name} was not reached"))
        .chain(logs.map(|text| format!("nginx did not log \"{text}\"")))
        .collect()
}

/// Faults whose moment was not reached, or that found nobody to strike.
fn missing_faults<'a>(scenario: &'a Scenario, trace: &'a Trace) -> impl Iterator<Item = String> + 'a {
    let has_struck = |wanted: &str| {
        trace.events.iter().any(|event| matches!(&event.what, What::Moment { name } if name == wanted))
    };
    scenario
        .faults
        .iter()
        .filter(move |fault| !has_struck(&fault.moment()))
        .map(|fault| format!("the fault did not strike: {fault}"))
}

/// Acts that never came to their claim.
fn missing_acts(scenario: &Scenario, trace: &Trace) -> Option<String> {
    let claimed = trace.events.iter().filter(|event| matches!(event.what, What::Claimed { .. })).count();
    let acts = scenario.acts.len();
    (claimed < acts).then(|| format!("act {} of {acts} never made its claim", claimed + 1))
}

fn overall(findings: &[Judged], missing: &[String]) -> Overall {
    let is_unchecked = |judged: &Judged| {
        matches!(judged.finding, Finding::Unchecked { .. })
            && matches!(judged.role, Part::MustHold | Part::MustBeViolated)
    };
    if findings.iter().any(|judged| judged.finding.is_violated()) {
        Overall::Violated
    } else if findings.iter().any(is_unchecked) || !missing.is_empty() {
        Overall::Unchecked
    } else {
        Overall::Held
    }
}

fn surprises(findings: &[Judged], missing: &[String]) -> Vec<String> {
    let surprise = |judged: &Judged| match (&judged.finding, &judged.role) {
        (Finding::Violated { why, .. }, Part::MustHold | Part::MayBeUnchecked(_)) => {
            Some(format!("{} is violated: {why}", judged.name))
        }
        (Finding::Unchecked { why }, Part::MustHold | Part::MustBeViolated) => {
            Some(format!("{} is unchecked: {why}", judged.name))
        }
        (Finding::Held, Part::MustBeViolated) => Some(format!("{} held, and must be violated", judged.name)),
        (Finding::Held, Part::MustHold | Part::MayBeUnchecked(_))
        | (Finding::Unchecked { .. }, Part::MayBeUnchecked(_))
        | (Finding::Violated { .. }, Part::MustBeViolated)
        | (_, Part::Free) => None,
    };
    findings.iter().filter_map(surprise).chain(missing.iter().cloned()).collect()
}

/// What the acts claimed, for a table: `held, rolled-back`.
#[must_use]
pub fn claims(trace: &Trace) -> Vec<Claim> {
    trace
        .select(|what| if let What::Claimed { claim, .. } = what { Some(*claim) } else { None })
        .map(|(.., claim)| claim)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::tests::Run;
    use crate::trace::{Content, Fate, Kind, PidFile};

    fn scenario(expect: &str) -> Scenario {
        let text = format!(
            "scenario \"story\" schema=1 {{
                why \"because\"
                old \"1.22.1\" workers=2
                new \"1.26.3\" workers=2
                act \"orchestrator\" \"upgrade\" claims=\"upgraded\"
                load fresh-per-second=1
                expect {expect}
            }}"
        );
        crate::scenario::parse("story.kdl", &text).unwrap_or_else(|error| panic!("{}", error.render(false)))
    }

    /// An upgrade as it should be, until its end.
    fn upgrade() -> Run {
        Run::new()
            .rest(5)
            .step(9, 1, "oldbin upgrade")
            .binary(10, "1.26.3")
            .log(11, 10, "changing binary")
            .file(11, PidFile::Oldbin, Content::Pid(10))
            .new_generation(20)
            .file(21, PidFile::Current, Content::Pid(20))
            .served(25, Kind::Fresh, 21)
            .drains(30, 11)
            .drains(30, 12)
            .died(31, 11, None)
            .died(31, 12, None)
            .died(35, 10, None)
            .file(36, PidFile::Oldbin, Content::Absent)
            .claims(40, Claim::Upgraded)
            .rest(50)
            .served(60, Kind::Fresh, 22)
    }

    const PLAIN: &str = "ends-on=\"new\" { sometimes \"new-master.born\"; log \"changing binary\"; }";
    const CANARY: &str = "{ violates \"fresh-connection-finds-a-worker\"; sometimes \"new-master.born\"; }";

    fn lossy() -> Run {
        upgrade().request(61, Kind::Fresh, None, Fate::Refused).rest(70)
    }

    #[test]
    fn a_good_upgrade_holds_as_expected() {
        let verdict = judge(&scenario(PLAIN), &upgrade().rest(70).trace);
        assert_eq!(verdict.surprises, Vec::<String>::new());
        assert_eq!((verdict.overall, verdict.as_expected, verdict.exit_code()), (Overall::Held, true, 0));
        assert_eq!(verdict.findings.len(), INVARIANTS.len() + 1);
    }

    #[test]
    fn one_violation_makes_the_verdict_violated_and_the_first_one_is_found() {
        let run = lossy().died(71, 20, None).rest(80);
        let verdict = judge(&scenario(PLAIN), &run.trace);
        assert_eq!(
            (verdict.overall, verdict.as_expected, verdict.exit_code()),
            (Overall::Violated, false, 1)
        );
        assert_eq!(verdict.first_violated().unwrap().name, "fresh-connection-finds-a-worker");
    }

    #[test]
    fn a_moment_or_a_log_line_or_a_claim_that_is_missing_makes_it_unchecked() {
        let rested = upgrade().rest(70);
        let moment = scenario("{ sometimes \"old-workers.restored\"; }");
        let log = scenario("{ sometimes \"new-master.born\"; log \"fork() failed\"; }");
        let mut two_acts = scenario(PLAIN);
        two_acts.acts.extend(two_acts.acts.clone());
        for (scenario, missing) in [
            (moment, "the moment old-workers.restored was not reached"),
            (log, "nginx did not log \"fork() failed\""),
            (two_acts, "act 2 of 2 never made its claim"),
        ] {
            let verdict = judge(&scenario, &rested.trace);
            assert_eq!(verdict.missing, [missing]);
            assert_eq!(
                (verdict.overall, verdict.as_expected, verdict.exit_code()),
                (Overall::Unchecked, false, 3)
            );
        }
    }

    #[test]
    fn what_is_unchecked_counts_unless_the_scenario_lists_it_with_its_reason() {
        let blind = upgrade().rest(70).blind_to(crate::trace::Evidence::Signals);
        let strict = judge(&scenario(PLAIN), &blind.trace);
        assert_eq!((strict.overall, strict.exit_code()), (Overall::Unchecked, 3));
        let listed =
            "{ sometimes \"new-master.born\"; unchecked \"no-signal-to-a-stranger\" because=\"so\"; }";
        let verdict = judge(&scenario(listed), &blind.trace);
        assert_eq!((verdict.overall, verdict.exit_code()), (Overall::Held, 0));
    }

    #[test]
    fn a_listed_invariant_may_stay_unchecked_but_not_be_violated() {
        let listed = "{ sometimes \"new-master.born\"; unchecked \"fresh-connection-finds-a-worker\" because=\"so\"; }";
        assert_eq!(judge(&scenario(listed), &lossy().trace).exit_code(), 1);
    }

    #[test]
    fn a_canary_is_as_expected_only_if_its_invariant_is_violated() {
        let seen = judge(&scenario(CANARY), &lossy().trace);
        assert_eq!((seen.overall, seen.as_expected, seen.exit_code()), (Overall::Violated, true, 0));
        let blind = judge(&scenario(CANARY), &upgrade().rest(70).trace);
        assert_eq!((blind.overall, blind.as_expected, blind.exit_code()), (Overall::Held, false, 1));
        assert_eq!(blind.surprises, ["fresh-connection-finds-a-worker held, and must be violated"]);
    }

    #[test]
    fn a_canary_whose_fault_never_struck_proves_nothing() {
        let canary = CANARY.replace("new-master.born", "old-workers.restored");
        let verdict = judge(&scenario(&canary), &lossy().trace);
        assert_eq!((verdict.as_expected, verdict.exit_code()), (false, 3));
    }

    #[test]
    fn named_invariants_are_the_only_ones_that_are_judged() {
        let named = "{ always \"claim-is-true\"; sometimes \"new-master.born\"; }";
        let verdict = judge(&scenario(named), &lossy().trace);
        assert_eq!(verdict.findings.len(), 1);
        assert_eq!(verdict.exit_code(), 0);
    }

    #[test]
    fn a_run_that_ends_on_the_other_release_is_violated() {
        let verdict = judge(&scenario(&PLAIN.replace("\"new\"", "\"old\"")), &upgrade().rest(70).trace);
        assert_eq!((verdict.overall, verdict.first_violated().unwrap().name), (Overall::Violated, "ends-on"));
    }

    #[test]
    fn the_worst_run_gives_the_exit_code_and_a_violation_is_worst() {
        let good = judge(&scenario(PLAIN), &upgrade().rest(70).trace);
        let bad = judge(&scenario(PLAIN), &lossy().trace);
        let unknown =
            judge(&scenario(PLAIN), &upgrade().rest(70).blind_to(crate::trace::Evidence::Signals).trace);
        assert_eq!(exit_code([&good, &good]), 0);
        assert_eq!(exit_code([&good, &unknown]), 3);
        assert_eq!(exit_code([&good, &unknown, &bad]), 1);
    }
}
