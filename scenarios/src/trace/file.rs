//! Traces on disk: JSON Lines, the header first.

use std::io::{self, BufRead, Write};

use serde::de::DeserializeOwned;

use super::{Event, Header, SCHEMA, Trace};

/// Why a trace could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file could not be read.
    #[error("cannot read the trace")]
    Io(#[from] io::Error),
    /// A line is not what the format says.
    #[error("line {line} is no {what} of a trace: {reason}")]
    Line {
        /// From 1.
        line: usize,
        /// `header` or `event`.
        what: &'static str,
        /// What the JSON reader said.
        reason: String,
    },
    /// The file was written in another format.
    #[error("the trace has format {found}, this program reads {SCHEMA}")]
    Schema {
        /// What the header said.
        found: u64,
    },
}

/// Writes a trace, one line per event behind the header.
///
/// # Errors
/// Whatever `to` fails with.
pub fn write(trace: &Trace, mut to: impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut to, &trace.header)?;
    writeln!(to)?;
    for event in &trace.events {
        serde_json::to_writer(&mut to, event)?;
        writeln!(to)?;
    }
    to.flush()
}

/// Reads a trace that [`write()`] wrote.
///
/// # Errors
/// [`TraceError::Schema`] for another format, [`TraceError::Line`] for anything that is not of this one.
pub fn read(from: impl BufRead) -> Result<Trace, TraceError> {
    let mut lines = from.lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let schema = serde_json::from_str::<serde_json::Value>(&first)
        .ok()
        .and_then(|header| header.get("schema")?.as_u64());
    if let Some(found) = schema.filter(|&found| found != u64::from(SCHEMA)) {
        return Err(TraceError::Schema { found });
    }
    let header: Header = parse(&first, 1, "header")?;
    let events = lines
        .enumerate()
        .map(|(i, line)| parse::<Event>(&line?, i + 2, "event"))
        .collect::<Result<_, TraceError>>()?;
    Ok(Trace { header, events })
}

fn parse<T: DeserializeOwned>(text: &str, line: usize, what: &'static str) -> Result<T, TraceError> {
    serde_json::from_str(text).map_err(|error| TraceError::Line { line, what, reason: error.to_string() })
}
