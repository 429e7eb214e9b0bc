//! Runs the new binary to ask it something, as the old master would: same arguments, same folder, no
//! environment.

use std::path::Path;
use std::process::Command;

use super::{TEST_MS_MAX, VERSION_MS_MAX};
use crate::discover::Running;
use crate::host::linux::{Ran, run_as_owner, run_bare};
use crate::refusal::Refusal;

/// The version that a binary tells with `-v`; or why it is no nginx.
pub(crate) fn version(binary: &Path, cwd: &Path) -> Result<String, String> {
    let mut command = Command::new(binary);
    command.arg("-v").current_dir(cwd);
    named(&run_bare(command, VERSION_MS_MAX).map_err(|error| error.to_string())?)
}

/// The version of the binary that a process executes.
pub(crate) fn running_version(pid: u32) -> Result<String, String> {
    named(&run_as_owner(pid, "-v", VERSION_MS_MAX).map_err(|error| error.to_string())?)
}

fn named(ran: &Ran) -> Result<String, String> {
    let said = ran.stderr.lines().find_map(|line| line.strip_prefix("nginx version: "));
    match said {
        Some(name) => {
            Ok(name.rsplit('/').next().unwrap_or(name).split(' ').next().unwrap_or(name).to_owned())
        }
        None => Err(format!("`-v` does not answer like nginx ({})", ran.status)),
    }
}

/// Tests the configuration and gives what the binary read of it; with `-q`, so that only errors are told.
pub(super) fn test(binary: &Path, running: &Running) -> Result<String, Refusal> {
    let mut command = Command::new(binary);
    command.arg("-T").arg("-q").args(running.start.arguments()).current_dir(&running.cwd);
    let failed = |status: String, stderr: String| Refusal::ConfigTestFailed { status, stderr };
    match run_bare(command, TEST_MS_MAX) {
        // With -g first: what it says is not in the dump.
        Ok(ran) if ran.status.success() => {
            Ok(running.start.value("-g").unwrap_or_default().to_owned() + "\n" + &ran.stdout)
        }
        Ok(ran) => Err(failed(ran.status.to_string(), ran.stderr.trim_end().to_owned())),
        Err(error) => Err(failed("it did not answer".to_owned(), error.to_string())),
    }
}
