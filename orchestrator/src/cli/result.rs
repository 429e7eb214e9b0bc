//! The last words of a run: a sentence for a person, or one JSON object.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::ExitCode;
use crate::machine::{Memory, Outcome, Plan};
use crate::refusal::Refusal;

/// The version of the JSON object.
pub(super) const SCHEMA: u32 = 1;

/// The result of a run, as `--json` prints it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) schema: u32,
    /// `upgraded`, `draining`, `held`, `rolled-back`, `refused`, `stuck`, `planned`.
    pub(super) outcome: &'static str,
    /// Why it is not what was asked for.
    pub(super) reason: Option<String>,
    /// What to do next.
    pub(super) remedy: Option<&'static str>,
    pub(super) old_version: Option<String>,
    pub(super) new_version: Option<String>,
    /// The version that serves now, where certain.
    pub(super) serving: Option<String>,
    pub(super) pid_file: Option<PathBuf>,
    pub(super) binary: Option<PathBuf>,
    /// Where the old binary is kept.
    pub(super) backup: Option<PathBuf>,
    pub(super) timings: Timings,
    #[serde(skip)]
    pub(super) code: ExitCode,
}

/// How long what took, in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Timings {
    /// From the start of `oldbin` to the first signal.
    pub(super) before_first_signal_ms: Option<f64>,
    /// From the first signal until the old master was seen to be gone.
    pub(super) first_signal_to_old_end_ms: Option<f64>,
    /// From the start of `oldbin` to its result.
    pub(super) total_ms: f64,
}

impl Report {
    /// Nothing was touched.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        Self {
            schema: SCHEMA,
            outcome: Outcome::Refused.name(),
            reason: Some(refusal.to_string()),
            remedy: Some(refusal.remedy()),
            old_version: None,
            new_version: None,
            serving: None,
            pid_file: None,
            binary: None,
            backup: None,
            timings: Timings::default(),
            code: ExitCode::Refused,
        }
    }

    /// What the machine came to. `wanted` is what exit code 0 stands for.
    pub(super) fn of(plan: &Plan, memory: &Memory, outcome: Outcome, wanted: Outcome) -> Self {
        let serving = match outcome {
            Outcome::Upgraded | Outcome::Draining | Outcome::Held => Some(plan.new_version.clone()),
            Outcome::RolledBack | Outcome::Refused => Some(plan.old_version.clone()),
            Outcome::Stuck(_) => None,
        };
        let (reason, remedy) = match outcome {
            Outcome::Stuck(state) => {
                let why = memory.abort.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                (Some(format!("{}{why}", state.says())), Some(state.remedy()))
            }
            Outcome::Held => (None, Some("Run `oldbin commit` or `oldbin rollback`.")),
            Outcome::Draining => {
                (None, Some("Nothing has to be done; `oldbin status` tells who still drains."))
            }
            Outcome::Upgraded | Outcome::RolledBack | Outcome::Refused => {
                (memory.abort.as_ref().map(ToString::to_string), None)
            }
        };
        Self {
            schema: SCHEMA,
            outcome: outcome.name(),
            reason,
            remedy,
            old_version: Some(plan.old_version.clone()),
            new_version: Some(plan.new_version.clone()),
            serving,
            pid_file: Some(plan.pid_file.clone()),
            binary: Some(plan.binary.clone()),
            backup: Some(plan.old_link.clone()),
            timings: Timings::default(),
            code: ExitCode::of(outcome, wanted),
        }
    }

    /// The sentence: what happened, and what is true now.
    fn sentence(&self) -> String {
        let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "nginx".to_owned());
        let (old, new) = (version(&self.old_version), version(&self.new_version));
        let reason = self.reason.as_deref().unwrap_or("as asked");
        match self.outcome {
            "upgraded" => format!("upgraded: {new} serves alone; {old} is kept at {}", self.kept()),
            "draining" => {
                format!("upgraded: {new} serves alone; the master of {old} ends with its last connection")
            }
            "held" => format!("held: {new} serves, the master of {old} stands by"),
            "rolled-back" => format!("rolled back: {reason}; {} serves", version(&self.serving)),
            "planned" => format!("planned: nothing was touched; {new} would replace {old}"),
            "refused" => format!("refused: {reason}\nNothing was touched."),
            _ => format!("stuck: {reason}"),
        }
    }

    fn kept(&self) -> String {
        self.backup.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    }

    /// Prints it: JSON for programs, a sentence and the remedy for people.
    pub(super) fn print(&self, is_json: bool) {
        let text = if is_json {
            serde_json::to_string(self).unwrap_or_default()
        } else {
            let remedy = self.remedy.map(|remedy| format!("\n{remedy}")).unwrap_or_default();
            format!("{}{remedy}", self.sentence())
        };
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}
