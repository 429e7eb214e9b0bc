//! A runbook in a model world: step by step, as the shell and the person would.
//!
//! Before each step the world may move, for as long as the chooser likes; `nginx -t` and `nginx -s` are
//! processes of this world. Where somebody stands in a runbook is a value, so that a walk over all interleavings
//! can stop in the middle of a step.

use std::collections::BTreeMap;

use fake_nginx::machine::{ExitStatus, Pid, Plan, Print, Purpose, Signal};

use super::choice::Act;
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
    let book = Book::new(world, runbook.clone(), first_step);
    let mut reading = Reading::new();
    loop {
        if let Err(broken) = world.until_turn(reading.wish()) {
            reading.is_cut_short(world, &book);
            return Err(broken);
        }
        if let Some(said) = reading.go(world, &book) {
            return Ok(said);
        }
    }
}

/// A runbook with the words that stand for its placeholders.
pub(super) struct Book {
    runbook: Runbook,
    values: BTreeMap<&'static str, String>,
    first_step: u32,
}

impl Book {
    /// Its steps are numbered from `first_step`.
    pub(super) fn new(world: &World<'_>, runbook: Runbook, first_step: u32) -> Self {
        Self { runbook, values: values(world), first_step }
    }

    fn step(&self, nth: u16) -> &Step {
        &self.runbook.steps[usize::from(nth)]
    }

    fn number(&self, nth: u16) -> u32 {
        self.first_step + u32::from(nth)
    }
}

/// Where somebody stands who follows a runbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Reading {
    step: u16,
    stage: Stage,
}

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    Begin,
    Sleeps { until_ms: u64 },
    Waits { deadline_ms: u64, next_ms: Option<u64> },
    Runs { pid: Pid, image: u8 },
}

impl Reading {
    /// At the first step.
    pub(super) const fn new() -> Self {
        Self { step: 0, stage: Stage::Begin }
    }

    /// What is waited for.
    pub(super) const fn wish(&self) -> Wish {
        match self.stage {
            Stage::Begin => Wish::Act(Act::Step),
            Stage::Sleeps { until_ms } | Stage::Waits { next_ms: Some(until_ms), .. } => Wish::Time(until_ms),
            Stage::Waits { deadline_ms, next_ms: None } => Wish::Change(deadline_ms),
            // A shell waits for its command for as long as that takes.
            Stage::Runs { .. } => Wish::Change(u64::MAX),
        }
    }

    /// It is the person's turn. `Some`: this was the last step, or one that failed.
    pub(super) fn go(&mut self, world: &mut World<'_>, book: &Book) -> Option<Said> {
        let mut person = Person { world, values: &book.values };
        let action = &book.step(self.step).action;
        let done = match self.stage {
            Stage::Begin => {
                let (step, text) = (book.number(self.step), book.step(self.step).text.clone());
                person.world.note(What::StepBegan { step, text });
                person.begin(action)
            }
            Stage::Sleeps { .. } => Progress::Ended(Ok(())),
            Stage::Waits { deadline_ms, .. } => person.wait(action, deadline_ms),
            Stage::Runs { pid, image } => person.has_run(action, pid, image),
        };
        match done {
            Progress::Goes(stage) => {
                self.stage = stage;
                None
            }
            Progress::Ended(done) => self.ended(world, book, done),
        }
    }

    fn ended(&mut self, world: &mut World<'_>, book: &Book, done: Done) -> Option<Said> {
        let (step, number) = (book.step(self.step), book.number(self.step));
        world.note(What::StepEnded { step: number, failure: done.clone().err() });
        if let Err(why) = done
            && !step.failure_is_ignored
        {
            let words = format!("step {number} failed: {}: {why}", step.text);
            return Some(Said { claim: Claim::Failed, exit_code: None, words });
        }
        *self = Self { step: self.step + 1, stage: Stage::Begin };
        let claim = book.runbook.claims;
        let is_last = usize::from(self.step) == book.runbook.steps.len();
        is_last.then(|| Said { claim, exit_code: None, words: "every step is done".into() })
    }

    fn is_cut_short(&self, world: &mut World<'_>, book: &Book) {
        if self.stage != Stage::Begin {
            let failure = Some("it was cut short".into());
            world.note(What::StepEnded { step: book.number(self.step), failure });
        }
    }
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
    values: &'a BTreeMap<&'static str, String>,
}

type Done = Result<(), String>;

/// What came of a turn.
enum Progress {
    Goes(Stage),
    Ended(Done),
}

impl Person<'_, '_> {
    fn path(&mut self, text: &str) -> Path {
        let text = fill(text, self.values);
        self.world.paths.number(&text)
    }

    fn begin(&mut self, action: &Action) -> Progress {
        Progress::Ended(match action {
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
            Action::Run { words, .. } => match self.run(words) {
                Ok(Some((pid, image))) => return self.has_run(action, pid, image),
                Ok(None) => Ok(()),
                Err(why) => Err(why),
            },
            Action::Sleep { for_ms } => {
                return Progress::Goes(Stage::Sleeps { until_ms: self.world.now_ms() + for_ms });
            }
            Action::Wait { within_ms, .. } => {
                let deadline_ms = self.world.now_ms() + within_ms;
                return self.wait(action, deadline_ms);
            }
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
        self.world.is_about_to_signal(pid, signal);
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

    /// Starts a program; `None`: there are no words.
    fn run(&mut self, words: &[String]) -> Result<Option<(Pid, u8)>, String> {
        let words: Vec<String> = words.iter().map(|word| fill(word, self.values)).collect();
        let Some((name, arguments)) = words.split_first() else { return Ok(None) };
        let program = self.world.paths.number(name);
        let Some(Content::Image(image)) = self.world.state.kernel.files().read(program) else {
            return Err(format!("{name}: there is no such program"));
        };
        let plan = plan_of(self.world.setting.images[usize::from(image)].plan, arguments);
        let pid = self.world.change(|kernel, around| kernel.run(program, plan, around));
        pid.map(|pid| Some((pid, image))).ok_or_else(|| format!("{name}: it cannot be executed"))
    }

    /// Whether a program has ended, and as it should.
    fn has_run(&mut self, action: &Action, pid: Pid, image: u8) -> Progress {
        let Action::Run { exit, says, .. } = action else { return Progress::Ended(Ok(())) };
        let Some(status) = self.world.status_of(pid) else {
            return Progress::Goes(Stage::Runs { pid, image });
        };
        let code = match status {
            ExitStatus::Code(code) => i32::from(code),
            ExitStatus::Signal { number, .. } => 128 + i32::from(number),
        };
        let said = format!("nginx version: nginx/{}", self.world.setting.images[usize::from(image)].version);
        let says = says.as_deref().map(|says| fill(says, self.values));
        Progress::Ended(match says {
            _ if code != exit.unwrap_or(0) => Err(format!("it exited with {code}")),
            Some(says) if !said.contains(&says) => Err(format!("it does not say {says:?}")),
            _ => Ok(()),
        })
    }

    fn wait(&mut self, action: &Action, deadline_ms: u64) -> Progress {
        let Action::Wait { until, within_ms, every_ms } = action else { return Progress::Ended(Ok(())) };
        if self.holds(until) {
            return Progress::Ended(Ok(()));
        }
        let now_ms = self.world.now_ms();
        if now_ms >= deadline_ms {
            return Progress::Ended(Err(format!("not within {within_ms} ms")));
        }
        let next_ms = every_ms.map(|every_ms| deadline_ms.min(now_ms + every_ms));
        Progress::Goes(Stage::Waits { deadline_ms, next_ms })
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
        _ if has("-t") || has("-T") => {
            Purpose::Test { dump: has("-T"), quiet: has("-q"), signals: has("-s") }
        }
        Some(signal) => Purpose::Signal(signal),
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
