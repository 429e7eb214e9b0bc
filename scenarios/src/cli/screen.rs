//! What the terminal can show.

use std::env;
use std::io::{self, IsTerminal};

/// How to write for whoever reads.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Screen {
    /// Standard output is a terminal that wants colour.
    pub(super) in_colour: bool,
    /// The same of standard error.
    pub(super) err_in_colour: bool,
    /// Columns, where standard output is a terminal.
    pub(super) width: Option<u16>,
}

impl Screen {
    /// What this process's standard output and error are; `NO_COLOR` is honoured.
    pub(super) fn of_this_process() -> Self {
        let wants_colour = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let out = io::stdout();
        Self {
            in_colour: wants_colour && out.is_terminal(),
            err_in_colour: wants_colour && io::stderr().is_terminal(),
            width: rustix::termios::tcgetwinsize(&out)
                .ok()
                .map(|size| size.ws_col)
                .filter(|&columns| columns > 0),
        }
    }
}
