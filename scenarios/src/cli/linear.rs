//! `oldbin-lab explore --linear`: a fault at every moment of the natural run, and a crash of oldbin at every pair.

use std::io::Write;
use std::thread;

use serde_json::json;

use super::explore::seconds;
use super::interrupt::Interrupt;
use super::merge::exit_code;
use super::progress::Progress;
use super::{LabError, arguments};
use crate::explore::Stop;
use crate::live::clock::Clock;
use crate::model::linear::{Linear, Told};
use crate::model::script::Stages;
use crate::mutant;
use crate::pool::{self, Extent};
use crate::regression::Regression;

/// The version of the JSON object.
const SCHEMA: u32 = 1;

/// Plays all of it and tells.
pub(super) fn explore(arguments: &arguments::Explore, out: &mut impl Write) -> Result<u8, LabError> {
    let linear = Linear::new(Stages::new(mutant::mistakes(&arguments.mutant)), arguments.pairs);
    let count = linear.len() as u64;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.map_or(cores, usize::from);
    let extent = Extent { count, batch: 1, for_ms: arguments.for_ms, jobs };
    let mut interrupt = Interrupt::new()?;
    let clock = Clock::start();
    let progress = Progress::of("first faults", Some(count));
    let (mut whole, mut done) = (Told::default(), 0);
    let play = |numbers: std::ops::Range<u64>| {
        let numbers = numbers.filter_map(|number| usize::try_from(number).ok());
        Ok(numbers.map(|number| linear.play(number)).fold(Told::default(), Told::and))
    };
    pool::play(&extent, play, |news| {
        if let Some(news) = news {
            done += 1;
            whole = std::mem::take(&mut whole).and(news);
        }
        progress.is_at(done, format!("{} plays, {} failed", whole.plays, whole.failed));
        if interrupt.was_there() { Stop::Now } else { Stop::No }
    })?;
    progress.finish();
    let left = count - done;
    let unchecked: Vec<String> =
        if left > 0 { vec![format!("{left} of {count} first faults were not played")] } else { Vec::new() };
    let took_ms = clock.now_us() / 1_000;
    let found = whole.found.map(|script| match linear.shrink(script.clone()) {
        Some(shrunk) => Regression::found(&shrunk).to_string(),
        None => format!("{script:#?}"),
    });
    if arguments.json {
        let line = json!({
            "schema": SCHEMA,
            "stories": linear.stories(),
            "first_faults": count,
            "plays": whole.plays,
            "struck": whole.struck,
            "failed": whole.failed,
            "found": found,
            "took_ms": took_ms,
            "unchecked": unchecked,
        });
        writeln!(out, "{line}")?;
    } else {
        found.iter().try_for_each(|found| writeln!(out, "FAILED\n{found}"))?;
        unchecked.iter().try_for_each(|why| writeln!(out, "UNCHECKED  {why}"))?;
        writeln!(
            out,
            "{} plays along {} stories: {count} first faults, one at each moment; in {} plays all that was planned \
             struck; {} failed; {:.1} s",
            whole.plays,
            linear.stories(),
            whole.struck,
            whole.failed,
            seconds(took_ms)
        )?;
    }
    Ok(exit_code(whole.failed > 0, &unchecked))
}
