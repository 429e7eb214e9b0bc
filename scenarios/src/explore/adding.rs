//! What results of random scripts and of visited bounds have in common, so that the files of several machines add up.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

/// They are of two runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is of another run: {what} is {theirs}, and was {ours} before")]
pub struct OtherRun {
    /// What differs first.
    pub what: &'static str,
    /// So it was.
    pub ours: String,
    /// So it is.
    pub theirs: String,
}

/// Why a file holds no results.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{}:{}: no results of `oldbin-lab {command} --json`", source.line(), source.column())]
pub struct NotRead {
    file: String,
    command: &'static str,
    #[source]
    source: serde_json::Error,
}

/// What a run is, in words, on both sides.
pub(super) fn same_run<const N: usize>(
    ours: [(&'static str, String); N],
    theirs: [(&'static str, String); N],
) -> Result<(), OtherRun> {
    let both = ours.into_iter().zip(theirs);
    let other = both.map(|((what, ours), (_, theirs))| OtherRun { what, ours, theirs });
    other.into_iter().find(|other| other.ours != other.theirs).map_or(Ok(()), Err)
}

/// What is there twice counts once: the one of higher rank.
pub(super) fn counts_once<K: Ord, V>(
    all: &mut BTreeMap<K, V>,
    key: K,
    value: V,
    outranks: impl Fn(&V, &V) -> bool,
) {
    match all.entry(key) {
        Entry::Vacant(place) => drop(place.insert(value)),
        Entry::Occupied(mut place) if outranks(&value, place.get()) => drop(place.insert(value)),
        Entry::Occupied(_) => {}
    }
}

/// Reads every object of a file that `command` has printed; an empty file is a mistake. `file` is the name that a mistake
/// mentions.
pub(super) fn objects<R: DeserializeOwned, T>(
    file: &Path,
    text: &str,
    command: &'static str,
    of: impl Fn(R) -> Result<T, serde_json::Error>,
) -> Result<Vec<T>, NotRead> {
    let wrong = |source| NotRead { file: file.display().to_string(), command, source };
    let objects = serde_json::Deserializer::from_str(text).into_iter::<R>();
    let read = objects.map(|object| object.and_then(&of)).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    if read.is_empty() {
        return Err(wrong(serde_json::Error::custom("the file is empty")));
    }
    Ok(read)
}

/// The number of the format; any other is a mistake.
pub(super) fn known<'de, const SCHEMA: u32, D: Deserializer<'de>>(number: D) -> Result<(), D::Error> {
    match u32::deserialize(number)? {
        known if known == SCHEMA => Ok(()),
        other => Err(D::Error::custom(format!("this is format {other}, and only {SCHEMA} is known here"))),
    }
}

/// Shards are counted from 1.
pub(super) fn are_shards(
    mut numbers: impl Iterator<Item = u64>,
    shards: u64,
) -> Result<(), serde_json::Error> {
    let other = numbers.find(|number| !(1..=shards).contains(number));
    let message = |number| serde_json::Error::custom(format!("there is no shard {number} of {shards}"));
    other.map_or(Ok(()), |number| Err(message(number)))
}

/// In one word, for those who read one file.
pub(super) const fn verdict(has_failed: bool, unchecked: &[String]) -> &'static str {
    match (has_failed, unchecked.is_empty()) {
        (true, _) => "violated",
        (false, true) => "held",
        (false, false) => "unchecked",
    }
}
