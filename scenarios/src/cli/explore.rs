//! `oldbin-lab explore`: random scripts, as many as wanted, in one world.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;

use super::error::at;
use super::exhaustive;
use super::interrupt::Interrupt;
use super::linear;
use super::merge::{exit_code, write_junit};
use super::progress::Progress;
use super::{HOW_TO_GET_NGINX, LabError, Screen, arguments};
use crate::explore::results::{self, Found, Part, Results, Whole};
use crate::explore::{self, Draw, Failure, Live, Model, Run, Shrunk, Stop, World, verdict};
use crate::live::clock::Clock;
use crate::live::nginx;
use crate::model::choice::Strategy;
use crate::mutant::{self, Mutant};
use crate::regression::Regression;
use crate::scenario::WorldKind;
use crate::shard::{self, Shard};
use crate::{report, trace};

/// How many failures are made small and told; the others are counted.
const TOLD_MAX: usize = 5;
/// Scripts, if nobody says how many.
const SCRIPTS_OF_MODEL: u64 = 10_000;
const SCRIPTS_OF_LIVE: u64 = 100;
/// Scripts at once for each core, where processes mostly wait.
const LIVE_JOBS: usize = 4;

/// A failure as it is told.
struct Told {
    failure: Failure,
    shrunk: Option<Shrunk>,
    file: Option<PathBuf>,
}

/// Everything that a run has to say.
struct Explored<'a> {
    arguments: &'a arguments::Explore,
    run: Run,
    told: Vec<Told>,
    results: Results,
    unchecked: Vec<String>,
}

/// Plays, counts, makes small, tells.
pub(super) fn explore(
    arguments: &arguments::Explore,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<u8, LabError> {
    if arguments.exhaustive {
        return exhaustive::explore(arguments, out);
    }
    if arguments.linear {
        return linear::explore(arguments, out);
    }
    let kind = arguments.world.kind();
    let (shard, told_by) = shard_of(arguments)?;
    has_seed(arguments, shard, told_by.as_deref())?;
    if kind == WorldKind::Real && nginx::releases().is_empty() {
        return Err(LabError::NoWorld(format!("no nginx was found. {HOW_TO_GET_NGINX}")));
    }
    let run = run_of(arguments, shard);
    let world = world_of(kind, &arguments.mutant, draw_of(arguments));
    let mut interrupt = Interrupt::new()?;
    let share = shard.share(run.seed, run.scripts);
    let progress = Progress::of("scripts", arguments.for_ms.is_none().then_some(share));
    let clock = Clock::start();
    let (tally, mut failures) = explore::explore(&*world, &run, |tally, failures| {
        progress.is_at(tally.scripts, format!("{} failed", failures.len()));
        if interrupt.was_there() { Stop::Now } else { Stop::No }
    })?;
    let took_ms = clock.now_us() / 1_000;
    failures.truncate(TOLD_MAX);
    let mut told = Vec::new();
    for failure in failures {
        progress.begin(&format!("making the failure of seed {} small", failure.seed));
        // Whoever is in a hurry gets it as it is.
        let shrunk = if interrupt.was_there() { None } else { world.shrink(&failure)? };
        let mut one = Told { failure, shrunk, file: None };
        if let Some(folder) = &arguments.keep {
            one.file = Some(keep(folder, &one, &command(arguments, &one.failure))?);
        }
        told.push(one);
    }
    progress.finish();
    let part = Part {
        shard: shard.number(),
        told_by,
        is_cut_short: interrupt.was_there(),
        jobs: run.jobs,
        took_ms,
        counted: tally,
        failed: told.iter().map(|told| told.found(arguments)).collect(),
    };
    let results = Results { whole: whole(arguments, &run), parts: BTreeMap::from([(part.shard, part)]) };
    let unchecked = results.unchecked();
    if let Some(path) = &arguments.junit {
        write_junit(path, &results, &unchecked)?;
    }
    let explored = Explored { arguments, run, told, results, unchecked };
    if arguments.json {
        let line = results::to_json(&explored.results, &explored.unchecked).map_err(io::Error::from)?;
        writeln!(out, "{line}")?;
    } else {
        explored.print(screen, out)?;
    }
    Ok(exit_code(explored.results.tally().failures > 0, &explored.unchecked))
}

/// Which part of the run is played here, and which variables said so.
pub(super) fn shard_of(arguments: &arguments::Explore) -> Result<(Shard, Option<String>), LabError> {
    match arguments.shard {
        Some(shard) => Ok((shard, None)),
        None => match shard::told_by(|name| std::env::var(name).ok()) {
            Ok(told) => Ok(told.map_or((Shard::WHOLE, None), |told| (told.shard, Some(told.by)))),
            Err(contradiction) => Err(LabError::Usage(contradiction.to_string())),
        },
    }
}

/// A line about it, unless there are no others.
pub(super) fn tell_shard(shard: Shard, by: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    if shard.is_whole() {
        return Ok(());
    }
    let from = by.map_or_else(String::new, |by| format!(", from {by}"));
    writeln!(out, "shard {shard}{from}")
}

/// For a person.
pub(super) fn seconds(ms: u64) -> f64 {
    f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1_000.0
}

/// Shards of random scripts are a whole only if all begin with one seed.
fn has_seed(arguments: &arguments::Explore, shard: Shard, by: Option<&str>) -> Result<(), LabError> {
    if shard.is_whole() {
        return Ok(());
    }
    let from = by.map_or_else(String::new, |by| format!(" (from {by})"));
    let Some(seed) = arguments.seed else {
        let message =
            format!("this is shard {shard}{from}: give all shards the same --seed, or they are no whole");
        return Err(LabError::Usage(message));
    };
    if seed.checked_add(arguments.scripts.unwrap_or(0)).is_none() {
        return Err(LabError::Usage(format!("seeds end at {}, and shards cannot go on from 0", u64::MAX)));
    }
    Ok(())
}

fn run_of(arguments: &arguments::Explore, shard: Shard) -> Run {
    let is_model = arguments.world.kind() == WorldKind::Model;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let default = if is_model { SCRIPTS_OF_MODEL } else { SCRIPTS_OF_LIVE };
    let scripts = if arguments.for_ms.is_some() { u64::MAX } else { arguments.scripts.unwrap_or(default) };
    Run {
        seed: arguments.seed.unwrap_or_else(explore::fresh_seed),
        scripts,
        shard,
        for_ms: arguments.for_ms,
        jobs: arguments.jobs.map_or(if is_model { cores } else { cores * LIVE_JOBS }, usize::from),
    }
}

fn draw_of(arguments: &arguments::Explore) -> Draw {
    let is_replay = arguments.scripts == Some(1) && arguments.seed.is_some();
    let default = match arguments.world.kind() {
        WorldKind::Model if !is_replay => Strategy::Portfolio,
        WorldKind::Model | WorldKind::Fake | WorldKind::Real => Strategy::Seeded,
    };
    let strategy = arguments.strategy.map_or(default, arguments::HowToPick::strategy);
    Draw { strategy, faults: usize::try_from(arguments.faults).unwrap_or(usize::MAX) }
}

fn world_of(kind: WorldKind, mutants: &[Mutant], draw: Draw) -> Box<dyn World> {
    match kind {
        WorldKind::Model => Box::new(Model::new(mutant::mistakes(mutants), draw)),
        WorldKind::Fake | WorldKind::Real => Box::new(Live::new(kind, mutants.to_vec()).drawing(draw)),
    }
}

/// Which run this is a part of.
fn whole(arguments: &arguments::Explore, run: &Run) -> Whole {
    Whole {
        world: arguments.world.kind(),
        draw: draw_of(arguments),
        mutants: arguments.mutant.iter().map(ToString::to_string).collect(),
        seed: run.seed,
        scripts: arguments.for_ms.is_none().then_some(run.scripts),
        shards: run.shard.count(),
    }
}

/// The command that plays a failure again.
fn command(arguments: &arguments::Explore, failure: &Failure) -> String {
    let mutants = mutant::as_arguments(&arguments.mutant);
    let (world, seed) = (arguments.world.kind(), failure.seed);
    let draw = draw_of(arguments).as_arguments(seed);
    format!("oldbin-lab explore --world {world} --seed {seed} --scripts 1{draw}{mutants}")
}

/// Writes a failure down: what is needed for it, and what was seen.
fn keep(folder: &Path, told: &Told, replay: &str) -> Result<PathBuf, LabError> {
    fs::create_dir_all(folder).map_err(at(folder))?;
    if let Some(Shrunk::Model(shrunk)) = &told.shrunk {
        let found = Regression::found(shrunk);
        let path = folder.join(format!("{}.kdl", found.name));
        fs::write(&path, found.to_string()).map_err(at(&path))?;
        return Ok(path);
    }
    let path = folder.join(format!("seed-{}.txt", told.failure.seed));
    let text = match &told.shrunk {
        Some(shrunk) => shrunk.to_string(),
        None => format!("{:#?}\nwrong   {}", told.failure.script, told.failure.why),
    };
    fs::write(&path, format!("{text}\nreplay  {replay}\n")).map_err(at(&path))?;
    if let Some(seen) = &last(told).trace {
        let path = path.with_extension("jsonl");
        let file = File::create(&path).map_err(at(&path))?;
        trace::write(seen, BufWriter::new(file)).map_err(at(&path))?;
    }
    Ok(path)
}

/// The smallest form of a failure on real processes.
fn last(told: &Told) -> &Failure {
    match &told.shrunk {
        Some(Shrunk::Live(failure)) => failure,
        Some(Shrunk::Model(_)) | None => &told.failure,
    }
}

impl Told {
    /// The same for a program.
    fn found(&self, arguments: &arguments::Explore) -> Found {
        Found {
            seed: self.failure.seed,
            why: self.shrunk.as_ref().map_or(&*self.failure.why, Shrunk::why).to_owned(),
            steps: self.shrunk.as_ref().map_or_else(Vec::new, Shrunk::steps),
            file: self.file.clone(),
            replay: command(arguments, &self.failure),
        }
    }
}

impl Explored<'_> {
    fn print(&self, screen: &Screen, out: &mut impl Write) -> io::Result<()> {
        let Whole { world, draw, .. } = self.results.whole;
        let Run { seed, shard, jobs, .. } = self.run;
        let tally = self.results.tally();
        for part in self.results.parts.values() {
            tell_shard(shard, part.told_by.as_deref(), out)?;
        }
        let took_ms: u64 = self.results.parts.values().map(|part| part.took_ms).sum();
        let seconds = seconds(took_ms);
        #[expect(clippy::cast_precision_loss, reason = "nobody plays so many scripts")]
        let per_second = tally.scripts as f64 / seconds.max(0.001);
        writeln!(
            out,
            "world {world}, strategy {}, up to {} faults, seeds {} to {}, {seconds:.1} s, {per_second:.1} scripts a second, {jobs} at once",
            draw.strategy,
            draw.faults,
            shard.nth(seed, 0),
            shard.nth(seed, tally.scripts.saturating_sub(1)),
        )?;
        writeln!(out, "{tally}")?;
        for told in &self.told {
            writeln!(out, "\nFAILED    seed {}: {}", told.failure.seed, told.failure.why)?;
            if let Some(shrunk) = &told.shrunk {
                writeln!(out, "\n{shrunk}")?;
            }
            let smallest = last(told);
            if let Some(trace) = &smallest.trace {
                let (scenario, verdict) = verdict(&smallest.script, trace);
                let page = report::failure(&scenario, trace, &verdict, false, screen.in_colour);
                page.map_or(Ok(()), |page| writeln!(out, "\n{page}"))?;
            }
            told.file.iter().try_for_each(|file| writeln!(out, "kept    {}", file.display()))?;
            let again = match &told.file {
                Some(file) if file.extension().is_some_and(|kind| kind == "kdl") => {
                    format!("oldbin-lab replay {}", file.display())
                }
                Some(_) | None => command(self.arguments, &told.failure),
            };
            writeln!(out, "replay  {again}")?;
        }
        let told = self.told.len() as u64;
        if tally.failures > told {
            writeln!(out, "\nand {} more that failed", tally.failures - told)?;
        }
        self.unchecked.iter().try_for_each(|why| writeln!(out, "UNCHECKED  {why}"))
    }
}
