//! nginx's command line, processes, signals, pid files, socket inheritance and drain, without nginx.
//!
//! [`machine`] is pure: three resumable machines that decide what nginx would do next. [`os`] carries it
//! out on Linux. The laboratory's model runs the same machines on a simulated kernel.

#![deny(unsafe_code)]

pub mod cli;
pub mod conf;
pub mod control;
pub mod fault;
pub mod http;
pub mod machine;
pub mod options;
pub mod os;
pub mod overrides;
pub mod release;
pub mod stamp;

/// Turns this process into the stamped fake nginx if its executable carries a stamp; returns otherwise.
///
/// Call it first in `main`, before any thread is started.
pub fn run_if_stamped() {
    match stamp::read_own() {
        Ok(None) => {}
        Ok(Some(stamp)) => os::main(stamp),
        Err(damaged) => os::refuse(&damaged),
    }
}
