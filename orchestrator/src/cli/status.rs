//! `oldbin status`: who runs, and where an upgrade stands.

use std::io::Write;

use serde::Serialize;

use super::arguments::Common;
use crate::discover;
use crate::host::linux::{children, command_line, look, title};
use crate::journal::Journal;
use crate::machine::{Phase, Title};
use crate::refusal::Refusal;

#[derive(Debug, Serialize)]
struct Status {
    schema: u32,
    outcome: &'static str,
    masters: Vec<Master>,
    upgrades: Vec<Known>,
}

#[derive(Debug, Serialize)]
struct Master {
    pid: u32,
    title: String,
    exe: Option<String>,
    workers: usize,
    draining: usize,
    /// The masters that it has started.
    new_masters: Vec<u32>,
}

#[derive(Debug, Serialize)]
struct Known {
    pid_file: String,
    phase: Phase,
    old_version: String,
    new_version: String,
    backup: String,
}

/// Prints it.
pub(super) fn print(common: &Common) -> Result<(), Refusal> {
    let masters = discover::masters();
    let mut found = Vec::new();
    for master in masters {
        found.extend(masters_from(master.identity.pid));
    }
    let upgrades = Journal::all(&common.state_dir)?
        .into_iter()
        .map(|entry| Known {
            pid_file: entry.plan.pid_file.display().to_string(),
            phase: entry.memory.phase,
            old_version: entry.plan.old_version,
            new_version: entry.plan.new_version,
            backup: entry.plan.old_link.display().to_string(),
        })
        .collect();
    let status = Status { schema: super::result::SCHEMA, outcome: "status", masters: found, upgrades };
    let text = if common.json { serde_json::to_string(&status).unwrap_or_default() } else { status.tell() };
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}

/// A master, and behind it those that it has started.
fn masters_from(pid: u32) -> Vec<Master> {
    let children: Vec<_> = children(pid).into_iter().filter_map(look).collect();
    let count = |wanted: Title| children.iter().filter(|child| child.title == wanted).count();
    let new: Vec<_> =
        children.iter().map(|child| child.identity.pid).filter(|&pid| title(pid) == Title::Master).collect();
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).ok().map(|path| path.display().to_string());
    let master = Master {
        pid,
        title: command_line(pid),
        exe,
        workers: count(Title::Worker),
        draining: count(Title::ShuttingDown),
        new_masters: new.clone(),
    };
    std::iter::once(master).chain(new.into_iter().flat_map(masters_from)).collect()
}

impl Status {
    fn tell(&self) -> String {
        let mut lines = Vec::new();
        if self.masters.is_empty() {
            lines.push("no nginx master runs here".to_owned());
        }
        for master in &self.masters {
            let exe = master.exe.as_deref().unwrap_or("?");
            lines.push(format!(
                "master {} runs {exe} with {} workers, {} of them draining",
                master.pid,
                master.workers + master.draining,
                master.draining
            ));
        }
        for known in &self.upgrades {
            let phase = match known.phase {
                Phase::Finished(outcome) => outcome.name().to_owned(),
                Phase::Held => "held: `oldbin commit` or `oldbin rollback` decides".to_owned(),
                phase @ (Phase::Planned
                | Phase::Installing
                | Phase::Changing
                | Phase::Draining
                | Phase::Soaking
                | Phase::Committing
                | Phase::Back) => format!("not finished ({phase:?}): `oldbin recover` goes on"),
            };
            lines
                .push(format!("{}: {} -> {}: {phase}", known.pid_file, known.old_version, known.new_version));
        }
        lines.join("\n")
    }
}
