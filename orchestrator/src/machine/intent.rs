//! What was asked, and the facts that were established before anything was touched.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Baseline, Defects, FileId, Identity, PidFile, READY_MS, SLOWER_MAX, WATCH_PARTS};

/// What one run of `oldbin` wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intent {
    /// Where to.
    pub goal: Goal,
    /// From what.
    pub plan: Plan,
    /// What is deliberately wrong with the machine; nothing, outside of mutant tests.
    pub defects: Defects,
}

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// On, in the direction that the memory says.
    Forward,
    /// Back to the old generation, if the commit point is not passed.
    Back,
    /// Beyond the soak or the hold, now.
    Commit,
}

/// The facts of one upgrade. They do not change while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The running master's pid file.
    pub pid_file: PathBuf,
    /// The path that the running master executes on USR2.
    pub binary: PathBuf,
    /// A link to the old binary, on the same file system as `binary`; kept after the upgrade.
    pub old_link: PathBuf,
    /// A link to the new binary, on the same file system as `binary`; removed after the upgrade.
    pub new_link: PathBuf,
    /// What `binary` named before.
    pub binary_before: FileId,
    /// What `binary` must name after the way back.
    pub old_file: FileId,
    /// What `binary` must name before USR2, and what the new master must run.
    pub new_file: FileId,
    /// The running master.
    pub old: Identity,
    /// How many workers it had.
    pub old_workers: u16,
    /// How many workers the configuration promises.
    pub new_workers: u16,
    /// Inodes of the sockets on which it listens.
    pub listeners: Vec<u64>,
    /// What the oldbin file held before: absent, or a stale one's content.
    pub oldbin_before: PidFile,
    /// What the running binary is like, to compare the new one with.
    pub baseline: Baseline,
    /// What `-v` of the old binary tells.
    pub old_version: String,
    /// What `-v` of the new binary tells.
    pub new_version: String,
    /// What the operator chose.
    pub options: Options,
}

impl Plan {
    /// True for a file that this upgrade may take away from the binary's path: the old one, the new one, or none.
    #[must_use]
    pub fn may_replace(&self, file: Option<FileId>) -> bool {
        let ours = [Some(self.old_file), Some(self.new_file), Some(self.binary_before), self.old.exe];
        file.is_none() || ours.contains(&file)
    }
}

/// What the operator chose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// How long the new generation serves alone before the commit point.
    pub soak_ms: u64,
    /// Stop after the soak.
    pub is_held: bool,
    /// How long the new generation may take to accept.
    pub ready_within_ms: u64,
    /// How long old workers may drain before their requests are cut; `None`: as long as they need.
    pub drain_within_ms: Option<u64>,
    /// Old workers that drain longer are not cut: they are left behind, and told of.
    pub leaves_drain: bool,
    /// How long the new generation is watched behind the commit point.
    pub watch_ms: u64,
    /// Requests that must succeed.
    pub probes: Vec<String>,
    /// Commands that must succeed.
    pub checks: Vec<String>,
    /// A probe that takes so many times as long as it took the old binary has failed; 0: it may.
    pub slower_max: u32,
    /// How many failures of the new generation are forgiven before the commit point.
    pub forgiven: u32,
    /// The new generation need not accept on every old listening socket.
    pub may_drop_listeners: bool,
    /// This upgrade is the way back after a finished one; it has no way back of its own.
    pub is_way_back: bool,
}

impl Options {
    /// Nothing was chosen: no soak, nobody is asked, old workers may drain as long as they need.
    pub const NONE: Self = Self {
        soak_ms: 0,
        is_held: false,
        ready_within_ms: READY_MS,
        drain_within_ms: None,
        leaves_drain: false,
        watch_ms: 0,
        probes: Vec::new(),
        checks: Vec::new(),
        slower_max: 0,
        forgiven: 0,
        may_drop_listeners: false,
        is_way_back: false,
    };

    /// What `oldbin upgrade` chooses if nothing else is said, with this soak.
    #[must_use]
    pub fn usual(soak_ms: u64) -> Self {
        Self { soak_ms, watch_ms: soak_ms / WATCH_PARTS, slower_max: SLOWER_MAX, ..Self::NONE }
    }
}
