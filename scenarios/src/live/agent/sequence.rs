//! Plays a sequence of conformance: a step, rest, a look; and so on.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal as Raw;

use super::Stop;
use super::connection::Connection;
use super::proc;
use super::run::Run;
use super::sight::{Sight, accepting};
use super::subject::ending;
use crate::conformance::{Binary, Configured, PidFileIs, Sequence, Signal, Snapshot, Step, Whom};
use crate::model::fault;

/// How long a world may take to come to rest: far more than nginx's 2.5 s of trying to bind.
const REST_US_MAX: u64 = 15_000_000;
/// Between looks at a process that is about to stop.
const LOOK_US: u64 = 1_000;
/// A line that is no directive.
const MISTAKE: &str = "no_such_directive on;\n";

/// What the steps need to know of each other.
#[derive(Default)]
struct Stage {
    sight: Sight,
    connections: Vec<Connection>,
    /// What the last step has led to.
    said: Vec<String>,
}

impl Run<'_> {
    /// Plays it to its end: what was seen at the start and after each step.
    pub(super) fn sequence(&mut self, sequence: &Sequence) -> Result<Vec<Snapshot>, Stop> {
        self.configure(sequence.workers)?;
        self.start_nginx()?;
        let old = self.old_binary();
        fs::copy(&self.world.paths.binary, &old).map_err(Stop::broken("keep the old binary"))?;
        let mut stage = Stage::default();
        let mut seen = vec![self.rested(&mut stage)?];
        for step in &sequence.steps {
            self.step(&mut stage, step)?;
            seen.push(self.rested(&mut stage)?);
        }
        Ok(seen)
    }

    /// Lets everything come to rest, and looks.
    fn rested(&mut self, stage: &mut Stage) -> Result<Snapshot, Stop> {
        let whole_us = self.world.deadline_us;
        self.world.deadline_us = whole_us.min(self.world.clock.now_us() + REST_US_MAX);
        self.world.observer.look();
        let rested = self.world.wait_until_still();
        self.world.deadline_us = whole_us;
        match rested {
            Err(Stop::Deadline) => stage.said.push("never comes to rest".into()),
            other => other?,
        }
        let mut seen = stage.sight.look(&mut self.world, self.port, &mut stage.connections);
        for said in stage.said.drain(..) {
            seen.say("step", said);
        }
        Ok(seen)
    }

    fn step(&mut self, stage: &mut Stage, step: &Step) -> Result<(), Stop> {
        match step {
            Step::Signal(signal, whom) => match self.whom(*whom) {
                Some(pid) => self.deliver(pid, *signal),
                None => stage.said.push("there is nobody".into()),
            },
            Step::Signals(one, two, whom) => match self.whom(*whom) {
                Some(pid) => self.deliver_both(pid, *one, *two)?,
                None => stage.said.push("there is nobody".into()),
            },
            Step::Install(binary) => self.install(*binary).map_err(Stop::broken("install a binary"))?,
            Step::Configure(Configured::Workers(workers)) => self.configure(*workers)?,
            Step::Configure(Configured::Broken) => self.break_configuration()?,
            Step::PidFile(is) => self.damage_pid_file(*is).map_err(Stop::broken("damage the pid file"))?,
            Step::CommandLine(option) => self.command_line(stage, option.split(' '))?,
            Step::Start => self.command_line(stage, [])?,
            Step::Connect => stage.connections.push(Connection::with_request(self.port)),
            // Whose connection it is must be the same on both sides, or nothing else is.
            Step::Hold(hold) => match accepting(&self.world).len() {
                0 | 1 => stage.connections.push(Connection::held(self.port, *hold)),
                _ => stage.said.push("left out: several workers accept".into()),
            },
        }
        Ok(())
    }

    fn whom(&self, whom: Whom) -> Option<u32> {
        let whom = match whom {
            Whom::OldMaster => fault::Whom::OldMaster,
            Whom::NewMaster => fault::Whom::NewMaster,
            Whom::OldWorker => fault::Whom::OldWorker,
            Whom::NewWorker => fault::Whom::NewWorker,
        };
        self.world.observed(whom, 0)
    }

    fn deliver(&mut self, pid: u32, signal: Signal) {
        self.world.signal(pid, signal.name(), raw(signal));
    }

    /// A stopped process finds both when it goes on.
    fn deliver_both(&mut self, pid: u32, one: Signal, two: Signal) -> Result<(), Stop> {
        self.world.signal(pid, "STOP", Raw::STOP);
        while proc::doing(pid).is_some_and(|doing| doing.state != 'T') {
            self.world.turn(self.world.clock.now_us() + LOOK_US)?;
        }
        self.deliver(pid, one);
        self.deliver(pid, two);
        self.world.signal(pid, "CONT", Raw::CONT);
        Ok(())
    }

    fn old_binary(&self) -> PathBuf {
        self.world.paths.new.with_file_name("nginx-old")
    }

    /// Moves the file into place, as package managers do.
    fn install(&self, binary: Binary) -> io::Result<()> {
        let coming = self.world.paths.prefix.join("coming");
        match binary {
            Binary::Old => fs::copy(self.old_binary(), &coming).map(drop)?,
            Binary::New => fs::copy(&self.world.paths.new, &coming).map(drop)?,
            Binary::Broken => fs::write(&coming, "This is no program.\n")?,
        }
        fs::set_permissions(&coming, fs::Permissions::from_mode(0o755))?;
        fs::rename(&coming, &self.world.paths.binary)
    }

    fn break_configuration(&self) -> Result<(), Stop> {
        let conf: &Path = &self.world.paths.conf;
        fs::read_to_string(conf)
            .and_then(|text| fs::write(conf, text + MISTAKE))
            .map_err(Stop::broken("break the configuration"))
    }

    fn damage_pid_file(&self, is: PidFileIs) -> io::Result<()> {
        let pid = &self.world.paths.pid;
        match is {
            PidFileIs::Empty => fs::write(pid, ""),
            PidFileIs::Garbage => fs::write(pid, "garbage\n"),
            PidFileIs::Absent => match fs::remove_file(pid) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
    }

    /// `nginx` from its path, with what it says and how it ends.
    fn command_line<'a>(
        &mut self,
        stage: &mut Stage,
        option: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Stop> {
        let paths = &self.world.paths;
        let mut command = Command::new(&paths.binary);
        command
            .arg("-p")
            .arg(&paths.prefix)
            .arg("-c")
            .arg(&paths.conf)
            .current_dir(&paths.prefix)
            .args(option);
        let pid = match self.world.start(&mut command) {
            Ok(pid) => pid,
            // What cannot be executed says so in the words of this laboratory.
            Err(Stop::Broken(_)) => {
                stage.said.push("the file cannot be executed".into());
                return Ok(());
            }
            Err(stop) => return Err(stop),
        };
        stage.sight.commands.insert(pid);
        let ended = self.world.finish(pid)?;
        self.world.observer.look();
        stage.sight.name_the_new(&self.world);
        stage.said.push(ending(ended.exit));
        for bytes in [&ended.out, &ended.err] {
            stage.said.extend(stage.sight.output(&self.world, self.port, bytes));
        }
        Ok(())
    }
}

fn raw(signal: Signal) -> Raw {
    match signal {
        Signal::Hup => Raw::HUP,
        Signal::Quit => Raw::QUIT,
        Signal::Term => Raw::TERM,
        Signal::Winch => Raw::WINCH,
        Signal::Usr1 => Raw::USR1,
        Signal::Usr2 => Raw::USR2,
        Signal::Kill => Raw::KILL,
    }
}
