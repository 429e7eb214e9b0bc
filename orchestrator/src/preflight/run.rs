//! Runs the new binary to ask it something, as the old master would: same arguments, same folder, no
//! environment.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{TEST_MS_MAX, VERSION_MS_MAX};
use crate::discover::Running;
use crate::refusal::Refusal;

/// The version that a binary tells with `-v`; or why it is no nginx.
pub(crate) fn version(binary: &Path, cwd: &Path) -> Result<String, String> {
    let mut command = Command::new(binary);
    command.arg("-v").current_dir(cwd);
    let ran = run(command, VERSION_MS_MAX).map_err(|error| error.to_string())?;
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
    match run(command, TEST_MS_MAX) {
        // With -g first: what it says is not in the dump.
        Ok(ran) if ran.status.success() => {
            Ok(running.start.value("-g").unwrap_or_default().to_owned() + "\n" + &ran.stdout)
        }
        Ok(ran) => Err(failed(ran.status.to_string(), ran.stderr.trim_end().to_owned())),
        Err(error) => Err(failed("it did not answer".to_owned(), error.to_string())),
    }
}

struct Ran {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// Runs a command to its end, or ends it.
fn run(mut command: Command, within_ms: u64) -> io::Result<Ran> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.env_clear().stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    command.envs(std::env::var_os("TZ").map(|zone| ("TZ", zone)));
    let mut child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    let seconds = i64::try_from(within_ms / 1_000).unwrap_or(i64::MAX);
    let timeout = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let ended = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&timeout));
    if ended != Ok(1) {
        child.kill()?;
        child.wait()?;
        return Err(io::Error::other(format!("no answer within {seconds} s")));
    }
    let status = child.wait()?;
    Ok(Ran { status, stdout: text(&mut stdout)?, stderr: text(&mut stderr)? })
}

fn text(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
