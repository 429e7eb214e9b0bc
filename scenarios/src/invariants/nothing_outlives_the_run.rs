//! When nginx is told to go, nothing of it stays behind.
//!
//! A worker without a master serves on for ever, and nobody can reload or stop it by its pid file.

use super::excuse::Excuses;
use super::{Finding, end};
use crate::trace::{Trace, What};

pub(super) fn check(trace: &Trace) -> Finding {
    let mut left = trace
        .select(|what| if let What::Survivor { pid, title } = what { Some((*pid, title)) } else { None });
    match left.next().filter(|_| !Excuses::of(trace).has_felled_master()) {
        Some((position, _, (pid, title))) => {
            let others = left.count();
            let more = if others == 0 { String::new() } else { format!(" and {others} more") };
            Finding::violated(trace, position, format!("process {pid} ({title}){more} stayed behind"))
        }
        None if end(trace).is_none() => Finding::unchecked("the run was cut off before it came to rest"),
        None => Finding::Held,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Run, judge};
    use super::*;

    const NAME: &str = "nothing-outlives-the-run";

    #[test]
    fn it_holds_when_the_run_ends_at_rest_and_nothing_is_left() {
        assert_eq!(judge(NAME, &Run::new().rest(10)), Finding::Held);
    }

    #[test]
    fn a_survivor_violates_it() {
        let run = Run::new().rest(10);
        let run = run.push(20, What::Survivor { pid: 11, title: "nginx: worker process".into() });
        let event = run.last();
        assert!(matches!(judge(NAME, &run), Finding::Violated { event: e, .. } if e == event));
    }

    #[test]
    fn it_is_unchecked_when_the_run_was_cut_off() {
        let cut_off = Run { trace: Trace { events: Vec::new(), ..Run::new().trace } };
        assert!(matches!(judge(NAME, &cut_off), Finding::Unchecked { .. }));
    }

    #[test]
    fn who_has_lost_a_master_that_the_run_felled_may_stay_and_is_counted_otherwise() {
        let left = |run: Run| {
            let survivor = |pid| What::Survivor { pid, title: "nginx: worker process".into() };
            judge(NAME, &run.rest(10).push(20, survivor(11)).push(20, survivor(12)))
        };
        assert_eq!(left(Run::new().struck(5, 10, "KILL", "kill-old-master")), Finding::Held);
        let Finding::Violated { why, .. } = left(Run::new()) else { panic!("two stayed") };
        assert_eq!(why, "process 11 (nginx: worker process) and 1 more stayed behind");
    }
}
