//! When all is at rest, each pid file names the live master that it is for.
//!
//! Between two rests a file may be missing or empty: nginx renames, writes and removes them in several steps.
//! At rest, `nginx.pid` names the youngest live master, and `nginx.pid.oldbin`, if it is there, the old one
//! beside it. Everything that reads pid files (`nginx -s`, systemd, scripts) depends on this.

use super::excuse::Excuses;
use super::rest::rests;
use super::{Finding, Process, State};
use crate::trace::{Content, Trace};

pub(super) fn check(trace: &Trace) -> Finding {
    if Excuses::of(trace).has_felled_master() {
        return Finding::unchecked("a master that the run itself felled leaves its file behind");
    }
    let mut state = State::default();
    let mut applied = 0;
    let mut has_rested = false;
    for rest in rests(trace) {
        has_rested = true;
        trace.events[applied..=rest].iter().for_each(|event| state.apply(event));
        applied = rest + 1;
        if state.current.is_none() {
            return Finding::unchecked("nobody looked at the pid file");
        }
        if let Some(why) = wrong(&state) {
            return Finding::violated(trace, rest, why);
        }
    }
    if has_rested { Finding::Held } else { Finding::unchecked("the run never came to rest") }
}

/// What is wrong with the two files, if anything is.
fn wrong(state: &State) -> Option<String> {
    let masters = state.masters();
    let youngest = masters.last();
    let old = if masters.len() > 1 { masters.first() } else { None };
    let current = match (state.current.as_ref()?, youngest) {
        (Content::Pid(pid), Some(master)) if *pid == master.pid => None,
        (Content::Pid(pid), Some(master)) => {
            Some(format!("the pid file names {pid}, and the youngest master is {}", master.pid))
        }
        (Content::Pid(pid), None) => Some(format!("the pid file names {pid}, and no master runs")),
        (Content::Absent, Some(master)) => {
            Some(format!("there is no pid file, and master {} runs", master.pid))
        }
        (Content::Absent, None) => None,
        (Content::Empty, _) => Some("the pid file is empty".to_owned()),
        (Content::Garbage(text), _) => Some(format!("the pid file holds {text:?}")),
    };
    current.or_else(|| wrong_oldbin(state.oldbin.as_ref()?, old.copied()))
}

fn wrong_oldbin(content: &Content, old: Option<&Process>) -> Option<String> {
    match (content, old) {
        (Content::Absent, _) => None,
        (Content::Pid(pid), Some(master)) if *pid == master.pid => None,
        (Content::Pid(pid), Some(master)) => {
            Some(format!("the oldbin file names {pid}, and the old master is {}", master.pid))
        }
        (Content::Pid(pid), None) => Some(format!("the oldbin file names {pid}, and no old master runs")),
        (Content::Empty, _) => Some("the oldbin file is empty".to_owned()),
        (Content::Garbage(text), _) => Some(format!("the oldbin file holds {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Run, judge};
    use super::*;
    use crate::trace::PidFile::{Current, Oldbin};

    const NAME: &str = "pid-files-name-live-masters";

    #[test]
    fn it_holds_through_a_whole_upgrade_and_between_rests_files_may_be_anything() {
        let run = Run::new()
            .file(10, Oldbin, Content::Pid(10))
            .file(10, Current, Content::Absent)
            .new_generation(20)
            .file(21, Current, Content::Empty)
            .file(22, Current, Content::Pid(20))
            .rest(30)
            .died(40, 11, None)
            .died(40, 12, None)
            .died(41, 10, None)
            .file(42, Oldbin, Content::Absent)
            .rest(50);
        assert_eq!(judge(NAME, &run), Finding::Held);
    }

    #[test]
    fn each_wrong_content_violates_it_at_the_rest() {
        let cases = [
            (Current, Content::Absent, "there is no pid file"),
            (Current, Content::Empty, "is empty"),
            (Current, Content::Garbage("x".into()), "holds \"x\""),
            (Current, Content::Pid(99), "the youngest master is 10"),
            (Oldbin, Content::Pid(10), "no old master runs"),
            (Oldbin, Content::Empty, "is empty"),
            (Oldbin, Content::Garbage("x".into()), "holds \"x\""),
        ];
        for (file, content, expected) in cases {
            let run = Run::new().file(10, file, content).rest(20);
            let (event, finding) = (run.last(), judge(NAME, &run));
            assert!(
                matches!(&finding, Finding::Violated { event: e, why, .. } if *e == event && why.contains(expected)),
                "{expected}: {finding:?}"
            );
        }
    }

    #[test]
    fn with_two_masters_each_file_names_its_own() {
        let two = |current, oldbin| {
            let run = Run::new().new_generation(20).file(21, Current, Content::Pid(current));
            judge(NAME, &run.file(22, Oldbin, Content::Pid(oldbin)).rest(30))
        };
        assert_eq!(two(20, 10), Finding::Held);
        assert!(two(10, 10).is_violated());
        assert!(two(20, 20).is_violated());
    }

    #[test]
    fn a_pid_file_that_outlives_its_master_violates_it() {
        let run = Run::new().died(10, 11, None).died(10, 12, None).died(11, 10, None).rest(20);
        assert!(judge(NAME, &run).is_violated());
    }

    #[test]
    fn it_is_unchecked_without_a_rest_or_without_a_look() {
        let cut_off = Run { trace: Trace { events: Vec::new(), ..Run::new().trace } };
        assert!(matches!(judge(NAME, &cut_off), Finding::Unchecked { .. }));
        assert!(matches!(judge(NAME, &cut_off.rest(10)), Finding::Unchecked { .. }));
    }

    #[test]
    fn a_master_that_the_run_felled_leaves_its_file_behind() {
        let run = Run::new().died(10, 11, None).died(10, 12, None);
        let felled = run.struck(11, 10, "KILL", "kill-old-master").died(11, 10, None).rest(20);
        assert!(matches!(judge(NAME, &felled), Finding::Unchecked { .. }));
    }
}
