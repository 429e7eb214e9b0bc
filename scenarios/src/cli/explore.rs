//! `oldbin-lab explore`: random scripts, as many as wanted, in one world.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::json;

use super::error::at;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::{HOW_TO_GET_NGINX, LabError, Screen, arguments};
use crate::explore::{self, Demands, Failure, Live, Model, Run, Shrunk, Stop, Tally, World, verdict};
use crate::live::clock::Clock;
use crate::live::nginx;
use crate::model::fault::Fault;
use crate::model::script::Mistakes;
use crate::mutant::{self, Mutant};
use crate::regression::Regression;
use crate::scenario::WorldKind;
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
    tally: Tally,
    failures: usize,
    told: Vec<Told>,
    missing: Vec<String>,
    took_ms: u64,
}

/// Plays, counts, makes small, tells.
pub(super) fn explore(
    arguments: &arguments::Explore,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<u8, LabError> {
    let kind = arguments.world.kind();
    if kind == WorldKind::Real && nginx::releases().is_empty() {
        return Err(LabError::NoWorld(format!("no nginx was found. {HOW_TO_GET_NGINX}")));
    }
    let run = run_of(arguments);
    let world = world_of(kind, &arguments.mutant);
    let mut interrupt = Interrupt::new()?;
    let progress = Progress::of("scripts", arguments.for_ms.is_none().then_some(run.scripts));
    let clock = Clock::start();
    let (tally, mut failures) = explore::explore(&*world, &run, |tally, failures| {
        progress.is_at(tally.scripts, format!("{} failed", failures.len()));
        if interrupt.was_there() { Stop::Now } else { Stop::No }
    })?;
    let took_ms = clock.now_us() / 1_000;
    let mut missing = missing(kind, &tally);
    if interrupt.was_there() {
        missing.push(format!("the run was cut short after {} scripts", tally.scripts));
    }
    let count = failures.len();
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
    let explored = Explored { arguments, run, tally, failures: count, told, missing, took_ms };
    if arguments.json {
        writeln!(out, "{}", explored.as_json())?;
    } else {
        explored.print(screen, out)?;
    }
    Ok(explored.exit_code())
}

fn run_of(arguments: &arguments::Explore) -> Run {
    let is_model = arguments.world.kind() == WorldKind::Model;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let default = if is_model { SCRIPTS_OF_MODEL } else { SCRIPTS_OF_LIVE };
    let scripts = if arguments.for_ms.is_some() { u64::MAX } else { arguments.scripts.unwrap_or(default) };
    Run {
        seed: arguments.seed.unwrap_or_else(explore::fresh_seed),
        scripts,
        for_ms: arguments.for_ms,
        jobs: arguments.jobs.map_or(if is_model { cores } else { cores * LIVE_JOBS }, usize::from),
    }
}

fn world_of(kind: WorldKind, mutants: &[Mutant]) -> Box<dyn World> {
    match kind {
        WorldKind::Model => Box::new(Model::new(Mistakes {
            nginx: mutant::fake_defects(mutants),
            oldbin: mutant::orchestrator_defects(mutants),
        })),
        WorldKind::Fake | WorldKind::Real => Box::new(Live::new(kind, mutants.to_vec())),
    }
}

/// What the run did not meet, and should have.
fn missing(kind: WorldKind, tally: &Tally) -> Vec<String> {
    match kind {
        WorldKind::Model => tally.vacuous(&Demands::MODEL, &Fault::all().collect::<Vec<_>>()),
        WorldKind::Fake | WorldKind::Real => tally.vacuous(&Demands::LIVE, &Live::faults()),
    }
}

/// The command that plays a failure again.
fn command(arguments: &arguments::Explore, failure: &Failure) -> String {
    let mutants = mutant::as_arguments(&arguments.mutant);
    let world = arguments.world.kind();
    format!("oldbin-lab explore --world {world} --seed {} --scripts 1{mutants}", failure.seed)
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

impl Explored<'_> {
    fn exit_code(&self) -> u8 {
        match (self.failures, self.missing.is_empty()) {
            (1.., _) => 1,
            (0, true) => 0,
            (0, false) => 3,
        }
    }

    fn seconds(&self) -> f64 {
        f64::from(u32::try_from(self.took_ms).unwrap_or(u32::MAX)) / 1_000.0
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody plays so many scripts")]
    fn per_second(&self) -> f64 {
        self.tally.scripts as f64 / self.seconds().max(0.001)
    }

    fn print(&self, screen: &Screen, out: &mut impl Write) -> io::Result<()> {
        let world = self.arguments.world.kind();
        let (seed, scripts) = (self.run.seed, self.tally.scripts);
        writeln!(
            out,
            "world {world}, seeds {seed} to {}, {:.1} s, {:.1} scripts a second, {} at once",
            seed.wrapping_add(scripts.saturating_sub(1)),
            self.seconds(),
            self.per_second(),
            self.run.jobs
        )?;
        writeln!(out, "{}", self.tally)?;
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
        if self.failures > self.told.len() {
            writeln!(out, "\nand {} more that failed", self.failures - self.told.len())?;
        }
        for missing in &self.missing {
            writeln!(out, "UNCHECKED  {missing}")?;
        }
        Ok(())
    }

    fn as_json(&self) -> serde_json::Value {
        let told = self.told.iter().map(|told| {
            json!({
                "seed": told.failure.seed,
                "why": told.failure.why,
                "shrunk": told.shrunk.as_ref().map(ToString::to_string),
                "file": told.file,
                "replay": command(self.arguments, &told.failure),
            })
        });
        json!({
            "schema": 1,
            "world": self.arguments.world.kind(),
            "seed": self.run.seed,
            "jobs": self.run.jobs,
            "seconds": self.seconds(),
            "scripts_per_second": self.per_second(),
            "counted": self.tally,
            "median_choices": self.tally.median_choices(),
            "failed": told.collect::<Vec<_>>(),
            "unchecked": self.missing,
        })
    }
}
