//! `oldbin-lab merge`: the results of shards, put together.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::error::at;
use super::run::read;
use super::{LabError, arguments};
use crate::explore::results::{self, Results};
use crate::report;

/// Reads, adds up, tells.
pub(super) fn merge(arguments: &arguments::Merge, out: &mut impl Write) -> Result<u8, LabError> {
    let mut run: Option<Results> = None;
    for path in &arguments.files {
        for results in results::read(path, &read(path)?)? {
            match &mut run {
                None => run = Some(results),
                Some(run) => run.add(results).map_err(|mismatch| {
                    LabError::Usage(format!("cannot add {}: {mismatch}", path.display()))
                })?,
            }
        }
    }
    // The command line asks for at least one file, and a file without results is an error.
    let Some(run) = run else { return Err(LabError::Usage("there is nothing to merge".to_owned())) };
    let mut unchecked = run.unchecked();
    unchecked.extend(run.missing().iter().map(|shard| format!("shard {shard} is missing")));
    if let Some(path) = &arguments.junit {
        write_junit(path, &run, &unchecked)?;
    }
    if arguments.json {
        writeln!(out, "{}", results::to_json(&run, &unchecked).map_err(std::io::Error::from)?)?;
    } else {
        writeln!(out, "{}", report::results(&run, &unchecked))?;
    }
    Ok(exit_code(run.tally().failures > 0, &unchecked))
}

/// Writes what programs that know tests read.
pub(super) fn write_junit(path: &Path, run: &Results, unchecked: &[String]) -> Result<(), LabError> {
    let document = report::junit(run, unchecked).map_err(std::io::Error::other)?;
    fs::write(path, document).map_err(at(path))
}

/// The exit code of a run, or of a part of one.
pub(super) const fn exit_code(has_failed: bool, unchecked: &[String]) -> u8 {
    match (has_failed, unchecked.is_empty()) {
        (true, _) => 1,
        (false, true) => 0,
        (false, false) => 3,
    }
}
