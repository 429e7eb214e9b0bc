//! What a process says: log lines, messages on standard error, and what `-V` and `-T` print.
//!
//! # Source
//! `ngx_log_error_core` and `ngx_log_stderr` in `src/core/ngx_log.c`, `main` in `src/core/nginx.c`, nginx 1.18
//! to 1.30.

use std::io::{self, Write as _};
use std::path::PathBuf;

use super::logs::{self, Logs};
use super::world::{World, io_errno, own_pid};
use crate::conf::Level;
use crate::machine::{ConfId, Entry, Notice, Print, Reply};
use crate::options;

impl World {
    pub(super) fn log(&self, entry: Entry) -> Reply {
        let text = entry.line.shown(&self.names).to_string();
        self.write_log(entry.log, entry.line.level(), &text, entry.echo);
        Reply::Done
    }

    /// Writes a line that is about one request.
    pub(super) fn tell_log(&self, log: Option<ConfId>, level: Level, text: &str) {
        self.write_log(log, level, text, false);
    }

    fn write_log(&self, log: Option<ConfId>, level: Level, text: &str, echo: bool) {
        let logs = match log {
            None => self.built_in_log.as_ref(),
            Some(conf) => self.logs.get(&conf),
        };
        let pid = own_pid().0;
        let tid = if self.has_threads { pid } else { 0 };
        let nowhere = Logs::default();
        logs.unwrap_or(&nowhere).write(level, pid, tid, text, echo);
    }

    pub(super) fn say(&self, notice: Notice) -> Reply {
        let file = self.reader.file();
        let text = match notice {
            Notice::SyntaxIsOk => format!("the configuration file {file} syntax is ok"),
            Notice::TestIsSuccessful => format!("configuration file {file} test is successful"),
            Notice::TestFailed => format!("configuration file {file} test failed"),
            Notice::Line(line) => format!("[{}] {}", line.level().word(), line.shown(&self.names)),
        };
        logs::write_stderr(&format!("nginx: {text}\n"));
        Reply::Done
    }

    pub(super) fn print(&self, print: Print) -> Reply {
        match print {
            Print::Version => logs::write_stderr(&options::version_text(&self.stamp, &self.options)),
            Print::Dump { conf } => {
                let mut dump = Vec::new();
                for file in &self.reader.conf(conf).files {
                    dump.extend_from_slice(
                        format!("# configuration file {}:\n", file.path.display()).as_bytes(),
                    );
                    dump.extend_from_slice(&file.content);
                    dump.push(b'\n');
                }
                // As with nginx: a reader that went away is no failure.
                drop(io::stdout().write_all(&dump).and_then(|()| io::stdout().flush()));
            }
        }
        Reply::Done
    }

    pub(super) fn open_built_in_log(&mut self) -> Reply {
        match Logs::open(&[self.reader.built_in_log()]) {
            Ok(logs) => {
                self.built_in_log = Some(logs);
                Reply::Done
            }
            Err(failure) => {
                self.built_in_log = Some(Logs::stderr(Level::Notice));
                self.failed_at(&failure)
            }
        }
    }

    pub(super) fn open_logs(&mut self, conf: ConfId) -> Reply {
        match Logs::open(&self.reader.conf(conf).error_logs) {
            Ok(logs) => {
                self.logs.insert(conf, logs);
                Reply::Done
            }
            Err(failure) => self.failed_at(&failure),
        }
    }

    pub(super) fn reopen_logs(&mut self, conf: ConfId, give_to_user: bool) -> Reply {
        let owner = self.reader.conf(conf).user.clone().filter(|_| give_to_user);
        match self.logs.get_mut(&conf).map(|logs| logs.reopen(owner.as_ref())) {
            Some(Err(failure)) => self.failed_at(&failure),
            Some(Ok(())) => {
                if let Some(logs) = self.logs.get(&conf) {
                    logs.redirect_stderr();
                }
                Reply::Done
            }
            None => Reply::Done,
        }
    }

    fn failed_at(&mut self, (path, error): &(PathBuf, io::Error)) -> Reply {
        Reply::FailedAt(self.names.path(&path.to_string_lossy()), io_errno(error))
    }
}
