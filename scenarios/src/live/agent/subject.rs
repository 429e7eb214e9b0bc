//! Who changes the binary: ours, a runbook, or any program.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::launch::OLDBIN;
use super::super::order::Order;
use super::super::subject::CONTROL;
use super::Stop;
use super::claim::{self, Said};
use super::runbook;
use super::world::{Finished, World};
use crate::runbook::fill;
use crate::scenario::Subject;
use crate::trace::{Exit, What};

/// Lets the subject do its work, and tells what it claims.
pub(super) fn perform(world: &mut World, order: &Order, subject: &Subject) -> Result<Said, Stop> {
    let values = values(world);
    match subject {
        Subject::Orchestrator { arguments } => {
            let text = format!("oldbin {}", arguments.join(" "));
            let mut command = oldbin(world, order, arguments);
            Ok(claim::of_oldbin(&step(world, &text, &mut command)?))
        }
        Subject::Command { program, arguments } => {
            let words: Vec<String> = arguments.iter().map(|word| fill(word, &values)).collect();
            let text = format!("{} {}", program.display(), words.join(" "));
            let mut command = Command::new(from_here(program));
            command.args(words);
            Ok(claim::of_command(&step(world, text.trim_end(), &mut command)?))
        }
        Subject::Runbook { name } => match order.runbooks.get(name) {
            Some(runbook) => runbook::perform(world, runbook, &values),
            None => Err(Stop::Broken(format!("there is no runbook {name}"))),
        },
    }
}

/// Our own orchestrator, with these arguments and what else it has to know here.
pub(super) fn oldbin(world: &World, order: &Order, arguments: &[String]) -> Command {
    let values = values(world);
    let mut words: Vec<String> = arguments.iter().map(|word| fill(word, &values)).collect();
    let is_upgrade = words.first().is_some_and(|word| word == "upgrade");
    let mut give = |option: &str, value: &str| {
        if !words.iter().any(|word| word == option) {
            words.extend([option.to_owned(), value.to_owned()]);
        }
    };
    give("--pid-file", &values["pid"]);
    if is_upgrade {
        give("--binary", &values["binary"]);
        give("--new", &values["new"]);
    }
    give("--state-dir", &world.paths.state.to_string_lossy());
    // Who tells every step is compared with the model, where nobody knocks.
    let may_knock = words.first().is_some_and(|word| word == "upgrade" || word == "rollback");
    words.extend((may_knock && order.stops_at_moments()).then(|| "--no-knock".to_owned()));
    let mut command = Command::new("/proc/self/exe");
    command.arg0("oldbin").arg(OLDBIN).arg(order.orchestrator_defects.join(",")).args(words).arg("--json");
    if order.stops_at_moments() {
        command.env(CONTROL, &world.paths.control);
    }
    command
}

/// What stands in the place of a runbook's placeholders.
fn values(world: &World) -> BTreeMap<&'static str, String> {
    let paths = &world.paths;
    let text = |path: &Path| path.to_string_lossy().into_owned();
    BTreeMap::from([
        ("binary", text(&paths.binary)),
        ("new", text(&paths.new)),
        ("pid", text(&paths.pid)),
        ("conf", text(&paths.conf)),
        ("prefix", text(&paths.prefix)),
        ("old-version", world.observer.binaries.old.clone()),
        ("new-version", world.observer.binaries.new.clone()),
    ])
}

/// A relative path, made absolute: the program is run in the world's folder. A bare name is looked up in PATH.
fn from_here(program: &Path) -> PathBuf {
    let is_bare = program.components().count() == 1;
    if is_bare { program.to_owned() } else { std::env::current_dir().unwrap_or_default().join(program) }
}

/// Runs a subject that is one process, as one step.
fn step(world: &mut World, text: &str, command: &mut Command) -> Result<Finished, Stop> {
    let step = world.begin_step(text);
    let finished = world.carry_out(command);
    let failure = match &finished {
        Ok(finished) if finished.exit == Some(Exit::Code(0)) => None,
        Ok(finished) => Some(ending(finished.exit)),
        Err(_) => Some("it was cut short".into()),
    };
    world.end_step(step, failure);
    finished
}

/// An end in words.
pub(super) fn ending(exit: Option<Exit>) -> String {
    match exit {
        Some(Exit::Code(code)) => format!("it exited with {code}"),
        Some(Exit::Signal(signal)) => format!("signal {signal} killed it"),
        None => "its end was not seen".into(),
    }
}

impl World {
    /// Runs a program of the subject to its end, in the world's folder and with its paths in the environment.
    pub(super) fn carry_out(&mut self, command: &mut Command) -> Result<Finished, Stop> {
        let paths = &self.paths;
        command
            .current_dir(&paths.prefix)
            .env("OLDBIN_BINARY", &paths.binary)
            .env("OLDBIN_NEW", &paths.new)
            .env("OLDBIN_PID_FILE", &paths.pid)
            .env("OLDBIN_PREFIX", &paths.prefix);
        let pid = self.start(command)?;
        self.finish(pid)
    }

    /// Notes that a step begins, and numbers it.
    pub(super) fn begin_step(&mut self, text: &str) -> u32 {
        self.steps += 1;
        self.observer.note(What::StepBegan { step: self.steps, text: text.to_owned() });
        self.steps
    }

    /// Notes that a step has ended.
    pub(super) fn end_step(&mut self, step: u32, failure: Option<String>) {
        self.observer.note(What::StepEnded { step, failure });
    }
}
