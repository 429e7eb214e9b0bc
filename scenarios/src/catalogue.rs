//! The scenarios and runbooks that come with the program.
//!
//! They are part of the executable, so that an installed `oldbin-lab` has them wherever it is.

use crate::conformance::{Kept, kept};
use crate::format::FormatError;
use crate::regression::{self, Regression};
use crate::runbook::{self, Runbook};
use crate::scenario::{self, Scenario};

/// A file that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The name that the file tells, which is its own without `.kdl`.
    pub name: &'static str,
    /// What it says.
    pub text: &'static str,
}

macro_rules! entries {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(Entry { name: $name, text: include_str!(concat!("../", $folder, "/", $name, ".kdl")) }),+]
    };
}

/// Every scenario, in the order in which `run` takes them.
pub const SCENARIOS: &[Entry] = entries!["catalogue":
    "manual-upgrade",
    "manual-upgrade-and-rollback",
    "orchestrator-upgrade",
    "orchestrator-upgrade-and-rollback",
    "new-binary-exits-at-start",
    "new-binary-fails-its-test",
    "new-workers-exit-in-a-loop",
    "new-master-dies-in-the-soak",
    "rollback-after-winch-under-load",
    "new-master-crashes-before-its-pid-file",
    "new-master-crashes-once",
    "new-master-slow-between-pid-file-and-workers",
    "new-worker-exits-with-code-2",
    "new-master-killed-after-winch",
    "old-master-killed-between-rename-and-fork",
    "oldbin-killed-after-winch-and-recovered",
    "disk-full-after-winch",
    "new-binary-loads-then-fails",
    "new-binary-loads-slowly",
    "new-binary-comes-up-too-late",
    "new-master-slow-to-write-its-pid-file",
    "new-master-dies-behind-the-commit-point",
    "held-new-master-is-told-to-quit",
    "old-master-loses-usr2",
    "old-master-slow-to-hear-usr2",
    "old-workers-that-never-drain-are-cut",
    "old-master-is-left-to-long-connections",
    "fewer-workers-with-reuseport",
    "more-workers-with-reuseport",
    "usr2-is-sent-twice",
    "usr2-failed-without-a-pid-file",
    "logs-are-reopened-in-the-overlap",
    "way-back-with-another-number-of-workers",
    "disk-full-at-the-swap",
    "leftover-of-a-script-is-finished",
    "leftover-of-a-script-is-undone",
    "stale-oldbin-file-of-a-killed-old-master",
    "pid-path-changed-in-the-configuration",
    "canary-no-wait-script-loses-requests",
    "canary-way-back-doubles-the-workers",
    "canary-fewer-workers-with-reuseport",
    "make-upgrade-takes-the-oldbin-file-for-an-answer",
    "rpm-upgrade-takes-an-empty-pid-file-for-an-answer",
    "debian-upgrade-quits-before-there-are-new-workers",
    "fedora-upgrade-quits-whatever-has-become-of-it",
    "alpine-upgrade-drains-before-there-are-new-workers",
    "documented-upgrade-drains-before-there-are-new-workers",
];

/// The scenarios that measure the handoff: the same upgrade, and the same way back, by different procedures.
pub const HANDOFFS: &[Entry] = entries!["handoff":
    "handoff-by-orchestrator",
    "handoff-by-bare-signals",
    "handoff-by-make-upgrade",
    "rollback-by-orchestrator",
    "rollback-by-bare-signals",
];

/// Every kept failure.
pub const REGRESSIONS: &[Entry] = entries!["catalogue/regressions":
    "a-master-that-lost-quit-is-told-louder-behind-the-commit-point",
    "a-reload-and-the-death-of-the-old-master-in-the-overlap",
    "a-reload-doubles-the-workers-while-one-of-them-drains",
    "a-worker-and-then-the-new-master-die-in-the-soak",
    "an-old-master-that-is-reloaded-before-quit-is-sent-is-told-again",
    "an-old-worker-and-the-new-master-are-killed-before-winch",
    "an-old-worker-is-killed-while-winch-is-on-its-way",
    "an-upgrade-by-another-hand-begins-in-the-watch",
    "ctrl-c-and-a-killed-new-master-double-the-workers",
    "ctrl-c-meets-a-winch-that-was-sent-late",
    "orphans-of-the-old-master-meet-a-full-disk",
    "the-disk-is-full-twice-and-two-upgrades-are-typed",
    "the-old-master-is-killed-on-the-way-back",
    "the-old-master-is-reloaded-by-hand-while-its-workers-drain",
    "two-workers-are-killed-while-the-old-master-starts-the-new-binary",
    "winch-that-nginx-has-put-off-works-before-the-new-master-goes",
    "workers-are-doubled-when-the-new-master-dies-before-hup-arrives",
];

/// Every kept sequence of conformance.
pub const CONFORMANCE: &[Entry] = entries!["catalogue/conformance":
    "a-new-binary-without-a-master-hears-nothing",
    "a-single-process-takes-signals-as-a-master",
    "a-test-with-a-signal-opens-nothing",
    "connections-are-numbered-over-all-workers",
    "no-accept-and-a-new-binary-at-once-with-a-broken-configuration",
    "reuseport-comes-with-the-new-binary",
];

/// Every runbook.
pub const RUNBOOKS: &[Entry] = entries!["runbooks":
    "alpine-init-upgrade",
    "bare-signals",
    "bare-signals-back",
    "bare-signals-to-winch",
    "debian-init-upgrade",
    "documented-upgrade",
    "fedora-unit-upgrade",
    "make-upgrade",
    "manual-rollback",
    "manual-upgrade",
    "nginx-org-rpm-upgrade",
    "no-wait-script",
    "old-master-killed-by-a-script",
    "pid-file-comes-back",
    "pid-path-is-changed",
    "quit-by-pid-file",
    "script-dies-after-usr2",
    "usr2-without-a-pid-file",
    "way-back-without-winch",
];

/// The scenario of this name, if there is one.
///
/// # Errors
/// Never for a release of this program: a test reads all of them.
pub fn scenario(name: &str) -> Option<Result<Scenario, FormatError>> {
    let entry = SCENARIOS.iter().chain(HANDOFFS).find(|entry| entry.name == name)?;
    Some(scenario::parse(&format!("{name}.kdl"), entry.text))
}

/// The runbook of this name, if there is one.
///
/// # Errors
/// Never for a release of this program: a test reads all of them.
pub fn runbook(name: &str) -> Option<Result<Runbook, FormatError>> {
    let entry = RUNBOOKS.iter().find(|entry| entry.name == name)?;
    Some(runbook::parse(&format!("{name}.kdl"), entry.text))
}

/// The kept sequence of this name, if there is one.
///
/// # Errors
/// Never for a release of this program: a test reads all of them.
pub fn conformance(name: &str) -> Option<Result<Kept, FormatError>> {
    let entry = CONFORMANCE.iter().find(|entry| entry.name == name)?;
    Some(kept::parse(&format!("{name}.kdl"), entry.text))
}

/// The kept failure of this name, if there is one.
///
/// # Errors
/// Never for a release of this program: a test reads all of them.
pub fn regression(name: &str) -> Option<Result<Regression, FormatError>> {
    let entry = REGRESSIONS.iter().find(|entry| entry.name == name)?;
    Some(regression::parse(&format!("{name}.kdl"), entry.text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::scenario::Subject;

    fn stems(folder: &str) -> BTreeSet<String> {
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "kdl"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    fn names(entries: &[Entry]) -> BTreeSet<String> {
        entries.iter().map(|entry| entry.name.to_owned()).collect()
    }

    #[test]
    fn every_file_of_the_folders_is_part_of_the_program() {
        assert_eq!(names(SCENARIOS), stems("catalogue"));
        assert_eq!(names(HANDOFFS), stems("handoff"));
        assert_eq!(names(RUNBOOKS), stems("runbooks"));
        assert_eq!(names(REGRESSIONS), stems("catalogue/regressions"));
    }

    #[test]
    fn every_kept_failure_is_read_and_tells_its_files_name() {
        for entry in REGRESSIONS {
            let kept =
                regression(entry.name).unwrap().unwrap_or_else(|error| panic!("{}", error.render(false)));
            assert_eq!(kept.name, entry.name);
        }
    }

    #[test]
    fn every_scenario_is_read_and_tells_its_files_name_and_finds_its_runbooks() {
        for entry in SCENARIOS.iter().chain(HANDOFFS) {
            let scenario =
                scenario(entry.name).unwrap().unwrap_or_else(|error| panic!("{}", error.render(false)));
            assert_eq!(scenario.name, entry.name);
            for act in scenario.acts {
                if let Subject::Runbook { name } = act.subject {
                    let book = runbook(&name)
                        .unwrap_or_else(|| panic!("{}: no runbook {name}", entry.name))
                        .unwrap();
                    assert_eq!(book.claims, act.claims, "{}: {name} cannot claim this", entry.name);
                }
            }
        }
    }

    #[test]
    fn every_runbook_is_read_and_tells_its_files_name() {
        for entry in RUNBOOKS {
            let runbook =
                runbook(entry.name).unwrap().unwrap_or_else(|error| panic!("{}", error.render(false)));
            assert_eq!(runbook.name, entry.name);
        }
    }
}
