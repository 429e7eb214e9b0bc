//! `oldbin-lab run`, and the heart of the tour: scenarios in worlds, one verdict each.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use super::error::at;
use super::progress::Progress;
use super::{HOW_TO_GET_NGINX, LabError};
use crate::live::{self, Isolation, Setting, nginx};
use crate::model::choice::Seeded;
use crate::model::{self, Options};
use crate::mutant::{self, Mutant};
use crate::runbook::Runbook;
use crate::scenario::{self, Scenario, Subject, WorldKind};
use crate::trace::{self, Trace};
use crate::verdict::{self, Verdict};
use crate::{catalogue, runbook};

/// One scenario in one world.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// The story.
    pub(super) scenario: Scenario,
    /// As the user called it: a name or a file.
    pub(super) called: String,
    /// Where.
    pub(super) world: WorldKind,
    /// Where random picks begin.
    pub(super) seed: u64,
}

/// A job that came to its end.
#[derive(Debug)]
pub(super) struct Ran {
    /// The story.
    pub(super) scenario: Scenario,
    /// What was seen.
    pub(super) trace: Trace,
    /// What it means.
    pub(super) verdict: Verdict,
}

/// How jobs are run.
#[derive(Debug, Clone, Default)]
pub(super) struct How {
    /// Deliberate defects.
    pub(super) mutants: Vec<Mutant>,
    /// Do without namespaces.
    pub(super) no_namespaces: bool,
    /// The traces have every moment of every process.
    pub(super) tells_moments: bool,
}

/// The scenarios that were called, or the whole catalogue.
pub(super) fn scenarios(called: &[String]) -> Result<Vec<(String, Scenario)>, LabError> {
    if called.is_empty() {
        return catalogue::SCENARIOS
            .iter()
            .map(|entry| Ok((entry.name.to_owned(), load(entry.name)?)))
            .collect();
    }
    called.iter().map(|name| Ok((name.clone(), load(name)?))).collect()
}

pub(super) fn load(name: &str) -> Result<Scenario, LabError> {
    if let Some(found) = catalogue::scenario(name) {
        return Ok(found?);
    }
    if Path::new(name).extension().is_none_or(|ending| ending != "kdl") {
        return Err(LabError::UnknownScenario { name: name.to_owned() });
    }
    Ok(scenario::parse(name, &read(Path::new(name))?)?)
}

pub(super) fn read(path: &Path) -> Result<String, LabError> {
    fs::read_to_string(path).map_err(at(path))
}

/// Every scenario in every world, once for each seed.
pub(super) fn jobs(
    scenarios: &[(String, Scenario)],
    worlds: &[WorldKind],
    seeds: impl Iterator<Item = u64>,
) -> Vec<Job> {
    let mut jobs = Vec::new();
    for seed in seeds {
        for (called, scenario) in scenarios {
            let job = |&world| Job { scenario: scenario.clone(), called: called.clone(), world, seed };
            jobs.extend(worlds.iter().map(job));
        }
    }
    jobs
}

/// Takes out the runs of stories that are not for a world, and says how many and why.
pub(super) fn leave_out(jobs: &mut Vec<Job>, is_every_world: bool) -> Vec<String> {
    let mut out: BTreeMap<(WorldKind, String), Vec<String>> = BTreeMap::new();
    jobs.retain(|job| {
        // Whoever asks the model for a program is told that it has none.
        let is_asked_for = job.world == WorldKind::Model && job.scenario.has_program() && !is_every_world;
        let Some(why) = job.scenario.is_not_for(job.world).filter(|_| !is_asked_for) else { return true };
        let names = out.entry((job.world, why.to_owned())).or_default();
        if !names.contains(&job.scenario.name) {
            names.push(job.scenario.name.clone());
        }
        false
    });
    let told = out.into_iter().map(|((world, why), names)| match names.as_slice() {
        [one] => format!("World {world} is left out for {one}: {why}."),
        many => format!("World {world} is left out for {} stories, {}: {why}.", many.len(), many.join(", ")),
    });
    told.collect()
}

/// The worlds that can be run here, and a sentence for each that cannot.
pub(super) fn available(worlds: &[WorldKind], releases: &[nginx::Found]) -> (Vec<WorldKind>, Vec<String>) {
    let mut notes = Vec::new();
    let mut can = worlds.to_vec();
    if can.contains(&WorldKind::Real) {
        match releases {
            [] => {
                can.retain(|&world| world != WorldKind::Real);
                notes.push(format!("World real is left out: no nginx was found. {HOW_TO_GET_NGINX}"));
            }
            [only] => notes.push(format!(
                "World real upgrades {} to a copy of itself: it is the only release that was found. {HOW_TO_GET_NGINX}",
                only.version
            )),
            several => {
                let versions: Vec<_> = several.iter().map(|found| found.version.to_string()).collect();
                notes.push(format!("World real takes the nearest pair of nginx {}.", versions.join(", ")));
            }
        }
    }
    (can, notes)
}

/// Runs all jobs, one after the other, so that none is disturbed by another's load.
pub(super) fn run_all(
    jobs: Vec<Job>,
    how: &How,
    traces: Option<&Path>,
    mut told: impl FnMut(&Ran),
) -> Result<Vec<Ran>, LabError> {
    let releases = nginx::releases();
    let progress = Progress::new(jobs.len());
    let mut ran = Vec::with_capacity(jobs.len());
    for (index, job) in jobs.into_iter().enumerate() {
        progress.begin(&format!("{} on {}", job.scenario.name, job.world));
        let one = run(job, how, &releases)?;
        if let Some(folder) = traces {
            write_trace(folder, index, &one.trace)?;
        }
        progress.done();
        progress.suspend(|| told(&one));
        ran.push(one);
    }
    progress.finish();
    Ok(ran)
}

fn run(job: Job, how: &How, releases: &[nginx::Found]) -> Result<Ran, LabError> {
    let mut replay = format!("oldbin-lab run {} --world {} --seed {}", job.called, job.world, job.seed);
    replay.push_str(&mutant::as_arguments(&how.mutants));
    if how.no_namespaces {
        replay.push_str(" --no-namespaces");
    }
    let trace = match job.world {
        WorldKind::Model => run_in_model(&job, how, replay)?,
        WorldKind::Fake | WorldKind::Real => run_live(&job, how, replay, releases)?,
    };
    let verdict = verdict::judge(&job.scenario, &trace);
    Ok(Ran { scenario: job.scenario, trace, verdict })
}

fn run_live(job: &Job, how: &How, replay: String, releases: &[nginx::Found]) -> Result<Trace, LabError> {
    let setting = Setting {
        world: job.world,
        releases: releases.to_vec(),
        runbooks: runbooks(job)?,
        seed: job.seed,
        mutants: how.mutants.clone(),
        tells_moments: how.tells_moments,
        isolation: if how.no_namespaces { Isolation::Subreaper } else { Isolation::Best },
        replay,
    };
    Ok(live::run(&job.scenario, &setting)?)
}

fn run_in_model(job: &Job, how: &How, replay: String) -> Result<Trace, LabError> {
    let options = Options {
        seed: job.seed,
        nginx_defects: mutant::fake_defects(&how.mutants),
        oldbin_defects: mutant::orchestrator_defects(&how.mutants),
        tells_moments: how.tells_moments,
        ..Options::default()
    };
    let runbooks = runbooks(job)?;
    let runbook = |name: &str| runbooks.get(name).cloned();
    let mut trace = model::run_with(&job.scenario, &runbook, &mut Seeded::new(job.seed), &options)?;
    trace.header.replay = replay;
    Ok(trace)
}

/// The runbooks that a scenario names: a file beside the scenario's own, or one of the catalogue.
fn runbooks(job: &Job) -> Result<BTreeMap<String, Runbook>, LabError> {
    let mut found = BTreeMap::new();
    for act in &job.scenario.acts {
        let Subject::Runbook { name } = &act.subject else { continue };
        let beside = Path::new(&job.called).with_file_name(format!("{name}.kdl"));
        let is_file = job.called.ends_with(".kdl") && beside.is_file();
        let runbook = match catalogue::runbook(name) {
            _ if is_file => runbook::parse(&beside.display().to_string(), &read(&beside)?)?,
            Some(known) => known?,
            None => return Err(LabError::UnknownRunbook { name: name.clone() }),
        };
        found.insert(name.clone(), runbook);
    }
    Ok(found)
}

pub(super) fn write_trace(folder: &Path, index: usize, trace: &Trace) -> Result<(), LabError> {
    let name = format!("{:03}-{}-{}.jsonl", index + 1, trace.header.scenario, trace.header.world);
    let path = folder.join(name);
    let write = || {
        fs::create_dir_all(folder)?;
        trace::write(trace, BufWriter::new(File::create(&path)?))
    };
    write().map_err(at(&path))
}
