//! Random scripts, as many as wanted, in any world: what is played, what is counted, and what went wrong.
//!
//! Script number n is drawn from seed n, so a run is a range of seeds, and what it counts and finds does not
//! depend on how many play at once. In the model a script is judged step by step; in a live world its trace is
//! judged by the invariants.

mod adding;
pub mod bounds;
mod draw;
mod judge;
mod live;
mod model;
mod replay;
pub mod results;
mod shrink;
mod tally;
mod workers;

pub use adding::{NotRead, OtherRun};
pub use draw::Draw;
pub use judge::{JUDGED, verdict, wrong};
pub use live::Live;
pub use model::Model;
pub use replay::replay;
pub use shrink::Shrunk;
pub use tally::{Demands, Tally};
pub use workers::{Run, explore};

pub use crate::pool::{Stop, fresh_seed};

use crate::live::LiveError;
use crate::model::script::Script;
use crate::trace::Trace;

/// Something that plays scripts.
pub trait World: Sync {
    /// Draws the script of a seed, plays it, and counts it. `Some`: something did not hold.
    ///
    /// # Errors
    /// [`LiveError`] if there is no world to play in.
    fn play(&self, seed: u64, tally: &mut Tally) -> Result<Option<Failure>, LiveError>;

    /// Makes a failure smaller, as long as it is still one.
    ///
    /// # Errors
    /// As [`World::play`].
    fn shrink(&self, failure: &Failure) -> Result<Option<Shrunk>, LiveError>;

    /// How many scripts one thread takes at a time.
    fn batch(&self) -> u64;
}

/// A script in which something did not hold.
#[derive(Debug, Clone)]
pub struct Failure {
    /// From which it was drawn.
    pub seed: u64,
    /// It.
    pub script: Script,
    /// What did not hold.
    pub why: String,
    /// What was seen; none in the model, which can play it again.
    pub trace: Option<Trace>,
}
