//! Upgrades a running nginx to a new binary, or puts everything back.
//!
//! ```text
//! preflight ─▶ Plan ─▶ driver: observe ─▶ machine::decide ─▶ journal ─▶ act ─▶ observe …
//!                                │ every look and act is one Call │
//!                                        host: Linux, or a model
//! ```
#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("oldbin needs pidfds, /proc and inotify: it runs on Linux only");

mod ask;
pub mod cli;
mod compiled;
pub mod discover;
pub mod driver;
mod exit_code;
pub mod host;
pub mod journal;
pub mod machine;
pub mod preflight;
mod refusal;
pub mod rehearsal;
pub mod state;

pub use exit_code::ExitCode;
pub use refusal::Refusal;
pub use rehearsal::Rehearsal;
