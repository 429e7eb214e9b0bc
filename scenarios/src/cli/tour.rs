//! `oldbin-lab` alone: the main job at work.

use std::io::Write;

use super::run::{self, How};
use super::{LabError, Screen, arguments::Worlds, names, print_ran};
use crate::{live, verdict};

/// Runs every story of the catalogue in every world that is there, and prints one table.
pub(super) fn tour(screen: &Screen, out: &mut impl Write) -> Result<u8, LabError> {
    let (worlds, notes) = run::available(Worlds::All.kinds(), &live::nginx::releases());
    let scenarios = run::scenarios(&[])?;
    let mut jobs = run::jobs(&scenarios, &worlds, std::iter::once(1));
    let left_out = run::leave_out(&mut jobs, true);
    writeln!(
        out,
        "An nginx changes its binary under load, and changes back: {} stories on {}.",
        scenarios.len(),
        names(&worlds)
    )?;
    for note in notes.into_iter().chain(left_out) {
        writeln!(out, "{note}")?;
    }
    out.flush()?;
    let ran = run::run_all(jobs, &How::default(), None, |_| ())?;
    print_ran(&ran, screen, out)?;
    let canaries = ran.iter().filter(|ran| !ran.scenario.expect.violates.is_empty());
    if canaries.clone().all(|ran| ran.verdict.as_expected) && canaries.count() > 0 {
        writeln!(out, "\nA canary is a procedure that loses requests: it must come out red, and each did.")?;
    }
    let code = verdict::exit_code(ran.iter().map(|ran| &ran.verdict));
    if code == 0 {
        writeln!(out, "Every other run: nobody noticed.")?;
    }
    Ok(code)
}
