//! Log lines and output of commands, without what is another in every run.
//!
//! Dropped are SIGCHLD and SIGIO, which the kernel delivers as often as it likes; what nginx says of the machine it
//! was built on; and the order in which several processes that ended together were reaped.
//!
//! Before nginx has read its configuration it logs where its builder said, which may be standard error, the log or a
//! file that nobody watches. So what only that decides is dropped too, and an error is known by its level and text.

/// What stands for what in one world.
pub(crate) struct Wording<'a> {
    /// Who has this pid: `worker 1.2`.
    pub(crate) name: &'a dyn Fn(u32) -> Option<String>,
    /// Where the world lies.
    pub(crate) prefix: &'a str,
    /// Where nginx listens.
    pub(crate) port: u16,
}

/// Behind these words a number is a pid, or a descriptor, which says as little.
const BEFORE_PIDS: [&str; 5] = ["process ", "received from ", "kill(", "pid ", "open socket #"];
/// Lines that begin so say nothing of nginx.
const DROPPED: [&str; 8] = [
    "could not open error log file",
    "signal 17 (SIGCHLD)",
    "signal 29 (SIGIO)",
    "signal process started",
    "using inherited sockets",
    "built by ",
    "OS: ",
    "getrlimit(RLIMIT_NOFILE)",
];

impl Wording<'_> {
    /// The lines that are compared, in order.
    #[must_use]
    pub(crate) fn lines<'a>(&self, lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut kept: Vec<String> = lines
            .into_iter()
            .map(undated)
            .filter(|line| !DROPPED.iter().any(|dropped| text_of(line).starts_with(dropped)))
            .map(|line| self.line(&line))
            .collect();
        for group in kept.chunk_by_mut(|one, two| is_reaping(one) && is_reaping(two)) {
            group.sort();
        }
        kept
    }

    /// One line in words that mean the same in every run.
    #[must_use]
    pub(crate) fn line(&self, line: &str) -> String {
        let line = line.replace(self.prefix, "PREFIX").replace(&format!(":{}", self.port), ":PORT");
        let mut said = String::new();
        let mut rest = line.as_str();
        while let Some(behind) = next_pid(rest) {
            let (before, number_on) = rest.split_at(behind);
            let digits = number_on.len() - number_on.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, behind) = number_on.split_at(digits);
            said.push_str(before);
            let name = number.parse().ok().and_then(self.name);
            said.push_str(if before.ends_with('#') { "FD" } else { name.as_deref().unwrap_or("PID") });
            rest = behind;
        }
        said + rest
    }
}

/// Where the next pid begins.
fn next_pid(text: &str) -> Option<usize> {
    let begins_with_digit = |at: &usize| text[*at..].starts_with(|c: char| c.is_ascii_digit());
    BEFORE_PIDS
        .iter()
        .flat_map(|word| text.match_indices(word).map(|(at, found)| at + found.len()))
        .filter(begins_with_digit)
        .min()
}

/// The text behind `[notice] ` where there is such a level.
fn text_of(line: &str) -> &str {
    line.split_once("] ").map_or(line, |(_, text)| text)
}

/// `[error] text`, whether the line has a date and a pid or is what a starting nginx says.
fn undated(line: &str) -> String {
    let is_dated = line.get(4..5) == Some("/") && line.get(7..8) == Some("/");
    let parts = line.split_once(" [").filter(|_| is_dated).and_then(|(_, rest)| {
        let (level, rest) = rest.split_once("] ")?;
        Some((level, rest.split_once(": ")?.1))
    });
    parts.map_or_else(
        || line.strip_prefix("nginx: [").map_or_else(|| line.to_owned(), |rest| format!("[{rest}")),
        |(level, text)| format!("[{level}] {text}"),
    )
}

fn is_reaping(line: &str) -> bool {
    line.contains("process ") && line.contains(" exited ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pids_become_names_and_other_numbers_stay() {
        let name = |pid| (pid == 31).then(|| "worker 1.1".to_owned());
        let wording = Wording { name: &name, prefix: "/mnt/lab", port: 8080 };

        let said = wording.lines([
            "notice] signal 17 (SIGCHLD) received from 31",
            "[notice] signal 3 (SIGQUIT) received from 77, shutting down",
            "[notice] worker process 31 exited with code 0",
            "[alert] *1 open socket #3 left in connection 2",
            "[alert] kill(31, 15) failed (3: No such process)",
            "[emerg] bind() to 127.0.0.1:8080 failed (98: Address already in use)",
            "[notice] using inherited sockets from \"5;\"",
            "2026/11/22 12:00:00 [error] 5#5: open() failed",
            "nginx: [error] open() failed",
            "[error] invalid PID number \"\" in \"/mnt/lab/nginx.pid\"",
        ]);

        assert_eq!(
            said,
            [
                "[notice] signal 3 (SIGQUIT) received from PID, shutting down",
                "[notice] worker process worker 1.1 exited with code 0",
                "[alert] *1 open socket #FD left in connection 2",
                "[alert] kill(worker 1.1, 15) failed (3: No such process)",
                "[emerg] bind() to 127.0.0.1:PORT failed (98: Address already in use)",
                "[error] open() failed",
                "[error] open() failed",
                "[error] invalid PID number \"\" in \"PREFIX/nginx.pid\"",
            ]
        );
    }
}
