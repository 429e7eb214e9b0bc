//! The command line of `oldbin-lab`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::scenario::{Scenario, Subject, WorldKind};
use crate::trace::{self, Event, Header, Trace, What};
use crate::{catalogue, live, scenario, verdict};

/// Runs failure scenarios against an upgrade procedure.
#[derive(Debug, Parser)]
#[command(name = "oldbin-lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs one scenario on real processes.
    Run {
        /// A file, or a name in the catalogue.
        scenario: String,
        /// Where it runs.
        #[arg(long, value_enum, default_value = "real")]
        world: World,
        /// Where the trace is written.
        #[arg(long)]
        trace: Option<PathBuf>,
        /// Without namespaces, even where they can be had.
        #[arg(long)]
        subreaper: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum World {
    Fake,
    Real,
}

/// Runs `oldbin-lab`.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(code) = live::run_if_agent() {
        return code;
    }
    let Command::Run { scenario, world, trace, subreaper } = Arguments::parse().command;
    match run(&scenario, world, trace.as_deref(), subreaper) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oldbin-lab: {error}");
            ExitCode::from(70)
        }
    }
}

fn run(
    name: &str,
    world: World,
    path: Option<&Path>,
    subreaper: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let scenario = load(name)?;
    let mut runbooks = BTreeMap::new();
    for act in &scenario.acts {
        if let Subject::Runbook { name } = &act.subject {
            let runbook = catalogue::runbook(name).ok_or_else(|| format!("there is no runbook {name}"))??;
            runbooks.insert(name.clone(), runbook);
        }
    }
    let setting = live::Setting {
        world: match world {
            World::Fake => WorldKind::Fake,
            World::Real => WorldKind::Real,
        },
        releases: live::nginx::releases(),
        runbooks,
        seed: 0,
        defects: Vec::new(),
        isolation: if subreaper { live::Isolation::Subreaper } else { live::Isolation::Best },
        replay: format!("oldbin-lab run {name}"),
    };
    let trace = live::run(&scenario, &setting)?;
    if let Some(path) = path {
        trace::write(&trace, File::create(path)?)?;
    }
    summary(&trace, io::stdout().lock())?;
    let judged = verdict::judge(&scenario, &trace);
    writeln!(io::stdout(), "{judged:#?}")?;
    Ok(())
}

fn load(name: &str) -> Result<Scenario, Box<dyn std::error::Error>> {
    match catalogue::scenario(name) {
        Some(scenario) => Ok(scenario?),
        None => Ok(scenario::parse(name, &fs::read_to_string(name)?)?),
    }
}

/// What was seen, but for log lines and requests, which are counted.
fn summary(trace: &Trace, mut out: impl Write) -> io::Result<()> {
    let header = &trace.header;
    let Header { scenario, world, old, new, isolation, .. } = header;
    writeln!(out, "{scenario}  {world}  {old} to {new}  ({isolation})")?;
    let requests: Vec<_> =
        trace.select(|what| if let What::Request(request) = what { Some(request) } else { None }).collect();
    let lost = requests.iter().filter(|(_, _, request)| request.is_lost()).count();
    writeln!(out, "{} events, {} requests, {lost} lost", trace.events.len(), requests.len())?;
    for Event { at_us, what } in &trace.events {
        if !matches!(what, What::Request(_) | What::Log { .. }) {
            writeln!(out, "{:>6}.{:03} ms  {what:?}", at_us / 1_000, at_us % 1_000)?;
        }
    }
    Ok(())
}
