//! What a stamped fake does wrong, by names that a scenario file can say.
//!
//! # Units
//! Durations are milliseconds and end in `_ms`; the text says seconds.

mod text;

pub use text::NoFault;

use serde::{Deserialize, Serialize};

use crate::machine::Signal;

/// One deliberate misbehaviour. Its text is `name argument=value ...`, in serde too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fault {
    /// `exits-at-start status=1`: the process ends before it reads anything.
    ExitsAtStart {
        /// The exit status.
        status: u8,
    },
    /// `loads-then-fails seconds=3 status=1`: it takes its time to read the configuration, then ends.
    LoadsThenFails {
        /// How long it loads.
        load_ms: u64,
        /// The exit status.
        status: u8,
    },
    /// `loads-then-serves seconds=3`: it takes its time to read the configuration, then all is well.
    LoadsThenServes {
        /// How long it loads.
        load_ms: u64,
    },
    /// `hangs-at-start`: it never comes to its pid file.
    HangsAtStart,
    /// `fails-test status=1`: `-t` fails; whoever starts it all the same finds nothing wrong.
    FailsTest {
        /// The exit status of `-t`.
        status: u8,
    },
    /// `dies-after seconds=1 status=1`: the master serves for a while, then ends and leaves its workers alone.
    DiesAfter {
        /// How long it serves.
        serve_ms: u64,
        /// The exit status.
        status: u8,
    },
    /// `loses-signal signal=WINCH`: the master never hears of that signal.
    LosesSignal {
        /// Which.
        signal: Signal,
    },
    /// `workers-exit-at-start seconds=0.1 status=2`: every worker ends before it watches a socket. With status 2 it
    /// is not started again, with any other it is, for ever.
    WorkersExitAtStart {
        /// How long it lives.
        live_ms: u64,
        /// The exit status.
        status: u8,
    },
    /// `workers-exit-after requests=3 status=1`: every worker ends instead of answering that request.
    WorkersExitAfter {
        /// Which request, from 1.
        requests: u16,
        /// The exit status.
        status: u8,
    },
    /// `never-drains`: a worker that shuts down gracefully never ends by itself.
    NeverDrains,
    /// `answers code=503`: every request is answered with that status.
    Answers {
        /// The status, from 400.
        code: u16,
    },
}

/// A fault as it is told to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: &'static str,
    /// Its arguments, all of them needed.
    pub arguments: &'static [&'static str],
    /// With arguments, to be copied.
    pub example: &'static str,
    /// What happens.
    pub sentence: &'static str,
}

/// Every fault there is.
pub const ALL: &[Description] = &[
    Description {
        name: "exits-at-start",
        arguments: &["status"],
        example: "exits-at-start status=1",
        sentence: "Ends before it reads its configuration.",
    },
    Description {
        name: "loads-then-fails",
        arguments: &["seconds", "status"],
        example: "loads-then-fails seconds=3 status=1",
        sentence: "Reads its configuration for a while, then ends without having served.",
    },
    Description {
        name: "loads-then-serves",
        arguments: &["seconds"],
        example: "loads-then-serves seconds=3",
        sentence: "Reads its configuration for a while, then serves.",
    },
    Description {
        name: "hangs-at-start",
        arguments: &[],
        example: "hangs-at-start",
        sentence: "Never comes to its pid file.",
    },
    Description {
        name: "fails-test",
        arguments: &["status"],
        example: "fails-test status=1",
        sentence: "Fails `-t`; started all the same, it serves.",
    },
    Description {
        name: "dies-after",
        arguments: &["seconds", "status"],
        example: "dies-after seconds=1 status=1",
        sentence: "Its master serves for a while, then ends and leaves its workers alone.",
    },
    Description {
        name: "loses-signal",
        arguments: &["signal"],
        example: "loses-signal signal=WINCH",
        sentence: "Its master never hears of that signal.",
    },
    Description {
        name: "workers-exit-at-start",
        arguments: &["seconds", "status"],
        example: "workers-exit-at-start seconds=0.1 status=2",
        sentence: "Its workers end before they serve: with status 2 for good, else started again for ever.",
    },
    Description {
        name: "workers-exit-after",
        arguments: &["requests", "status"],
        example: "workers-exit-after requests=3 status=1",
        sentence: "Each worker ends instead of answering that request.",
    },
    Description {
        name: "never-drains",
        arguments: &[],
        example: "never-drains",
        sentence: "A worker that shuts down gracefully never ends by itself.",
    },
    Description {
        name: "answers",
        arguments: &["code"],
        example: "answers code=503",
        sentence: "Answers every request with that status.",
    },
];
