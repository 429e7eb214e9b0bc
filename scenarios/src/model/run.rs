//! A scenario in the model world, from boot to its last rest: the same order of things as in a live world.

use std::collections::BTreeSet;
use std::sync::Arc;

use fake_nginx::fault::Fault as BinaryFault;
use fake_nginx::release::Version;

use super::choice::Chooser;
use super::client::Clients;
use super::fault::Planned;
use super::kernel::{Conf, Image, SOCKETS_MAX, Setting};
use super::operator::{self, Ended};
use super::runbook::{self, Said};
use super::world::{Broken, Wish, World};
use crate::catalogue;
use crate::runbook::Runbook;
use crate::scenario::{Act, Claim, Release, Scenario, Subject, WorldKind};
use crate::trace::{Header, SCHEMA, Trace, What};

/// How long the load goes on behind the last claim.
const LOAD_GOES_ON_MS: u64 = 100;
/// How long a drain may hold back the next act.
const DRAIN_MS_MAX: u64 = 3_000;

/// How a scenario is run, besides what it says itself.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where random picks began, for the trace's header.
    pub seed: u64,
    /// Deliberate mistakes of every nginx.
    pub nginx_defects: fake_nginx::machine::Defects,
    /// Deliberate mistakes of the orchestrator.
    pub oldbin_defects: orchestrator::machine::Defects,
    /// What goes wrong, and when, besides what the scenario says.
    pub faults: Vec<Planned>,
    /// Whether the trace tells every moment from the first act on.
    pub tells_moments: bool,
}

/// Why a scenario cannot run in the model world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// A program runs on a real kernel only.
    #[error("the model world has no programs: {program:?} runs in the worlds `fake` and `real` only")]
    Program {
        /// Which.
        program: String,
    },
    /// A version that is none.
    #[error("{0:?} is no version of nginx")]
    Version(String),
    /// A fault that the fake does not know.
    #[error("{0:?} is no fault")]
    Fault(String),
    /// There is no such runbook, or it cannot be read.
    #[error("there is no runbook {0}")]
    Runbook(String),
    /// More sockets than it has numbers for.
    #[error(
        "the model world has at most {SOCKETS_MAX} listening sockets, and {workers} workers want one each"
    )]
    Sockets {
        /// How many.
        workers: u16,
    },
    /// Words after `oldbin` that are not understood.
    #[error("{0}")]
    Words(String),
    /// The old release does not serve.
    #[error("the old release never serves: a scenario begins with one that does")]
    NothingServes,
    /// A run that does not end.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// Runs a scenario of the catalogue, or any other; its runbooks are the catalogue's.
///
/// # Errors
/// [`Impossible`] for what the model world does not have.
pub fn run(scenario: &Scenario, chooser: &mut dyn Chooser, options: &Options) -> Result<Trace, Impossible> {
    run_with(scenario, &|name| catalogue::runbook(name)?.ok(), chooser, options)
}

/// Runs a scenario with runbooks from elsewhere.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    scenario: &Scenario,
    runbooks: &dyn Fn(&str) -> Option<Runbook>,
    chooser: &mut dyn Chooser,
    options: &Options,
) -> Result<Trace, Impossible> {
    let subjects =
        scenario.acts.iter().map(|act| Ready::of(act, runbooks)).collect::<Result<Vec<_>, Impossible>>()?;
    let setting = Arc::new(setting(scenario, options)?);
    let mut world = World::boot(setting, chooser, true);
    if !world.fresh_connection_finds_worker() {
        return Err(Impossible::NothingServes);
    }
    world.set_deadline(scenario.deadline_ms);
    world.plan_faults(options.faults.clone());
    let mut play = Play { world: &mut world, scenario, options, steps: 0, act: None };
    match play.act_all(&subjects) {
        Ok(()) => {}
        Err(Broken::Deadline) => play.is_cut_off(),
        Err(broken @ Broken::Steps) => return Err(broken.into()),
    }
    Ok(Trace { header: header(scenario, options), events: world.into_events() })
}

/// A subject that was understood.
enum Ready {
    Oldbin { text: String, command: operator::Command },
    Runbook(Runbook),
}

impl Ready {
    fn of(act: &Act, runbooks: &dyn Fn(&str) -> Option<Runbook>) -> Result<Self, Impossible> {
        match &act.subject {
            Subject::Orchestrator { arguments } => Ok(Self::Oldbin {
                text: format!("oldbin {}", arguments.join(" ")),
                command: operator::parse(arguments).map_err(Impossible::Words)?,
            }),
            Subject::Runbook { name } => {
                runbooks(name).map(Self::Runbook).ok_or_else(|| Impossible::Runbook(name.clone()))
            }
            Subject::Command { program, .. } => {
                Err(Impossible::Program { program: program.display().to_string() })
            }
        }
    }
}

/// The binaries and configurations of a scenario.
fn setting(scenario: &Scenario, options: &Options) -> Result<Setting, Impossible> {
    let image = |release: &Release| {
        let version: Version =
            release.version.parse().map_err(|_| Impossible::Version(release.version.clone()))?;
        let fault: Option<BinaryFault> = match &release.fault {
            None => None,
            Some(words) => Some(words.parse().map_err(|_| Impossible::Fault(words.clone()))?),
        };
        Ok::<_, Impossible>(Image::new(version, fault, options.nginx_defects))
    };
    let images = vec![image(&scenario.old)?, image(&scenario.new)?];
    if let Some(release) = [&scenario.old, &scenario.new].into_iter().find(|release| !has_room(release)) {
        return Err(Impossible::Sockets { workers: release.workers });
    }
    let conf = |release: &Release| Conf { workers: release.workers, reuseport: release.reuseport };
    let confs = vec![conf(&scenario.old), conf(&scenario.new)];
    Ok(Setting::new(images, confs, scenario.load.slow_ms))
}

/// Whether the model has a socket for each worker that wants one.
const fn has_room(release: &Release) -> bool {
    !release.reuseport || release.workers <= SOCKETS_MAX
}

struct Play<'w, 'c, 's> {
    world: &'w mut World<'c>,
    scenario: &'s Scenario,
    options: &'s Options,
    steps: u32,
    /// The act under way, and what it should claim.
    act: Option<(u32, Claim)>,
}

impl Play<'_, '_, '_> {
    fn act_all(&mut self, subjects: &[Ready]) -> Result<(), Broken> {
        if self.scenario.is_reconfigured() {
            self.world.state.kernel.write_conf(1);
        }
        self.world.state.clients = Clients::under_load(&self.scenario.load, self.world.now_ms() * 1_000);
        while !self.world.state.clients.is_at_work() {
            self.world.tick(Wish::Time(u64::MAX))?;
        }
        self.rest()?;
        let told: Vec<String> = self.scenario.told_moments().cloned().collect();
        self.world.plan_mishaps(&self.scenario.faults, &told, self.options.tells_moments);
        for ((subject, act), number) in subjects.iter().zip(&self.scenario.acts).zip(1..) {
            self.act = Some((number, act.claims));
            let said = self.perform(subject)?;
            self.claimed(said);
            self.rest()?;
        }
        let until_ms = self.world.now_ms() + LOAD_GOES_ON_MS;
        self.world.until_turn(Wish::Time(until_ms))?;
        self.world.stop_clients();
        while self.world.state.clients.is_busy() {
            self.world.tick(Wish::Time(u64::MAX))?;
        }
        self.rest()
    }

    fn perform(&mut self, subject: &Ready) -> Result<Said, Broken> {
        match subject {
            Ready::Runbook(book) => {
                let first = self.steps + 1;
                self.steps += u32::try_from(book.steps.len()).unwrap_or(u32::MAX);
                runbook::perform(self.world, book, first)
            }
            Ready::Oldbin { text, command } => {
                self.steps += 1;
                let step = self.steps;
                self.world.note(What::StepBegan { step, text: text.clone() });
                let ended = operator::carry_out(self.world, command, self.options.oldbin_defects, None);
                let said = match ended {
                    Ok(Ended::Said(said, _)) => Ok(said),
                    Ok(Ended::Crashed) => {
                        let words = "it was killed".to_owned();
                        Ok(Said { claim: Claim::Failed, exit_code: None, words })
                    }
                    Err(broken) => Err(broken),
                };
                let failure = match &said {
                    Ok(Said { exit_code: Some(0), .. }) => None,
                    Ok(Said { exit_code: Some(code), .. }) => Some(format!("it exited with {code}")),
                    Ok(Said { exit_code: None, words, .. }) => Some(words.clone()),
                    Err(_) => Some("it was cut short".into()),
                };
                self.world.note(What::StepEnded { step, failure });
                said
            }
        }
    }

    fn claimed(&mut self, said: Said) {
        let Some((act, expected)) = self.act.take() else { return };
        let Said { claim, exit_code, words } = said;
        self.world.note(What::Claimed { act, claim, expected, exit_code, said: words });
    }

    /// Waits until nothing moves and no worker drains, but for a drain not for ever.
    fn rest(&mut self) -> Result<(), Broken> {
        let drain_until_ms = self.world.now_ms() + DRAIN_MS_MAX;
        while !self.world.is_quiet() && self.world.now_ms() < drain_until_ms {
            self.world.tick(Wish::Time(drain_until_ms))?;
        }
        self.world.note(What::Quiescent);
        Ok(())
    }

    fn is_cut_off(&mut self) {
        self.world.note(What::Moment { name: "run.deadline".into() });
        let words = "the run's deadline has passed".to_owned();
        self.claimed(Said { claim: Claim::Failed, exit_code: None, words });
        self.world.break_off_clients();
    }
}

fn header(scenario: &Scenario, options: &Options) -> Header {
    let Options { seed, .. } = options;
    Header {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        world: WorldKind::Model,
        old: scenario.old.version.clone(),
        new: scenario.new.version.clone(),
        workers: (scenario.old.workers, scenario.new.workers),
        seed: *seed,
        isolation: "simulated".to_owned(),
        replay: format!("oldbin-lab run {} --world model --seed {seed}", scenario.name),
        blind_to: BTreeSet::new(),
    }
}
