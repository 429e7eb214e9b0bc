//! The processes that run from a folder, and the lines that they log; `tests/statements` has them too.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use rustix::process::{self, Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) title: String,
}

impl Process {
    /// Every live one whose executable is, or was, in the folder, or a script of it.
    pub(crate) fn all(folder: &Path) -> Vec<Self> {
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter_map(|pid| Self::look(pid, folder)).collect()
    }

    /// Ends them, until there is none.
    pub(crate) fn end_all(folder: &Path) {
        loop {
            let processes = Self::all(folder);
            if processes.is_empty() {
                return;
            }
            for process in processes {
                end(process.pid);
            }
        }
    }

    fn look(pid: i32, folder: &Path) -> Option<Self> {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let title = fs::read_to_string(proc.join("cmdline")).ok()?;
        let is_ours = fs::read_link(proc.join("exe")).ok()?.starts_with(folder);
        let is_script = title.starts_with("/bin/sh") && title.contains(folder.to_str()?);
        if !is_ours && !is_script {
            return None;
        }
        let stat = fs::read_to_string(proc.join("stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        let parent = fields.next()?.parse().ok()?;
        Some(Self { pid, parent, title: title.trim_end_matches('\0').to_owned() })
    }
}

/// Kills a process by handle and, if it fell to us, reaps it.
fn end(pid: i32) {
    let Ok(pidfd) = process::pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) else { return };
    let _ = process::pidfd_send_signal(&pidfd, Signal::KILL);
    let _ = process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
}

/// `2026/11/22 22:26:44 [notice] 1#0: exit` becomes `[notice] exit`.
pub(crate) fn without_time_and_pid(line: &str) -> String {
    let mut parts = line.splitn(5, ' ').skip(2);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(level), Some(_), Some(text)) => format!("{level} {text}\n"),
        _ => format!("{line}\n"),
    }
}
