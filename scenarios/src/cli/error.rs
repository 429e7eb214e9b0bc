//! Why `oldbin-lab` could not do what it was asked.

use std::io;
use std::path::{Path, PathBuf};

use crate::explore::NotRead;
use crate::format::FormatError;
use crate::live::LiveError;
use crate::model::Impossible;
use crate::trace::TraceError;

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LabError {
    /// A file could not be read or written.
    #[error("cannot use {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file is no scenario or runbook.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A name is not in the catalogue.
    #[error(
        "there is no scenario {name} in the catalogue; `oldbin-lab list` shows all, and files end in .kdl"
    )]
    UnknownScenario { name: String },
    /// A name is no kept failure.
    #[error("there is no kept failure {name}; `oldbin-lab list` shows all, and files end in .kdl")]
    UnknownRegression { name: String },
    /// A name is no kept sequence.
    #[error(
        "there is no kept sequence {name}; they are in scenarios/catalogue/conformance, and files end in .kdl"
    )]
    UnknownSequence { name: String },
    /// A scenario names a runbook that is not there.
    #[error("there is no runbook {name}: neither in the catalogue nor beside the scenario's file")]
    UnknownRunbook { name: String },
    /// What was asked for does not fit together.
    #[error("{0}")]
    Usage(String),
    /// A file holds no results.
    #[error(transparent)]
    Results(#[from] NotRead),
    /// A trace could not be read.
    #[error("cannot read {}", path.display())]
    Trace {
        path: PathBuf,
        #[source]
        source: TraceError,
    },
    /// The world that was asked for cannot be had.
    #[error("no world to run in: {0}")]
    NoWorld(String),
    /// The model cannot run it.
    #[error(transparent)]
    Model(#[from] Impossible),
    /// The world failed.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// Standard output went away.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

/// What goes wrong with a file, as an error that names it.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> LabError {
    let path = path.to_owned();
    move |source| LabError::File { path, source }
}

impl LabError {
    /// The exit code: 2 for what the user can mend in the command or a file, 3 for a world that cannot be
    /// had, 70 for our own.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::File { .. }
            | Self::Format(_)
            | Self::UnknownScenario { .. }
            | Self::UnknownRegression { .. }
            | Self::UnknownSequence { .. }
            | Self::UnknownRunbook { .. }
            | Self::Usage(_)
            | Self::Results(_)
            | Self::Trace { .. } => 2,
            Self::NoWorld(_) => 3,
            Self::Live(LiveError::NoNginx | LiveError::NotLive(_)) => 3,
            Self::Live(LiveError::Unusable(_)) | Self::Model(_) => 2,
            Self::Live(_) | Self::Output(_) => 70,
        }
    }
}
