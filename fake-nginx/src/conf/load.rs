//! From file names to a [`Conf`].
//!
//! # Source
//! `ngx_init_cycle` in `src/core/ngx_cycle.c` and `ngx_process_options` in `src/core/nginx.c`, nginx 1.18 to
//! 1.30.

use std::path::PathBuf;

use super::directive::Contexts;
use super::frame::Frame;
use super::main_context::with_slash;
use super::read::{Reader, full_name};
use super::types::{Conf, ConfError, ErrorLog, Level, LogTarget, Warning};
use crate::options::Options;
use crate::release::Profile;
use crate::stamp::Stamp;

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

impl LoadFrom {
    /// What `options` ask `stamp` to load.
    #[must_use]
    pub fn new(stamp: &Stamp, options: &Options, is_root: bool, cores: u16) -> Self {
        let given = |given: &Option<String>, built_in: &PathBuf| {
            given.as_ref().map_or_else(|| built_in.clone(), PathBuf::from)
        };
        Self {
            conf: given(&options.conf, &stamp.conf),
            prefix: given(&options.prefix, &stamp.prefix),
            directives: options.directives.clone(),
            profile: stamp.profile(),
            pid: stamp.pid.clone(),
            error_log: given(&options.error_log, &stamp.error_log),
            is_root,
            cores,
        }
    }

    /// The configuration file's full name, as every message about it says it.
    #[must_use]
    pub fn conf_path(&self) -> PathBuf {
        full_name(&with_slash(&self.prefix.to_string_lossy()), &self.conf.to_string_lossy()).into()
    }

    /// Where messages go until the configuration is read: the built-in log or `-e`.
    #[must_use]
    pub fn built_in_log(&self) -> LogTarget {
        let name = self.error_log.to_string_lossy();
        if name.is_empty() || name == "stderr" {
            return LogTarget::Stderr;
        }
        LogTarget::File(full_name(&with_slash(&self.prefix.to_string_lossy()), &name).into())
    }
}

/// Reads the configuration. No log is opened and no address bound.
///
/// # Errors
/// nginx's own, see [`ConfError`].
pub fn load(from: &LoadFrom) -> Result<(Conf, Vec<Warning>), ConfError> {
    let conf_path = from.conf_path();
    let conf_text = conf_path.to_string_lossy();
    let conf_prefix = conf_text.rfind('/').map_or(String::new(), |slash| conf_text[..=slash].to_owned());
    let mut reader = Reader::new(from, conf_prefix);
    let mut frame = Frame::new(Contexts::MAIN);
    if let Some(directives) = from.directives.as_deref().filter(|text| !text.is_empty()) {
        reader.read_parameter(directives, &mut frame)?;
    }
    reader.read_file(conf_path.clone(), &mut frame, "")?;
    reader.finish_main()?;
    let prefix = reader.prefix();
    let main = reader.main;
    let mut error_logs = main.error_logs;
    if !main.has_error_log {
        error_logs.push(ErrorLog { target: from.built_in_log(), level: Level::Error });
    }
    let pid = main.pid.unwrap_or_else(|| from.pid.to_string_lossy().into_owned());
    let conf = Conf {
        daemon: main.daemon.unwrap_or(true),
        master_process: main.master_process.unwrap_or(true),
        pid: full_name(&prefix, &pid).into(),
        error_logs,
        user: main.user,
        worker_processes: main.worker_processes.unwrap_or(1),
        worker_shutdown_timeout_ms: main.worker_shutdown_timeout_ms.filter(|&timeout_ms| timeout_ms > 0),
        worker_connections: main.worker_connections.unwrap_or(512),
        env: main.env,
        listens: main.listens,
        servers: main.servers,
        hostname: nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default(),
        files: reader.files,
    };
    Ok((conf, reader.warnings))
}
