//! Results as JSON: one object, with the format's number first.

use std::path::Path;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::super::adding::{NotRead, are_shards, known, objects, verdict};
use super::{Part, Results, Tally, Whole};

/// The version of the JSON object. A reader that knows another number says so and stops.
pub const SCHEMA: u32 = 2;

#[derive(Serialize)]
struct Written<'a> {
    schema: u32,
    run: &'a Whole,
    parts: Vec<&'a Part>,
    // What follows is for those who read one file; whoever adds up counts anew.
    verdict: &'static str,
    unchecked: &'a [String],
    counted: Tally,
    median_choices: Option<u32>,
}

/// The same, read. What can be counted from the parts is not looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(rename = "schema", deserialize_with = "known::<SCHEMA, _>")]
    _schema: (),
    run: Whole,
    parts: Vec<Part>,
    #[serde(rename = "verdict", default)]
    _verdict: IgnoredAny,
    #[serde(rename = "unchecked", default)]
    _unchecked: IgnoredAny,
    #[serde(rename = "counted", default)]
    _counted: IgnoredAny,
    #[serde(rename = "median_choices", default)]
    _median_choices: IgnoredAny,
}

/// Reads every object of a file. `file` is the name that a mistake mentions.
///
/// # Errors
/// [`NotRead`] with the line of the first mistake; an empty file is one.
pub fn read(file: &Path, text: &str) -> Result<Vec<Results>, NotRead> {
    objects(file, text, "explore", whole)
}

fn whole(read: Read) -> Result<Results, serde_json::Error> {
    let Read { run: whole, parts, .. } = read;
    are_shards(parts.iter().map(|part| part.shard), whole.shards)?;
    Ok(Results { whole, parts: parts.into_iter().map(|part| (part.shard, part)).collect() })
}

/// As one line; `unchecked` is what keeps it from proving something.
///
/// # Errors
/// None that these types can cause.
pub fn to_json(results: &Results, unchecked: &[String]) -> serde_json::Result<String> {
    let counted = results.tally();
    let verdict = verdict(counted.failures > 0, unchecked);
    serde_json::to_string(&Written {
        schema: SCHEMA,
        run: &results.whole,
        parts: results.parts.values().collect(),
        verdict,
        unchecked,
        median_choices: counted.median_choices(),
        counted,
    })
}
