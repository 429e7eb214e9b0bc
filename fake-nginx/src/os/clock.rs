//! The only place that reads a clock, and the one that pauses.
//!
//! # Units
//! Durations and times are milliseconds and end in `_ms`.
#![expect(unsafe_code, reason = "localtime_r has no safe form")]

use std::mem::MaybeUninit;
use std::time::{Duration, Instant, SystemTime};

use nix::libc;

/// Milliseconds that never go back, and lie on the seconds of the wall clock as it was at the start.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    start_unix_ms: u64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "machines are told the time, and this is who tells them")]
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), start_unix_ms: unix_ms() }
    }

    #[expect(clippy::disallowed_methods, reason = "machines are told the time, and this is who tells them")]
    pub(super) fn now_ms(&self) -> u64 {
        let elapsed = Instant::now().duration_since(self.start).as_millis();
        self.start_unix_ms + u64::try_from(elapsed).unwrap_or(u64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "machines are told the time, and this is who tells them")]
fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The seconds of the wall clock.
pub(super) fn unix_s() -> u64 {
    unix_ms() / 1000
}

/// `2026/11/22 22:26:44`, local time.
pub(super) fn log_time() -> String {
    let seconds = libc::time_t::try_from(unix_s()).unwrap_or(0);
    let mut broken_down = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call, and all-zero is a valid tm if it fails.
    let tm = unsafe {
        libc::localtime_r(&raw const seconds, broken_down.as_mut_ptr());
        broken_down.assume_init()
    };
    format!(
        "{:04}/{:02}/{:02} {:02}:{:02}:{:02}",
        tm.tm_year + 1900,
        tm.tm_mon + 1,
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec
    )
}

/// Does nothing for so long, whatever signals come.
pub(super) fn pause(for_ms: u64) {
    let mut rest = Duration::from_millis(for_ms);
    while !rest.is_zero() {
        let request = rustix::thread::Timespec::try_from(rest).expect("a pause of less than an age");
        let slept = rustix::thread::nanosleep(&request);
        let rustix::thread::NanosleepRelativeResult::Interrupted(left) = slept else { return };
        rest = Duration::try_from(left).unwrap_or_default();
    }
}
