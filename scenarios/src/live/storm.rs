//! What a random script is to a live world: commands to type, faults to strike, and a light load.
//!
//! The script is the model's own, from the same tape. Its milliseconds are virtual, so here they are shortened,
//! and its steps become events that the agent sees: births, ends, signals, pid files, journals. A fault strikes
//! after so many of them, never at a time.

use fake_nginx::fault::Fault as BinaryFault;
use fake_nginx::machine::Signal;
use orchestrator::machine::Options;
use serde::{Deserialize, Serialize};

use crate::model::binaries::BINARIES;
use crate::model::fault::{Planned, When};
use crate::model::operator::Command;
use crate::model::script::{Pause, Script};
use crate::scenario::{Expect, Load, Mishap, Release, Scenario, WorldKind, Wrong, elsewhere, is_forcible};

/// Steps of the model that pass from one event to the next, about: a calm upgrade with two workers takes 250
/// steps and shows 40 events.
const STEPS_PER_EVENT: u32 = 6;
/// How much shorter soaks and loads are: no more virtual time.
const SHORTENED: u64 = 4;
/// Pauses between commands are shortened more: they are only there so that something may happen in between.
const PAUSE_SHORTENED: u64 = 20;
/// How long the new binary may take to be ready. Long enough for a fake on a busy machine, and shorter than the
/// longest load ([`LOAD_MS_MAX`]), so that giving up is tried too.
const READY_WITHIN: &str = "1s";
/// How long workers may drain: longer than a slow answer takes on a busy machine, and short enough to see what becomes
/// of those who do not go.
const DRAIN_WITHIN: &str = "5s";
/// The longest load of a new binary.
const LOAD_MS_MAX: u64 = 2_000;
/// What a slow answer takes: on the fake it is a whole number of seconds.
const SLOW_MS: u64 = 1_000;
/// How long a client waits: longer than it takes to start a worker again on a busy machine.
const PATIENCE_MS: u64 = 5_000;
/// How long a script may take: more than the longest deadline of the orchestrator that a script can reach.
const DEADLINE_MS: u64 = 90_000;

/// A script as an agent gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Storm {
    /// What is typed.
    pub(crate) commands: Vec<Typed>,
    /// What goes wrong.
    pub(crate) strikes: Vec<Strike>,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Typed {
    /// The pause before it.
    pub(crate) pause_ms: u64,
    /// `upgrade`, `--soak`, `50ms`.
    pub(crate) words: Vec<String>,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Strike {
    /// After so many events, or as soon after that as there is something to strike.
    pub(crate) event: u32,
    /// The name that the model gives it: `kill-new-master`.
    pub(crate) fault: String,
    /// Which of several workers that could be struck, by age, from 0.
    pub(crate) which: u8,
}

impl Storm {
    /// Translates a script; a fault at a named step is a [`mishap`].
    pub(crate) fn of(script: &Script) -> Self {
        let commands = script
            .commands
            .iter()
            .map(|(pause, command)| {
                // Everybody rests before a command: when it would be a step's turn, only the kernel knows.
                let pause_ms = if let Pause::Rest(pause_ms) = pause { pause_ms / PAUSE_SHORTENED } else { 0 };
                Typed { pause_ms, words: words(command) }
            })
            .collect();
        let strikes = script
            .faults
            .iter()
            .filter_map(|planned| match planned.when {
                When::Step(step) => Some(Strike {
                    event: step / STEPS_PER_EVENT,
                    fault: planned.fault.name().to_owned(),
                    which: planned.which,
                }),
                When::Before(..) => None,
            })
            .collect();
        Self { commands, strikes }
    }
}

/// A fault at a named step, where a process stops there. `None` for other steps, and for what nobody can do to a
/// process from outside.
pub(crate) fn mishap(planned: &Planned) -> Option<Mishap> {
    let When::Before(name, nth) = planned.when else { return None };
    let (fault, _) = elsewhere().find(|(_, fault)| *fault == planned.fault)?;
    let what = Wrong::Elsewhere { fault: fault.to_owned(), which: planned.which + 1 };
    is_forcible(name).then(|| Mishap { what, at: name.to_string(), nth })
}

/// True if a live world can play a script with this new binary.
///
/// Whether those who end by themselves are excused only the model can compute; a world with one that never ends never
/// comes to rest; and a lost WINCH costs ten seconds of real time.
pub(crate) const fn can_play(binary: Option<BinaryFault>) -> bool {
    use BinaryFault::{DiesAfter, HangsAtStart, LosesSignal, NeverDrains, WorkersExitAfter};
    let takes_excuses = matches!(binary, Some(DiesAfter { .. } | WorkersExitAfter { .. }));
    let never_rests = matches!(binary, Some(HangsAtStart | NeverDrains));
    let is_slow = matches!(binary, Some(LosesSignal { signal: Signal::Winch }));
    !takes_excuses && !never_rests && !is_slow
}

/// A command in words, with durations that a test can wait for.
pub(crate) fn words(command: &Command) -> Vec<String> {
    let with = |name: &str, options: &Options| -> Vec<String> {
        let soak = format!("{}ms", options.soak_ms / SHORTENED);
        [name, "--soak", &soak, "--ready-within", READY_WITHIN, "--drain-within", DRAIN_WITHIN]
            .map(str::to_owned)
            .to_vec()
    };
    let words: Vec<String> = match command {
        Command::Upgrade(options) => {
            let mut words = with("upgrade", options);
            words.extend(options.is_held.then(|| "--hold".into()));
            words
        }
        Command::Rollback(options) => with("rollback", options),
        Command::Commit => vec!["commit".into()],
        Command::Recover => vec!["recover".into()],
    };
    words
}

/// The world that a script is played in: a story without acts.
pub(crate) fn scenario(script: &Script, world: WorldKind) -> Scenario {
    let release = |version: &str, fault: Option<BinaryFault>| Release {
        version: version.to_owned(),
        workers: script.workers,
        reuseport: false,
        fault: fault.map(|fault| shortened(fault).to_string()),
    };
    // A slow request holds every drain back for a second, so only the shortest scripts have one.
    let slow = u32::from(script.commands.len() == 1);
    let slow_ms = if world == WorldKind::Real { SLOW_MS / 4 } else { SLOW_MS };
    Scenario {
        name: "storm".into(),
        why: "Whatever goes wrong half-way through an upgrade, every request still finds a live worker."
            .into(),
        source: None,
        shows: Vec::new(),
        worlds: None,
        old: release("1.22.1", None),
        new: release("1.26.3", BINARIES[script.binary]),
        faults: script.faults.iter().filter_map(mishap).collect(),
        acts: Vec::new(),
        load: Load { fresh_per_second: 150, kept: 2, slow, slow_ms, patience_ms: PATIENCE_MS },
        expect: Expect::default(),
        deadline_ms: DEADLINE_MS,
    }
}

fn shortened(fault: BinaryFault) -> BinaryFault {
    let load = |load_ms: u64| (load_ms / SHORTENED / 2).min(LOAD_MS_MAX);
    if let BinaryFault::LoadsThenFails { load_ms, status } = fault {
        return BinaryFault::LoadsThenFails { load_ms: load(load_ms), status };
    }
    if let BinaryFault::LoadsThenServes { load_ms } = fault {
        return BinaryFault::LoadsThenServes { load_ms: load(load_ms) };
    }
    fault
}
