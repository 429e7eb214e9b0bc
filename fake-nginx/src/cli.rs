//! The command line of an unstamped `fake-nginx`.

/// Runs `fake-nginx`.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
