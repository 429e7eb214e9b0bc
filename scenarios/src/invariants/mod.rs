//! What must hold, judged from a trace and nothing else.
mod moment;
mod registry;

pub use moment::{MOMENTS, Moment};
pub use registry::{INVARIANTS, Invariant, Kind};
