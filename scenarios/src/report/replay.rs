//! A kept failure that was played again, for people and for programs.

use serde::Serialize;

use super::failure::{coloured, page};
use crate::model::script::Pause;
use crate::regression::{Regression, Replayed, Verdict};
use crate::scenario::WorldKind;

/// The version of the JSON object.
const SCHEMA: u32 = 1;

/// A replay as one JSON object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Told<'a> {
    schema: u32,
    regression: &'a str,
    world: WorldKind,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    missed_steps: &'a [String],
    was_wrong: &'a str,
    replay: &'a str,
}

/// One line of JSON.
#[must_use]
pub fn replay_json(regression: &Regression, replayed: &Replayed) -> String {
    let header = &replayed.trace.header;
    let told = Told {
        schema: SCHEMA,
        regression: &regression.name,
        world: header.world,
        verdict: replayed.verdict.name(),
        why: why(&replayed.verdict),
        missed_steps: &replayed.missed,
        was_wrong: &regression.wrong,
        replay: &header.replay,
    };
    serde_json::to_string(&told).unwrap_or_default()
}

/// The story and how it ended now; of a violation, the way there.
#[must_use]
pub fn replay(regression: &Regression, replayed: &Replayed, in_colour: bool) -> String {
    let header = &replayed.trace.header;
    let word = match replayed.verdict {
        Verdict::Held => "HELD",
        Verdict::Violated(_) => "VIOLATED",
        Verdict::Unchecked(_) => "UNCHECKED",
        Verdict::NotDeterministic => "NOT DETERMINISTIC",
    };
    let mut lines = vec![
        format!("{word}  {}   {}   {} → {}", regression.name, header.world, header.old, header.new),
        String::new(),
    ];
    if matches!(replayed.verdict, Verdict::Violated(_)) {
        lines.extend(page(&replayed.trace, replayed.trace.events.len().saturating_sub(1)));
        lines.push(String::new());
    }
    lines.push(format!("story    {}", regression.why));
    let typed = regression.script.commands.iter().map(|(pause, command)| match pause {
        Pause::Rest(0) => format!("types    {command}"),
        Pause::Rest(pause_ms) => format!("types    {command}   {pause_ms} ms later"),
        Pause::Until(when) => format!("types    {command}   {when}"),
    });
    lines.extend(typed);
    lines.extend(regression.faults().map(|fault| format!("fault    {fault}")));
    lines.extend(why(&replayed.verdict).map(|why| format!("why      {why}")));
    lines.push(format!("then     {}", regression.wrong));
    if !replayed.missed.is_empty() {
        let (kept, missed) = (regression.deviations.len(), replayed.missed.len());
        lines.push(match header.world {
            WorldKind::Model => {
                format!("missed   {missed} of {kept} kept steps had no time: the code takes another way now")
            }
            WorldKind::Fake | WorldKind::Real => {
                format!("missed   {missed} kept steps: in which order processes take turns is not forced")
            }
        });
    }
    lines.push(format!("replay   {}", header.replay));
    let page = lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n") + "\n";
    if in_colour { coloured(&page) } else { page }
}

fn why(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Violated(why) | Verdict::Unchecked(why) => Some(why),
        Verdict::NotDeterministic => Some("played twice, it went two ways"),
        Verdict::Held => None,
    }
}
