//! Runs a command to its end, or ends it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::{ends_within, owner};

/// How long a check of the operator's may take. Nothing else is looked at meanwhile.
const CHECK_MS_MAX: u64 = 10_000;

/// How much of what a check says is told.
const SAID_BYTES_MAX: usize = 200;

/// What became of a command.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs it with nothing to read and within that time. It leads a process group, which is killed as a whole.
pub(crate) fn run(mut command: Command, within_ms: u64) -> io::Result<Ran> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?).process_group(0);
    let mut child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    if !ends_within(&handle, within_ms).unwrap_or(false) {
        // It is not reaped yet, so the number is its own.
        kill_process_group(pid, Signal::KILL)?;
        child.wait()?;
        return Err(io::Error::other(format!("no answer within {} s", within_ms / 1_000)));
    }
    let status = child.wait()?;
    Ok(Ran { status, stdout: text(&mut stdout)?, stderr: text(&mut stderr)? })
}

/// Runs it as an old master executes a new binary: no environment but `TZ`.
pub(crate) fn run_bare(mut command: Command, within_ms: u64) -> io::Result<Ran> {
    command.env_clear().envs(std::env::var_os("TZ").map(|zone| ("TZ", zone)));
    run(command, within_ms)
}

/// Runs what a process executes, with one argument, as the process's own user: it is theirs, and need not be trusted.
///
/// The file is opened before that user is taken on, who may not see what a process with capabilities executes.
pub(crate) fn run_as_owner(pid: u32, argument: &str, within_ms: u64) -> io::Result<Ran> {
    let executable = File::open(format!("/proc/{pid}/exe"))?;
    let mut command = Command::new(format!("/proc/self/fd/{}", executable.as_raw_fd()));
    command.arg(argument).current_dir("/");
    let (user, group) = owner(pid).ok_or(io::ErrorKind::NotFound)?;
    let me = rustix::process::geteuid();
    if me.is_root() && me.as_raw() != user {
        command.uid(user).gid(group);
    }
    run_bare(command, within_ms)
}

/// Runs a check as a shell does; `Err`: how it failed.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]);
    let ran = run(command, CHECK_MS_MAX).map_err(|error| format!("failed: {error}"))?;
    if ran.status.success() {
        return Ok(());
    }
    let said = [&ran.stderr, &ran.stdout].into_iter().find_map(|text| text.trim().lines().last());
    let said = said.map(|line| format!(": {}", line.chars().take(SAID_BYTES_MAX).collect::<String>()));
    Err(format!("ended with {}{}", ran.status, said.unwrap_or_default()))
}

fn text(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_tells_how_it_failed() {
        assert_eq!(check("true"), Ok(()));
        assert_eq!(check("echo busy >&2; exit 7"), Err("ended with exit status: 7: busy".to_owned()));
    }

    #[test]
    fn whoever_takes_too_long_is_killed_with_its_children() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 1000 & echo $!; wait"]);
        assert!(run(command, 0).err().unwrap().to_string().contains("no answer within 0 s"));
    }

    /// Red when only the shell is killed: its child holds the pipe open.
    #[test]
    fn nobody_of_the_group_is_left() {
        let (reader, writer) = std::io::pipe().unwrap();
        rustix::io::fcntl_setfd(&writer, rustix::io::FdFlags::empty()).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 1000 & wait"]);
        assert!(run(command, 1_000).is_err());
        drop(writer);
        assert!(ends_within(&reader, 10_000).unwrap(), "the other end is still open");
    }
}
