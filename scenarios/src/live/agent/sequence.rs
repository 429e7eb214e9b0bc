//! Plays a sequence of conformance: a step, rest, a look; and so on.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use rustix::process::Signal as Raw;

use super::Stop;
use super::connection::Connection;
use super::proc;
use super::run::Run;
use super::sight::{Sight, accepting};
use super::site::{pid_path, socket_path};
use crate::conformance::{
    Binary, Configured, Connect, Hold, IDLE, Listens, PidFileIs, Sequence, Signal, Site, Snapshot, Step, Whom,
};
use crate::model::fault;

/// How long a world may take to come to rest: far more than nginx's 2.5 s of trying to bind.
const REST_US_MAX: u64 = 15_000_000;
/// Between looks at a process that is about to stop, or at a queue.
const LOOK_US: u64 = 1_000;
/// How long a connection may wait for the one worker that does not stand still.
const TAKEN_US_MAX: u64 = 2_000_000;
/// What a new binary may be that is no nginx at all.
const FAILING: &str = "#!/bin/sh\nexit 3\n";

/// What the steps need to know of each other.
pub(super) struct Stage {
    pub(super) sight: Sight,
    /// What the configuration says, but for a mistake.
    pub(super) site: Site,
    connections: Vec<Connection>,
    /// What the last step has led to.
    pub(super) said: Vec<String>,
}

impl Stage {
    fn nothing_done(&mut self, why: &str) {
        self.said.push(format!("{IDLE}{why}"));
    }
}

impl Run<'_> {
    /// Plays it to its end: what was seen at the start and after each step.
    pub(super) fn sequence(&mut self, sequence: &Sequence) -> Result<Vec<Snapshot>, Stop> {
        let mut stage =
            Stage { sight: Sight::default(), site: sequence.site, connections: Vec::new(), said: Vec::new() };
        self.write_site(stage.site)?;
        self.call_nginx(&mut stage, "")?;
        fs::copy(&self.world.paths.binary, self.old_binary()).map_err(Stop::broken("keep the old binary"))?;
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
                None => stage.nothing_done("there is nobody"),
            },
            Step::Signals(one, two, whom) => match self.whom(*whom) {
                Some(pid) => {
                    self.stop(&[pid])?;
                    self.deliver(pid, *one);
                    self.deliver(pid, *two);
                    self.go_on(&[pid]);
                }
                None => stage.nothing_done("there is nobody"),
            },
            Step::Install(binary) => self.install(*binary).map_err(Stop::broken("install a binary"))?,
            Step::Configure(configured) => self.configure_site(stage, *configured)?,
            Step::PidFile(is) => {
                self.damage_pid_file(stage.site, *is).map_err(Stop::broken("damage the pid file"))?;
            }
            Step::CommandLine(option) => self.call_nginx(stage, option)?,
            Step::Start => self.call_nginx(stage, "")?,
            Step::Connect(Connect::Tcp) => stage.connections.push(Connection::with_request(self.port)),
            Step::Connect(Connect::Unix) => {
                stage.connections.push(Connection::to_path(&socket_path(&self.world.paths)));
            }
            Step::Hold(hold, whom) => self.hold(stage, *hold, *whom)?,
            Step::Finish => {
                if stage.connections.iter_mut().filter(|of| of.is_open()).map(Connection::finish).count() == 0
                {
                    stage.nothing_done("no connection is open");
                }
            }
        }
        Ok(())
    }

    fn whom(&self, whom: Whom) -> Option<u32> {
        let (whom, which) = match whom {
            Whom::OldMaster => (fault::Whom::OldMaster, 0),
            Whom::NewMaster => (fault::Whom::NewMaster, 0),
            Whom::OldWorker => (fault::Whom::OldWorker, 0),
            Whom::LastOldWorker => (fault::Whom::OldWorker, 1),
            Whom::NewWorker => (fault::Whom::NewWorker, 0),
            Whom::LastNewWorker => (fault::Whom::NewWorker, 1),
        };
        self.world.observed(whom, which)
    }

    fn deliver(&mut self, pid: u32, signal: Signal) {
        self.world.signal(pid, signal.into(), raw(signal));
    }

    /// Makes processes stand still: what is sent to them then, they find at the same time.
    fn stop(&mut self, pids: &[u32]) -> Result<(), Stop> {
        for &pid in pids {
            self.world.signal(pid, "STOP", Raw::STOP);
        }
        while pids.iter().any(|&pid| proc::doing(pid).is_some_and(|doing| doing.state != 'T')) {
            self.world.turn(self.world.clock.now_us() + LOOK_US)?;
        }
        Ok(())
    }

    fn go_on(&mut self, pids: &[u32]) {
        for &pid in pids {
            self.world.signal(pid, "CONT", Raw::CONT);
        }
    }

    /// Opens a connection that one worker takes: whose it is must be the same on both sides, or nothing else is. So
    /// everybody else who accepts stands still meanwhile.
    fn hold(&mut self, stage: &mut Stage, hold: Hold, whom: Whom) -> Result<(), Stop> {
        let takers: Vec<u32> = accepting(&self.world).into_iter().map(|(pid, _)| pid).collect();
        let Some(taker) = self.whom(whom).filter(|taker| takers.contains(taker)) else {
            stage.nothing_done("there is nobody who accepts");
            return Ok(());
        };
        let others: Vec<u32> = takers.into_iter().filter(|&other| other != taker).collect();
        if stage.site.listens == Listens::Reuseport && !others.is_empty() {
            stage.nothing_done("the kernel chooses among sockets");
            return Ok(());
        }
        self.stop(&others)?;
        stage.connections.push(Connection::held(self.port, hold));
        let late_us = self.world.clock.now_us() + TAKEN_US_MAX;
        while self.world.observer.is_anybody_waiting(self.port) && self.world.clock.now_us() < late_us {
            self.world.turn(self.world.clock.now_us() + LOOK_US)?;
        }
        self.go_on(&others);
        Ok(())
    }

    fn configure_site(&self, stage: &mut Stage, configured: Configured) -> Result<(), Stop> {
        match configured {
            Configured::Workers(workers) => stage.site.workers = workers,
            Configured::Listens(listens) => stage.site.listens = listens,
            Configured::Runs(runs) => stage.site.runs = runs,
            Configured::Pid(path) => stage.site.pid = path,
            Configured::Broken => return self.break_site(),
        }
        self.write_site(stage.site)
    }

    fn old_binary(&self) -> PathBuf {
        self.world.paths.new.with_file_name("nginx-old")
    }

    /// Moves the file into place, as package managers do.
    fn install(&self, binary: Binary) -> io::Result<()> {
        let coming = self.world.paths.prefix.join("coming");
        let mut mode = 0o755;
        match binary {
            Binary::Old => fs::copy(self.old_binary(), &coming).map(drop)?,
            Binary::New => fs::copy(&self.world.paths.new, &coming).map(drop)?,
            Binary::Broken => fs::write(&coming, "This is no program.\n")?,
            Binary::Failing => fs::write(&coming, FAILING)?,
            Binary::Locked => {
                fs::copy(&self.world.paths.new, &coming)?;
                mode = 0o644;
            }
            Binary::Absent => return absent(fs::remove_file(&self.world.paths.binary)),
        }
        fs::set_permissions(&coming, fs::Permissions::from_mode(mode))?;
        fs::rename(&coming, &self.world.paths.binary)
    }

    fn damage_pid_file(&self, site: Site, is: PidFileIs) -> io::Result<()> {
        let pid = pid_path(&self.world.paths, site.pid);
        match is {
            PidFileIs::Empty => fs::write(pid, ""),
            PidFileIs::Garbage => fs::write(pid, "garbage\n"),
            PidFileIs::Absent => absent(fs::remove_file(pid)),
        }
    }
}

/// That a file is gone already is no error.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn raw(signal: Signal) -> Raw {
    match signal {
        Signal::Hup => Raw::HUP,
        Signal::Int => Raw::INT,
        Signal::Quit => Raw::QUIT,
        Signal::Term => Raw::TERM,
        Signal::Winch => Raw::WINCH,
        Signal::Usr1 => Raw::USR1,
        Signal::Usr2 => Raw::USR2,
        Signal::Kill => Raw::KILL,
    }
}
