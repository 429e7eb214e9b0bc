//! The person who types `oldbin` in a model world: each command, from preflight to its last word.
//!
//! The machine and its driver are the orchestrator's own. What stands here is what its command line does
//! around them on Linux: preflight's looks and links, and which memory a command goes on from.
//!
//! # Source
//! `orchestrator::cli::commands`, `orchestrator::preflight`.

mod command;

use std::path::PathBuf;

use fake_nginx::fault::Fault;
use fake_nginx::machine::Pid;
use orchestrator::ExitCode;
use orchestrator::driver::drive;
use orchestrator::host::HostError;
use orchestrator::machine::{
    Baseline, Defect, Defects, Goal, Intent, Memory, Options, Outcome, Phase, Plan, Reason, StuckState, Title,
};

use super::choice::Act;
use super::host::{ModelHost, file_id, identity, look, pid_file};
use super::kernel::{Content, Path, Proc};
use super::runbook::Said;
use super::shared::Shared;
use super::truth::is_orphan;
#[cfg(test)]
use super::world::Told;
use super::world::{Broken, Wish, World};
use crate::scenario::Claim;

pub use command::{Command, options, parse};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It came to its end; with its plan, if it had one.
    Said(Said, Option<Box<Plan>>),
    /// It was killed.
    Crashed,
}

/// Carries a command out. `crash_at`: at which of its calls it is killed.
///
/// # Errors
/// [`Broken`] if the world cannot go on.
pub fn carry_out(
    world: &mut World<'_>,
    command: &Command,
    defects: Defects,
    crash_at: Option<u32>,
) -> Result<Ended, Broken> {
    world.until_turn(Wish::Act(Act::Type))?;
    match begin(world, command, defects) {
        Ok(run) => run.go(world, crash_at),
        Err(why) => Ok(Ended::Said(refused(why), None)),
    }
}

/// Why there is nothing to roll back.
const SERVES_ALREADY: &str = "the old binary serves already";

/// Why there is nothing to do, behind a restart.
const RESTARTED: &str = "the machine was restarted since";

/// The last words of a command that was not even begun.
pub(super) const fn refused(words: String) -> Said {
    Said { claim: Claim::Refused, exit_code: Some(ExitCode::Refused as i32), words }
}

/// What a command starts the machine with.
pub(super) struct Run {
    pub(super) intent: Intent,
    pub(super) memory: Memory,
    /// What it says that it wants; its exit code depends on that.
    pub(super) wanted: Outcome,
}

/// Preflight, and where the machine begins.
///
/// # Errors
/// Why the command is refused, in a sentence.
pub(super) fn begin(world: &mut World<'_>, command: &Command, defects: Defects) -> Result<Run, String> {
    if world.is_locked() {
        return Err("another oldbin works on this nginx".into());
    }
    let entry = world.state.journal.clone();
    let is_over = world.state.is_journal_over && !defects.has(Defect::ForgetsTheBoot);
    let run = |goal, wanted, (plan, memory): (Plan, Memory)| {
        let memory = memory.resumed();
        let intent = Intent { goal, plan, defects };
        Run { intent, memory, wanted }
    };
    match command {
        Command::Upgrade(options) => {
            if entry.is_some_and(|entry| !entry.1.is_finished()) && !is_over {
                return Err("an earlier upgrade is not finished".into());
            }
            let wanted = if options.is_held { Outcome::Held } else { Outcome::Upgraded };
            let plan = prepare(world, Path::NEW, options, defects)?;
            Ok(run(Goal::Forward, wanted, (plan, Memory::new())))
        }
        Command::Commit => {
            let (plan, memory) = found(entry)?;
            if is_over {
                return Err(RESTARTED.into());
            }
            match memory.phase {
                Phase::Held | Phase::Soaking | Phase::Draining | Phase::Committing | Phase::Watching => {
                    Ok(run(Goal::Commit, Outcome::Upgraded, (plan, memory)))
                }
                Phase::Planned | Phase::Installing | Phase::Changing | Phase::Back | Phase::Finished(_) => {
                    Err("there is nothing to commit".into())
                }
            }
        }
        Command::Recover => {
            let (plan, memory) = unstuck(found(entry)?, world.now_ms());
            if memory.is_finished() {
                return Err("there is nothing to recover".into());
            }
            if is_over {
                return Err(RESTARTED.into());
            }
            Ok(run(Goal::Forward, Outcome::Upgraded, (plan, memory)))
        }
        Command::Rollback(options) => {
            let (plan, memory) = unstuck(found(entry)?, world.now_ms());
            // Whatever was under way when the machine went down is over, and the newer binary may be what came up.
            let is_upgraded = memory.phase == Phase::Finished(Outcome::Upgraded);
            if (is_upgraded || is_over && !memory.is_finished()) && !plan.options.is_way_back {
                return upgrade_back(world, &plan, options, defects);
            }
            if memory.is_finished() {
                return Err(SERVES_ALREADY.into());
            }
            if is_over {
                return Err(RESTARTED.into());
            }
            // A way back that was killed goes on: it is this very direction.
            if plan.options.is_way_back {
                return Ok(run(Goal::Forward, Outcome::Upgraded, (plan, memory)));
            }
            Ok(run(Goal::Back, Outcome::RolledBack, (plan, memory)))
        }
    }
}

/// What somebody types who does not know that another one is at work.
pub(super) fn others() -> [Command; 4] {
    let options = || options(0, false);
    [Command::Recover, Command::Rollback(options()), Command::Commit, Command::Upgrade(options())]
}

/// Every command locks its state folder, and keeps the lock as long as it lives.
pub(super) const fn takes_lock(intent: &Intent) -> bool {
    !intent.defects.has(Defect::ForgetsTheLock)
}

fn found(entry: Option<Shared<(Plan, Memory)>>) -> Result<(Plan, Memory), String> {
    entry.map(|entry| (*entry).clone()).ok_or_else(|| "oldbin has upgraded nothing here".to_owned())
}

/// What was stuck may go now that a person has looked.
fn unstuck((plan, memory): (Plan, Memory), now_ms: u64) -> (Plan, Memory) {
    if matches!(memory.phase, Phase::Finished(Outcome::Stuck(_))) {
        return (plan, memory.again(now_ms));
    }
    (plan, memory)
}

/// Beyond the commit point the way back is an upgrade to the kept old binary.
fn upgrade_back(
    world: &mut World<'_>,
    done: &Plan,
    options: &Options,
    defects: Defects,
) -> Result<Run, String> {
    let options = Options { is_way_back: true, is_held: false, ..options.clone() };
    let new = world.paths.number(&done.old_link.to_string_lossy());
    let kept = world.state.kernel.files().read(new);
    if world.masters().any(|master| Some(Content::Image(master.image)) == kept) {
        return Err(SERVES_ALREADY.into());
    }
    let plan = prepare(world, new, &options, defects)?;
    let intent = Intent { goal: Goal::Forward, plan, defects };
    Ok(Run { intent, memory: Memory::new(), wanted: Outcome::Upgraded })
}

/// Preflight: what it sees, and the two links that it lays beside the binary.
fn prepare(world: &mut World<'_>, new: Path, options: &Options, defects: Defects) -> Result<Plan, String> {
    let kernel = &world.state.kernel;
    let oldbin_before = pid_file(kernel.files().read(Path::OLDBIN));
    let Some(Content::Pid(pid)) = kernel.files().read(Path::PID) else {
        return Err("the pid file does not hold a pid".into());
    };
    let master =
        kernel.process(pid).filter(|master| look(master).is_some_and(|seen| seen.title == Title::Master));
    let Some(master) = master.cloned() else { return Err("the pid file names no master".into()) };
    let is_master =
        |pid: Pid| kernel.process(pid).and_then(look).is_some_and(|seen| seen.title == Title::Master);
    if is_master(master.parent) {
        return Err("an upgrade is already under way".into());
    }
    let children = || kernel.living().filter(|process| process.parent == pid);
    if children().any(|child| child.exe != master.exe) {
        return Err("the master has started another binary".into());
    }
    if let orchestrator::machine::PidFile::Pid(old) = oldbin_before
        && Pid(old) != pid
        && is_master(Pid(old))
    {
        return Err("the oldbin file names a master that runs".into());
    }
    if kernel.living().any(|process| is_orphan(world, process)) {
        return Err("workers serve that have no master".into());
    }
    let binary = kernel.files().at(Path::BINARY).ok_or("there is no binary at its path")?;
    let staged = kernel.files().at(new).ok_or("there is no new binary")?;
    let Content::Image(new_image) = kernel.files().content(staged) else {
        return Err("the new binary is no nginx".into());
    };
    if let Some(Fault::FailsTest { status }) = world.setting.images[usize::from(new_image)].plan.fault {
        return Err(format!("the new binary rejects the configuration (exit status {status})"));
    }
    if staged == binary && binary == master.exe {
        return Err("the running nginx executes this very file".into());
    }
    let old_workers = children().filter_map(look).filter(|child| child.title == Title::Worker).count();
    let listeners = master.fds.iter().map(|&(_, socket)| u64::from(socket)).collect();
    let new_workers = world.setting.confs[usize::from(kernel.conf())].workers;
    let links = stage(world, &master, new_image, defects);
    let version = |image: u8| world.setting.images[usize::from(image)].version.to_string();
    let path = |path| PathBuf::from(world.paths.words(path));
    let files = world.state.kernel.files();
    let id = |path| files.at(path).map(file_id).ok_or("a link is missing");
    Ok(Plan {
        pid_file: path(Path::PID),
        binary: path(Path::BINARY),
        old_link: path(links.0),
        new_link: path(links.1),
        binary_before: file_id(binary),
        old_file: id(links.0)?,
        new_file: id(links.1)?,
        old: identity(&master),
        old_workers: u16::try_from(old_workers).unwrap_or(u16::MAX),
        new_workers,
        listeners,
        oldbin_before,
        baseline: Baseline::default(),
        old_version: version(master.image),
        new_version: version(new_image),
        options: options.clone(),
    })
}

/// Lays both binaries ready, each under a name of its own.
fn stage(world: &mut World<'_>, master: &Proc, new_image: u8, defects: Defects) -> (Path, Path) {
    let old_link = world.paths.number(&format!("/nginx/sbin/.nginx.oldbin-{}", master.image));
    let files = world.state.kernel.files_mut();
    let in_place = files.at(Path::BINARY);
    if files.read(old_link) != Some(Content::Image(master.image)) {
        if in_place == Some(master.exe) {
            let _ = files.link(Path::BINARY, old_link);
        } else {
            files.create(old_link, Content::Image(master.image));
        }
    }
    let _ = files.unlink(Path::NEW_LINK);
    let is_installed =
        in_place != Some(master.exe) && files.read(Path::BINARY) == Some(Content::Image(new_image));
    if is_installed {
        let _ = files.link(Path::BINARY, Path::NEW_LINK);
    } else {
        files.create(Path::NEW_LINK, Content::Image(new_image));
    }
    if defects.has(Defect::SyncsNoCopy) {
        let copies = [old_link, Path::NEW_LINK].map(|link| world.state.kernel.files().at(link));
        copies
            .into_iter()
            .flatten()
            .filter(|&copy| Some(copy) != in_place)
            .for_each(|copy| world.forgets_to_sync(copy));
    }
    (old_link, Path::NEW_LINK)
}

impl Run {
    fn go(self, world: &mut World<'_>, crash_at: Option<u32>) -> Result<Ended, Broken> {
        let Self { intent, memory, wanted } = self;
        #[cfg(test)]
        world.is_told(Told::Begins(&intent, &memory));
        let mut host = ModelHost::new(world, &intent, crash_at);
        host.world.command_begins(takes_lock(&intent));
        let ended = drive(&mut host, &intent, memory, |_, _| {});
        host.world.command_ends();
        if let Some(broken) = host.broken {
            return Err(broken);
        }
        Ok(finish(world, &intent.plan, wanted, ended))
    }
}

/// The machine has ended: what is tidied up, and what is said.
pub(super) fn finish(
    world: &mut World<'_>,
    plan: &Plan,
    wanted: Outcome,
    ended: Result<(Outcome, Memory), HostError>,
) -> Ended {
    let said = match ended {
        Ok((outcome, memory)) => {
            match outcome {
                Outcome::Upgraded | Outcome::Draining | Outcome::RolledBack | Outcome::Refused => {
                    let _ = world.change(|kernel, around| kernel.unlink(Path::NEW_LINK, around));
                }
                Outcome::Held | Outcome::Stuck(_) => {}
            }
            said(outcome, wanted, &memory, plan.options.is_way_back)
        }
        Err(HostError::Crashed) => return Ended::Crashed,
        Err(HostError::Os { what, error }) => {
            let words = format!("{what}: {error}");
            Said { claim: Claim::Stuck, exit_code: Some(ExitCode::Stuck as i32), words }
        }
    };
    Ended::Said(said, Some(Box::new(plan.clone())))
}

/// The last words, and what they claim.
fn said(outcome: Outcome, wanted: Outcome, memory: &Memory, is_way_back: bool) -> Said {
    let words = match (outcome, &memory.abort) {
        (Outcome::Stuck(state), _) => state.says().to_owned(),
        (_, Some(reason)) => Reason::to_string(reason),
        (_, None) => outcome.name().to_owned(),
    };
    let code = ExitCode::of(outcome, wanted) as i32;
    let (claim, code, words) = match (outcome, is_way_back) {
        (Outcome::Upgraded, false) => (Claim::Upgraded, code, words),
        (Outcome::Draining, false) => (Claim::Draining, code, words),
        (Outcome::Upgraded | Outcome::Draining, true) => (Claim::RolledBack, code, words),
        (Outcome::Held, _) => (Claim::Held, code, words),
        (Outcome::RolledBack, false) => (Claim::RolledBack, code, words),
        (Outcome::RolledBack, true) => {
            let words = format!("{} ({words})", StuckState::WayBackUndone.says());
            (Claim::Stuck, ExitCode::Stuck as i32, words)
        }
        (Outcome::Refused, _) => (Claim::Refused, code, words),
        (Outcome::Stuck(_), _) => (Claim::Stuck, code, words),
    };
    Said { claim, exit_code: Some(code), words }
}
