//! Differential conformance: the same random steps on the fake and on real releases, and the same seen after each.
//!
//! A [`Sequence`] is drawn from a seed and played twice, by the same agent: on stamped fakes and on a pair of real
//! releases. After every step the world is brought to rest, and a [`Snapshot`] tells what can be seen then. What two
//! snapshots may differ in is computed, not written: real nginx plays again, and what it differs in from itself is
//! excused ([`compare`]). What is left is made small ([`shrink()`]), told, and can be kept as a file ([`kept`]).
//!
//! # Not compared
//! Times, pids, how often SIGCHLD was delivered, which of several workers answers; `docs/conformance.md` says all.

pub mod compare;
mod draw;
mod hunt;
pub mod kept;
mod pair;
mod run;
mod shrink;
mod site;
mod snapshot;
mod step;
mod tally;
mod tell;
pub(crate) mod wording;
mod workers;

pub use draw::{STEPS_MAX, draw};
pub use hunt::{Hunted, hunt};
pub use kept::Kept;
pub use pair::{NoPair, Pair, Wanted, Which};
pub(crate) use run::IDLE;
pub use run::{Compared, Seen, Verifier};
pub use shrink::shrink;
pub use site::{Listens, PidPath, Runs, Site};
pub use snapshot::Snapshot;
pub use step::{Binary, Configured, Connect, Hold, NoStep, PidFileIs, Signal, Step, Whom};
pub use tally::Tally;
pub use tell::tell;
pub use workers::{Found, Played, Run, verify};

use serde::{Deserialize, Serialize};

/// What is played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// What nginx is at the start.
    pub site: Site,
    /// What is done, one after another; between two steps everything comes to rest.
    pub steps: Vec<Step>,
}
