//! The command line of `oldbin-lab`.

mod arguments;
mod bench;
mod error;
mod exhaustive;
mod explore;
mod interrupt;
mod linear;
mod list;
mod merge;
mod progress;
mod replay;
mod run;
mod screen;
mod tour;
mod verify;

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::report::{self, Run};
use crate::scenario::WorldKind;
use crate::{live, trace, verdict};

use arguments::{Arguments, Command};
use error::LabError;
use run::{How, Ran};
use screen::Screen;

/// What to do where no real nginx, or only one, is found.
const HOW_TO_GET_NGINX: &str = "On Debian, scripts/real-nginx puts several releases side by side; elsewhere, set OLDBIN_NGINX_DIR to a folder with <version>/nginx.";

/// Runs `oldbin-lab`.
#[must_use]
pub fn main() -> ExitCode {
    if let Some(code) = live::run_if_agent() {
        return code;
    }
    let arguments = Arguments::parse();
    match dispatch(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(LabError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<u8, LabError> {
    let screen = Screen::of_this_process();
    let mut out = io::stdout().lock();
    match arguments.command {
        None => tour::tour(&screen, &mut out),
        Some(Command::Run(arguments)) => run_command(&arguments, &screen, &mut out),
        Some(Command::Explore(arguments)) => explore::explore(&arguments, &screen, &mut out),
        Some(Command::List { moments: true, json }) => {
            list::moments(json, &mut out)?;
            Ok(0)
        }
        Some(Command::List { moments: false, json }) => {
            list::list(json, &mut out)?;
            Ok(0)
        }
        Some(Command::Report { trace, scenario }) => report_command(&trace, scenario, &screen, &mut out),
        Some(Command::Replay(arguments)) => replay::replay(&arguments, &screen, &mut out),
        Some(Command::Merge(arguments)) => merge::merge(&arguments, &mut out),
        Some(Command::Verify(arguments)) => verify::verify(&arguments, &mut out),
        Some(Command::Bench(arguments)) => bench::bench(&arguments, &screen, &mut out),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Arguments::command(), "oldbin-lab", &mut out);
            Ok(0)
        }
    }
}

fn run_command(arguments: &arguments::Run, screen: &Screen, out: &mut impl Write) -> Result<u8, LabError> {
    let (worlds, mut notes) = run::available(arguments.world.kinds(), &live::nginx::releases());
    if worlds.is_empty() {
        return Err(LabError::NoWorld(notes.join(" ")));
    }
    let scenarios = run::scenarios(&arguments.scenarios)?;
    let seeds = (0..arguments.times).map(|time| arguments.seed + u64::from(time));
    let mut jobs = run::jobs(&scenarios, &worlds, seeds);
    notes.extend(run::leave_out(&mut jobs, arguments.world == arguments::Worlds::All));
    if jobs.is_empty() {
        return Err(LabError::NoWorld(notes.join(" ")));
    }
    let how = How {
        mutants: arguments.mutant.clone(),
        no_namespaces: arguments.no_namespaces,
        tells_moments: arguments.moments,
    };
    let mut lines = Ok(());
    let ran = run::run_all(jobs, &how, arguments.trace.as_deref(), |ran| {
        if arguments.json && lines.is_ok() {
            lines = json_line(ran, out);
        }
    })?;
    lines?;
    if !arguments.json {
        for note in notes {
            writeln!(out, "{note}")?;
        }
        print_ran(&ran, screen, out)?;
    }
    Ok(verdict::exit_code(ran.iter().map(|ran| &ran.verdict)))
}

/// The table, then a page for each run that did not end as its scenario expects.
fn print_ran(ran: &[Ran], screen: &Screen, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{}", report::table(&rows(ran), screen.in_colour, screen.width))?;
    for ran in ran {
        if let Some(page) = report::failure(&ran.scenario, &ran.trace, &ran.verdict, false, screen.in_colour)
        {
            writeln!(out, "\n{page}")?;
        }
    }
    Ok(())
}

fn rows(ran: &[Ran]) -> Vec<Run> {
    ran.iter().map(|ran| Run::new(&ran.scenario, &ran.trace, &ran.verdict)).collect()
}

fn json_line(ran: &Ran, out: &mut impl Write) -> io::Result<()> {
    let line = report::json_line(&Run::new(&ran.scenario, &ran.trace, &ran.verdict))?;
    writeln!(out, "{line}")
}

fn report_command(
    path: &Path,
    called: Option<String>,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<u8, LabError> {
    let file = File::open(path).map_err(error::at(path))?;
    let trace = trace::read(BufReader::new(file))
        .map_err(|source| LabError::Trace { path: path.to_owned(), source })?;
    let called = called.unwrap_or_else(|| trace.header.scenario.clone());
    let scenario = run::load(&called)?;
    let verdict = verdict::judge(&scenario, &trace);
    let ran = Ran { scenario, trace, verdict };
    writeln!(out, "{}", report::table(&rows(std::slice::from_ref(&ran)), screen.in_colour, screen.width))?;
    if let Some(page) = report::failure(&ran.scenario, &ran.trace, &ran.verdict, true, screen.in_colour) {
        writeln!(out, "\n{page}")?;
    }
    Ok(ran.verdict.exit_code())
}

/// Says on standard error what went wrong, and why.
fn tell(error: &LabError) {
    let mut err = io::stderr().lock();
    if let LabError::Format(format) = error {
        let _ = write!(err, "{}", format.render(Screen::of_this_process().err_in_colour));
        return;
    }
    let _ = write!(err, "oldbin-lab: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let _ = write!(err, ": {cause}");
        source = cause.source();
    }
    let _ = writeln!(err);
}

/// The worlds as words, for a sentence.
fn names(worlds: &[WorldKind]) -> String {
    worlds.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
