//! The laboratory's side: starts an agent, waits for its answer, and ends it if it does not come.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;

use fake_nginx::release::Version;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use rustix::time::Timespec;

use super::order::{Answer, Order, Told};
use super::storm::{self, Storm};
use super::{Isolation, LiveError, Setting, nginx};
use crate::conformance::{Sequence, Snapshot};
use crate::model::script::Script;
use crate::mutant;
use crate::scenario::{Scenario, WorldKind};
use crate::trace::{self, Trace};

/// First argument of an agent.
pub(super) const AGENT: &str = "__agent";
/// First argument of a load.
pub(super) const LOAD: &str = "__load";
/// First argument of an `oldbin`; the second holds its defects, by comma, none in most runs.
pub(super) const OLDBIN: &str = "__oldbin";

/// How long an agent may take beyond the scenario's own deadline: it makes the world, and clears it up, and
/// neither takes a second. It is there for an agent that hangs, so it errs on the long side.
const AGENT_GRACE_MS: u64 = 20_000;

pub(super) fn run(scenario: &Scenario, setting: &Setting) -> Result<Trace, LiveError> {
    trace(carry_out(&order(scenario, setting)?, setting)?)
}

/// Plays a random script.
pub(super) fn play(script: &Script, setting: &Setting) -> Result<Trace, LiveError> {
    let scenario = storm::scenario(script, setting.world);
    if setting.world == WorldKind::Real && scenario.needs_moments() {
        return Err(LiveError::Unusable("real nginx does not stop at a named moment".to_owned()));
    }
    let order = order(&scenario, setting)?;
    trace(carry_out(&Order { storm: Some(Storm::of(script)), ..order }, setting)?)
}

/// Plays the steps of a conformance run.
pub(super) fn conform(
    sequence: &Sequence,
    scenario: &Scenario,
    setting: &Setting,
) -> Result<Vec<Snapshot>, LiveError> {
    let order = order(scenario, setting)?;
    match carry_out(&Order { sequence: Some(sequence.clone()), ..order }, setting)? {
        Told::Snapshots(seen) => Ok(seen),
        Told::Trace(_) => Err(LiveError::Silent("it told a trace".into())),
    }
}

fn trace(told: Told) -> Result<Trace, LiveError> {
    match told {
        Told::Trace(trace) => Ok(trace),
        Told::Snapshots(_) => Err(LiveError::Silent("it told snapshots".into())),
    }
}

fn carry_out(order: &Order, setting: &Setting) -> Result<Told, LiveError> {
    let deadline_ms = order.scenario.deadline_ms;
    let line = serde_json::to_string(order).map_err(|error| LiveError::Unusable(error.to_string()))?;
    let mut modes = match setting.isolation {
        Isolation::Best => vec!["namespaces", "subreaper"],
        Isolation::Subreaper => vec!["subreaper"],
    };
    let last = modes.pop().unwrap_or("subreaper");
    for mode in modes {
        if let Some(told) = attempt(mode, &line, deadline_ms)? {
            return Ok(told);
        }
    }
    attempt(last, &line, deadline_ms)?
        .ok_or_else(|| LiveError::Silent("a subreaper needs no namespaces".into()))
}

fn order(scenario: &Scenario, setting: &Setting) -> Result<Order, LiveError> {
    let version =
        |text: &str| Version::from_str(text).map_err(|error| LiveError::Unusable(error.to_string()));
    let (old, new) = (version(&scenario.old.version)?, version(&scenario.new.version)?);
    let pair = match setting.world {
        WorldKind::Model => return Err(LiveError::NotLive(setting.world)),
        WorldKind::Fake => None,
        WorldKind::Real => Some(nginx::pick(&setting.releases, old, new).ok_or(LiveError::NoNginx)?),
    };
    Ok(Order {
        scenario: scenario.clone(),
        runbooks: setting.runbooks.clone(),
        world: setting.world,
        pair,
        seed: setting.seed,
        fake_defects: mutant::of_fakes(&setting.mutants),
        orchestrator_defects: mutant::of_orchestrator(&setting.mutants),
        tells_moments: setting.tells_moments,
        replay: setting.replay.clone(),
        storm: None,
        sequence: None,
    })
}

/// One agent in one mode; `None` if namespaces cannot be had.
fn attempt(mode: &str, order: &str, deadline_ms: u64) -> Result<Option<Told>, LiveError> {
    let mut agent = Agent(
        Command::new("/proc/self/exe")
            .arg0("oldbin-lab")
            .args([AGENT, mode])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|source| LiveError::Agent { what: "start", source })?,
    );
    let io = |what| move |source| LiveError::Agent { what, source };
    // Kept open: when it closes, whatever closed it, the agent ends the run.
    let mut stdin = agent.0.stdin.take().ok_or_else(|| LiveError::Silent("no pipe".into()))?;
    let stdout = agent.0.stdout.take().ok_or_else(|| LiveError::Silent("no pipe".into()))?;
    let mut answers = BufReader::new(stdout);
    // An agent without namespaces answers before it reads the order: a broken pipe is not the news.
    let sent = writeln!(stdin, "{order}").and_then(|()| stdin.flush());
    let in_time = Timespec {
        tv_sec: i64::try_from((deadline_ms + AGENT_GRACE_MS) / 1_000).unwrap_or(i64::MAX),
        tv_nsec: 0,
    };
    let ready = retry_on_intr(|| poll(&mut [PollFd::new(answers.get_ref(), PollFlags::IN)], Some(&in_time)))
        .map_err(|errno| io("wait for")(errno.into()))?;
    if ready == 0 {
        return Err(LiveError::Silent("its deadline has passed".into()));
    }
    let mut first = String::new();
    answers.read_line(&mut first).map_err(io("hear"))?;
    if first.is_empty() {
        sent.map_err(io("tell"))?;
        let status = agent.0.wait().map_err(io("wait for"))?;
        return Err(LiveError::Silent(status.to_string()));
    }
    let answer = serde_json::from_str(&first).map_err(|_| LiveError::Silent(format!("it said {first:?}")))?;
    match answer {
        Answer::NoNamespaces(_) => Ok(None),
        Answer::Failed(why) => Err(LiveError::World(why)),
        Answer::Done => Ok(Some(Told::Trace(trace::read(answers)?))),
        Answer::Seen(seen) => Ok(Some(Told::Snapshots(seen))),
    }
}

/// An agent that is ended and reaped with its handle.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        // Only an agent that has hung still runs; one that has answered is about to exit by itself.
        drop(self.0.stdin.take());
        if !has_ended(&self.0) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

/// True if the process ends within the time that an agent needs to leave.
fn has_ended(child: &Child) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(child.id().cast_signed()) else { return true };
    let Ok(pidfd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
        return true;
    };
    let two_seconds = Timespec { tv_sec: 2, tv_nsec: 0 };
    retry_on_intr(|| poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&two_seconds)))
        .is_ok_and(|ready| ready > 0)
}
