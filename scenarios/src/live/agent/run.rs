//! The order of a run: the world, nginx, the load, the acts, the end.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command};

use super::super::clock::Clock;
use super::super::launch::LOAD;
use super::super::order::{LOAD_NOW, LOAD_STOP, LoadOrder, Order, Told};
use super::Stop;
use super::binary::Binaries;
use super::folder::Folder;
use super::isolation::User;
use super::mishaps::Mishaps;
use super::observer::Observer;
use super::quiescence::Load;
use super::world::World;
use super::{claim, config, subject};
use crate::scenario::{Claim, Release};
use crate::trace::{Exit, Header, Role, SCHEMA, Trace, What};

/// The port in a network namespace of the run's own.
const PORT: u16 = 8080;
/// How long the load goes on behind the last claim, so that the trace shows who answers then.
const LOAD_GOES_ON_US: u64 = 100_000;
/// How long the load may take to hand over its last records when the run's deadline has passed.
const LAST_RECORDS_US: u64 = 1_000_000;

/// Carries out an order; `user` is set in namespaces.
pub(super) fn run(order: &Order, user: Option<User>) -> Result<Told, Stop> {
    let folder = Folder::make(order, user.is_some()).map_err(Stop::broken("make the world's folder"))?;
    if let Some(user) = user {
        user.step_down().map_err(Stop::Broken)?;
    }
    let port = if user.is_some() { PORT } else { free_port().map_err(Stop::broken("find a free port"))? };
    let paths = folder.paths.clone();
    let binaries = Binaries::place(order, &paths).map_err(Stop::Broken)?;
    let header = header(order, &binaries, user.is_some());
    let clock = Clock::start();
    let observer = Observer::new(clock, &paths, binaries);
    let mut world = World::new(clock, paths, observer, order.scenario.deadline_ms * 1_000)?;
    if order.stops_at_moments() {
        let told: Vec<String> = order.scenario.told_moments().cloned().collect();
        let mut mishaps = Mishaps::new(&order.scenario.faults, &told, order.tells_moments);
        mishaps.are_excuses = order.storm.is_some();
        world.stop_at_moments(mishaps)?;
    }
    let mut run = Run { order, world, port, load: None, act: None };
    if let Some(sequence) = &order.sequence {
        let seen = run.sequence(sequence);
        run.world.end();
        return seen.map(Told::Snapshots);
    }
    let played = run.play();
    let told = match played {
        Err(Stop::Deadline) => run.note_deadline(),
        other => other,
    };
    run.world.end();
    told.map(|()| Told::Trace(Trace { header, events: run.world.into_events() }))
}

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) order: &'a Order,
    pub(super) world: World,
    pub(super) port: u16,
    load: Option<(u32, ChildStdin)>,
    /// The act under way, from 1, and what it must claim.
    pub(super) act: Option<(u32, Claim)>,
}

impl Run<'_> {
    fn play(&mut self) -> Result<(), Stop> {
        let scenario = &self.order.scenario;
        self.configure(&scenario.old)?;
        self.start_nginx()?;
        if scenario.is_reconfigured() {
            self.configure(&scenario.new)?;
        }
        self.start_load()?;
        self.world.wait_until_quiescent(Load::Runs)?;
        self.world.begin_mishaps();
        if let Some(storm) = &self.order.storm {
            self.storm(storm)?;
        }
        for (act, number) in scenario.acts.iter().zip(1..) {
            self.act = Some((number, act.claims));
            let said = subject::perform(&mut self.world, self.order, &act.subject)?;
            self.claimed(said);
            self.world.wait_until_quiescent(Load::Runs)?;
        }
        if self.load.is_some() {
            self.world.wait_until(self.world.clock.now_us() + LOAD_GOES_ON_US)?;
            self.stop_load(LOAD_STOP)?;
        }
        self.world.wait_until_quiescent(Load::Stopped)
    }

    /// Writes the configuration of that release.
    fn configure(&self, release: &Release) -> Result<(), Stop> {
        let slow_ms = self.order.scenario.load.slow_ms;
        let text = config::text(self.order.world, &self.world.paths, release, self.port, slow_ms);
        fs::write(&self.world.paths.conf, text).map_err(Stop::broken("write the configuration"))
    }

    /// Starts nginx as an operator does, and waits until every worker accepts.
    fn start_nginx(&mut self) -> Result<(), Stop> {
        let mut command = self.world.nginx();
        let launcher = self.world.start(&mut command)?;
        let launched = self.world.finish(launcher)?;
        if launched.exit != Some(Exit::Code(0)) {
            let how = launched.exit;
            return Err(Stop::Broken(format!("nginx does not start ({how:?}): {}", launched.last_words())));
        }
        let workers = usize::from(self.order.scenario.old.workers);
        while self.world.accepting_workers() < workers {
            self.world.turn(u64::MAX)?;
        }
        Ok(())
    }

    fn start_load(&mut self) -> Result<(), Stop> {
        let load = self.order.scenario.load.clone();
        if load.fresh_per_second == 0 && load.kept == 0 && load.slow == 0 {
            return Ok(());
        }
        let order = LoadOrder { load, port: self.port, clock: self.world.clock };
        let mut line = serde_json::to_vec(&order).map_err(Stop::broken("describe the load"))?;
        line.push(b'\n');
        let mut command = Command::new("/proc/self/exe");
        command.arg0("oldbin-lab").arg(LOAD);
        let (pid, mut stdin) = self.world.start_load(&mut command)?;
        World::tell(&mut stdin, &line);
        self.load = Some((pid, stdin));
        while !self.world.load_is_ready {
            if self.world.has_ended(pid) {
                return self.stop_load(LOAD_NOW);
            }
            self.world.turn(u64::MAX)?;
        }
        Ok(())
    }

    fn stop_load(&mut self, word: &[u8]) -> Result<(), Stop> {
        let Some((pid, mut stdin)) = self.load.take() else { return Ok(()) };
        World::tell(&mut stdin, word);
        let ended = self.world.finish(pid)?;
        match ended.exit {
            Some(Exit::Code(0)) => Ok(()),
            how => Err(Stop::Broken(format!("the load failed ({how:?}): {}", ended.last_words()))),
        }
    }

    pub(super) fn claimed(&mut self, said: claim::Said) {
        let Some((act, expected)) = self.act.take() else { return };
        let claim::Said { claim, exit_code, said } = said;
        self.world.observer.note(What::Claimed { act, claim, expected, exit_code, said });
    }

    /// Writes down that the run was cut short, with what the load had in flight.
    fn note_deadline(&mut self) -> Result<(), Stop> {
        self.world.observer.note(What::Moment { name: "run.deadline".into() });
        let said = "the run's deadline has passed".to_owned();
        self.claimed(claim::Said { claim: Claim::Failed, exit_code: None, said });
        self.world.deadline_us = self.world.clock.now_us() + LAST_RECORDS_US;
        match self.stop_load(LOAD_NOW) {
            Ok(()) | Err(Stop::Deadline) => Ok(()),
            Err(stop) => Err(stop),
        }
    }
}

impl World {
    /// nginx from its path, as an operator calls it.
    pub(super) fn nginx(&self) -> Command {
        let paths = &self.paths;
        let mut command = Command::new(&paths.binary);
        command.arg("-p").arg(&paths.prefix).arg("-c").arg(&paths.conf).current_dir(&paths.prefix);
        command
    }

    /// Lets the world go on until a time.
    pub(super) fn wait_until(&mut self, until_us: u64) -> Result<(), Stop> {
        while self.clock.now_us() < until_us {
            self.turn(until_us)?;
        }
        Ok(())
    }

    fn accepting_workers(&self) -> usize {
        self.observer
            .processes
            .values()
            .filter(|process| process.role == Role::Worker && process.is_alive())
            .filter(|worker| worker.listening.values().any(|&accepting| accepting))
            .count()
    }
}

fn header(order: &Order, binaries: &Binaries, in_namespaces: bool) -> Header {
    let scenario = &order.scenario;
    Header {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        world: order.world,
        old: binaries.old.clone(),
        new: binaries.new.clone(),
        workers: (scenario.old.workers, scenario.new.workers),
        seed: order.seed,
        isolation: if in_namespaces { "namespaces" } else { "subreaper" }.into(),
        replay: order.replay.clone(),
        blind_to: BTreeSet::new(),
    }
}

/// A port that was free an instant ago; without a network of its own a run can do no better.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
