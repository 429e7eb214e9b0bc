//! Short texts for cells.

use crate::trace::{Exit, Fate, Request};

/// A time as seconds with milliseconds, `2.345`.
pub(super) fn seconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000_000, us / 1000 % 1000)
}

/// A duration for people: `0.4 ms`, `12 ms`, `2.3 s`.
pub(super) fn milliseconds(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{} ms", us / 1000, us / 100 % 10),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        1_000_000.. => format!("{}.{} s", us / 1_000_000, us / 100_000 % 10),
    }
}

/// How a process ended.
pub(super) fn exit(exit: Option<Exit>) -> String {
    match exit {
        None | Some(Exit::Code(0)) => "gone".to_owned(),
        Some(Exit::Code(code)) => format!("exits {code}"),
        Some(Exit::Signal(signal)) => format!("killed by {signal}"),
    }
}

/// How a request ended, as a word that can be counted.
pub(super) fn fate(request: &Request) -> String {
    match request.fate {
        Fate::Served { status } if status < 500 => "served".to_owned(),
        Fate::Served { status } => format!("answered {status}"),
        Fate::Refused => "refused".to_owned(),
        Fate::Dropped => "dropped".to_owned(),
        Fate::KeepAliveRace => "keep-alive race".to_owned(),
        Fate::Truncated => "truncated".to_owned(),
        Fate::TimedOut => "timed out".to_owned(),
        Fate::Unfinished => "unfinished".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_short_and_exact() {
        assert_eq!([0, 412_999, 2_005_000, 61_000_000].map(seconds), ["0.000", "0.412", "2.005", "61.000"]);
        assert_eq!(
            [0, 450, 9_999, 12_300, 2_345_678].map(milliseconds),
            ["0.0 ms", "0.4 ms", "9.9 ms", "12 ms", "2.3 s"]
        );
    }
}
