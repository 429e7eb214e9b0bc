//! nginx's error log: follows it, and reads its lines.
//!
//! # Source
//! `ngx_log_error_core` (`2026/11/22 12:00:00 [notice] 17#17: text`), `ngx_signal_handler`,
//! `ngx_start_worker_processes`, `ngx_exec_new_binary`, `ngx_process_get_status`.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::trace::Exit;

/// The end of a log file that others write.
pub(super) struct Tail {
    path: PathBuf,
    open: Option<(File, u64)>,
    half: Vec<u8>,
}

impl Tail {
    /// From the file's beginning, whether it exists yet or not.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), open: None, half: Vec::new() }
    }

    /// The whole lines that were written since the last call.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        self.read(&mut lines);
        if self.has_been_replaced() {
            self.open = None;
            self.half.clear();
            self.read(&mut lines);
        }
        lines
    }

    fn read(&mut self, lines: &mut Vec<String>) {
        if self.open.is_none() {
            self.open = File::open(&self.path).ok().map(|file| (file, 0));
        }
        let Some((file, offset)) = &mut self.open else { return };
        let mut buffer = [0; 16_384];
        while let Ok(read @ 1..) = file.read_at(&mut buffer, *offset) {
            *offset += read as u64;
            self.half.extend_from_slice(&buffer[..read]);
        }
        while let Some(end) = self.half.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.half.drain(..=end).collect();
            lines.push(String::from_utf8_lossy(&line[..end]).into_owned());
        }
    }

    /// True if the name leads to another file now, as after a rotation.
    fn has_been_replaced(&self) -> bool {
        let Some((file, _)) = &self.open else { return false };
        match (file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(open), Ok(named)) => (open.dev(), open.ino()) != (named.dev(), named.ino()),
            _ => false,
        }
    }
}

/// A line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// The writer; 0 for a line without one (what a starting nginx says on standard error).
    pub(super) pid: u32,
    /// `notice`, `alert`, …
    pub(super) level: &'a str,
    /// The text.
    pub(super) text: &'a str,
}

impl<'a> Line<'a> {
    /// Takes a line apart; one that is not nginx's has the level `stderr`.
    pub(super) fn of(line: &'a str) -> Self {
        Self::dated(line)
            .or_else(|| {
                let (level, text) = line.strip_prefix("nginx: [")?.split_once("] ")?;
                Some(Self { pid: 0, level, text })
            })
            .unwrap_or(Self { pid: 0, level: "stderr", text: line })
    }

    fn dated(line: &'a str) -> Option<Self> {
        let (_date, rest) = line.split_once(" [")?;
        let (level, rest) = rest.split_once("] ")?;
        let (who, text) = rest.split_once(": ")?;
        let pid = who.split_once('#')?.0.parse().ok()?;
        Some(Self { pid, level, text })
    }
}

/// What a line tells about processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News<'a> {
    /// A signal arrived.
    Signal {
        /// `USR2`.
        name: &'a str,
        /// The sender, if it is told.
        from: Option<u32>,
    },
    /// The writer has forked a worker.
    Worker(u32),
    /// The writer has forked a process that will be the new binary.
    NewBinary(u32),
    /// The writer is about to fork its workers.
    Master,
    /// The writer begins to drain.
    Draining,
    /// The writer has reaped a process.
    Reaped(u32, Exit),
}

/// What `text` tells, if anything.
pub(super) fn news(text: &str) -> Option<News<'_>> {
    if let Some(rest) = text.strip_prefix("signal ") {
        let (name, rest) = rest.split_once(" (SIG")?.1.split_once(") received")?;
        let from = rest.strip_prefix(" from ").and_then(|rest| number(rest).map(|(pid, _)| pid));
        return Some(News::Signal { name, from });
    }
    match text {
        "start worker processes" => return Some(News::Master),
        "gracefully shutting down" => return Some(News::Draining),
        _ => {}
    }
    if let Some(rest) = text.strip_prefix("start worker process ") {
        return number(rest).map(|(pid, _)| News::Worker(pid));
    }
    if let Some(rest) = text.strip_prefix("start new binary process ") {
        return number(rest).map(|(pid, _)| News::NewBinary(pid));
    }
    let rest = ["worker process ", "new binary process ", "unknown process "]
        .iter()
        .find_map(|kind| text.strip_prefix(kind))?;
    let (pid, rest) = number(rest)?;
    let exit = if let Some(code) = rest.strip_prefix(" exited with code ") {
        Exit::Code(number(code)?.0.cast_signed())
    } else if let Some(code) = rest.strip_prefix(" exited with fatal code ") {
        Exit::Code(number(code)?.0.cast_signed())
    } else {
        Exit::Signal(number(rest.strip_prefix(" exited on signal ")?)?.0.cast_signed())
    };
    Some(News::Reaped(pid, exit))
}

/// The decimal number that `text` begins with, and what is behind it.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let line = Line::of(
            "2026/11/22 22:21:25 [notice] 17#17: signal 12 (SIGUSR2) received from 5, changing binary",
        );
        assert_eq!((line.pid, line.level), (17, "notice"));
        assert_eq!(news(line.text), Some(News::Signal { name: "USR2", from: Some(5) }));
        assert_eq!(
            Line::of("nginx: [emerg] bind() failed"),
            Line { pid: 0, level: "emerg", text: "bind() failed" }
        );
        assert_eq!(Line::of("panic"), Line { pid: 0, level: "stderr", text: "panic" });
    }

    #[test]
    fn news_are_read_from_nginx_words() {
        assert_eq!(news("signal 28 (SIGWINCH) received"), Some(News::Signal { name: "WINCH", from: None }));
        assert_eq!(news("start worker process 31"), Some(News::Worker(31)));
        assert_eq!(news("start new binary process 32"), Some(News::NewBinary(32)));
        assert_eq!(news("start worker processes"), Some(News::Master));
        assert_eq!(news("worker process 31 exited with code 0"), Some(News::Reaped(31, Exit::Code(0))));
        assert_eq!(
            news("worker process 31 exited on signal 9 (core dumped)"),
            Some(News::Reaped(31, Exit::Signal(9)))
        );
        assert_eq!(
            news("worker process 31 exited with fatal code 2 and cannot be respawned"),
            Some(News::Reaped(31, Exit::Code(2)))
        );
        assert_eq!(news("new binary process 32 exited with code 1"), Some(News::Reaped(32, Exit::Code(1))));
        assert_eq!(news("using the \"epoll\" event method"), None);
    }
}
