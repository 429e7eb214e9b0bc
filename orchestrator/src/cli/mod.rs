//! The command line of `oldbin`.

mod arguments;
mod commands;
mod progress;
mod result;
mod status;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::machine::Defects;
use arguments::Arguments;

/// Runs `oldbin` with this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    main_from(std::env::args_os().collect())
}

/// Runs `oldbin` with `argv` (the program's name first), so that the laboratory can be `oldbin` too.
#[must_use]
pub fn main_from(argv: Vec<OsString>) -> ExitCode {
    main_from_with(argv, Defects::default())
}

/// Runs `oldbin` with a deliberate mistake in its machine, for mutant tests.
#[must_use]
pub fn main_from_with(argv: Vec<OsString>, defects: Defects) -> ExitCode {
    match Arguments::try_parse_from(argv) {
        Ok(arguments) => std::panic::catch_unwind(|| commands::run(arguments, defects))
            .unwrap_or(crate::ExitCode::Bug)
            .into(),
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() { crate::ExitCode::Usage.into() } else { ExitCode::SUCCESS }
        }
    }
}
