//! Results as JSON: one object, with the format's number first.

use std::path::Path;

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

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
    #[serde(rename = "schema", deserialize_with = "known")]
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

fn known<'de, D: Deserializer<'de>>(number: D) -> Result<(), D::Error> {
    match u32::deserialize(number)? {
        SCHEMA => Ok(()),
        other => Err(D::Error::custom(format!("this is format {other}, and only {SCHEMA} is known here"))),
    }
}

/// Why a file holds no results.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{}:{}: no results of `oldbin-lab explore --json`", source.line(), source.column())]
pub struct NoResults {
    file: String,
    #[source]
    source: serde_json::Error,
}

/// Reads every object of a file. `file` is the name that a mistake mentions.
///
/// # Errors
/// [`NoResults`] with the line of the first mistake; an empty file is one.
pub fn read(file: &Path, text: &str) -> Result<Vec<Results>, NoResults> {
    let wrong = |source| NoResults { file: file.display().to_string(), source };
    let objects = serde_json::Deserializer::from_str(text).into_iter::<Read>();
    let read = objects.map(|object| object.and_then(whole)).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    if read.is_empty() {
        return Err(wrong(serde_json::Error::custom("the file is empty")));
    }
    Ok(read)
}

fn whole(read: Read) -> Result<Results, serde_json::Error> {
    let Read { run: whole, parts, .. } = read;
    if let Some(part) = parts.iter().find(|part| !(1..=whole.shards).contains(&part.shard)) {
        let message = format!("there is no shard {} of {}", part.shard, whole.shards);
        return Err(serde_json::Error::custom(message));
    }
    Ok(Results { whole, parts: parts.into_iter().map(|part| (part.shard, part)).collect() })
}

/// As one line; `unchecked` is what keeps it from proving something.
///
/// # Errors
/// None that these types can cause.
pub fn to_json(results: &Results, unchecked: &[String]) -> serde_json::Result<String> {
    let counted = results.tally();
    let verdict = match (counted.failures, unchecked.is_empty()) {
        (1.., _) => "violated",
        (0, true) => "held",
        (0, false) => "unchecked",
    };
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
