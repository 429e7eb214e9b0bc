//! What a process is told at its start: what for, as which release, and what it shall do wrong.

use super::defects::Defects;
use super::effect::Print;
use super::signal::Signal;
use crate::fault::Fault;
use crate::release::Profile;

/// What a process was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To serve.
    Run,
    /// `-t` or `-T`
    Test {
        /// `-T`
        dump: bool,
        /// `-q`
        quiet: bool,
        /// `-s` too: nothing is signalled, but nothing is opened either.
        signals: bool,
    },
    /// `-s`
    Signal(Signal),
}

/// What a process is told at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    /// What to print first, for `-v`, `-V` and `-h`.
    pub print: Option<Print>,
    /// What it was started for.
    pub purpose: Purpose,
    /// What its release does.
    pub profile: Profile,
    /// What it does wrong, if anything.
    pub fault: Option<Fault>,
    /// What its machine does wrong.
    pub defects: Defects,
}
