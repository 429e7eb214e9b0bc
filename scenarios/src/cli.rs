//! The command line of `oldbin-lab`.

/// Runs `oldbin-lab`.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
