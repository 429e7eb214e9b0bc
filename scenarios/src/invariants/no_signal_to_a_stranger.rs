//! No signal goes to a process that is not this nginx.
//!
//! A pid file is a number, and a number can be somebody else's by now.

use super::Finding;
use crate::trace::{Trace, What};

pub(super) fn check(trace: &Trace) -> Finding {
    let mut strangers = trace.select(|what| {
        if let What::SignalToStranger { pid, signal } = what { Some((*pid, signal)) } else { None }
    });
    match strangers.next() {
        Some((position, _, (pid, signal))) => Finding::violated(
            trace,
            position,
            format!("{signal} was about to go to {pid}, which is no nginx of this run"),
        ),
        None => Finding::Held,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Run, judge};
    use super::*;
    use crate::trace::Evidence;

    const NAME: &str = "no-signal-to-a-stranger";

    #[test]
    fn it_holds_while_signals_go_to_nginx() {
        assert_eq!(judge(NAME, &Run::new().signal(10, 10, "USR2")), Finding::Held);
    }

    #[test]
    fn a_signal_to_a_stranger_violates_it_even_where_not_all_signals_are_seen() {
        let run = Run::new().push(10, What::SignalToStranger { pid: 4711, signal: "QUIT".into() });
        let event = run.last();
        let finding = judge(NAME, &run.blind_to(Evidence::Signals));
        assert!(matches!(finding, Finding::Violated { event: e, .. } if e == event));
    }

    #[test]
    fn it_is_unchecked_where_signals_are_not_seen() {
        assert!(matches!(judge(NAME, &Run::new().blind_to(Evidence::Signals)), Finding::Unchecked { .. }));
    }
}
