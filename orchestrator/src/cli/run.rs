//! One run of the machine on this machine, and what is reported of it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::arguments::Common;
use super::progress::Progress;
use super::result::{Report, Timings};
use crate::ExitCode;
use crate::driver::drive;
use crate::host::linux::{Linux, file_at};
use crate::host::{HostError, Traced};
use crate::journal::Journal;
use crate::machine::{Goal, Intent, Memory, Outcome, Plan, Reason, StuckState};
use crate::preflight::{Adopted, unstage};
use crate::refusal::Refusal;
use crate::rehearsal::{Rehearsal, Rehearsed};

/// One run of the machine on this machine.
pub(super) struct Run {
    pub(super) goal: Goal,
    pub(super) wanted: Outcome,
    pub(super) began_us: u64,
    pub(super) rehearsal: Rehearsal,
}

impl Run {
    /// Goes on with what somebody else began.
    pub(super) fn take_over(
        self,
        adopted: Adopted,
        journal: Journal,
        common: &Common,
    ) -> Result<Report, Refusal> {
        let Adopted { plan, memory, story } = adopted;
        let _ = writeln!(std::io::stderr(), "oldbin: somebody else began an upgrade: {story}");
        reserve(&journal, &plan)?;
        self.drive(plan, memory, journal, common)
    }

    pub(super) fn drive(
        self,
        plan: Plan,
        memory: Memory,
        journal: Journal,
        common: &Common,
    ) -> Result<Report, Refusal> {
        let trace = open_trace(common.trace.as_deref())?;
        let defects = self.rehearsal.defects;
        let host = Traced::new(Linux::new(plan.clone(), journal), trace);
        let mut host = Rehearsed::new(host, self.rehearsal);
        let intent = Intent { goal: self.goal, plan, defects };
        let mut progress = Progress::new(&intent.plan);
        let ended = drive(&mut host, &intent, memory, |now_us, event| progress.tell(now_us, &event));
        let plan = &intent.plan;
        let (outcome, memory) = match ended {
            Ok(ended) => ended,
            Err(error) => return Ok(broken(plan, &error)),
        };
        match outcome {
            Outcome::Upgraded | Outcome::Draining | Outcome::RolledBack | Outcome::Refused => unstage(plan),
            Outcome::Held | Outcome::Stuck(_) => {}
        }
        if outcome == Outcome::Refused {
            let reason = memory.abort.unwrap_or(Reason::Asked);
            return Err(Refusal::Machine(reason));
        }
        let between = |from: Option<u64>, to: Option<u64>| Some(milliseconds(from?, to?));
        let timings = Timings {
            before_first_signal_ms: between(Some(self.began_us), progress.first_signal_us),
            first_signal_to_old_end_ms: between(progress.first_signal_us, progress.old_ended_us),
            total_ms: 0.0,
        };
        let report = Report { timings, ..Report::of(plan, &memory, outcome, self.wanted) };
        let is_foreign = !plan.may_replace(file_at(&plan.binary));
        let report = if is_foreign { beside_a_foreign_file(report, outcome) } else { report };
        Ok(if plan.options.is_way_back { of_way_back(report) } else { report })
    }
}

/// Somebody else's file has taken the binary's path meanwhile, and was left there.
fn beside_a_foreign_file(report: Report, outcome: Outcome) -> Report {
    if matches!(outcome, Outcome::Stuck(_)) {
        return report;
    }
    let why = report
        .reason
        .iter()
        .cloned()
        .chain(["somebody else's file is at the binary's path, and stays".to_owned()]);
    let reason = Some(why.collect::<Vec<_>>().join("; "));
    let remedy = Some("See whose file that is: the next start of nginx, and the next USR2, execute it.");
    Report { reason, remedy, ..report }
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

/// A span of microseconds in milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a run of 285 years would lose a microsecond")]
pub(super) fn milliseconds(from_us: u64, to_us: u64) -> f64 {
    to_us.saturating_sub(from_us) as f64 / 1_000.0
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

/// Takes room for the journal.
pub(super) fn reserve(journal: &Journal, plan: &Plan) -> Result<(), Refusal> {
    journal.reserve().map_err(|source| {
        unstage(plan);
        Refusal::Disk { path: journal.path().to_owned(), source }
    })
}
