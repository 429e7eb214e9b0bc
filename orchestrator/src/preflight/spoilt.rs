//! A master that got USR2 while its pid file was gone: nothing can be seen of it but in its error log.
//!
//! It could rename nothing and has started nothing, but counts that as a new binary. From then on a reload starts more
//! workers with the configuration in memory, and reads none. The next new binary that starts ends that, whatever becomes
//! of it, so an upgrade is no worse than any other, and is the cure. What was reloaded in vain comes with it.
//!
//! # Source
//! `ngx_exec_new_binary` in `src/core/nginx.c`, which answers a rename or a fork that failed with `NGX_INVALID_PID`, and
//! `ngx_master_process_cycle`, which keeps that as `ngx_new_binary`; unchanged from 1.14 to 1.31.

use crate::host::linux::tail;
use crate::machine::Baseline;

/// What to warn of, if the log says that this master is spoilt.
pub(super) fn warning(master: u32, baseline: &Baseline) -> Option<String> {
    let log = tail(&baseline.log.as_ref()?.path).ok()?;
    is_spoilt(master, &log).then(|| {
        format!(
            "master {master} has had a USR2 that failed (see its error log), and since then takes reloads for calls for \
             more workers: this upgrade brings the configuration that is on disk, and ends that"
        )
    })
}

/// The last that this master says of a new binary is that it could not begin to start one.
fn is_spoilt(master: u32, log: &str) -> bool {
    let last = log.lines().rev().find_map(|line| {
        let (_, text) = line.split_once(&format!("] {master}#"))?;
        let is_failure = text.contains(" failed before executing new binary process ")
            || text.contains("fork() failed while spawning \"new binary process\"");
        (is_failure || text.contains(": start new binary process ")).then_some(is_failure)
    });
    last.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red when another master's line counts, or when one that was cured stays spoilt.
    #[test]
    fn only_the_last_word_of_this_master_counts() {
        let failed = |pid: u32| {
            format!(
                "2026/11/26 10:00:00 [alert] {pid}#{pid}: rename() /run/a to /run/a.oldbin failed before executing new binary process \"/n\" (2: No such file or directory)\n"
            )
        };
        let started = "2026/11/26 10:00:01 [notice] 7#7: start new binary process 9\n";
        assert!(is_spoilt(7, &failed(7)));
        assert!(is_spoilt(7, &[started, &failed(7), "rubbish\n"].concat()));
        assert!(!is_spoilt(7, &[&failed(7), started].concat()));
        assert!(!is_spoilt(8, &failed(7)) && !is_spoilt(7, ""));
    }
}
