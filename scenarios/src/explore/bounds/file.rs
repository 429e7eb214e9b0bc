//! Bounds as JSON: one object, with the format's number first.

use std::path::Path;

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::super::adding::{NotRead, are_shards, known, objects, verdict};
use super::{Bounds, Part, Visited, Whole};

/// The version of the JSON object. A reader that knows another number says so and stops.
pub const SCHEMA: u32 = 2;
/// What tells it from results of random scripts.
const WALK: &str = "exhaustive";

#[derive(Serialize)]
struct Written<'a> {
    schema: u32,
    walk: &'static str,
    run: &'a Whole,
    parts: Vec<&'a Part>,
    cells: Vec<&'a Visited>,
    // What follows is for those who read one file; whoever adds up counts anew.
    verdict: &'static str,
    unchecked: &'a [String],
}

/// The same, read. What follows from the bounds is not looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(rename = "schema", deserialize_with = "known::<SCHEMA, _>")]
    _schema: (),
    #[serde(rename = "walk")]
    _walk: String,
    run: Whole,
    parts: Vec<Part>,
    cells: Vec<Visited>,
    #[serde(rename = "verdict", default)]
    _verdict: IgnoredAny,
    #[serde(rename = "unchecked", default)]
    _unchecked: IgnoredAny,
}

/// True if this is what came of `--exhaustive`, and not of random scripts.
#[must_use]
pub fn is_of_bounds(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Peek {
        walk: Option<String>,
    }
    let first = serde_json::Deserializer::from_str(text).into_iter::<Peek>().next();
    first.is_some_and(|first| first.is_ok_and(|peek| peek.walk.as_deref() == Some(WALK)))
}

/// Reads every object of a file. `file` is the name that a mistake mentions.
///
/// # Errors
/// [`NotRead`] with the line of the first mistake; an empty file is one.
pub fn read(file: &Path, text: &str) -> Result<Vec<Bounds>, NotRead> {
    objects(file, text, "explore --exhaustive", bounds)
}

fn bounds(read: Read) -> Result<Bounds, serde_json::Error> {
    let Read { run: whole, parts, cells, .. } = read;
    are_shards(parts.iter().map(|part| part.shard), whole.shards)?;
    if let Some(other) = cells.iter().find(|visited| !whole.bounds.contains(&visited.bound)) {
        return Err(serde_json::Error::custom(format!("{:?} is no bound of this run", other.bound)));
    }
    let parts = parts.into_iter().map(|part| (part.shard, part)).collect();
    let visited = cells.into_iter().map(|visited| (visited.bound.clone(), visited)).collect();
    Ok(Bounds { whole, parts, visited })
}

/// As one line; `unchecked` is what keeps it from proving something.
///
/// # Errors
/// None that these types can cause.
pub fn to_json(bounds: &Bounds, unchecked: &[String]) -> serde_json::Result<String> {
    let verdict = verdict(bounds.has_failed(), unchecked);
    serde_json::to_string(&Written {
        schema: SCHEMA,
        walk: WALK,
        run: &bounds.whole,
        parts: bounds.parts.values().collect(),
        cells: bounds.in_order().collect(),
        verdict,
        unchecked,
    })
}
