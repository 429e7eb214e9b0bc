//! Keeps a run apart: namespaces where they can be had, else a subreaper.
//!
//! unshare(CLONE_NEWPID) moves only children, so the agent that was started steps back and waits for the first
//! process of the new namespace, which is the agent that works. An ordinary user needs a user namespace to
//! mount anything, and is root in it; nginx must not believe that, so the working agent enters a second one,
//! which maps back, before it starts nginx. What is killed in between takes the rest with it: each has asked
//! for SIGKILL at its parent's death, and the first process's end ends the namespace.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::process::{
    Signal, getegid, geteuid, getpid, set_child_subreaper, set_parent_process_death_signal,
};

use super::super::launch::AGENT;
use super::super::order::Answer;
use super::loopback;

/// Second argument of the agent that is the first process of a pid namespace.
pub(super) const FIRST: &str = "first";

/// Enters new namespaces and waits for the agent that is their first process; `program` is what that becomes, if
/// it is no agent of a run.
pub(super) fn become_parent_of_first(program: &[OsString]) -> ExitCode {
    match unshare_and_spawn(program) {
        Ok(code) => code,
        Err(why) => {
            let line = serde_json::to_string(&Answer::NoNamespaces(why)).unwrap_or_default();
            let told = writeln!(std::io::stdout(), "{line}");
            if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn unshare_and_spawn(program: &[OsString]) -> Result<ExitCode, String> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| format!("prctl: {error}"))?;
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let mut flags = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    if uid != 0 {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags).map_err(|error| format!("unshare: {error}"))?;
    if uid != 0 {
        map_ids(0, uid, 0, gid)?;
    }
    let mut first = Command::new("/proc/self/exe")
        .arg0("oldbin-lab")
        .args([AGENT, FIRST, &uid.to_string(), &gid.to_string()])
        .args(program)
        .spawn()
        .map_err(|error| format!("spawn: {error}"))?;
    let status = first.wait().map_err(|error| format!("wait: {error}"))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Completes the namespaces from within, as their first process.
pub(super) fn become_first(arguments: &mut impl Iterator<Item = OsString>) -> Result<User, String> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| format!("prctl: {error}"))?;
    if getpid().as_raw_nonzero().get() != 1 {
        return Err("not the first process of its namespace".into());
    }
    let ids: Vec<u32> = arguments.take(2).filter_map(|word| word.to_str()?.parse().ok()).collect();
    let [uid, gid] = ids[..] else { return Err("started without its user and group".into()) };
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|error| format!("make mounts private: {error}"))?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none)
        .map_err(|error| format!("mount /proc: {error}"))?;
    // Before nginx has read its configuration it logs where its builder said.
    for folder in ["/var/log/nginx", "/var/lib/nginx"].map(Path::new) {
        if folder.is_dir() {
            mount_tmpfs(folder)?;
        }
    }
    shrink_connection_table()?;
    loopback::up().map_err(|error| format!("bring up the loopback device: {error}"))?;
    // Every port but those below 10000, one of which nginx listens on: the load opens thousands of connections.
    let _ = fs::write("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000");
    Ok(User { uid, gid })
}

/// A network whose table of connections is small: /proc/net/tcp walks all of it at every look, and that of the machine
/// has a bucket for each 128 kB of memory. Kernels before 6.1 share that one with every network.
fn shrink_connection_table() -> Result<(), String> {
    if fs::write("/proc/sys/net/ipv4/tcp_child_ehash_entries", "1024").is_err() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("unshare: {error}"))
}

/// The first process becomes this executable once more, with these arguments.
pub(super) fn become_program(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let error = Command::new("/proc/self/exe").args(arguments).exec();
    let told = writeln!(std::io::stderr(), "exec: {error}");
    if told.is_ok() { ExitCode::FAILURE } else { ExitCode::from(70) }
}

/// Who started the laboratory.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// An ordinary user again, if the user was one. Nothing can be mounted behind this.
    pub(super) fn step_down(self) -> Result<(), String> {
        if self.uid == 0 {
            return Ok(());
        }
        unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| format!("unshare: {error}"))?;
        map_ids(self.uid, 0, self.gid, 0)
    }
}

/// An empty file system over `folder`, gone with the namespace.
pub(super) fn mount_tmpfs(folder: &Path) -> Result<(), String> {
    mount_with(folder, "mode=0755")
}

/// One that is soon full: it has room for two of the orchestrator's journals with what it reserves.
pub(super) fn mount_small_tmpfs(folder: &Path) -> Result<(), String> {
    mount_with(folder, "mode=0755,size=1m")
}

fn mount_with(folder: &Path, options: &str) -> Result<(), String> {
    mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(options))
        .map_err(|error| format!("mount a tmpfs over {}: {error}", folder.display()))
}

/// Without namespaces: orphans at least come to this process.
pub(super) fn become_subreaper() -> Result<(), String> {
    set_child_subreaper(Some(getpid())).map_err(|error| format!("cannot become a subreaper: {error}"))
}

fn map_ids(uid: u32, outer_uid: u32, gid: u32, outer_gid: u32) -> Result<(), String> {
    // Refused where it is denied already, which is as good.
    let _ = fs::write("/proc/self/setgroups", "deny");
    fs::write("/proc/self/uid_map", format!("{uid} {outer_uid} 1"))
        .map_err(|error| format!("uid_map: {error}"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {outer_gid} 1"))
        .map_err(|error| format!("gid_map: {error}"))
}
