//! When a run is at rest.

use crate::scenario::Claim;
use crate::trace::{Trace, What};

/// The last claim and its position.
pub(crate) fn last_claim(trace: &Trace) -> Option<(usize, Claim)> {
    trace
        .select(|what| if let What::Claimed { claim, .. } = what { Some(*claim) } else { None })
        .last()
        .map(|(position, _, claim)| (position, claim))
}

/// The positions at which everything was at rest.
pub(super) fn rests(trace: &Trace) -> impl Iterator<Item = usize> {
    trace.select(|what| matches!(what, What::Quiescent).then_some(())).map(|(position, ..)| position)
}

/// The first rest behind the last claim.
pub(super) fn after_last_claim(trace: &Trace) -> Option<usize> {
    let (claimed, _) = last_claim(trace)?;
    rests(trace).find(|rest| *rest > claimed)
}

/// The end of the run: its last rest, if it is behind the last claim. What comes after it is the laboratory's
/// own clearing up.
pub(crate) fn end(trace: &Trace) -> Option<usize> {
    let claimed = last_claim(trace).map_or(0, |(position, _)| position);
    rests(trace).last().filter(|rest| *rest >= claimed)
}
