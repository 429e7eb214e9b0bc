//! `oldbin-lab explore --exhaustive`: every interleaving within each of several bounds.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::json;

use super::explore::{seconds, shard_of, tell_shard};
use super::interrupt::Interrupt;
use super::merge::exit_code;
use super::progress::Progress;
use super::{LabError, arguments};
use crate::explore::Stop;
use crate::live::clock::Clock;
use crate::model::exhaustive::{self, Cell, Limits, Order, Report};
use crate::model::fault::Fault;
use crate::mutant;
use crate::pool::{self, Extent};
use crate::shard::Shard;

/// The version of the JSON object.
const SCHEMA: u32 = 1;

/// A bound that was explored.
struct Explored {
    number: usize,
    report: Report,
    took_ms: u64,
}

/// All of them.
struct Whole<'a> {
    arguments: &'a arguments::Explore,
    cells: Vec<Cell>,
    shard: Shard,
    /// Which variables said so.
    told_by: Option<String>,
    explored: Vec<Explored>,
    took_ms: u64,
    unchecked: Vec<String>,
}

/// Visits, counts, tells.
pub(super) fn explore(arguments: &arguments::Explore, out: &mut impl Write) -> Result<u8, LabError> {
    let (shard, told_by) = shard_of(arguments)?;
    let all = match arguments {
        arguments::Explore { pairs: true, .. } => exhaustive::pairs(),
        arguments::Explore { crashes: true, .. } => exhaustive::crashes(),
        arguments::Explore { wider: true, .. } => exhaustive::wider(),
        arguments::Explore { cell, .. } if !cell.is_empty() => cell.clone(),
        arguments::Explore { .. } => exhaustive::cells(),
    };
    let is_other = arguments.crashes || arguments.wider || arguments.pairs || !arguments.cell.is_empty();
    let is_everybodys = !is_other && shard.is_whole();
    let cells: Vec<Cell> =
        all.into_iter().zip(0..).filter(|&(_, number)| shard.takes(number)).map(|(cell, _)| cell).collect();
    let clock = Clock::start();
    let explored = visit(arguments, &cells, &clock)?;
    let took_ms = clock.now_us() / 1_000;
    let mut whole = Whole { arguments, cells, shard, told_by, explored, took_ms, unchecked: Vec::new() };
    whole.unchecked = whole.not_visited();
    if is_everybodys && arguments.mutant.is_empty() {
        whole.unchecked.extend(whole.never_reached());
    }
    if arguments.json {
        writeln!(out, "{}", whole.as_json())?;
    } else {
        whole.print(out)?;
    }
    Ok(exit_code(whole.has_failed(), &whole.unchecked))
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

impl Whole<'_> {
    fn cell(&self, one: &Explored) -> &Cell {
        &self.cells[one.number]
    }

    fn has_failed(&self) -> bool {
        self.explored.iter().any(|one| !one.report.found.is_empty())
    }

    /// Bounds within which not every state was visited.
    fn not_visited(&self) -> Vec<String> {
        let begun: BTreeSet<usize> = self.explored.iter().map(|one| one.number).collect();
        let never = (0..self.cells.len())
            .filter(|number| !begun.contains(number))
            .map(|number| format!("{}: not begun", self.cells[number]));
        let cut = self.explored.iter().filter(|one| !one.report.is_complete()).map(|one| {
            format!(
                "{}: {} of the {} states that were met were not visited",
                self.cell(one),
                one.report.left,
                one.report.states
            )
        });
        cut.chain(never).collect()
    }

    /// Faults that never struck, and outcomes that nobody claimed: then a bound is not what it seems.
    fn never_reached(&self) -> Vec<String> {
        let reached: BTreeSet<&str> =
            self.explored.iter().flat_map(|one| one.report.reached.keys().map(String::as_str)).collect();
        let faults = Fault::all().map(|fault| format!("fault.{}", fault.name()));
        let claims =
            ["upgraded", "rolled-back", "held", "refused", "stuck"].map(|name| format!("claim.{name}"));
        faults
            .chain(claims)
            .filter(|name| !reached.contains(&**name))
            .map(|name| format!("{name} was never reached"))
            .collect()
    }

    fn replay(&self, one: &Explored) -> String {
        let mutants = mutant::as_arguments(&self.arguments.mutant);
        format!("oldbin-lab explore --exhaustive --cell \"{}\"{mutants}", self.cell(one))
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        tell_shard(self.shard, self.told_by.as_deref(), out)?;
        writeln!(out, "{:>10}  {:>10}  {:>5}  {:>7}  within", "states", "edges", "depth", "seconds")?;
        for one in &self.explored {
            let Report { states, edges, depth, .. } = one.report;
            writeln!(
                out,
                "{states:>10}  {edges:>10}  {depth:>5}  {:>7.1}  {}",
                seconds(one.took_ms),
                self.cell(one)
            )?;
        }
        for one in &self.explored {
            for found in &one.report.found {
                writeln!(out, "\nWRONG     {}\n{}", self.cell(one), found.why)?;
                for (label, nth) in found.path.iter().zip(1..) {
                    writeln!(out, "{nth:>5}  {label}")?;
                }
                writeln!(out, "replay  {}", self.replay(one))?;
            }
        }
        self.unchecked.iter().try_for_each(|why| writeln!(out, "UNCHECKED  {why}"))?;
        writeln!(out, "\n{}", self.sentence())
    }

    /// What was visited, and how fast.
    fn sentence(&self) -> String {
        let states: usize = self.explored.iter().map(|one| one.report.states).sum();
        let left: usize = self.explored.iter().map(|one| one.report.left).sum();
        let edges: u64 = self.explored.iter().map(|one| one.report.edges).sum();
        let took = seconds(self.took_ms);
        #[expect(clippy::cast_precision_loss, reason = "nobody walks so many edges")]
        let per_second = edges as f64 / took.max(0.001);
        let bounds = format!("{} bounds", self.cells.len());
        let pace = format!("{took:.1} s, {per_second:.0} steps a second");
        if self.not_visited().is_empty() {
            format!("all {states} states within these {bounds} were visited: {edges} steps, {pace}")
        } else {
            format!("{left} of {states} states that were met within these {bounds} were not visited: {pace}")
        }
    }

    fn as_json(&self) -> serde_json::Value {
        let cells = self.explored.iter().map(|one| {
            let Report { states, left, edges, depth, waiting_max, ends, reached, found } = &one.report;
            let found = found.iter().map(|found| {
                let path: Vec<String> = found.path.iter().map(ToString::to_string).collect();
                json!({ "why": found.why, "path": path })
            });
            json!({
                "cell": self.cell(one).to_string(),
                "states": states,
                "not_visited": left,
                "steps": edges,
                "depth": depth,
                "waiting_max": waiting_max,
                "ends": ends,
                "took_ms": one.took_ms,
                "reached": reached,
                "wrong": found.collect::<Vec<_>>(),
                "replay": self.replay(one),
            })
        });
        json!({
            "schema": SCHEMA,
            "shard": self.shard.to_string(),
            "told_by": self.told_by,
            "took_ms": self.took_ms,
            "cells": cells.collect::<Vec<_>>(),
            "unchecked": self.unchecked,
        })
    }
}
