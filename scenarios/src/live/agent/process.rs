//! A process of nginx, as the agent knows it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use crate::trace::Role;

/// One process, alive or gone.
#[derive(Debug)]
pub(super) struct Process {
    /// What it is.
    pub(super) role: Role,
    /// Its master's number by age, or its own.
    pub(super) generation: u32,
    /// Its parent when it was last seen.
    pub(super) parent: u32,
    /// What its executable tells, where known.
    pub(super) version: Option<String>,
    /// The handle by which it is signalled; `None` if it was gone before one could be had.
    pub(super) handle: Option<OwnedFd>,
    /// True if it has begun to drain.
    pub(super) is_draining: bool,
    /// The listening sockets that it holds, by address; true if it accepts from them.
    pub(super) listening: BTreeMap<String, bool>,
    /// True if the last look found it without a socket in its epoll set that was there before: nginx takes
    /// sockets out for a moment to balance workers, so one look is not enough.
    pub(super) is_doubtful: bool,
    /// The event that told of its death.
    pub(super) died: Option<usize>,
}

impl Process {
    /// True for a master, alive or gone.
    pub(super) fn is_master(&self) -> bool {
        self.role == Role::Master
    }

    /// True as long as it was not seen to end.
    pub(super) fn is_alive(&self) -> bool {
        self.died.is_none()
    }

    /// True if a later look may find it otherwise although nothing tells.
    pub(super) fn is_unsettled(&self) -> bool {
        let accepts = self.listening.values().any(|&accepting| accepting);
        self.is_alive()
            && self.role == Role::Worker
            && (self.is_doubtful || if self.is_draining { !self.listening.is_empty() } else { !accepts })
    }
}
