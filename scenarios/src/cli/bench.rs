//! `oldbin-lab bench`: how long the parts of a handoff take, by different procedures in turns.
//!
//! The machine may be noisy, so the procedures run one after the other in every round, and the figure to trust is
//! the ratio to the bare signals of the same run. Times are read from the traces: see [`Span`].
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
use crate::handoff::{Span, spans};
use crate::live::nginx;
use crate::scenario::WorldKind;
use crate::trace::What;

/// The procedure that the others are compared with.
const FLOOR: &str = "bare-signals";

/// One span of one procedure in one world.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    world: WorldKind,
    span: Span,
    procedure: String,
}

/// What was measured of it.
#[derive(Debug, Default)]
struct Times {
    releases: String,
    ms: Vec<f64>,
    lost: usize,
}

type Measured = BTreeMap<Row, Times>;

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
            "\nratio: to the bare signals of the same run. USR2 and HUP are those that the old master got."
        )?;
    }
    Ok(crate::verdict::exit_code(ran.iter().map(|ran| &ran.verdict)))
}

/// The model's time is virtual: there is nothing to measure in it.
fn live_only(worlds: arguments::Worlds) -> &'static [WorldKind] {
    let kinds = worlds.kinds();
    kinds.strip_prefix(&[WorldKind::Model]).unwrap_or(kinds)
}

fn measure(ran: &[Ran]) -> Measured {
    let mut all = Measured::new();
    for ran in ran {
        let header = &ran.trace.header;
        let procedure = header.scenario.split_once("-by-").map_or("", |(_, procedure)| procedure);
        let lost = ran.trace.select(lost).count();
        for (span, us) in spans(&ran.trace) {
            let row = Row { world: header.world, span, procedure: procedure.to_owned() };
            let times = all.entry(row).or_default();
            times.releases = format!("{} → {}", header.old, header.new);
            times.ms.push(in_ms(us));
            times.lost += lost;
        }
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

/// The median of one procedure over the median of the floor, for the same span in the same world.
fn ratio(all: &Measured, row: &Row) -> Option<f64> {
    let floor = all.get(&Row { procedure: FLOOR.to_owned(), ..row.clone() })?;
    Some(spread(&all.get(row)?.ms)?.1 / spread(&floor.ms)?.1)
}

fn as_table(all: &Measured, screen: &Screen) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    if let Some(width) = screen.width {
        table.set_width(width);
    }
    table.set_header([
        "from → to",
        "procedure",
        "world",
        "releases",
        "runs",
        "ms (min median max)",
        "ratio",
        "lost",
    ]);
    for (row, times) in all {
        let spread = spread(&times.ms)
            .map_or_else(String::new, |(min, median, max)| format!("{min:.1} {median:.1} {max:.1}"));
        let cells = [
            row.span.to_string(),
            row.procedure.clone(),
            row.world.to_string(),
            times.releases.clone(),
            times.ms.len().to_string(),
            spread,
            ratio(all, row).map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            times.lost.to_string(),
        ];
        table.add_row(cells.map(Cell::new));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index >= 4 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn as_json(rounds: u32, all: &Measured) -> serde_json::Value {
    let spans: Vec<_> = all
        .iter()
        .map(|(row, times)| {
            json!({
                "span": row.span.name(), "procedure": row.procedure, "world": row.world,
                "releases": times.releases, "ms": times.ms, "lost": times.lost,
                "ratio_to_bare_signals": ratio(all, row),
            })
        })
        .collect();
    json!({ "schema": 2, "rounds": rounds, "spans": spans })
}
