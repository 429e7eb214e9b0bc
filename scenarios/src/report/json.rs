//! Runs for programs: one JSON document, or one line for each run.
//!
//! Both carry the format's number; a reader that knows another number should say so and stop.

use serde::Serialize;

use super::Run;

/// The version of the JSON forms.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    runs: &'a [Run],
}

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(flatten)]
    run: &'a Run,
}

/// All runs as one document.
///
/// # Errors
/// None that these types can cause.
pub fn json(runs: &[Run]) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&Document { schema: SCHEMA, runs })
}

/// One run as one line of JSON Lines, without the line's end.
///
/// # Errors
/// None that these types can cause.
pub fn json_line(run: &Run) -> serde_json::Result<String> {
    serde_json::to_string(&Line { schema: SCHEMA, run })
}
