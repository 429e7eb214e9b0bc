//! The commands: what each finds, and which machine it runs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::arguments::{Arguments, Command, Common, Resume, Rollback, Upgrade};
use super::progress::Progress;
use super::result::{Report, Timings};
use super::status;
use crate::ExitCode;
use crate::discover;
use crate::driver::drive;
use crate::host::linux::{Linux, boot, now_us};
use crate::host::{HostError, Traced};
use crate::journal::{Entry, Journal, JournalError};
use crate::machine::{Goal, Intent, Memory, Options, Outcome, Phase, Plan, READY_MS, StuckState};
use crate::preflight::{Adopted, Request, adopt, prepare, program, sweep, unstage};
use crate::refusal::Refusal;
use crate::rehearsal::{Rehearsal, Rehearsed};

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
        Command::Recover(Resume { common }) => {
            let report = recover(&common, began_us, rehearsal);
            (common, report)
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
        journal.lock()?;
    }
    refuse_unfinished(&journal)?;
    let request = Request {
        new: asked.new.clone(),
        binary: asked.binary.clone(),
        options: asked.pace.options(asked.hold),
        is_dry: asked.dry_run,
    };
    let plan = prepare(&running, &pid_file, &request)?;
    if asked.dry_run {
        return Ok(planned(&plan));
    }
    reserve(&journal, &plan)?;
    let wanted = if asked.hold { Outcome::Held } else { Outcome::Upgraded };
    let run = Run { goal: Goal::Forward, wanted, began_us, rehearsal };
    run.drive(plan, Memory::new(), journal, &asked.common)
}

/// What would be done.
fn planned(plan: &Plan) -> Report {
    let lines = [
        format!(
            "would put {} in the place of {} at {}",
            plan.new_version,
            plan.old_version,
            plan.binary.display()
        ),
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

fn reserve(journal: &Journal, plan: &Plan) -> Result<(), Refusal> {
    journal.reserve().map_err(|source| {
        unstage(plan);
        Refusal::Disk { path: journal.path().to_owned(), source }
    })
}

/// A killed run's upgrade has to be finished or undone before the next. One of an earlier boot is over:
/// none of its processes live; only the file may be the new one, and that is what runs.
fn refuse_unfinished(journal: &Journal) -> Result<(), Refusal> {
    match journal.read()? {
        Some(entry) if !entry.memory.is_finished() && entry.boot == boot() => {
            Err(Refusal::Unfinished { phase: name(entry.memory.phase) })
        }
        Some(_) | None => Ok(()),
    }
}

fn name(phase: Phase) -> String {
    serde_json::to_value(phase).ok().and_then(|value| Some(value.as_str()?.to_owned())).unwrap_or_default()
}

/// The journal of the nginx that is meant, locked, and what it says.
fn find_entry(common: &Common, what: &'static str) -> Result<(Journal, Entry), Refusal> {
    let (journal, entry, _) = find_journal(common)?;
    Ok((journal, entry.ok_or_else(|| nothing(what))?))
}

fn nothing(what: &'static str) -> Refusal {
    Refusal::NothingToDo { what, why: "oldbin has upgraded nothing here".to_owned() }
}

/// The journal of the nginx that is meant, locked; what it says, if anything; and the pid file.
fn find_journal(common: &Common) -> Result<(Journal, Option<Entry>, PathBuf), Refusal> {
    let pid_file = match &common.pid_file {
        Some(given) => discover::real_path(given)?,
        None => match Journal::only_pid_file(&common.state_dir)? {
            Some(pid_file) => pid_file,
            None => discover::find(None)?.1,
        },
    };
    let mut journal = Journal::of(&common.state_dir, &pid_file);
    journal.lock()?;
    let entry = journal.read()?;
    Ok((journal, entry, pid_file))
}

fn commit(common: &Common, began_us: u64, rehearsal: Rehearsal) -> Result<Report, Refusal> {
    let (journal, entry) = find_entry(common, "commit")?;
    this_boot(&entry, "commit")?;
    match entry.memory.phase {
        Phase::Held | Phase::Soaking | Phase::Draining | Phase::Committing => {
            let run = Run { goal: Goal::Commit, wanted: Outcome::Upgraded, began_us, rehearsal };
            run.drive(entry.plan, entry.memory, journal, common)
        }
        Phase::Planned | Phase::Installing | Phase::Changing | Phase::Back | Phase::Finished(_) => {
            let why = format!("the upgrade stands at `{}`", name(entry.memory.phase));
            Err(Refusal::NothingToDo { what: "commit", why })
        }
    }
}

fn recover(common: &Common, began_us: u64, rehearsal: Rehearsal) -> Result<Report, Refusal> {
    let (journal, entry, pid_file) = find_journal(common)?;
    let Some(entry) = entry.map(unstuck).filter(|entry| !entry.memory.is_finished()) else {
        let run = Run { goal: Goal::Forward, wanted: Outcome::Upgraded, began_us, rehearsal };
        return match adopt(&pid_file, &UNASKED)? {
            Some(adopted) => run.take_over(adopted, journal, common),
            None => Err(swept(&pid_file)),
        };
    };
    this_boot(&entry, "recover")?;
    let run = Run { goal: Goal::Forward, wanted: Outcome::Upgraded, began_us, rehearsal };
    run.drive(entry.plan, entry.memory, journal, common)
}

/// No upgrade is unfinished; but a run that was killed before it announced one leaves the copy that it staged.
fn swept(pid_file: &Path) -> Refusal {
    let staged = discover::find(Some(pid_file)).and_then(|(running, _)| program(&running, None));
    let why = match staged.as_deref().map(sweep) {
        Ok(Ok(true)) => "no upgrade had begun, and the copy that a killed run had staged is removed",
        _ => "no upgrade is unfinished",
    };
    Refusal::NothingToDo { what: "recover", why: why.to_owned() }
}

fn rollback(asked: &Rollback, began_us: u64, rehearsal: Rehearsal) -> Result<Report, Refusal> {
    let (journal, entry, pid_file) = find_journal(&asked.common)?;
    let entry = entry.map(unstuck);
    let is_open = entry.as_ref().is_some_and(|entry| !entry.memory.is_finished());
    if !is_open && let Some(adopted) = adopt(&pid_file, &asked.pace.options(false))? {
        let run = Run { goal: Goal::Back, wanted: Outcome::RolledBack, began_us, rehearsal };
        return run.take_over(adopted, journal, &asked.common);
    }
    let entry = entry.ok_or_else(|| nothing("roll back"))?;
    let is_upgraded = entry.memory.phase == Phase::Finished(Outcome::Upgraded);
    if is_upgraded && !entry.plan.options.is_way_back {
        return upgrade_back(asked, journal, &entry.plan, began_us, rehearsal);
    }
    if entry.memory.is_finished() {
        let why = "the old binary serves already".to_owned();
        return Err(Refusal::NothingToDo { what: "roll back", why });
    }
    this_boot(&entry, "roll back")?;
    // A way back that was killed goes on: it is this very direction.
    if entry.plan.options.is_way_back {
        let run = Run { goal: Goal::Forward, wanted: Outcome::Upgraded, began_us, rehearsal };
        return run.drive(entry.plan, entry.memory, journal, &asked.common);
    }
    let run = Run { goal: Goal::Back, wanted: Outcome::RolledBack, began_us, rehearsal };
    run.drive(entry.plan, entry.memory, journal, &asked.common)
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
    let request = Request {
        new: done.old_link.clone(),
        binary: Some(done.binary.clone()),
        options: Options { is_way_back: true, ..asked.pace.options(false) },
        is_dry: false,
    };
    let plan = prepare(&running, &pid_file, &request)?;
    reserve(&journal, &plan)?;
    let run = Run { goal: Goal::Forward, wanted: Outcome::Upgraded, began_us, rehearsal };
    run.drive(plan, Memory::new(), journal, &asked.common)
}

/// Whichever command ends a way back after a finished upgrade: it speaks of the release that serves.
fn of_way_back(report: Report) -> Report {
    match report.outcome {
        "upgraded" => Report { outcome: Outcome::RolledBack.name(), ..report },
        "rolled-back" => {
            let state = StuckState::WayBackUndone;
            let reason = report.reason.as_ref().map(|why| format!("{} ({why})", state.says()));
            let remedy = Some(state.remedy());
            Report { outcome: "stuck", reason, remedy, code: ExitCode::Stuck, ..report }
        }
        _ => report,
    }
}

/// Pids and times of an earlier boot mean nothing.
fn this_boot(entry: &Entry, what: &'static str) -> Result<(), Refusal> {
    if entry.boot == boot() {
        return Ok(());
    }
    let why = format!(
        "the machine was restarted since; {} is what runs now, and the old binary is kept at {}",
        entry.plan.binary.display(),
        entry.plan.old_link.display()
    );
    Err(Refusal::NothingToDo { what, why })
}

/// One run of the machine on this machine.
struct Run {
    goal: Goal,
    wanted: Outcome,
    began_us: u64,
    rehearsal: Rehearsal,
}

/// The choices for an upgrade that somebody else began: no soak was asked for, and none is waited for.
const UNASKED: Options = Options {
    soak_ms: 0,
    is_held: false,
    ready_within_ms: READY_MS,
    drain_within_ms: None,
    probes: Vec::new(),
    may_drop_listeners: false,
    is_way_back: false,
};

impl Run {
    /// Goes on with what somebody else began.
    fn take_over(self, adopted: Adopted, journal: Journal, common: &Common) -> Result<Report, Refusal> {
        let Adopted { plan, memory, story } = adopted;
        let _ = writeln!(std::io::stderr(), "oldbin: somebody else began an upgrade: {story}");
        reserve(&journal, &plan)?;
        self.drive(plan, memory, journal, common)
    }

    fn drive(self, plan: Plan, memory: Memory, journal: Journal, common: &Common) -> Result<Report, Refusal> {
        let trace = open_trace(common.trace.as_deref())?;
        let Rehearsal { defects, beside } = self.rehearsal;
        let mut host = Rehearsed::new(Traced::new(Linux::new(plan.clone(), journal), trace), beside);
        let intent = Intent { goal: self.goal, plan, defects };
        let mut progress = Progress::new(&intent.plan);
        let ended = drive(&mut host, &intent, memory, |now_us, event| progress.tell(now_us, &event));
        let plan = &intent.plan;
        let (outcome, memory) = match ended {
            Ok(ended) => ended,
            Err(error) => return Ok(broken(plan, &error)),
        };
        match outcome {
            Outcome::Upgraded | Outcome::RolledBack | Outcome::Refused => unstage(plan),
            Outcome::Held | Outcome::Stuck(_) => {}
        }
        if outcome == Outcome::Refused {
            let reason = memory.abort.unwrap_or(crate::machine::Reason::Asked);
            return Err(Refusal::Machine(reason));
        }
        let between = |from: Option<u64>, to: Option<u64>| Some(milliseconds(from?, to?));
        let timings = Timings {
            before_first_signal_ms: between(Some(self.began_us), progress.first_signal_us),
            first_signal_to_old_end_ms: between(progress.first_signal_us, progress.old_ended_us),
            total_ms: 0.0,
        };
        let report = Report { timings, ..Report::of(plan, &memory, outcome, self.wanted) };
        Ok(if plan.options.is_way_back { of_way_back(report) } else { report })
    }
}

/// Not even looking works: the journal says how far it came.
fn broken(plan: &Plan, error: &HostError) -> Report {
    let report = Report::of(plan, &Memory::new(), Outcome::Stuck(StuckState::NoMaster), Outcome::Upgraded);
    let remedy = Some("Run `oldbin status`, then `oldbin recover`.");
    Report { reason: Some(error.to_string()), remedy, ..report }
}

fn open_trace(path: Option<&Path>) -> Result<Option<BufWriter<File>>, Refusal> {
    let Some(path) = path else { return Ok(None) };
    match File::create(path) {
        Ok(file) => Ok(Some(BufWriter::new(file))),
        Err(source) => Err(Refusal::Disk { path: path.to_owned(), source }),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run of 285 years would lose a microsecond")]
fn milliseconds(from_us: u64, to_us: u64) -> f64 {
    to_us.saturating_sub(from_us) as f64 / 1_000.0
}

impl Journal {
    /// The pid file of the only journal in the folder; `None`: there is none, or there are several.
    fn only_pid_file(state_dir: &Path) -> Result<Option<PathBuf>, JournalError> {
        let mut all = Self::all(state_dir)?;
        let last = all.pop();
        Ok(last.filter(|_| all.is_empty()).map(|entry| entry.plan.pid_file))
    }
}
