//! A runbook in a model world: step by step, as the shell and the person would.
//!
//! Before each step the world may move, for as long as the chooser likes; `nginx -t` and `nginx -s` are
//! processes of this world.

use std::collections::BTreeMap;

use fake_nginx::machine::{ExitStatus, Pid, Plan, Print, Purpose, Signal};

use super::kernel::{Content, LABORATORY, Path, Proc, Seen, Shown};
use super::paths::PREFIX;
use super::world::{Broken, Wish, World};
use crate::runbook::{Action, Condition, Runbook, Step, Target, fill};
use crate::scenario::Claim;
use crate::trace::What;

/// What a subject says at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What it claims.
    pub claim: Claim,
    /// The exit code of a process.
    pub exit_code: Option<i32>,
    /// Its last words.
    pub words: String,
}

/// Runs the steps to the end or to the first failure.
///
/// # Errors
/// [`Broken`] if the world cannot go on.
pub fn perform(world: &mut World<'_>, runbook: &Runbook, first_step: u32) -> Result<Said, Broken> {
    let values = values(world);
    let mut subject = Person { world, values };
    for (step, number) in runbook.steps.iter().zip(first_step..) {
        if let Err(why) = subject.step(step, number)?
            && !step.failure_is_ignored
        {
            let words = format!("step {number} failed: {}: {why}", step.text);
            return Ok(Said { claim: Claim::Failed, exit_code: None, words });
        }
    }
    Ok(Said { claim: runbook.claims, exit_code: None, words: "every step is done".into() })
}

/// What stands in the place of a runbook's placeholders.
fn values(world: &World<'_>) -> BTreeMap<&'static str, String> {
    let path = |path| world.paths.words(path).to_owned();
    let version = |image: usize| world.setting.images[image].version.to_string();
    BTreeMap::from([
        ("binary", path(Path::BINARY)),
        ("new", path(Path::NEW)),
        ("pid", path(Path::PID)),
        ("conf", path(Path::CONF)),
        ("prefix", PREFIX.to_owned()),
        ("old-version", version(0)),
        ("new-version", version(1)),
    ])
}

struct Person<'a, 'c> {
    world: &'a mut World<'c>,
    values: BTreeMap<&'static str, String>,
}

type Done = Result<(), String>;

impl Person<'_, '_> {
    fn step(&mut self, step: &Step, number: u32) -> Result<Done, Broken> {
        self.world.until_turn(Wish::Act)?;
        self.world.note(What::StepBegan { step: number, text: step.text.clone() });
        let done = self.carry_out(&step.action);
        let failure = match &done {
            Ok(done) => done.clone().err(),
            Err(_) => Some("it was cut short".into()),
        };
        self.world.note(What::StepEnded { step: number, failure });
        done
    }

    fn path(&mut self, text: &str) -> Path {
        let text = fill(text, &self.values);
        self.world.paths.number(&text)
    }

    fn carry_out(&mut self, action: &Action) -> Result<Done, Broken> {
        Ok(match action {
            Action::Copy { from, to } => {
                let (from, to) = (self.path(from), self.path(to));
                self.copy(from, to)
            }
            Action::Move { from, to } => {
                let (from, to) = (self.path(from), self.path(to));
                let done = self.world.change(|kernel, around| kernel.rename(from, to, around));
                done.map_err(|errno| format!("mv: {errno}"))
            }
            Action::Signal { signal, to } => self.signal(signal, to),
            Action::Run { words, exit, says } => {
                let words: Vec<String> = words.iter().map(|word| fill(word, &self.values)).collect();
                let says = says.as_deref().map(|says| fill(says, &self.values));
                self.run(&words, exit.unwrap_or(0), says.as_deref())?
            }
            Action::Sleep { for_ms } => {
                let until_ms = self.world.now_ms() + for_ms;
                self.world.until_turn(Wish::Time(until_ms))?;
                Ok(())
            }
            Action::Wait { until, within_ms, every_ms } => self.wait(until, *within_ms, *every_ms)?,
            Action::Check { that } => {
                if self.holds(that) {
                    Ok(())
                } else {
                    Err("it does not hold".into())
                }
            }
        })
    }

    /// `cp -f`: writes into the file that is there, or into a new one if that is being executed.
    fn copy(&mut self, from: Path, to: Path) -> Done {
        let kernel = &self.world.state.kernel;
        let content = kernel.files().read(from).ok_or("cp: there is no such file")?;
        let target = kernel.files().at(to);
        let is_busy = target.is_some_and(|inode| kernel.living().any(|process| process.exe == inode));
        self.world.change(|kernel, around| {
            if is_busy {
                kernel.files_mut().create(to, content);
            } else {
                kernel.files_mut().write(to, content);
            }
            around.seen.push(Seen::File(to));
        });
        Ok(())
    }

    fn signal(&mut self, name: &str, to: &Target) -> Done {
        let signal = signal(name).ok_or_else(|| format!("kill: {name}: invalid signal"))?;
        let masters: Vec<Pid> = self.world.masters().map(|master| master.pid).collect();
        let pid = match (to, masters.as_slice()) {
            (Target::PidFile(path), _) => self.number_in(path)?,
            (Target::OldMaster, [old, ..]) => *old,
            (Target::NewMaster, [_, .., new]) => *new,
            (Target::OldMaster, []) => return Err("there is no master".into()),
            (Target::NewMaster, _) => return Err("there is no new master".into()),
        };
        if self.world.change(|kernel, around| kernel.kill(LABORATORY, pid, signal, around)) {
            Ok(())
        } else {
            Err(format!("kill: ({}) - No such process", pid.0))
        }
    }

    fn number_in(&mut self, path: &str) -> Result<Pid, String> {
        let path = self.path(path);
        match self.world.state.kernel.files().read(path) {
            Some(Content::Pid(pid)) => Ok(pid),
            None => Err("cat: there is no such file".into()),
            Some(Content::Empty | Content::Garbage | Content::Image(_)) => Err("kill: no number".into()),
        }
    }

    fn run(&mut self, words: &[String], exit: i32, says: Option<&str>) -> Result<Done, Broken> {
        let Some((program, arguments)) = words.split_first() else { return Ok(Ok(())) };
        let program = self.world.paths.number(program);
        let Some(Content::Image(image)) = self.world.state.kernel.files().read(program) else {
            return Ok(Err(format!("{}: there is no such program", words[0])));
        };
        let plan = plan_of(self.world.setting.images[usize::from(image)].plan, arguments);
        let said = format!("nginx version: nginx/{}", self.world.setting.images[usize::from(image)].version);
        let pid = self.world.change(|kernel, around| kernel.run(program, plan, around));
        let Some(pid) = pid else { return Ok(Err(format!("{}: it cannot be executed", words[0]))) };
        let status = loop {
            if let Some(status) = self.world.status_of(pid) {
                break status;
            }
            // A shell waits for its command for as long as that takes.
            self.world.until_turn(Wish::Change(u64::MAX))?;
        };
        let code = match status {
            ExitStatus::Code(code) => i32::from(code),
            ExitStatus::Signal { number, .. } => 128 + i32::from(number),
        };
        Ok(match says {
            _ if code != exit => Err(format!("it exited with {code}")),
            Some(says) if !said.contains(says) => Err(format!("it does not say {says:?}")),
            _ => Ok(()),
        })
    }

    fn wait(&mut self, until: &Condition, within_ms: u64, every_ms: Option<u64>) -> Result<Done, Broken> {
        let deadline_ms = self.world.now_ms() + within_ms;
        loop {
            if self.holds(until) {
                return Ok(Ok(()));
            }
            let now_ms = self.world.now_ms();
            if now_ms >= deadline_ms {
                return Ok(Err(format!("not within {within_ms} ms")));
            }
            self.world.until_turn(match every_ms {
                Some(every_ms) => Wish::Time(deadline_ms.min(now_ms + every_ms)),
                None => Wish::Change(deadline_ms),
            })?;
        }
    }

    fn holds(&mut self, condition: &Condition) -> bool {
        match condition {
            Condition::Exists(path) => self.read(path).is_some(),
            Condition::Absent(path) => self.read(path).is_none(),
            Condition::NotEmpty(path) => !matches!(self.read(path), None | Some(Content::Empty)),
            Condition::All(all) => all.iter().all(|condition| self.holds(condition)),
            Condition::Sees { masters, old_workers, new_workers } => {
                let kernel = &self.world.state.kernel;
                let seen: Vec<Pid> = self.world.masters().map(|master| master.pid).collect();
                let workers = |master: Option<&Pid>| {
                    let is_its =
                        |process: &&Proc| Some(&process.parent) == master && is_worker(process.shown);
                    kernel.living().filter(is_its).count()
                };
                let is = |wanted: &Option<u16>, count: usize| {
                    wanted.is_none_or(|wanted| usize::from(wanted) == count)
                };
                let new = if seen.len() > 1 { seen.last() } else { None };
                is(masters, seen.len())
                    && is(old_workers, workers(seen.first()))
                    && is(new_workers, workers(new))
            }
        }
    }

    fn read(&mut self, path: &str) -> Option<Content> {
        let path = self.path(path);
        self.world.state.kernel.files().read(path)
    }
}

const fn is_worker(shown: Shown) -> bool {
    matches!(shown, Shown::WORKER | Shown::SHUTTING_DOWN)
}

/// What nginx's own arguments ask for, as far as upgrade scripts use them.
fn plan_of(plan: Plan, arguments: &[String]) -> Plan {
    let has = |option: &str| arguments.iter().any(|word| word == option);
    let after = |option: &str| {
        let at = arguments.iter().position(|word| word == option)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let asked = match after("-s") {
        Some("stop") => Some(Signal::Term),
        Some("quit") => Some(Signal::Quit),
        Some("reopen") => Some(Signal::Usr1),
        Some("reload") => Some(Signal::Hup),
        Some(_) | None => None,
    };
    let purpose = match asked {
        Some(signal) => Purpose::Signal(signal),
        None if has("-t") || has("-T") => Purpose::Test { dump: has("-T"), quiet: has("-q") },
        None => Purpose::Run,
    };
    let print = (has("-v") || has("-V")).then_some(Print::Version);
    Plan { print, purpose, ..plan }
}

/// The signal of that name.
fn signal(name: &str) -> Option<Signal> {
    Signal::HANDLED
        .into_iter()
        .chain([Signal::Kill])
        .find(|signal| signal.name().strip_prefix("SIG") == Some(name))
}
