//! From file names to a [`Conf`].

use std::path::PathBuf;

use super::{Conf, ConfError, Warning};
use crate::release::Profile;

/// What to load, and for whom.
#[derive(Clone, Debug)]
pub struct LoadFrom {
    /// The configuration file, as given by `-c` or built in; relative to `prefix`.
    pub conf: PathBuf,
    /// `-p` or built in.
    pub prefix: PathBuf,
    /// `-g`
    pub directives: Option<String>,
    /// What the release does.
    pub profile: Profile,
    /// The built-in pid file, relative to `prefix`.
    pub pid: PathBuf,
    /// The built-in error log, or `-e`; relative to `prefix`. `stderr` and the empty path are standard error.
    pub error_log: PathBuf,
    /// Whether the process's effective user is root.
    pub is_root: bool,
    /// What `worker_processes auto` means.
    pub cores: u16,
}

/// Reads the configuration.
///
/// # Errors
/// nginx's own, see [`ConfError`].
pub fn load(from: &LoadFrom) -> Result<(Conf, Vec<Warning>), ConfError> {
    let _ = from;
    unimplemented!("the configuration is not read yet")
}
