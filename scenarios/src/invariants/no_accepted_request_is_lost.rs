//! A request that was taken is answered in full.
//!
//! A graceful shutdown finishes what it has begun, so a truncated answer, a server's error, or a kept
//! connection that breaks under a request is a loss. Two things are none: the keep-alive race, which HTTP
//! lets a client retry, and a request whose worker a signal has killed, because no procedure can save it.

use super::excuse::Excuses;
use super::{Finding, SIGHT_MS};
use crate::trace::{Evidence, Exit, Fate, Kind, Request, Trace, What};

pub(super) fn check(trace: &Trace) -> Finding {
    let requests: Vec<_> =
        trace.select(|what| if let What::Request(request) = what { Some(request) } else { None }).collect();
    if requests.is_empty() {
        return Finding::unchecked("nobody sent a request");
    }
    let excuses = Excuses::of(trace);
    let mut doubtful = None;
    for (position, event, request) in requests {
        let Some(what) = lost(request) else { continue };
        let is_left = matches!(request.fate, Fate::Dropped | Fate::TimedOut | Fate::Unfinished);
        if excuses.excuse_loss(trace, request.pid, request.started_us, event.at_us)
            || (is_left && excuses.excuse_nobody(request.started_us, event.at_us))
        {
            continue;
        }
        match death(trace, request, event.at_us) {
            Death::BySignal => {}
            Death::Unknown => doubtful = doubtful.or(request.pid),
            Death::None => {
                let by = request.pid.map_or(String::new(), |pid| format!(" by worker {pid}"));
                let why = format!("the request on connection {} was {what}{by}", request.connection);
                return Finding::violated(trace, position, why);
            }
        }
    }
    match doubtful {
        Some(pid) => Finding::unchecked(format!("worker {pid} died under a request, and nobody saw how")),
        None => Finding::Held,
    }
}

/// How an accepted request was lost.
fn lost(request: &Request) -> Option<&'static str> {
    match (&request.fate, request.kind) {
        (Fate::Truncated, _) => Some("cut in the middle of its answer"),
        (Fate::Served { status }, _) if *status >= 500 => Some("answered with a server's error"),
        (Fate::Dropped, Kind::Kept) => Some("closed without an answer"),
        (Fate::TimedOut | Fate::Unfinished, Kind::Kept) => Some("left without an answer"),
        (
            Fate::Served { .. }
            | Fate::Refused
            | Fate::Dropped
            | Fate::KeepAliveRace
            | Fate::TimedOut
            | Fate::Unfinished,
            _,
        ) => None,
    }
}

/// How the worker of a request died before its end.
enum Death {
    BySignal,
    Unknown,
    /// It did not, or it exited.
    None,
}

fn death(trace: &Trace, request: &Request, ended_us: u64) -> Death {
    let seen_by_us = ended_us + SIGHT_MS * 1000;
    let died = trace
        .select(|what| if let What::Died { pid, exit } = what { Some((*pid, *exit)) } else { None })
        .filter(|(_, event, _)| event.at_us >= request.started_us && event.at_us <= seen_by_us)
        .find(|(.., (pid, _))| Some(*pid) == request.pid);
    match died {
        Some((.., (_, Some(Exit::Signal(_))))) => Death::BySignal,
        Some((.., (_, None))) if trace.header.blind_to.contains(&Evidence::ExitStatus) => Death::Unknown,
        Some((.., (_, Some(Exit::Code(_)) | None))) | None => Death::None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Run, judge};
    use super::*;

    const NAME: &str = "no-accepted-request-is-lost";

    #[test]
    fn it_holds_through_keep_alive_races_and_what_fresh_connections_suffer() {
        let run = Run::new()
            .served(10, Kind::Kept, 11)
            .request(20, Kind::Kept, None, Fate::KeepAliveRace)
            .request(30, Kind::Fresh, None, Fate::Refused)
            .request(40, Kind::Slow, Some(11), Fate::Served { status: 404 });
        assert_eq!(judge(NAME, &run), Finding::Held);
    }

    #[test]
    fn each_loss_violates_it_at_that_very_request() {
        for (kind, fate) in [
            (Kind::Slow, Fate::Truncated),
            (Kind::Fresh, Fate::Served { status: 500 }),
            (Kind::Kept, Fate::Dropped),
            (Kind::Kept, Fate::TimedOut),
            (Kind::Kept, Fate::Unfinished),
        ] {
            let run = Run::new().served(10, Kind::Fresh, 11).request(20, kind, Some(11), fate.clone());
            let event = run.last();
            let finding = judge(NAME, &run.served(30, Kind::Fresh, 11));
            assert!(
                matches!(finding, Finding::Violated { event: e, at_us: 20_000, .. } if e == event),
                "{fate:?}: {finding:?}"
            );
        }
    }

    #[test]
    fn a_worker_that_a_signal_kills_takes_its_requests_with_it_but_one_that_exits_does_not() {
        let cut = || Run::new().request(20, Kind::Slow, Some(11), Fate::Truncated);
        assert_eq!(judge(NAME, &cut().died(23, 11, Some(Exit::Signal(9)))), Finding::Held);
        assert!(judge(NAME, &cut().died(23, 11, Some(Exit::Code(0)))).is_violated());
        assert!(judge(NAME, &cut().died(23, 12, Some(Exit::Signal(9)))).is_violated());
        assert!(judge(NAME, &cut().died(90, 11, Some(Exit::Signal(9)))).is_violated());
    }

    #[test]
    fn an_earlier_death_of_the_same_pid_is_somebody_elses() {
        let run = Run::new().died(5, 11, Some(Exit::Signal(9))).worker(6, 11, 10);
        assert!(judge(NAME, &run.request(20, Kind::Slow, Some(11), Fate::Truncated)).is_violated());
    }

    #[test]
    fn it_is_unchecked_without_requests_and_where_a_death_is_not_understood() {
        assert!(matches!(judge(NAME, &Run::new()), Finding::Unchecked { .. }));
        let cut = Run::new().request(20, Kind::Slow, Some(11), Fate::Truncated).died(23, 11, None);
        assert!(judge(NAME, &cut).is_violated());
        let blind = cut.blind_to(Evidence::ExitStatus);
        assert!(matches!(judge(NAME, &blind), Finding::Unchecked { .. }));
    }

    /// Red when a blow excuses what it did not cause: an answer that another worker cut.
    #[test]
    fn a_worker_that_the_run_felled_excuses_what_it_had_begun_and_nothing_else() {
        let hit = || Run::new().struck(100, 11, "KILL", "kill-old-worker").died(110, 11, None);
        let asked = |pid, fate| judge(NAME, &hit().request(105, Kind::Kept, Some(pid), fate));
        assert_eq!(asked(11, Fate::Truncated), Finding::Held);
        assert!(asked(12, Fate::Truncated).is_violated());
        assert_eq!(asked(12, Fate::Dropped), Finding::Held, "nobody need accept");
        let early = Run::new().request(20, Kind::Kept, Some(11), Fate::Dropped);
        assert!(judge(NAME, &early.struck(100, 11, "KILL", "kill-old-worker")).is_violated());
    }
}
