//! What a process is, as long as no log line has told.

use super::observer::Observer;
use super::process::Process;
use super::{proc, quiescence};
use crate::trace::Role;

impl Observer {
    /// What a process is, by its title, its executable and its parent; `None` as long as it cannot be told.
    ///
    /// A fork of a master looks like its master at first, and its title may be read half-way. If it runs another
    /// file than its master, it is a new binary; if it runs the same, only the log or its title tells.
    pub(super) fn role_of(&self, pid: u32, parent: u32) -> Option<Role> {
        let title = proc::title(pid)?;
        let is_masters_child = self.processes.get(&parent).is_some_and(|of| of.role == Role::Master);
        let is_nginx_child =
            is_masters_child || (self.is_of_world(parent) && !self.strangers.contains(&parent));
        if title.starts_with("nginx: worker process") {
            Some(Role::Worker)
        } else if is_masters_child && runs_another_file(pid, parent) {
            Some(Role::Master)
        } else if !title.starts_with("nginx: ") && !is_nginx_child && quiescence::rests_as_worker(pid) {
            // `master_process off`: one process that is both, and keeps its title.
            Some(Role::Master)
        } else {
            // A worker whose master was killed right behind its fork looks the same until it has a title of its own.
            let is_one =
                || !self.processes.values().any(Process::is_master) || quiescence::rests_as_master(pid);
            (title.starts_with("nginx: master process") && !is_nginx_child && is_one())
                .then_some(Role::Master)
        }
    }
}

/// True if both executables can be seen, and differ.
fn runs_another_file(pid: u32, parent: u32) -> bool {
    matches!((proc::exe_id(pid), proc::exe_id(parent)), (Some(own), Some(other)) if own != other)
}
