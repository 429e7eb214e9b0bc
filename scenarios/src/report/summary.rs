//! A run in numbers.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::trace::{Fate, Kind, Request, Trace, What};

/// The longest latency that is told apart; anything longer counts as this.
const LATENCY_US_MAX: u64 = 60_000_000;

/// A run in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Requests that ended, however they ended.
    pub requests: u64,
    /// Those that a client would report: neither answered below 500 nor a keep-alive race.
    pub lost: u64,
    /// Kept connections that were closed while idle and used once more: counted, never hidden.
    pub keep_alive_races: u64,
    /// The longest time without an answer to a fresh connection while clients asked.
    pub longest_gap: Option<Gap>,
    /// How long answers took; slow ones, which take long on purpose, are left out.
    pub latency: Option<Latency>,
}

/// A time without answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// How long it was.
    pub gap_us: u64,
    /// When it began.
    pub at_us: u64,
}

/// How long answers took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half of them were faster.
    pub p50_us: u64,
    /// 99 of 100 were faster.
    pub p99_us: u64,
    /// The slowest.
    pub max_us: u64,
}

impl Summary {
    /// Counts a trace.
    #[must_use]
    pub fn of(trace: &Trace) -> Self {
        let requests: Vec<(u64, &Request)> = trace
            .select(|what| if let What::Request(request) = what { Some(request) } else { None })
            .map(|(_, event, request)| (event.at_us, request))
            .collect();
        let count = |is_so: fn(&Request) -> bool| {
            requests.iter().filter(|(_, request)| is_so(request)).fold(0, |count, _| count + 1)
        };
        Self {
            requests: count(|_| true),
            lost: count(Request::is_lost),
            keep_alive_races: count(|request| request.fate == Fate::KeepAliveRace),
            longest_gap: longest_gap(&requests),
            latency: latency(&requests),
        }
    }
}

/// From the first fresh connection over every answer to the end of the last fresh request: an outage that lasts
/// until the end is a gap too.
fn longest_gap(requests: &[(u64, &Request)]) -> Option<Gap> {
    let fresh: Vec<_> = requests.iter().filter(|(_, request)| request.kind == Kind::Fresh).collect();
    let begin = fresh.iter().map(|(_, request)| request.started_us).min()?;
    let end = fresh.iter().map(|(ended_us, _)| *ended_us).max()?;
    let answers = fresh.iter().filter(|(_, request)| is_answered(request)).map(|(ended_us, _)| *ended_us);
    let mut instants: Vec<_> = std::iter::once(begin).chain(answers).chain([end]).collect();
    instants.sort_unstable();
    let gaps = instants.windows(2).map(|pair| Gap { gap_us: pair[1] - pair[0], at_us: pair[0] });
    // Of equally long gaps the first.
    gaps.reduce(|longest, gap| if gap.gap_us > longest.gap_us { gap } else { longest })
}

fn latency(requests: &[(u64, &Request)]) -> Option<Latency> {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, LATENCY_US_MAX, 3).ok()?;
    for (ended_us, request) in requests {
        if request.kind != Kind::Slow && is_answered(request) {
            histogram.saturating_record(ended_us.saturating_sub(request.started_us).max(1));
        }
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    (!histogram.is_empty()).then(|| Latency { p50_us: at(0.5), p99_us: at(0.99), max_us: histogram.max() })
}

fn is_answered(request: &Request) -> bool {
    matches!(request.fate, Fate::Served { .. }) && !request.is_lost()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::tests::Run;

    #[test]
    fn requests_are_counted_by_what_became_of_them() {
        let run = Run::new()
            .served(10, Kind::Fresh, 11)
            .request(20, Kind::Kept, None, Fate::KeepAliveRace)
            .request(30, Kind::Fresh, None, Fate::Refused)
            .request(31, Kind::Kept, Some(11), Fate::Served { status: 503 });
        let summary = Summary::of(&run.trace);
        assert_eq!((summary.requests, summary.lost, summary.keep_alive_races), (4, 2, 1));
    }

    #[test]
    fn the_longest_gap_lies_between_answers_to_fresh_connections() {
        let run = Run::new()
            .served(10, Kind::Fresh, 11)
            .served(15, Kind::Fresh, 11)
            .served(20, Kind::Kept, 11)
            .request(25, Kind::Fresh, None, Fate::Refused)
            .served(40, Kind::Fresh, 11)
            .served(45, Kind::Fresh, 11);
        assert_eq!(Summary::of(&run.trace).longest_gap, Some(Gap { gap_us: 25_000, at_us: 15_000 }));
    }

    #[test]
    fn an_outage_that_lasts_until_the_end_is_a_gap() {
        let run = Run::new().served(10, Kind::Fresh, 11).request(90, Kind::Fresh, None, Fate::Refused);
        assert_eq!(Summary::of(&run.trace).longest_gap, Some(Gap { gap_us: 80_000, at_us: 10_000 }));
    }

    #[test]
    fn latencies_are_those_of_answers_that_do_not_take_long_on_purpose() {
        let run = Run::new().served(10, Kind::Fresh, 11).served(20, Kind::Kept, 11).slow(0, 500, 11);
        let latency = Summary::of(&run.trace).latency.unwrap();
        assert_eq!((latency.p50_us, latency.p99_us, latency.max_us), (1000, 1000, 1000));
        assert_eq!(Summary::of(&Run::new().trace), Summary::default());
    }
}
