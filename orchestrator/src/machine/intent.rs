//! What was asked, and the facts that were established before anything was touched.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{FileId, Identity, PidFile};

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
    /// What `-v` of the old binary tells.
    pub old_version: String,
    /// What `-v` of the new binary tells.
    pub new_version: String,
    /// What the operator chose.
    pub options: Options,
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
    /// Requests that must succeed.
    pub probes: Vec<String>,
    /// The new generation need not accept on every old listening socket.
    pub may_drop_listeners: bool,
    /// This upgrade is the way back after a finished one; it has no way back of its own.
    pub is_way_back: bool,
}

/// Single deliberate mistakes, each to be caught by the laboratory. `oldbin` has no way to set one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct Defects {
    /// Sends QUIT to the old master as soon as the oldbin file is there, as upgrade scripts do.
    pub quits_without_looking: bool,
    /// Takes a new generation for ready as soon as the pid file names its master.
    pub believes_the_pid_file: bool,
    /// Leaves it at twice as many workers where nginx and HUP have both started them.
    pub leaves_doubled_workers: bool,
    /// Leaves the new file at the binary's path on the way back.
    pub forgets_the_file: bool,
    /// Retires the new master before the old workers are back.
    pub retires_before_reviving: bool,
    /// Leaves workers without a master alone.
    pub ignores_orphans: bool,
    /// Acts first and writes its journal afterwards.
    pub announces_late: bool,
}

impl Defects {
    /// The name of every defect.
    pub const NAMES: [&str; 7] = [
        "quits-without-looking",
        "believes-the-pid-file",
        "leaves-doubled-workers",
        "forgets-the-file",
        "retires-before-reviving",
        "ignores-orphans",
        "announces-late",
    ];

    /// The defects with these names; names that are none are passed over.
    #[must_use]
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut defects = Self::default();
        for name in names {
            match name {
                "quits-without-looking" => defects.quits_without_looking = true,
                "believes-the-pid-file" => defects.believes_the_pid_file = true,
                "leaves-doubled-workers" => defects.leaves_doubled_workers = true,
                "forgets-the-file" => defects.forgets_the_file = true,
                "retires-before-reviving" => defects.retires_before_reviving = true,
                "ignores-orphans" => defects.ignores_orphans = true,
                "announces-late" => defects.announces_late = true,
                _ => {}
            }
        }
        defects
    }
}
