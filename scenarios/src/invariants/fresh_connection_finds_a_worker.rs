//! Whoever connects is served.
//!
//! A client that opens a connection has done nothing wrong, so there is no excuse for refusing it, for closing
//! it before the first byte of an answer, or for leaving it in a queue that nobody accepts from. Kept
//! connections are judged elsewhere: HTTP allows a server to close them while they are idle.

use super::Finding;
use super::excuse::Excuses;
use crate::trace::{Fate, Kind, Request, Trace, What};

pub(super) fn check(trace: &Trace) -> Finding {
    let requests: Vec<_> = trace
        .select(|what| if let What::Request(request) = what { Some(request) } else { None })
        .filter(|(.., request)| match request.kind {
            Kind::Fresh | Kind::Slow => true,
            Kind::Kept => false,
        })
        .collect();
    if requests.is_empty() {
        return Finding::unchecked("nobody opened a fresh connection");
    }
    let excuses = Excuses::of(trace);
    let mut lost = requests.iter().filter(|(_, event, request)| {
        found_nobody(request).is_some()
            && !excuses.excuse_nobody(request.started_us, event.at_us)
            && !(request.fate == Fate::Dropped
                && excuses.excuse_loss(trace, request.pid, request.started_us, event.at_us))
    });
    match lost.next() {
        None => Finding::Held,
        Some((position, _, request)) => {
            let what = found_nobody(request).unwrap_or_default();
            let why = format!(
                "connection {} {what}; {} of {} fresh connections found no worker",
                request.connection,
                1 + lost.count(),
                requests.len()
            );
            Finding::violated(trace, *position, why)
        }
    }
}

/// How a request shows that nobody took it.
fn found_nobody(request: &Request) -> Option<&'static str> {
    match request.fate {
        Fate::Refused => Some("was refused"),
        Fate::Dropped => Some("was closed before any byte of an answer"),
        Fate::TimedOut => Some("got no answer in time"),
        Fate::Unfinished => Some("still waited when the run was ended"),
        Fate::Served { .. } | Fate::KeepAliveRace | Fate::Truncated => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Run, judge};
    use super::*;

    const NAME: &str = "fresh-connection-finds-a-worker";

    #[test]
    fn it_holds_when_every_fresh_connection_is_served() {
        let run =
            Run::new().served(10, Kind::Fresh, 11).served(20, Kind::Slow, 11).served(30, Kind::Kept, 11);
        assert_eq!(judge(NAME, &run), Finding::Held);
    }

    #[test]
    fn each_way_of_finding_nobody_violates_it_at_that_very_request() {
        for fate in [Fate::Refused, Fate::Dropped, Fate::TimedOut, Fate::Unfinished] {
            for kind in [Kind::Fresh, Kind::Slow] {
                let run = Run::new().served(10, Kind::Fresh, 11).request(20, kind, None, fate.clone());
                let (event, finding) = (run.last(), judge(NAME, &run.served(30, Kind::Fresh, 11)));
                assert!(
                    matches!(&finding, Finding::Violated { event: e, at_us: 20_000, why } if *e == event && why.contains("1 of 3")),
                    "{finding:?}"
                );
            }
        }
    }

    #[test]
    fn what_happens_on_kept_connections_and_a_servers_error_are_no_business_of_it() {
        let run = Run::new()
            .served(5, Kind::Fresh, 11)
            .request(10, Kind::Kept, None, Fate::Dropped)
            .request(20, Kind::Kept, None, Fate::KeepAliveRace)
            .request(30, Kind::Fresh, Some(11), Fate::Served { status: 502 })
            .request(40, Kind::Fresh, Some(11), Fate::Truncated);
        assert_eq!(judge(NAME, &run), Finding::Held);
    }

    #[test]
    fn it_is_unchecked_without_fresh_connections() {
        let run = Run::new().served(10, Kind::Kept, 11);
        assert!(matches!(judge(NAME, &run), Finding::Unchecked { .. }));
    }

    /// Red when a blow excuses what it did not cause.
    #[test]
    fn a_worker_that_the_run_felled_excuses_the_gap_and_the_connections_that_it_had() {
        let hit =
            || Run::new().struck(100, 11, "KILL", "kill-old-worker").died(110, 11, None).worker(115, 13, 10);
        let asked = |run: Run, ms, pid, fate| judge(NAME, &run.request(ms, Kind::Fresh, pid, fate));
        assert_eq!(asked(hit(), 120, None, Fate::Refused), Finding::Held);
        let replaced = || hit().accepts(120, 13);
        assert!(asked(replaced(), 300, None, Fate::Refused).is_violated());
        assert!(asked(Run::new(), 120, None, Fate::Refused).is_violated());
        // One that accepts no more leaves no gap, and cuts what it has.
        let drains =
            || Run::new().drains(90, 11).struck(100, 11, "KILL", "kill-old-worker").died(110, 11, None);
        assert_eq!(asked(drains(), 105, Some(11), Fate::Dropped), Finding::Held);
        assert!(asked(drains(), 105, Some(11), Fate::Refused).is_violated());
    }
}
