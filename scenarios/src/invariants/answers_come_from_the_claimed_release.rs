//! After the last claim, when all is at rest, every answer comes from the claimed release.
//!
//! During an overlap both releases answer, and one good answer proves nothing. Afterwards an answer of the
//! wrong release comes from a worker that nobody looks after.

use super::rest::after_last_claim;
use super::{Finding, Side, State, last_claim};
use crate::scenario::Claim;
use crate::trace::{Fate, Header, Request, Trace, What};

pub(super) fn check(trace: &Trace) -> Finding {
    let Some((_, claim)) = last_claim(trace) else {
        return Finding::unchecked("nothing was claimed");
    };
    let claimed = match claim {
        Claim::Upgraded | Claim::Draining | Claim::Held => Side::New,
        Claim::RolledBack | Claim::Refused => Side::Old,
        Claim::Stuck | Claim::Failed => {
            return Finding::unchecked(format!("the claim {claim} promises no release"));
        }
    };
    let Some(rest) = after_last_claim(trace) else {
        return Finding::unchecked("the run never came to rest behind its last claim");
    };
    let rested_us = trace.events[rest].at_us;
    let state = State::at(trace, trace.events.len());
    let mut has_answered = false;
    for (position, _, request) in
        trace.select(|what| if let What::Request(r) = what { Some(r) } else { None })
    {
        if request.started_us < rested_us || !matches!(request.fate, Fate::Served { .. }) {
            continue;
        }
        match side(request, &state, &trace.header) {
            Some(side) if side == claimed => has_answered = true,
            Some(_) => {
                let who = request.pid.map_or("somebody".into(), |pid| format!("worker {pid}"));
                let version = request.version.as_deref().unwrap_or("the other release");
                let why = format!("{who} answered with {version} after the claim {claim}");
                return Finding::violated(trace, position, why);
            }
            None => {}
        }
    }
    if has_answered { Finding::Held } else { Finding::unchecked("nobody asked behind the last claim's rest") }
}

/// Which release answered.
fn side(request: &Request, state: &State, header: &Header) -> Option<Side> {
    match request.version.as_deref() {
        Some(version) if header.old != header.new && version == header.old => Some(Side::Old),
        Some(version) if header.old != header.new && version == header.new => Some(Side::New),
        _ => Some(state.processes.get(&request.pid?)?.side(header)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Run, judge};
    use super::*;
    use crate::trace::Kind;

    const NAME: &str = "answers-come-from-the-claimed-release";

    fn upgraded(claim: Claim) -> Run {
        Run::new().new_generation(20).claims(40, claim).rest(50)
    }

    #[test]
    fn it_holds_when_only_the_claimed_release_answers_behind_the_rest() {
        let run = upgraded(Claim::Upgraded).served(60, Kind::Fresh, 21);
        assert_eq!(judge(NAME, &run), Finding::Held);
        let run = Run::new().served(30, Kind::Fresh, 21).claims(40, Claim::RolledBack).rest(50);
        assert_eq!(judge(NAME, &run.served(60, Kind::Fresh, 11)), Finding::Held);
    }

    #[test]
    fn an_answer_of_the_other_release_violates_it() {
        for (claim, pid) in
            [(Claim::Upgraded, 11), (Claim::Held, 11), (Claim::RolledBack, 21), (Claim::Refused, 21)]
        {
            let right = if pid == 11 { 21 } else { 11 };
            let run = upgraded(claim).served(60, Kind::Fresh, right).served(61, Kind::Fresh, pid);
            let (event, finding) = (run.last(), judge(NAME, &run));
            assert!(
                matches!(finding, Finding::Violated { event: e, .. } if e == event),
                "{claim}: {finding:?}"
            );
        }
    }

    #[test]
    fn an_answer_that_began_before_the_rest_is_part_of_the_overlap() {
        let run = upgraded(Claim::Upgraded).slow(60, 200, 11).served(261, Kind::Fresh, 21);
        let early = Run::new().new_generation(20).claims(40, Claim::Upgraded).rest(250);
        assert_eq!(judge(NAME, &early.slow(60, 300, 11).served(361, Kind::Fresh, 21)), Finding::Held);
        assert!(judge(NAME, &run).is_violated());
    }

    #[test]
    fn where_both_releases_have_one_version_the_generation_tells() {
        let mut run = upgraded(Claim::Upgraded).served(60, Kind::Fresh, 11);
        run.trace.header.new = run.trace.header.old.clone();
        assert!(judge(NAME, &run).is_violated());
    }

    #[test]
    fn it_is_unchecked_without_a_claim_a_promise_a_rest_or_an_answer() {
        for run in [
            Run::new().rest(50).served(60, Kind::Fresh, 11),
            upgraded(Claim::Failed).served(60, Kind::Fresh, 11),
            Run::new().rest(30).claims(40, Claim::RolledBack).served(60, Kind::Fresh, 11),
            Run::new().claims(40, Claim::RolledBack).served(60, Kind::Fresh, 11),
            upgraded(Claim::Upgraded),
        ] {
            assert!(matches!(judge(NAME, &run), Finding::Unchecked { .. }));
        }
    }

    /// The release that an answer names counts, whoever seems to have given it.
    #[test]
    fn the_version_of_an_answer_counts_before_its_worker() {
        let named = |claim, version: &str| {
            let mut run = upgraded(claim).request(60, Kind::Fresh, None, Fate::Served { status: 200 });
            if let Some(What::Request(request)) = run.trace.events.last_mut().map(|event| &mut event.what) {
                request.version = Some(version.into());
            }
            judge(NAME, &run)
        };
        assert_eq!(named(Claim::Upgraded, "1.26.3"), Finding::Held);
        assert_eq!(named(Claim::RolledBack, "1.22.1"), Finding::Held);
        assert!(named(Claim::Upgraded, "1.22.1").is_violated());
        assert!(named(Claim::RolledBack, "1.26.3").is_violated());
        assert!(matches!(named(Claim::Upgraded, "1.99.9"), Finding::Unchecked { .. }), "of neither");
    }

    #[test]
    fn an_answer_that_began_with_the_rest_is_behind_it() {
        let run = upgraded(Claim::Upgraded).slow(50, 80, 11);
        assert!(judge(NAME, &run).is_violated());
    }
}
