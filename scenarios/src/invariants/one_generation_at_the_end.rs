//! At the end one master runs with all its workers.
//!
//! Only a subject that claims to *hold* may leave two masters: the new one with all workers, the old one in
//! reserve with none. Whatever else it claims, also that it has failed, two masters at the end are a mess that
//! the next upgrade runs into, and a worker without a master serves for ever what nobody can reload.

use super::excuse::Excuses;
use super::{Finding, Process, Side, State, end, last_claim};
use crate::scenario::Claim;
use crate::trace::{Header, Trace, What};

pub(super) fn check(trace: &Trace) -> Finding {
    let Some(end) = end(trace) else {
        return Finding::unchecked("the run was cut off before it came to rest");
    };
    let state = State::at(trace, end);
    if state.processes.is_empty() {
        return Finding::unchecked("nobody looked at the processes");
    }
    let excuses = Excuses::of(trace);
    if excuses.faults() > 0 && has_claimed_stuck(trace) {
        return Finding::unchecked("a person must look first");
    }
    if excuses.has_felled_master() && state.masters().is_empty() {
        return Finding::unchecked("the run felled the last master itself");
    }
    let holds = matches!(last_claim(trace), Some((_, Claim::Held)));
    match wrong(&state, &trace.header, holds, &excuses) {
        Some(why) => Finding::violated(trace, end, why),
        None => Finding::Held,
    }
}

fn has_claimed_stuck(trace: &Trace) -> bool {
    trace.events.iter().any(|event| matches!(event.what, What::Claimed { claim: Claim::Stuck, .. }))
}

fn wrong(state: &State, header: &Header, holds: bool, excuses: &Excuses) -> Option<String> {
    let masters = state.masters();
    let (serving, reserve): (&Process, Option<&Process>) = match (masters.as_slice(), holds) {
        ([], _) => return Some("no master runs".into()),
        ([one], false) => (one, None),
        ([one], true) => return Some(format!("only master {} runs, and two were claimed", one.pid)),
        ([old, new], true) => (new, Some(old)),
        (many, _) => {
            let pids: Vec<_> = many.iter().map(|master| master.pid.to_string()).collect();
            return Some(format!("{} masters run: {}", many.len(), pids.join(", ")));
        }
    };
    // A master that was felled before or after an upgrade leaves its workers to nobody.
    if let Some(orphan) = state.orphan().filter(|_| !excuses.has_felled_master()) {
        return Some(format!(
            "worker {} of generation {} has lost its master",
            orphan.pid, orphan.generation
        ));
    }
    if let Some(worker) = state.workers().find(|worker| worker.draining_us.is_some()) {
        return Some(format!("worker {} still drains", worker.pid));
    }
    if let Some(worker) = reserve.and_then(|old| state.workers_of(old.pid).next()) {
        return Some(format!("worker {} still serves for the master in reserve", worker.pid));
    }
    let expected = match serving.side(header) {
        Side::Old => header.workers.0,
        Side::New => header.workers.1,
    };
    let found = state.serving(serving.pid);
    // HUP to a master that has a new binary doubles its workers: a run that reloads in between did it itself.
    let may_be_more = excuses.has_struck("reload") && found > usize::from(expected);
    (found != usize::from(expected) && !may_be_more)
        .then(|| format!("master {} has {found} workers instead of {expected}", serving.pid))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Run, judge};
    use super::*;

    const NAME: &str = "one-generation-at-the-end";

    fn upgraded() -> Run {
        Run::new().new_generation(20).drains(30, 11).drains(30, 12).died(31, 11, None).died(31, 12, None)
    }

    fn why(run: &Run) -> String {
        match judge(NAME, run) {
            Finding::Violated { event, why, .. } if event == run.last() => why,
            other @ (Finding::Held | Finding::Violated { .. } | Finding::Unchecked { .. }) => {
                panic!("not violated at the end: {other:?}")
            }
        }
    }

    #[test]
    fn it_holds_with_one_master_and_all_its_workers() {
        assert_eq!(
            judge(NAME, &upgraded().died(40, 10, None).claims(41, Claim::Upgraded).rest(50)),
            Finding::Held
        );
        assert_eq!(judge(NAME, &Run::new().rest(50)), Finding::Held);
    }

    #[test]
    fn only_a_claim_to_hold_may_leave_two_masters() {
        assert_eq!(judge(NAME, &upgraded().claims(41, Claim::Held).rest(50)), Finding::Held);
        assert_eq!(why(&upgraded().claims(41, Claim::Failed).rest(50)), "2 masters run: 10, 20");
        let one = upgraded().died(40, 10, None).claims(41, Claim::Held).rest(50);
        assert_eq!(why(&one), "only master 20 runs, and two were claimed");
        let busy = Run::new().new_generation(20).claims(41, Claim::Held).rest(50);
        assert_eq!(why(&busy), "worker 11 still serves for the master in reserve");
    }

    #[test]
    fn orphans_drainers_missing_workers_and_missing_masters_violate_it() {
        let orphaned = Run::new().new_generation(20).died(40, 10, None).claims(41, Claim::Upgraded).rest(50);
        assert_eq!(why(&orphaned), "worker 11 of generation 1 has lost its master");
        assert_eq!(why(&Run::new().drains(40, 12).rest(50)), "worker 12 still drains");
        assert_eq!(why(&Run::new().died(40, 12, None).rest(50)), "master 10 has 1 workers instead of 2");
        assert_eq!(why(&Run::new().died(40, 10, None).rest(50)), "no master runs");
    }

    #[test]
    fn what_dies_behind_the_last_rest_is_the_laboratorys_own_doing() {
        let run = Run::new().claims(40, Claim::RolledBack).rest(50).died(60, 10, None);
        assert_eq!(judge(NAME, &run), Finding::Held);
    }

    #[test]
    fn it_is_unchecked_when_the_run_was_cut_off_behind_its_last_claim() {
        assert!(matches!(
            judge(NAME, &Run::new().rest(30).claims(40, Claim::Upgraded)),
            Finding::Unchecked { .. }
        ));
    }

    /// Red when a run that struck nobody excuses a mess, or one that did does not excuse the mess that it made.
    #[test]
    fn what_the_run_did_itself_is_excused_and_no_more() {
        let disk = |run: Run| run.moment(35, "struck.full-disk");
        let stuck = |run: Run| judge(NAME, &run.claims(41, Claim::Stuck).rest(50));
        assert!(matches!(stuck(disk(upgraded())), Finding::Unchecked { .. }));
        assert!(stuck(upgraded()).is_violated(), "nothing struck");
        assert!(judge(NAME, &disk(upgraded()).claims(41, Claim::Failed).rest(50)).is_violated());
        let felled = |run: Run| run.struck(36, 10, "KILL", "kill-old-master").died(37, 10, None);
        let alone = felled(Run::new()).claims(41, Claim::Failed).rest(50);
        assert!(matches!(judge(NAME, &alone), Finding::Unchecked { .. }), "nobody is left");
        let orphaned = felled(Run::new().new_generation(20)).claims(41, Claim::Upgraded).rest(50);
        assert_eq!(judge(NAME, &orphaned), Finding::Held);
        let reloaded = |run: Run| run.moment(35, "struck.reload").claims(41, Claim::Failed).rest(50);
        assert_eq!(judge(NAME, &reloaded(Run::new().worker(36, 13, 10))), Finding::Held);
        assert!(
            judge(NAME, &reloaded(Run::new().died(36, 12, None))).is_violated(),
            "a reload takes nobody away"
        );
        let more = Run::new().worker(36, 13, 10).claims(41, Claim::Failed).rest(50);
        assert_eq!(why(&more), "master 10 has 3 workers instead of 2");
    }
}
