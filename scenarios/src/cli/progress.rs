//! A progress bar on standard error, and nothing where that is not a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows which run is on.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    pub(super) fn new(runs: usize) -> Self {
        let bar = ProgressBar::with_draw_target(Some(runs as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {pos}/{len} {elapsed:>4} {msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// For a run that counts its `things`; `None`: nobody knows how many there will be.
    pub(super) fn of(things: &str, count: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(count, ProgressDrawTarget::stderr());
        let template = match count {
            Some(_) => format!("{{bar:20}} {{human_pos}}/{{human_len}} {things} {{elapsed:>4}} {{msg}}"),
            None => format!("{{spinner}} {{human_pos}} {things} {{elapsed:>4}} {{msg}}"),
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many are done.
    pub(super) fn is_at(&self, done: u64, what: String) {
        self.0.set_position(done);
        self.0.set_message(what);
        self.0.tick();
    }

    pub(super) fn begin(&self, what: &str) {
        self.0.set_message(what.to_owned());
        self.0.tick();
    }

    pub(super) fn done(&self) {
        self.0.inc(1);
    }

    /// Lets something else write to the terminal.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
