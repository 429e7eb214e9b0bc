//! `oldbin-lab list`: what can be run here.

use std::io::{self, Write};

use serde_json::json;

use crate::catalogue;
use crate::live::nginx;
use crate::model::choice::Who;
use crate::scenario;

/// The first sentence of a longer text.
fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim_end()
}

pub(super) fn list(as_json: bool, out: &mut impl Write) -> io::Result<()> {
    let scenarios: Vec<_> =
        catalogue::SCENARIOS.iter().filter_map(|entry| catalogue::scenario(entry.name)?.ok()).collect();
    let runbooks: Vec<_> =
        catalogue::RUNBOOKS.iter().filter_map(|entry| catalogue::runbook(entry.name)?.ok()).collect();
    let regressions: Vec<_> =
        catalogue::REGRESSIONS.iter().filter_map(|entry| catalogue::regression(entry.name)?.ok()).collect();
    let releases = nginx::releases();
    if as_json {
        let value = json!({
            "schema": 1,
            "scenarios": scenarios.iter().map(|s| json!({
                "name": s.name, "why": s.why, "source": s.source, "old": s.old.version, "new": s.new.version,
            })).collect::<Vec<_>>(),
            "runbooks": runbooks.iter().map(|r| json!({
                "name": r.name, "why": r.why, "source": r.source, "claims": r.claims.name(),
            })).collect::<Vec<_>>(),
            "regressions": regressions.iter().map(|r| json!({
                "name": r.name, "why": r.why, "source": r.source, "wrong": r.wrong,
            })).collect::<Vec<_>>(),
            "releases": releases.iter().map(|r| json!({
                "version": r.version.to_string(), "path": r.path,
            })).collect::<Vec<_>>(),
        });
        return writeln!(out, "{value:#}");
    }
    writeln!(out, "Scenarios")?;
    for scenario in &scenarios {
        writeln!(out, "  {}\n      {}", scenario.name, first_sentence(&scenario.why))?;
    }
    writeln!(out, "\nRunbooks")?;
    for runbook in &runbooks {
        writeln!(out, "  {}\n      {}", runbook.name, first_sentence(&runbook.why))?;
    }
    writeln!(out, "\nKept failures")?;
    for regression in &regressions {
        writeln!(out, "  {}\n      {}", regression.name, first_sentence(&regression.why))?;
    }
    writeln!(out, "\nReal nginx releases")?;
    for release in &releases {
        writeln!(out, "  {:<8} {}", release.version, release.path.display())?;
    }
    if releases.is_empty() {
        writeln!(out, "  none was found: {}", super::HOW_TO_GET_NGINX)?;
    }
    Ok(())
}

/// The moments at which a fault can strike, and what can strike there.
pub(super) fn moments(as_json: bool, out: &mut impl Write) -> io::Result<()> {
    let nginx = scenario::words_of(Who::Master);
    let subject = scenario::words_of(Who::Subject);
    let faults: Vec<_> =
        ["crash", "exit", "pause"].into_iter().chain(scenario::elsewhere().map(|(name, _)| name)).collect();
    if as_json {
        let value = json!({
            "schema": 1,
            "actors": scenario::ACTORS,
            "nginx": nginx,
            "subject": subject,
            "faults": faults,
        });
        return writeln!(out, "{value:#}");
    }
    writeln!(out, "A moment is ACTOR.STEP, such as new-master.rename-to-oldbin\n\nActors")?;
    for actor in scenario::ACTORS {
        writeln!(out, "  {actor}")?;
    }
    for (title, words) in [("Steps of nginx's processes", nginx), ("Steps of the subject", subject)] {
        writeln!(out, "\n{title}")?;
        for word in words {
            writeln!(out, "  {word}")?;
        }
    }
    writeln!(out, "\nFaults at a moment")?;
    for fault in faults {
        writeln!(out, "  {fault}")?;
    }
    Ok(())
}
