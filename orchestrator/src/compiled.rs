//! What an nginx was built with: the paths that it takes where its command line and its configuration name none.
//!
//! Only the binary itself knows them, and tells with `-V`. The *running* one is asked, through `/proc/PID/exe`: the
//! file at its path may be another release by now, with other paths.
//!
//! # Source
//! `auto/options`, `auto/init` and `configure` for the names and what holds without them; `ngx_process_options` for what
//! hangs on the prefix.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host::linux::{run_as_owner, run_bare};

/// How long `-V` may take: it prints a few lines.
const ANSWER_MS_MAX: u64 = 10_000;

/// The paths of a build, as its `configure` was given them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiled {
    /// What every relative path hangs on; empty: the folder in which nginx is started.
    pub(crate) prefix: PathBuf,
    /// The configuration.
    pub(crate) conf: PathBuf,
    /// The pid file.
    pub(crate) pid: PathBuf,
    /// The error log; `None`: standard error.
    pub(crate) error_log: Option<PathBuf>,
    /// Where its own `make install` would have put it.
    pub(crate) sbin: PathBuf,
}

impl Compiled {
    /// Of the binary that this process executes, asked as the process's own user: whoever runs `oldbin` need not trust
    /// what others run. `None`: it does not tell.
    pub(crate) fn of_running(pid: u32) -> Option<Self> {
        Self::told(&run_as_owner(pid, "-V", ANSWER_MS_MAX).ok()?.stderr)
    }

    /// Of a binary that the operator has named. `None`: it does not tell.
    pub(crate) fn of_file(binary: &Path) -> Option<Self> {
        let mut command = Command::new(binary);
        command.arg("-V");
        Self::told(&run_bare(command, ANSWER_MS_MAX).ok()?.stderr)
    }

    fn told(text: &str) -> Option<Self> {
        let arguments = text.lines().find_map(|line| line.strip_prefix("configure arguments:"))?;
        // A release that broke its own quoting tells nothing.
        let words = shlex::split(arguments)?;
        let value = |name: &str, without: &str| {
            let value = words.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            value.unwrap_or(without).to_owned()
        };
        let prefix = PathBuf::from(value("--prefix", "/usr/local/nginx"));
        let error_log = value("--error-log-path", "logs/error.log");
        Some(Self {
            conf: value("--conf-path", "conf/nginx.conf").into(),
            pid: value("--pid-path", "logs/nginx.pid").into(),
            error_log: (!matches!(error_log.as_str(), "" | "stderr")).then(|| error_log.into()),
            sbin: prefix.join(value("--sbin-path", "sbin/nginx")),
            prefix,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red when a word between quotes is taken for an option, or when a release without arguments has no paths.
    #[test]
    fn the_paths_are_those_that_configure_was_given_or_its_own() {
        let debian = "nginx version: nginx/1.22.1\nconfigure arguments: --with-cc-opt='-g --prefix=/no -O2' \
                      --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf --error-log-path=stderr \
                      --pid-path=/run/nginx.pid\n";
        let compiled = Compiled::told(debian).unwrap();
        assert_eq!(compiled.prefix, Path::new("/usr/share/nginx"));
        assert_eq!(compiled.conf, Path::new("/etc/nginx/nginx.conf"));
        assert_eq!((compiled.pid.as_path(), compiled.error_log), (Path::new("/run/nginx.pid"), None));
        assert_eq!(compiled.sbin, Path::new("/usr/share/nginx/sbin/nginx"));

        let plain = Compiled::told("nginx version: nginx/1.26.3\nconfigure arguments:\n").unwrap();
        assert_eq!(plain.prefix.join(plain.pid), Path::new("/usr/local/nginx/logs/nginx.pid"));
        assert_eq!(plain.error_log.as_deref(), Some(Path::new("logs/error.log")));
        assert_eq!(Compiled::told("hello\n"), None);
    }
}
