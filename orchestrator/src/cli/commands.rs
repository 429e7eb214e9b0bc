//! The commands: what each finds, and which machine it runs.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::arguments::{Arguments, Command, Common, Recover, Resume, Rollback, Upgrade};
use super::result::Report;
use super::run::{Run, milliseconds, reserve};
use super::status;
use crate::ExitCode;
use crate::discover::{self, Running};
use crate::host::linux::{boot, now_us};
use crate::journal::{Entry, Journal, JournalError};
use crate::machine::{Defect, Goal, Memory, Options, Outcome, Phase, Plan};
use crate::preflight::{Prepared, Request, Swap, adopt, executes, predecessor, prepare, program, sweep};
use crate::refusal::Refusal;
use crate::rehearsal::Rehearsal;
use crate::state;

/// Carries out one command and says how it went.
pub(super) fn run(arguments: Arguments, rehearsal: Rehearsal) -> ExitCode {
    let began_us = now_us();
    let (common, report) = match arguments.command {
        Command::Upgrade(asked) => {
            let report = upgrade(&asked, began_us, rehearsal);
            (asked.common, report)
        }
        Command::Rollback(asked) => {
            let report = rollback(&asked, began_us, rehearsal);
            (asked.common, report)
        }
        Command::Commit(Resume { common }) => {
            let report = commit(&common, began_us, rehearsal);
            (common, report)
        }
        Command::Recover(asked) => {
            let report = recover(&asked, began_us, rehearsal);
            (asked.common, report)
        }
        Command::Status(Resume { common }) => {
            return match status::print(&common) {
                Ok(()) => ExitCode::Done,
                Err(refusal) => {
                    Report::refused(&refusal).print(common.json);
                    ExitCode::Refused
                }
            };
        }
        Command::Completions(asked) => {
            let mut command = Arguments::command();
            clap_complete::generate(asked.shell, &mut command, "oldbin", &mut std::io::stdout());
            return ExitCode::Done;
        }
    };
    let mut report = report.unwrap_or_else(|refusal| Report::refused(&refusal));
    report.timings.total_ms = milliseconds(began_us, now_us());
    report.print(common.json);
    report.code
}

fn upgrade(asked: &Upgrade, began_us: u64, rehearsal: Rehearsal) -> Result<Report, Refusal> {
    let (running, pid_file) = discover::find(asked.common.pid_file.as_deref())?;
    let mut journal = Journal::of(&asked.common.state_dir, &pid_file);
    if !asked.dry_run {
        lock(&mut journal, &rehearsal)?;
    }
    refuse_unfinished(&journal, &rehearsal)?;
    let running = after_predecessor(running, &pid_file, asked.wait_for_old)?;
    let request = Request {
        new: asked.new.clone(),
        binary: asked.binary.clone(),
        options: asked.pace.options(asked.hold),
        is_quiet: asked.pace.no_knock,
        is_dry: asked.dry_run,
    };
    let prepared = prepare(&running, &pid_file, &request)?;
    warn(&prepared);
    if asked.dry_run {
        return Ok(planned(&prepared));
    }
    let plan = prepared.plan;
    reserve(&journal, &plan)?;
    let wanted = if asked.hold { Outcome::Held } else { Outcome::Upgraded };
    let run = Run { goal: Goal::Forward, wanted, began_us, rehearsal };
    run.drive(plan, Memory::new(), journal, &asked.common)
}

/// The master that serves once the old one of an earlier upgrade has ended.
fn after_predecessor(running: Running, pid_file: &Path, within_ms: u64) -> Result<Running, Refusal> {
    let Some(found) = predecessor(&running) else { return Ok(running) };
    let (pid, count) = (found.master.identity.pid, found.connections);
    if within_ms > 0 {
        let text =
            format!("waiting for the old master {pid} of an earlier upgrade: {count} connections left");
        let _ = writeln!(std::io::stderr(), "oldbin: {text}");
    }
    let has_ended = within_ms > 0 && found.wait(within_ms).map_err(|source| Refusal::Look { source })?;
    if !has_ended {
        return Err(Refusal::StillDrains { master: pid, connections: count });
    }
    Ok(discover::find(Some(pid_file))?.0)
}

fn warn(prepared: &Prepared) {
    for warning in &prepared.warnings {
        let _ = writeln!(std::io::stderr(), "oldbin: warning: {warning}");
    }
}

/// What would be done.
fn planned(Prepared { plan, swap, .. }: &Prepared) -> Report {
    let (new, old, path) = (&plan.new_version, &plan.old_version, plan.binary.display());
    let lines = [
        match swap {
            Swap::File => format!("would put {new} in the place of {old} at {path}"),
            Swap::Link(to) => format!("would flip the link {path} from {old} to {new}: {}", to.display()),
        },
        format!(
            "would send USR2 to master {} and wait for {} workers that accept on {} sockets",
            plan.old.pid,
            plan.new_workers,
            plan.listeners.len()
        ),
        format!(
            "would send WINCH to master {}, soak for {} ms, and send QUIT to it",
            plan.old.pid, plan.options.soak_ms
        ),
    ];
    for line in lines {
        let _ = writeln!(std::io::stderr(), "oldbin: {line}");
    }
    let report = Report::of(plan, &Memory::new(), Outcome::Refused, Outcome::Refused);
    Report { outcome: "planned", backup: None, ..report }
}

/// A killed run's upgrade has to be finished or undone before the next. One of an earlier boot is over:
/// none of its processes live; only the file may be the new one, and that is what runs.
fn refuse_unfinished(journal: &Journal, rehearsal: &Rehearsal) -> Result<(), Refusal> {
    match journal.read()? {
        Some(entry) if !entry.memory.is_finished() && !is_over(&entry, rehearsal) => {
            Err(Refusal::Unfinished { phase: name(entry.memory.phase) })
        }
        Some(_) | None => Ok(()),
    }
}

fn name(phase: Phase) -> String {
    serde_json::to_value(phase).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

/// Keeps every other command away until this one has ended.
fn lock(journal: &mut Journal, rehearsal: &Rehearsal) -> Result<(), Refusal> {
    if !rehearsal.defects.has(Defect::ForgetsTheLock) {
        journal.lock()?;
    }
    Ok(())
}

/// The journal of the nginx that is meant, locked, and what it says.
fn find_entry(
    common: &Common,
    rehearsal: &Rehearsal,
    what: &'static str,
) -> Result<(Journal, Entry), Refusal> {
    let (journal, entry, _) = find_journal(common, rehearsal)?;
    Ok((journal, entry.ok_or_else(|| nothing(what))?))
}

fn nothing(what: &'static str) -> Refusal {
    Refusal::NothingToDo { what, why: "oldbin has upgraded nothing here".to_owned() }
}

/// The journal of the nginx that is meant, locked; what it says, if anything; and the pid file.
fn find_journal(
    common: &Common,
    rehearsal: &Rehearsal,
) -> Result<(Journal, Option<Entry>, PathBuf), Refusal> {
    let pid_file = match &common.pid_file {
        Some(given) => discover::real_path(given)?,
        None => match Journal::only_pid_file(&common.state_dir)? {
            Some(pid_file) => pid_file,
            None => discover::find(None)?.1,
        },
    };
    let mut journal = Journal::of(&common.state_dir, &pid_file);
    lock(&mut journal, rehearsal)?;
    let entry = journal.read()?;
    Ok((journal, entry, pid_file))
}

fn commit(common: &Common, began_us: u64, rehearsal: Rehearsal) -> Result<Report, Refusal> {
    let (journal, entry) = find_entry(common, &rehearsal, "commit")?;
    if is_over(&entry, &rehearsal) {
        return Err(restarted(&entry, "commit"));
    }
    match entry.memory.phase {
        Phase::Held | Phase::Soaking | Phase::Draining | Phase::Committing | Phase::Watching => {
            let run = Run { goal: Goal::Commit, wanted: Outcome::Upgraded, began_us, rehearsal };
            run.drive(entry.plan, entry.memory, journal, common)
        }
        Phase::Planned | Phase::Installing | Phase::Changing | Phase::Back | Phase::Finished(_) => {
            let why = format!("the upgrade stands at `{}`", name(entry.memory.phase));
            Err(Refusal::NothingToDo { what: "commit", why })
        }
    }
}

fn recover(asked: &Recover, began_us: u64, rehearsal: Rehearsal) -> Result<Report, Refusal> {
    let Recover { drain, common } = asked;
    let (journal, entry, pid_file) = find_journal(common, &rehearsal)?;
    let entry = entry.map(unstuck).filter(|entry| !entry.memory.is_finished());
    let (entry, over) = match entry {
        Some(entry) if is_over(&entry, &rehearsal) => (None, Some(entry)),
        entry => (entry, None),
    };
    let Some(entry) = entry else {
        let run = Run { goal: Goal::Forward, wanted: Outcome::Upgraded, began_us, rehearsal };
        // Nobody has asked for a soak, and none is waited for.
        return match adopt(&pid_file, &drain.limits(Options::NONE))? {
            Some(adopted) => run.take_over(adopted, journal, common),
            None => Err(swept(&pid_file, over.as_ref())),
        };
    };
    let Entry { mut plan, memory, .. } = entry;
    if drain.drain_within.is_some() {
        plan.options = drain.limits(plan.options);
    }
    let run = Run { goal: Goal::Forward, wanted: Outcome::Upgraded, began_us, rehearsal };
    run.drive(plan, memory, journal, common)
}

/// No upgrade is unfinished; but a run that was killed before it announced one, or went down with the machine, leaves the
/// copy that it staged.
fn swept(pid_file: &Path, over: Option<&Entry>) -> Refusal {
    let staged = discover::find(Some(pid_file)).and_then(|(running, _)| program(&running, None));
    let has_swept = staged.as_deref().map(sweep);
    if let Some(entry) = over {
        return restarted(entry, "recover");
    }
    let why = match has_swept {
        Ok(Ok(true)) => "no upgrade had begun, and the copy that a killed run had staged is removed",
        _ => "no upgrade is unfinished",
    };
    Refusal::NothingToDo { what: "recover", why: why.to_owned() }
}

fn rollback(asked: &Rollback, began_us: u64, rehearsal: Rehearsal) -> Result<Report, Refusal> {
    let (journal, entry, pid_file) = find_journal(&asked.common, &rehearsal)?;
    let entry = entry.map(unstuck);
    let is_over = entry.as_ref().is_some_and(|entry| is_over(entry, &rehearsal));
    let is_open = !is_over && entry.as_ref().is_some_and(|entry| !entry.memory.is_finished());
    if !is_open && let Some(adopted) = adopt(&pid_file, &asked.pace.options(false))? {
        let run = Run { goal: Goal::Back, wanted: Outcome::RolledBack, began_us, rehearsal };
        return run.take_over(adopted, journal, &asked.common);
    }
    let entry = entry.ok_or_else(|| nothing("roll back"))?;
    let is_upgraded = matches!(entry.memory.phase, Phase::Finished(Outcome::Upgraded | Outcome::Draining));
    // Whatever was under way when the machine went down is over, and the newer binary may be what came up.
    let may_be_upgraded = is_upgraded || is_over && !entry.memory.is_finished();
    if may_be_upgraded && !entry.plan.options.is_way_back {
        return upgrade_back(asked, journal, &entry.plan, began_us, rehearsal);
    }
    if entry.memory.is_finished() {
        return Err(serves_already());
    }
    if is_over {
        return Err(restarted(&entry, "roll back"));
    }
    // A way back that was killed goes on: it is this very direction.
    if entry.plan.options.is_way_back {
        let run = Run { goal: Goal::Forward, wanted: Outcome::Upgraded, began_us, rehearsal };
        return run.drive(entry.plan, entry.memory, journal, &asked.common);
    }
    if matches!(entry.memory.phase, Phase::Committing | Phase::Watching) {
        return finish_and_roll_back(asked, journal, entry, began_us, rehearsal);
    }
    let run = Run { goal: Goal::Back, wanted: Outcome::RolledBack, began_us, rehearsal };
    run.drive(entry.plan, entry.memory, journal, &asked.common)
}

/// The commit point is passed, and the run that passed it was killed: it is finished first, without a watch.
fn finish_and_roll_back(
    asked: &Rollback,
    journal: Journal,
    mut entry: Entry,
    began_us: u64,
    rehearsal: Rehearsal,
) -> Result<Report, Refusal> {
    entry.plan.options.watch_ms = 0;
    let run = Run { goal: Goal::Forward, wanted: Outcome::Upgraded, began_us, rehearsal };
    let report = run.drive(entry.plan, entry.memory, journal, &asked.common)?;
    if report.code == ExitCode::Done { rollback(asked, began_us, Rehearsal::default()) } else { Ok(report) }
}

/// What was stuck may go now that a person has looked.
fn unstuck(entry: Entry) -> Entry {
    match entry.memory.phase {
        Phase::Finished(Outcome::Stuck(_)) => Entry { memory: entry.memory.again(now_us() / 1_000), ..entry },
        Phase::Planned
        | Phase::Installing
        | Phase::Changing
        | Phase::Draining
        | Phase::Soaking
        | Phase::Held
        | Phase::Committing
        | Phase::Watching
        | Phase::Back
        | Phase::Finished(_) => entry,
    }
}

/// Beyond the commit point the way back is an upgrade to the kept old binary.
fn upgrade_back(
    asked: &Rollback,
    journal: Journal,
    done: &Plan,
    began_us: u64,
    rehearsal: Rehearsal,
) -> Result<Report, Refusal> {
    let (running, pid_file) = discover::find(Some(&done.pid_file))?;
    if executes(&running, &done.old_link) {
        return Err(serves_already());
    }
    let request = Request {
        new: done.old_link.clone(),
        binary: Some(done.binary.clone()),
        options: Options { is_way_back: true, ..asked.pace.options(false) },
        is_quiet: asked.pace.no_knock,
        is_dry: false,
    };
    let prepared = prepare(&running, &pid_file, &request)?;
    warn(&prepared);
    let plan = prepared.plan;
    reserve(&journal, &plan)?;
    let run = Run { goal: Goal::Forward, wanted: Outcome::Upgraded, began_us, rehearsal };
    run.drive(plan, Memory::new(), journal, &asked.common)
}

fn serves_already() -> Refusal {
    Refusal::NothingToDo { what: "roll back", why: "the old binary serves already".to_owned() }
}

/// Pids and times of an earlier boot mean nothing: whatever was under way then is over.
fn is_over(entry: &Entry, rehearsal: &Rehearsal) -> bool {
    entry.boot != boot() && !rehearsal.defects.has(Defect::ForgetsTheBoot)
}

/// The machine went down in the middle of an upgrade, and has started whatever was at the binary's path.
fn restarted(entry: &Entry, what: &'static str) -> Refusal {
    let Plan { binary, old_link, .. } = &entry.plan;
    let (binary, old_link) = (binary.display(), old_link.display());
    let why = format!(
        "the machine was restarted since; {binary} is what runs now, and the old binary is kept at {old_link}"
    );
    Refusal::NothingToDo { what, why }
}

impl Journal {
    /// The pid file of the only journal in the folder; `None`: there is none, or there are several.
    fn only_pid_file(state_dir: &Path) -> Result<Option<PathBuf>, JournalError> {
        state::check(state_dir)?;
        let mut all = state::journals(state_dir);
        // One that cannot be read may be of any nginx.
        let last = all.pop().filter(|_| all.is_empty());
        Ok(last.and_then(Result::ok).map(|entry| entry.plan.pid_file))
    }
}
