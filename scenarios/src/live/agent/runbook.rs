//! Carries out a runbook, step by step, as the shell and the person would.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::Stop;
use super::claim::Said;
use super::subject::ending;
use super::world::World;
use crate::runbook::{Action, Condition, Runbook, Target, fill};
use crate::scenario::Claim;
use crate::trace::{Exit, What};

/// How often a condition is looked at that nothing tells about, unless the runbook says how often.
const LOOK_US: u64 = 5_000;

type Values = BTreeMap<&'static str, String>;

/// Runs the steps to the end or to the first failure.
pub(super) fn perform(world: &mut World, runbook: &Runbook, values: &Values) -> Result<Said, Stop> {
    for step in &runbook.steps {
        let number = world.begin_step(&step.text);
        let done = carry_out(world, &step.action, values);
        let failure = match &done {
            Ok(done) => done.clone().err(),
            Err(_) => Some("it was cut short".into()),
        };
        world.end_step(number, failure);
        match done? {
            Err(why) if !step.failure_is_ignored => {
                let said = format!("step {number} failed: {}: {why}", step.text);
                return Ok(Said { claim: Claim::Failed, exit_code: None, said });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(Said { claim: runbook.claims, exit_code: None, said: "every step is done".into() })
}

/// One action; the inner error is the step's failure.
fn carry_out(world: &mut World, action: &Action, values: &Values) -> Result<Result<(), String>, Stop> {
    let text = |text: &str| fill(text, values);
    Ok(match action {
        Action::Copy { from, to } => {
            let (from, to) = (text(from), text(to));
            copy(from.as_ref(), to.as_ref()).map_err(|error| format!("cp: {from} to {to}: {error}"))
        }
        Action::Move { from, to } => {
            let (from, to) = (text(from), text(to));
            fs::rename(&from, &to).map_err(|error| format!("mv: {from} to {to}: {error}"))
        }
        Action::Signal { signal, to } => match to {
            Target::PidFile(path) => signal_number(world, signal, &text(path)),
            Target::OldMaster => signal_master(world, signal, Age::Old),
            Target::NewMaster => signal_master(world, signal, Age::New),
        },
        Action::Run { words, exit, says } => {
            let words: Vec<String> = words.iter().map(|word| text(word)).collect();
            run(world, &words, *exit, says.as_deref().map(text).as_deref())?
        }
        Action::Sleep { for_ms } => {
            world.wait_until(world.clock.now_us() + for_ms * 1_000)?;
            Ok(())
        }
        Action::Wait { until, within_ms, every_ms } => wait(world, until, *within_ms, *every_ms, values)?,
        Action::Check { that } => {
            if world.holds(that, values) {
                Ok(())
            } else {
                Err("it does not hold".into())
            }
        }
    })
}

/// `cp -f`: writes into the file that is there, and unlinks it first if that cannot be done.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mode = source.metadata()?.permissions().mode();
    let to = if to.is_dir() { to.join(from.file_name().unwrap_or_default()) } else { to.to_owned() };
    let mut target = match OpenOptions::new().write(true).truncate(true).open(&to) {
        Ok(target) => target,
        Err(_) => {
            match fs::remove_file(&to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            OpenOptions::new().write(true).create_new(true).mode(mode & 0o777).open(&to)?
        }
    };
    io::copy(&mut source, &mut target).map(drop)
}

fn run(
    world: &mut World,
    words: &[String],
    exit: Option<i32>,
    says: Option<&str>,
) -> Result<Result<(), String>, Stop> {
    let Some((program, arguments)) = words.split_first() else { return Ok(Ok(())) };
    let ended = match world.carry_out(Command::new(program).args(arguments)) {
        Ok(ended) => ended,
        // A program that is not there is the step's failure, as in a shell.
        Err(Stop::Broken(why)) => return Ok(Err(why)),
        Err(stop) => return Err(stop),
    };
    if ended.exit != Some(Exit::Code(exit.unwrap_or(0))) {
        return Ok(Err(format!("{}: {}", ending(ended.exit), ended.last_words())));
    }
    let said = [&ended.out[..], &ended.err[..]].concat();
    let is_said = says.is_none_or(|says| String::from_utf8_lossy(&said).contains(says));
    Ok(if is_said { Ok(()) } else { Err(format!("it does not say {:?}", says.unwrap_or_default())) })
}

fn wait(
    world: &mut World,
    until: &Condition,
    within_ms: u64,
    every_ms: Option<u64>,
    values: &Values,
) -> Result<Result<(), String>, Stop> {
    let deadline = world.clock.now_us() + within_ms * 1_000;
    loop {
        if world.holds(until, values) {
            return Ok(Ok(()));
        }
        let now = world.clock.now_us();
        if now >= deadline {
            return Ok(Err(format!("not within {within_ms} ms")));
        }
        match every_ms {
            Some(every_ms) => world.wait_until(deadline.min(now + every_ms * 1_000))?,
            None => world.turn(deadline.min(now + LOOK_US))?,
        }
    }
}

/// Which of two masters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    Old,
    New,
}

fn signal_master(world: &mut World, name: &str, age: Age) -> Result<(), String> {
    let masters = world.masters();
    let master = match (age, &masters[..]) {
        (Age::Old, [old, ..]) => old.0,
        (Age::New, [_, .., new]) => new.0,
        (Age::Old, []) => return Err("there is no master".into()),
        (Age::New, _) => return Err("there is no new master".into()),
    };
    deliver(world, name, master)
}

/// `kill -NAME $(cat PATH)`, but only if the number is one of our nginx.
fn signal_number(world: &mut World, name: &str, path: &str) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cat: {path}: {error}"))?;
    let number: i64 = text.trim().parse().map_err(|_| format!("kill: no number: {:?}", text.trim()))?;
    // What was forked a moment ago is known only after a look.
    world.observer.look();
    let known = u32::try_from(number)
        .ok()
        .filter(|pid| world.observer.processes.get(pid).is_some_and(super::process::Process::is_alive));
    if let Some(pid) = known {
        return deliver(world, name, pid);
    }
    let is_there = number <= 0 || Path::new(&format!("/proc/{number}")).exists();
    if !is_there {
        return Err(format!("kill: ({number}) - No such process"));
    }
    world.observer.note(What::SignalToStranger { pid: number, signal: name.to_owned() });
    Ok(())
}

fn deliver(world: &mut World, name: &str, pid: u32) -> Result<(), String> {
    let signal = signal(name).ok_or_else(|| format!("kill: {name}: invalid signal"))?;
    if world.signal(pid, name, signal) { Ok(()) } else { Err(format!("kill: ({pid}) - No such process")) }
}

fn signal(name: &str) -> Option<Signal> {
    Some(match name {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "QUIT" => Signal::QUIT,
        "KILL" => Signal::KILL,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        "TERM" => Signal::TERM,
        "CONT" => Signal::CONT,
        "STOP" => Signal::STOP,
        "WINCH" => Signal::WINCH,
        _ => return None,
    })
}
