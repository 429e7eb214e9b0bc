//! The command line of `oldbin`.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `oldbin` with this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    main_from(std::env::args_os().collect())
}

/// Runs `oldbin` with `argv` (the program's name first), so that the laboratory can be `oldbin` too.
#[must_use]
pub fn main_from(argv: Vec<OsString>) -> ExitCode {
    let _ = argv;
    ExitCode::SUCCESS
}
