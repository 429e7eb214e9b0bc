//! The faults that a scenario can give a release.
//!
//! A release keeps its fault as one line, `loads-then-fails seconds=1 status=1`, which is how the stamp of
//! `fake-nginx` says it too.

/// A fault's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultWord {
    /// Its name.
    pub name: &'static str,
    /// its properties, in the order in which the line says them.
    pub properties: &'static [&'static str],
    /// What it does, for the documentation.
    pub sentence: &'static str,
}

/// Every fault that a file can say.
pub const FAULTS: &[FaultWord] = &[
    FaultWord {
        name: "exits-at-start",
        properties: &["status"],
        sentence: "it exits with this code before it reads its configuration",
    },
    FaultWord {
        name: "loads-then-fails",
        properties: &["seconds", "status"],
        sentence: "it loads for so many seconds without a pid file, then exits with this code",
    },
    FaultWord {
        name: "loads-then-serves",
        properties: &["seconds"],
        sentence: "it loads for so many seconds without a pid file, then serves as it should",
    },
];
