//! `oldbin-lab bench`: how long the handoff takes, by three procedures in turns.
//!
//! The machine may be noisy, so the three run one after the other in every round, and the figure to trust is
//! the ratio to the bare signals of the same run. Times are read from the traces: from the first USR2 that
//! the old master logged to the old master's end.
//!
//! # Units
//! Milliseconds; the trace's clock has microseconds.

use std::collections::BTreeMap;
use std::io::Write;

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde_json::json;

use super::run::{self, How, Job, Ran};
use super::{LabError, Screen, arguments};
use crate::catalogue;
use crate::handoff::Handoff;
use crate::live::nginx;
use crate::scenario::WorldKind;
use crate::trace::What;

/// The procedure that the others are compared with.
const FLOOR: &str = "handoff-by-bare-signals";

/// The times of one procedure in one world.
#[derive(Debug, Default)]
struct Times {
    releases: String,
    handoff_ms: Vec<f64>,
    before_ms: Vec<f64>,
    lost: usize,
}

/// Runs every procedure as often as asked and prints what it took.
pub(super) fn bench(
    arguments: &arguments::Bench,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<u8, LabError> {
    let (worlds, notes) = run::available(live_only(arguments.world), &nginx::releases());
    if worlds.is_empty() {
        let why = if notes.is_empty() { "the model's time is virtual".to_owned() } else { notes.join(" ") };
        return Err(LabError::NoWorld(why));
    }
    let mut jobs = Vec::new();
    for round in 0..arguments.rounds {
        for &world in &worlds {
            for entry in catalogue::HANDOFFS {
                let scenario = run::load(entry.name)?;
                jobs.push(Job { scenario, called: entry.name.into(), world, seed: 1 + u64::from(round) });
            }
        }
    }
    let ran = run::run_all(jobs, &How::default(), None, |_| ())?;
    let measured = measure(&ran);
    if arguments.json {
        writeln!(out, "{}", as_json(arguments.rounds, &measured))?;
    } else {
        for note in notes {
            writeln!(out, "{note}")?;
        }
        writeln!(out, "\n{}", as_table(&measured, screen))?;
        writeln!(
            out,
            "\nhandoff: from the first USR2 to the old master's end. before: what the procedure did until then."
        )?;
    }
    Ok(crate::verdict::exit_code(ran.iter().map(|ran| &ran.verdict)))
}

/// The model's time is virtual: there is nothing to measure in it.
fn live_only(worlds: arguments::Worlds) -> &'static [WorldKind] {
    let kinds = worlds.kinds();
    kinds.strip_prefix(&[WorldKind::Model]).unwrap_or(kinds)
}

fn measure(ran: &[Ran]) -> BTreeMap<(WorldKind, String), Times> {
    let mut all: BTreeMap<_, Times> = BTreeMap::new();
    for ran in ran {
        let header = &ran.trace.header;
        let times = all.entry((header.world, header.scenario.clone())).or_default();
        times.releases = format!("{} → {}", header.old, header.new);
        if let Some(handoff) = Handoff::of(&ran.trace) {
            times.before_ms.push(in_ms(handoff.before_us));
            times.handoff_ms.push(in_ms(handoff.handoff_us));
        }
        times.lost += ran.trace.select(lost).count();
    }
    all
}

fn lost(what: &What) -> Option<()> {
    matches!(what, What::Request(request) if request.is_lost()).then_some(())
}

fn in_ms(us: u64) -> f64 {
    f64::from(u32::try_from(us).unwrap_or(u32::MAX)) / 1_000.0
}

/// Smallest, median and largest.
fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some((*sorted.first()?, sorted[sorted.len() / 2], *sorted.last()?))
}

/// The median of one procedure over the median of the floor, in the same world.
fn ratio(all: &BTreeMap<(WorldKind, String), Times>, world: WorldKind, times: &Times) -> Option<f64> {
    let floor = all.get(&(world, FLOOR.to_owned()))?;
    Some(spread(&times.handoff_ms)?.1 / spread(&floor.handoff_ms)?.1)
}

fn as_table(all: &BTreeMap<(WorldKind, String), Times>, screen: &Screen) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    if let Some(width) = screen.width {
        table.set_width(width);
    }
    table.set_header([
        "procedure",
        "world",
        "releases",
        "runs",
        "handoff ms (min median max)",
        "ratio",
        "before ms (median)",
        "lost",
    ]);
    for ((world, name), times) in all {
        let handoff = spread(&times.handoff_ms)
            .map_or("never ended".into(), |(min, median, max)| format!("{min:.1} {median:.1} {max:.1}"));
        let cells = [
            name.trim_start_matches("handoff-by-").to_owned(),
            world.to_string(),
            times.releases.clone(),
            times.handoff_ms.len().to_string(),
            handoff,
            ratio(all, *world, times).map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            spread(&times.before_ms).map_or_else(String::new, |(_, median, _)| format!("{median:.1}")),
            times.lost.to_string(),
        ];
        table.add_row(cells.map(Cell::new));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index >= 3 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn as_json(rounds: u32, all: &BTreeMap<(WorldKind, String), Times>) -> serde_json::Value {
    let procedures: Vec<_> = all
        .iter()
        .map(|((world, name), times)| {
            json!({
                "procedure": name.trim_start_matches("handoff-by-"), "world": world, "releases": times.releases,
                "handoff_ms": times.handoff_ms, "before_ms": times.before_ms, "lost": times.lost,
                "ratio_to_bare_signals": ratio(all, *world, times),
            })
        })
        .collect();
    json!({ "schema": 1, "rounds": rounds, "procedures": procedures })
}
