//! `oldbin-lab explore --exhaustive`: every interleaving within each of several bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::error::at;
use super::explore::{shard_of, tell_shard};
use super::interrupt::Interrupt;
use super::merge::tell_bounds;
use super::progress::Progress;
use super::{LabError, arguments};
use crate::explore::Stop;
use crate::explore::bounds::{Bounds, Part, Visited, Whole, Wrong};
use crate::live::clock::Clock;
use crate::model::Shrunk;
use crate::model::exhaustive::{self, Cell, Limits, Order, Report};
use crate::mutant;
use crate::pool::{self, Extent};
use crate::regression::Regression;

/// A bound that was explored.
struct Explored {
    number: usize,
    report: Report,
    took_ms: u64,
}

/// Visits, counts, tells.
pub(super) fn explore(arguments: &arguments::Explore, out: &mut impl Write) -> Result<u8, LabError> {
    let (shard, told_by) = shard_of(arguments)?;
    let all = match arguments {
        arguments::Explore { pairs: true, .. } => exhaustive::pairs(),
        arguments::Explore { crashes: true, client, .. } => exhaustive::crashes(u8::from(*client)),
        arguments::Explore { wider: true, .. } => exhaustive::wider(),
        arguments::Explore { cell, .. } if !cell.is_empty() => cell.clone(),
        arguments::Explore { .. } => exhaustive::cells(),
    };
    let all = each_once(all);
    let whole = Whole {
        bounds: all.iter().map(ToString::to_string).collect(),
        mutants: arguments.mutant.iter().map(ToString::to_string).collect(),
        is_depth_first: arguments.depth_first,
        states_max: arguments.states,
        shards: shard.count(),
    };
    let cells: Vec<Cell> =
        all.into_iter().zip(0..).filter(|&(_, number)| shard.takes(number)).map(|(cell, _)| cell).collect();
    let clock = Clock::start();
    let explored = visit(arguments, &cells, &clock)?;
    let took_ms = clock.now_us() / 1_000;
    let part = Part { shard: shard.number(), took_ms, told_by };
    let mut visited = BTreeMap::new();
    for one in explored {
        let told = told(arguments, &cells[one.number], &one)?;
        visited.insert(told.bound.clone(), told);
    }
    if !arguments.json {
        tell_shard(shard, part.told_by.as_deref(), out)?;
    }
    let run = Bounds { whole, parts: BTreeMap::from([(part.shard, part)]), visited };
    tell_bounds(&run, &run.unchecked(Some(shard)), (arguments.json, arguments.junit.as_deref()), out)
}

/// Nobody needs to visit a bound twice.
fn each_once(mut cells: Vec<Cell>) -> Vec<Cell> {
    let mut known = BTreeSet::new();
    cells.retain(|cell| known.insert(cell.to_string()));
    cells
}

/// What was found, for people and programs; what is wrong is kept, if somebody wants that.
fn told(arguments: &arguments::Explore, cell: &Cell, one: &Explored) -> Result<Visited, LabError> {
    let mutants = mutant::as_arguments(&arguments.mutant);
    let replay = format!("oldbin-lab explore --exhaustive --cell \"{cell}\"{mutants}");
    let mut told = Visited::new(cell.to_string(), &one.report, one.took_ms, replay);
    if let Some(folder) = &arguments.keep {
        let mistakes = mutant::mistakes(&arguments.mutant);
        for (nth, found) in one.report.found.iter().enumerate() {
            let story = exhaustive::as_story(cell, mistakes, found);
            told.wrong[nth].file = Some(keep(folder, &told, nth, story.as_ref())?);
        }
    }
    Ok(told)
}

/// Writes down what is wrong: as a story that replays, or, if it has none, the way as it was found.
fn keep(folder: &Path, told: &Visited, nth: usize, story: Option<&Shrunk>) -> Result<PathBuf, LabError> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    let Visited { bound, wrong, replay, .. } = told;
    let (name, text) = if let Some(story) = story {
        let found = Regression::found_by(&format!("every interleaving within: {bound}"), story);
        (format!("{}.kdl", found.name), found.to_string())
    } else {
        let Wrong { why, path, .. } = &wrong[nth];
        let words: String =
            bound.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
        (
            format!("{words}-{}.txt", nth + 1),
            format!("{}\nwrong   {why}\nreplay  {replay}\n", path.join("\n")),
        )
    };
    let path = folder.join(name);
    fs::write(&path, text).map_err(at(&path))?;
    Ok(path)
}

fn visit(arguments: &arguments::Explore, cells: &[Cell], clock: &Clock) -> Result<Vec<Explored>, LabError> {
    let mistakes = mutant::mistakes(&arguments.mutant);
    let limits = Limits {
        order: if arguments.depth_first { Order::Depth } else { Order::Breadth },
        states_max: arguments.states.and_then(|states| usize::try_from(states).ok()).unwrap_or(usize::MAX),
        ..Limits::EVERYTHING
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let extent = Extent {
        count: cells.len() as u64,
        batch: 1,
        for_ms: arguments.for_ms,
        jobs: arguments.jobs.map_or(cores, usize::from),
    };
    let mut interrupt = Interrupt::new()?;
    let (is_over, states) = (AtomicBool::new(false), AtomicU64::new(0));
    let is_late = || arguments.for_ms.is_some_and(|for_ms| clock.now_us() >= for_ms * 1_000);
    let play = |numbers: std::ops::Range<u64>| {
        let explored = numbers.filter_map(|number| usize::try_from(number).ok()).map(|number| {
            let (began_us, mut told) = (clock.now_us(), 0);
            let report = exhaustive::explore(&cells[number], mistakes, limits, &mut |report| {
                let met = report.states as u64;
                states.fetch_add(met - told, Ordering::Relaxed);
                told = met;
                if is_over.load(Ordering::Relaxed) || is_late() { Stop::Now } else { Stop::No }
            });
            states.fetch_add(report.states as u64 - told, Ordering::Relaxed);
            Explored { number, report, took_ms: (clock.now_us() - began_us) / 1_000 }
        });
        Ok(explored.collect::<Vec<_>>())
    };
    let progress = Progress::of("bounds", Some(cells.len() as u64));
    let mut explored: Vec<Explored> = Vec::new();
    pool::play(&extent, play, |news| {
        explored.extend(news.into_iter().flatten());
        let wrong: usize = explored.iter().map(|one| one.report.found.len()).sum();
        let met = states.load(Ordering::Relaxed);
        progress.is_at(explored.len() as u64, format!("{met} states, {wrong} wrong"));
        if interrupt.was_there() {
            is_over.store(true, Ordering::Relaxed);
            return Stop::Now;
        }
        Stop::No
    })?;
    progress.finish();
    explored.sort_by_key(|one| one.number);
    Ok(explored)
}
