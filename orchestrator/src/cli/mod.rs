//! The command line of `oldbin`.

mod arguments;
mod commands;
mod progress;
mod result;
mod run;
mod status;

use std::ffi::OsString;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::Parser;

use crate::Rehearsal;
use arguments::Arguments;
pub use arguments::Asked;

/// Runs `oldbin` with this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    main_from(std::env::args_os().collect())
}

/// Runs `oldbin` with `argv` (the program's name first), so that the laboratory can be `oldbin` too.
#[must_use]
pub fn main_from(argv: Vec<OsString>) -> ExitCode {
    rehearse(argv, Rehearsal::default())
}

/// What these words behind `oldbin` ask for.
///
/// # Errors
/// What `oldbin` itself would say of words that it does not understand.
pub fn asked(words: &[String]) -> Result<Asked, String> {
    let argv = std::iter::once("oldbin").chain(words.iter().map(String::as_str));
    let arguments = Arguments::try_parse_from(argv).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        first.strip_prefix("error: ").unwrap_or(first).to_owned()
    })?;
    Ok(Asked::from(&arguments))
}

/// Runs `oldbin` as the laboratory does: with somebody beside its calls, or with deliberate mistakes.
#[must_use]
pub fn rehearse(argv: Vec<OsString>, rehearsal: Rehearsal) -> ExitCode {
    match Arguments::try_parse_from(argv) {
        Ok(arguments) => {
            // Whatever a panic leaves half-done in here ends with the process.
            let run = AssertUnwindSafe(|| commands::run(arguments, rehearsal));
            std::panic::catch_unwind(run).unwrap_or(crate::ExitCode::Bug).into()
        }
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() { crate::ExitCode::Usage.into() } else { ExitCode::SUCCESS }
        }
    }
}
