//! Scripts: what operators type, what goes wrong meanwhile, and what must hold through all of it.
//!
//! A [`Script`] is drawn from a chooser before anything moves, and then played in a world that the same chooser
//! moves. Property tests, benches and the exploration of interleavings play scripts.
//!
//! What must hold:
//! 1. After every step a fresh connection finds a worker that accepts, unless the script itself killed the last.
//! 2. No request is lost but by the death of its worker, at the script's hand.
//! 3. What a command claims is true when all have had time to do what they were told; a claim is not judged if
//!    the script killed somebody after the command's last look.
//! 4. Nobody is stuck with one fault or none before the commit point.
//! 5. At the end one generation is left, and everybody who still serves has a master.
//! 6. What the operator chose is kept, and nothing is undone for no reason: see [`super::rules`].

use std::fmt;
use std::sync::{Arc, LazyLock};

use fake_nginx::fault::Fault::NeverDrains;
use fake_nginx::release::Version;
use orchestrator::machine::Options;

use super::binaries::BINARIES;
use super::choice::{About, Calm, Chooser, Name, Recorder, number};
use super::client::Clients;
use super::fault::{Fault, Planned, When, plan};
use super::judge;
use super::kernel::{Conf, Image, Setting};
use super::operator::{Command, Ended, carry_out, options};
use super::rules::{self, Rule, Typed, Wrong};
use super::truth::Promise;
use super::world::{Broken, Counts, State, Wish, World};
use crate::scenario::Claim;
use crate::trace::{Event, What};

/// Among the first so many steps faults are planned.
const FAULTS_WITHIN: usize = 400;
/// How many faults a script has at most, if nobody wants more.
pub const FAULTS: usize = 3;
/// How many faults a script can have.
pub const FAULTS_MAX: usize = 6;
/// How many commands are typed at most.
const COMMANDS_MAX: usize = 4;
/// What a slow answer takes.
const SLOW_MS: u64 = 500;
/// How long workers may drain if the new ones never do.
const DRAIN_MS: u64 = 10_000;
/// Longer than anything that is waited for.
pub(super) const PATIENCE_MS: u64 = 600_000;
/// Fresh connections, and requests of lasting clients, that a run may have.
const FRESH: u8 = 6;
const LASTING: u8 = 6;
/// How long the end may take, longer than every deadline of the orchestrator together.
const END_MS_MAX: u64 = 3_600_000;
/// How often the last command is typed again.
pub(super) const RECOVERIES: usize = 3;

/// What may go wrong. What strikes the orchestrator itself, and reloads, come twice as often as each way in which
/// a process can be taken away.
static KINDS: LazyLock<Vec<Fault>> = LazyLock::new(|| {
    let is_often = |fault: &Fault| !matches!(fault, Fault::Blow(..));
    Fault::drawn().chain(Fault::drawn().filter(is_often)).collect()
});

/// One run, before anything has moved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Script {
    /// Workers of a generation.
    pub workers: u16,
    /// Which of [`BINARIES`] comes.
    pub binary: usize,
    /// What is typed, each with the pause before it.
    pub commands: Vec<(Pause, Command)>,
    /// What goes wrong.
    pub faults: Vec<Planned>,
}

/// How long somebody waits before a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pause {
    /// Until all have come to rest behind the one before, and so many milliseconds longer.
    Rest(u64),
    /// Until this is due, or all have come to rest.
    Until(When),
}

impl Pause {
    /// Until all have come to rest, and no longer.
    pub const REST: Self = Self::Rest(0);

    /// True if others may still move when it ends.
    #[must_use]
    pub const fn hurries(&self) -> bool {
        matches!(self, Self::Until(_))
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rest(pause_ms) => write!(f, "after {pause_ms} ms"),
            Self::Until(when) => when.fmt(f),
        }
    }
}

/// Deliberate mistakes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mistakes {
    /// Of every nginx.
    pub nginx: fake_nginx::machine::Defects,
    /// Of the orchestrator.
    pub oldbin: orchestrator::machine::Defects,
}

/// Worlds in which nginx serves already, one for each number of workers and kind of binary.
pub struct Stages {
    stages: Vec<(Arc<Setting>, State)>,
    mistakes: Mistakes,
    faults_max: usize,
}

/// Numbers of workers that scripts use.
pub const WORKERS: [u16; 3] = [1, 2, 3];

impl Stages {
    /// Boots them all.
    #[must_use]
    pub fn new(mistakes: Mistakes) -> Self {
        let kinds = WORKERS.iter().flat_map(|&workers| BINARIES.iter().map(move |&fault| (workers, fault)));
        let stages = kinds
            .map(|(workers, fault)| {
                let old = Image::new(Version::new(1, 22, 1), None, mistakes.nginx);
                let new = Image::new(Version::new(1, 26, 3), fault, mistakes.nginx);
                let confs = vec![Conf { workers, reuseport: false }];
                let packaged = Image::new(Version::new(1, 30, 6), None, mistakes.nginx);
                let setting = Arc::new(Setting::new(vec![old, new, packaged], confs, SLOW_MS));
                let mut state = World::boot(Arc::clone(&setting), &mut Calm, false).state;
                state.clients = Clients::with_budget(FRESH, LASTING, PATIENCE_MS);
                (setting, state)
            })
            .collect();
        Self { stages, mistakes, faults_max: FAULTS }
    }

    /// Scripts that are drawn have at most so many faults.
    #[must_use]
    pub fn with_faults(self, faults_max: usize) -> Self {
        Self { faults_max, ..self }
    }

    /// Draws a script and plays it.
    pub fn play(&self, chooser: &mut dyn Chooser) -> Played {
        let script = Script::draw(chooser, self.faults_max);
        self.play_script(script, chooser, false)
    }

    /// Plays a script, and keeps what happened if `wants_trace`.
    pub fn play_script(&self, mut script: Script, chooser: &mut dyn Chooser, wants_trace: bool) -> Played {
        let (setting, state) = self.stage(&script);
        let mut world = World::from_state(state.clone(), Arc::clone(setting), chooser, wants_trace);
        if script.faults.iter().any(|planned| planned.fault == Fault::PowerFailure) {
            world.may_lose_power();
        }
        world.plan_faults(script.faults.clone());
        let mut play = Play::new(world, self.mistakes);
        let finished = play.act(&script);
        let Play { world, claims, pauses, wrong, .. } = play;
        script.commands.iter_mut().zip(pauses).for_each(|(command, pause)| command.0 = pause);
        let broken = || finished.err().map(|broken| Rule::EverythingComesToRest.broken(broken.to_string()));
        let (rule, wrong) = wrong.or_else(broken).map(|wrong| (wrong.rule, wrong.why)).unzip();
        let counts = world.counts.clone();
        let struck = world.struck_before().to_vec();
        Played { script, claims, rule, wrong, counts, struck, events: world.into_events() }
    }

    /// Every step that is the natural one at some time when a script is played calmly, and for the how many-eth
    /// time: where a fault may be planned.
    pub(super) fn moments(&self, script: &Script) -> Vec<(Name, u32)> {
        let (setting, state) = self.stage(script);
        let mut calm = Calm;
        let mut world = World::from_state(state.clone(), Arc::clone(setting), &mut calm, false);
        world.keep_moments();
        world.plan_faults(script.faults.clone());
        let mut play = Play::new(world, self.mistakes);
        // A run that is cut short has its moments all the same.
        let _ = play.act(script);
        play.world.into_moments()
    }

    pub(super) fn stage(&self, script: &Script) -> &(Arc<Setting>, State) {
        let kind = WORKERS.iter().position(|&workers| workers == script.workers).unwrap_or(0);
        &self.stages[kind * BINARIES.len() + script.binary]
    }

    /// Plays once more and writes down what happened and every choice, for a report.
    pub fn explain<C: Chooser>(&self, chooser: C) -> (Played, Recorder<C>) {
        let mut recorder = Recorder::new(chooser);
        let script = Script::draw(&mut recorder, self.faults_max);
        let played = self.play_script(script, &mut recorder, true);
        (played, recorder)
    }
}

/// A script that was played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// It.
    pub script: Script,
    /// What the commands claimed; `None`: it was killed.
    pub claims: Vec<Option<Claim>>,
    /// The first rule that was broken.
    pub rule: Option<Rule>,
    /// How it was.
    pub wrong: Option<String>,
    /// What was counted.
    pub counts: Counts,
    /// The faults that struck, each with the step that it came before.
    pub struck: Vec<Planned>,
    /// What happened, if that was wanted.
    pub events: Vec<Event>,
}

impl Script {
    /// Draws a script with at most so many faults.
    #[must_use]
    pub fn draw(chooser: &mut dyn Chooser, faults_max: usize) -> Self {
        let mut pick = |n| number(chooser, n, About::Script);
        let workers = WORKERS[pick(WORKERS.len())];
        // Half of all are sound.
        let faulty = BINARIES.len() - 1;
        let binary = (pick(2 * faulty) + 1).saturating_sub(faulty);
        let count = 1 + pick(COMMANDS_MAX);
        // Who never drains is only ended by a limit, longer than any answer takes.
        let drain_within_ms = (BINARIES[binary] == Some(NeverDrains)).then_some(DRAIN_MS);
        let options = |soak_ms, is_held| Options { drain_within_ms, ..options(soak_ms, is_held) };
        let commands = (0..count)
            .map(|nth| {
                let pause_ms = [0, 50, 1_000][pick(3)];
                let soak_ms = [0, 200][pick(2)];
                // The first command upgrades.
                let command = match pick(if nth == 0 { 2 } else { 5 }) {
                    0 => Command::Upgrade(options(soak_ms, false)),
                    1 => Command::Upgrade(options(soak_ms, true)),
                    2 => Command::Rollback(options(soak_ms, false)),
                    3 => Command::Commit,
                    _ => Command::Recover,
                };
                (Pause::Rest(pause_ms), command)
            })
            .collect();
        let faults = plan(chooser, &KINDS, faults_max, FAULTS_WITHIN);
        Self { workers, binary, commands, faults }
    }
}

struct Play<'c> {
    world: World<'c>,
    mistakes: Mistakes,
    claims: Vec<Option<Claim>>,
    /// How long everybody really waited who typed something.
    pauses: Vec<Pause>,
    typed: Typed,
    wrong: Option<Wrong>,
}

impl<'c> Play<'c> {
    fn new(world: World<'c>, mistakes: Mistakes) -> Self {
        let (claims, pauses) = (Vec::new(), Vec::new());
        Self { world, mistakes, claims, pauses, typed: Typed::default(), wrong: None }
    }
}

impl Play<'_> {
    fn act(&mut self, script: &Script) -> Result<(), Broken> {
        let hurries = |(pause, _): &(Pause, Command)| pause.hurries();
        if script.commands.iter().any(hurries) {
            self.world.count_naturals();
        }
        for (nth, (pause, command)) in script.commands.iter().enumerate() {
            self.pause(*pause)?;
            let rests = !script.commands.get(nth + 1).is_some_and(hurries);
            self.command(command, script, rests)?;
            if self.is_wrong() {
                return Ok(());
            }
        }
        self.world.plan_faults(Vec::new());
        self.world.set_deadline(self.world.now_ms() + END_MS_MAX);
        for _ in 0..RECOVERIES {
            let Some(command) = judge::unfinished(&self.world) else { break };
            self.command(&command, script, true)?;
        }
        self.rest(script)?;
        self.is_found(script.judge_end(&self.world));
        Ok(())
    }

    fn pause(&mut self, pause: Pause) -> Result<(), Broken> {
        let pause = match pause {
            Pause::Rest(pause_ms) => {
                let until_ms = self.world.now_ms() + pause_ms;
                self.world.until_turn(Wish::Time(until_ms))?;
                pause
            }
            Pause::Until(when) => self.world.until_due(when)?.map_or(Pause::REST, Pause::Until),
        };
        self.pauses.push(pause);
        Ok(())
    }

    /// Types it. Its words are judged when all have come to rest: for good if everybody `rests` behind it.
    fn command(&mut self, command: &Command, script: &Script, rests: bool) -> Result<(), Broken> {
        self.world.note(What::Moment { name: format!("typed: {command}") });
        self.typed.has_committed |= matches!(command, Command::Commit);
        self.typed.has_turned_back |= matches!(command, Command::Rollback(_));
        let ended = carry_out(&mut self.world, command, self.mistakes.oldbin, None)?;
        self.look_for_gaps(script);
        let Ended::Said(said, plan) = ended else {
            self.claims.push(None);
            self.world.note(What::Moment { name: "it was killed".into() });
            return Ok(());
        };
        self.claims.push(Some(said.claim));
        self.is_found(script.judge_refusal(&self.world, command, &said));
        self.world.note(What::Moment { name: format!("claimed: {} ({})", said.claim, said.words) });
        let promise = plan.as_ref().map(|plan| Promise::of_plan(&self.world, plan));
        let typed = self.typed;
        let judge = |world: &mut World<'_>| {
            let wrong = script.judge_claim(world, command, &said, promise.as_ref())?;
            let broken = || rules::broken(world, script, typed, plan.as_deref()?, said.claim);
            Ok(wrong.or_else(broken))
        };
        let wrong = if rests { judge(&mut self.world) } else { self.world.aside(judge) };
        self.is_found(wrong?);
        Ok(())
    }

    /// Everything that drains gets the time that it needs.
    fn rest(&mut self, script: &Script) -> Result<(), Broken> {
        self.world.stop_clients();
        let until_ms = self.world.now_ms() + 2 * SLOW_MS;
        let latest_ms = until_ms + PATIENCE_MS;
        while !self.world.is_quiet() && self.world.now_ms() < latest_ms || self.world.now_ms() < until_ms {
            let until_ms = self.world.now_ms() + 2 * SLOW_MS;
            self.world.until_turn(Wish::Time(until_ms))?;
        }
        self.look_for_gaps(script);
        Ok(())
    }

    fn look_for_gaps(&mut self, script: &Script) {
        self.is_found(script.judge_service(&self.world));
    }

    fn is_wrong(&self) -> bool {
        self.wrong.is_some()
    }

    /// The first thing that is wrong is the one that is told.
    fn is_found(&mut self, wrong: Option<Wrong>) {
        self.wrong = self.wrong.take().or(wrong);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// oldbin is killed right behind WINCH. Red when somebody waits for a moment that never comes, or comes to rest although
    /// it has come.
    #[test]
    fn a_command_is_typed_before_its_moment_or_when_all_have_come_to_rest() {
        let before = |moment: &str, nth| When::Before(moment.parse().unwrap(), nth);
        let really = |until: Pause| {
            let upgrade = (Pause::REST, Command::Upgrade(options(0, false)));
            let commands = vec![upgrade, (until, Command::Rollback(options(0, false)))];
            let when = before("subject.look-at-the-clock", 5);
            let faults = vec![Planned { when, fault: Fault::Crash, which: 0 }];
            let script = Script { workers: 1, binary: 0, commands, faults };
            let played = Stages::new(Mistakes::default()).play_script(script, &mut Calm, false);
            assert_eq!((played.wrong, played.claims), (None, vec![None, Some(Claim::RolledBack)]));
            played.script.commands[1].0
        };
        let is_heard = Pause::Until(before("old-master.wake", 2));
        assert_eq!(really(is_heard), is_heard);
        assert_eq!(really(Pause::Until(before("old-master.wake", 99))), Pause::REST);
    }
}
