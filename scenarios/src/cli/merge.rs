//! `oldbin-lab merge`: the results of shards, put together.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::at;
use super::run::read;
use super::{LabError, arguments};
use crate::explore::NotRead;
use crate::explore::bounds::{self, Bounds};
use crate::explore::results::{self, Results};
use crate::report;

/// Reads, adds up, tells.
pub(super) fn merge(arguments: &arguments::Merge, out: &mut impl Write) -> Result<u8, LabError> {
    let texts =
        arguments.files.iter().map(|path| Ok((path, read(path)?))).collect::<Result<Vec<_>, LabError>>()?;
    if texts.iter().any(|(_, text)| bounds::is_of_bounds(text)) {
        return merge_bounds(arguments, &texts, out);
    }
    let run = sum(&texts, results::read, Results::add)?;
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

/// Everything that the files hold, added up.
fn sum<T, E: std::fmt::Display>(
    texts: &[(&PathBuf, String)],
    read: impl Fn(&Path, &str) -> Result<Vec<T>, NotRead>,
    add: impl Fn(&mut T, T) -> Result<(), E>,
) -> Result<T, LabError> {
    let mut sum: Option<T> = None;
    for (path, text) in texts {
        for one in read(path, text)? {
            match &mut sum {
                None => sum = Some(one),
                Some(sum) => add(sum, one).map_err(|mismatch| {
                    LabError::Usage(format!("cannot add {}: {mismatch}", path.display()))
                })?,
            }
        }
    }
    // The command line asks for at least one file, and a file without results is an error.
    sum.ok_or_else(|| LabError::Usage("there is nothing to merge".to_owned()))
}

/// The same of `--exhaustive`.
fn merge_bounds(
    arguments: &arguments::Merge,
    texts: &[(&PathBuf, String)],
    out: &mut impl Write,
) -> Result<u8, LabError> {
    let run = sum(texts, bounds::read, Bounds::add)?;
    tell_bounds(&run, &run.unchecked(None), (arguments.json, arguments.junit.as_deref()), out)
}

/// Tells what was visited, in the form that was asked for, and gives the exit code.
pub(super) fn tell_bounds(
    run: &Bounds,
    unchecked: &[String],
    (is_json, junit): (bool, Option<&Path>),
    out: &mut impl Write,
) -> Result<u8, LabError> {
    if let Some(path) = junit {
        let document = report::junit_of_bounds(run, unchecked).map_err(std::io::Error::other)?;
        fs::write(path, document).map_err(at(path))?;
    }
    if is_json {
        writeln!(out, "{}", bounds::to_json(run, unchecked).map_err(std::io::Error::from)?)?;
    } else {
        writeln!(out, "{}", report::bounds(run, unchecked))?;
    }
    Ok(exit_code(run.has_failed(), unchecked))
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
