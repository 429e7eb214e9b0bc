//! `oldbin-lab verify`: random steps on the fake and on real nginx, and what is seen compared.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::json;

use super::error::at;
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::run::read;
use super::{HOW_TO_GET_NGINX, LabError, arguments};
use crate::catalogue;
use crate::conformance::{self, Found, Kept, Pair, Played, Run, Seen, Sequence, Tally, Verifier, kept};
use crate::explore::{Stop, fresh_seed};
use crate::live::clock::Clock;
use crate::live::nginx;
use crate::mutant;

/// How many differences are made small and told; the others are counted.
const TOLD_MAX: usize = 5;
/// From so many sequences on, a kind of step that never had an effect is something that nobody checked: the rarest had
/// six in three hundred.
const SEQUENCES_THAT_HOLD_ALL: u64 = 500;
/// The exit code of a run that left something unchecked.
const UNCHECKED: u8 = 3;
/// Sequences at once for each core: processes mostly wait.
const JOBS: usize = 4;

/// A difference as it is told.
struct Told {
    /// What it is called.
    name: String,
    sequence: Sequence,
    seen: Seen,
    replay: String,
    file: Option<PathBuf>,
}

/// Everything that a run has to say.
struct Verified {
    pair: Pair,
    same: u64,
    differ: usize,
    told: Vec<Told>,
    tally: Tally,
    /// Kinds of steps that should have had an effect, and had none.
    unchecked: Vec<String>,
    took_ms: u64,
    jobs: usize,
}

/// Plays, compares, makes small, tells.
pub(super) fn verify(arguments: &arguments::Verify, out: &mut impl Write) -> Result<u8, LabError> {
    let verifier = verifier(arguments)?;
    let verified = if arguments.kept.is_empty() {
        verify_random(arguments, &verifier)?
    } else {
        verify_kept(arguments, &verifier)?
    };
    if arguments.json {
        writeln!(out, "{}", verified.as_json())?;
    } else {
        verified.print(out)?;
    }
    Ok(match (verified.differ, verified.unchecked.is_empty()) {
        (0, true) => 0,
        (0, false) => UNCHECKED,
        _ => 1,
    })
}

fn verifier(arguments: &arguments::Verify) -> Result<Verifier, LabError> {
    let releases = nginx::releases();
    match arguments.pair.among(&releases) {
        Some(pair) => Ok(Verifier::new(pair, releases, arguments.mutant.clone())),
        None => {
            let wanted = arguments.pair;
            Err(LabError::NoWorld(format!("no nginx {wanted} was found. {HOW_TO_GET_NGINX}")))
        }
    }
}

fn verify_random(arguments: &arguments::Verify, verifier: &Verifier) -> Result<Verified, LabError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let run = Run {
        seed: arguments.seed.unwrap_or_else(fresh_seed),
        sequences: if arguments.for_ms.is_some() { u64::MAX } else { arguments.sequences },
        steps_max: usize::from(arguments.steps_max),
        for_ms: arguments.for_ms,
        jobs: arguments.jobs.map_or(cores * JOBS, usize::from),
    };
    let mut interrupt = Interrupt::new()?;
    let progress = Progress::of("sequences", arguments.for_ms.is_none().then_some(run.sequences));
    let clock = Clock::start();
    let Played { same, found, tally } = conformance::verify(verifier, &run, |same, differ| {
        progress.is_at(same + differ as u64, format!("{differ} differ"));
        if interrupt.was_there() { Stop::Now } else { Stop::No }
    })?;
    let took_ms = clock.now_us() / 1_000;
    let differ = found.len();
    let mut told = Vec::new();
    let mut found = found.into_iter();
    for Found { seed, sequence, seen } in found.by_ref().take(TOLD_MAX) {
        progress.begin(&format!("making the difference of seed {seed} small"));
        let (sequence, seen) = conformance::shrink(verifier, &sequence, &seen, || !interrupt.was_there())?;
        let steps = run.steps_max;
        let replay = format!(
            "oldbin-lab verify --seed {seed} --sequences 1 --steps-max {steps} --pair {}{}",
            verifier.pair(),
            mutant::as_arguments(&arguments.mutant)
        );
        let file = arguments.keep.as_deref().map(|folder| keep(folder, seed, &sequence)).transpose()?;
        told.push(Told { name: format!("seed {seed}"), sequence, seen, replay, file });
    }
    progress.finish();
    if let Some(folder) = &arguments.keep {
        found.try_for_each(|found| keep(folder, found.seed, &found.sequence).map(drop))?;
    }
    let is_all = same + differ as u64 >= SEQUENCES_THAT_HOLD_ALL;
    let unchecked = if is_all { tally.missing() } else { Vec::new() };
    Ok(Verified { pair: verifier.pair(), same, differ, told, tally, unchecked, took_ms, jobs: run.jobs })
}

fn verify_kept(arguments: &arguments::Verify, verifier: &Verifier) -> Result<Verified, LabError> {
    let clock = Clock::start();
    let (mut same, mut told, mut tally) = (0, Vec::new(), Tally::default());
    for name in &arguments.kept {
        let kept = load(name)?;
        let compared = verifier.verify(&kept.sequence)?;
        tally.count(&kept.sequence, &compared);
        match compared.differs {
            None => same += 1,
            Some(seen) => told.push(Told {
                name: kept
                    .differs
                    .map_or(kept.name.clone(), |why| format!("{}, as its file says: {why}", kept.name)),
                sequence: kept.sequence,
                seen: *seen,
                replay: format!(
                    "oldbin-lab verify {name} --pair {}{}",
                    verifier.pair(),
                    mutant::as_arguments(&arguments.mutant)
                ),
                file: None,
            }),
        }
    }
    let took_ms = clock.now_us() / 1_000;
    let (pair, differ, unchecked) = (verifier.pair(), told.len(), Vec::new());
    Ok(Verified { pair, same, differ, told, tally, unchecked, took_ms, jobs: 1 })
}

/// A kept sequence by its name, or from a file.
fn load(name: &str) -> Result<Kept, LabError> {
    if Path::new(name).extension().is_some_and(|ending| ending == "kdl") {
        return Ok(kept::parse(name, &read(Path::new(name))?)?);
    }
    let found = catalogue::conformance(name);
    Ok(found.ok_or_else(|| LabError::UnknownSequence { name: name.to_owned() })??)
}

fn keep(folder: &Path, seed: u64, sequence: &Sequence) -> Result<PathBuf, LabError> {
    let kept = Kept::found(seed, sequence);
    let path = folder.join(format!("{}.kdl", kept.name));
    fs::create_dir_all(folder).map_err(at(folder))?;
    fs::write(&path, kept.to_string()).map_err(at(&path))?;
    Ok(path)
}

impl Verified {
    #[expect(clippy::cast_precision_loss, reason = "nobody plays so many sequences")]
    fn per_second(&self) -> f64 {
        (self.same + self.differ as u64) as f64 * 1_000.0 / (self.took_ms.max(1) as f64)
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        for told in &self.told {
            writeln!(out, "DIFFERS   {}", told.name)?;
            let mut page = String::new();
            conformance::tell(&told.sequence, &told.seen, &mut page).map_err(io::Error::other)?;
            writeln!(out, "{page}")?;
            told.file.iter().try_for_each(|file| writeln!(out, "kept    {}", file.display()))?;
            writeln!(out, "replay  {}\n", told.replay)?;
        }
        if self.differ > self.told.len() {
            writeln!(out, "and {} more that differ", self.differ - self.told.len())?;
        }
        if !self.tally.excused.is_empty() {
            let excused = self.tally.excused.iter().map(|(subject, count)| format!("{subject} in {count}"));
            writeln!(out, "real nginx differs from itself: {}", excused.collect::<Vec<_>>().join(", "))?;
        }
        if !self.unchecked.is_empty() {
            writeln!(out, "UNCHECKED these never had an effect: {}", self.unchecked.join(", "))?;
        }
        writeln!(
            out,
            "pair {}, {:.1} sequences a second, {} at once",
            self.pair,
            self.per_second(),
            self.jobs
        )?;
        writeln!(out, "{} same, {} differ", self.same, self.differ)
    }

    fn as_json(&self) -> serde_json::Value {
        let told = self.told.iter().map(|told| {
            let at = told.seen.difference.step;
            json!({
                "name": told.name,
                "site": told.sequence.site,
                "steps": told.sequence.steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "parts_behind_step": at,
                "subjects": told.seen.difference.subjects,
                "real": told.seen.real.get(at),
                "fake": told.seen.fake.get(at),
                "file": told.file,
                "replay": told.replay,
            })
        });
        json!({
            "schema": 1,
            "pair": self.pair.to_string(),
            "same": self.same,
            "differ": self.differ,
            "tally": self.tally,
            "unchecked": self.unchecked,
            "sequences_per_second": self.per_second(),
            "differences": told.collect::<Vec<_>>(),
        })
    }
}
