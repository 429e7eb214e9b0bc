//! A kept failure, played again on processes.
//!
//! What can be forced is forced: a fault strikes when the process whose step it precedes reports that step and waits.
//! The order in which processes otherwise take turns is the kernel's own, so what this shows is less than what the
//! model shows, and it is shown by the real code.

use super::Live;
use super::judge::wrong;
use crate::invariants::STRUCK;
use crate::live::{LiveError, storm};
use crate::model::fault::Fault;
use crate::regression::{Regression, Replayed, Verdict, unstruck};
use crate::trace::{Trace, What};

/// Where random picks of the load begin.
const SEED: u64 = 1;

/// Plays a kept failure once.
///
/// # Errors
/// [`LiveError`] if there is no trace; one is that the world is real, where nothing can be forced.
pub fn replay(world: &Live, regression: &Regression) -> Result<Replayed, LiveError> {
    let trace = world.run(&regression.script, SEED)?;
    let verdict = match wrong(&regression.script, &trace) {
        Some(why) => Verdict::Violated(why),
        None => unforced(regression, &trace).map_or(Verdict::Held, Verdict::Unchecked),
    };
    let steps = regression.deviations.iter().map(ToString::to_string);
    let hurried = regression.script.commands.iter().filter(|(pause, _)| pause.hurries());
    let missed = steps.chain(hurried.map(|(pause, command)| format!("{command} {pause}"))).collect();
    Ok(Replayed { verdict, trace, missed })
}

/// The first fault that has not struck, and why.
fn unforced(regression: &Regression, trace: &Trace) -> Option<String> {
    let struck = trace.events.iter().filter_map(|event| {
        let What::Moment { name } = &event.what else { return None };
        Fault::named(name.strip_prefix(STRUCK)?)
    });
    let planned = unstruck(regression, struck)?;
    Some(if storm::mishap(planned).is_none() {
        format!("the fault {planned} cannot be forced: no process stops there to be struck")
    } else {
        format!("the fault {planned} never came: its moment was not reached, or there was nobody to strike")
    })
}
