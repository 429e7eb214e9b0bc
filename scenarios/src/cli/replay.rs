//! `oldbin-lab replay`: kept failures, played again.

use std::io::Write;
use std::path::Path;

use super::arguments::ReplayWorld;
use super::progress::Progress;
use super::run::{read, write_trace};
use super::{LabError, Screen, arguments};
use crate::explore::{self, Live};
use crate::regression::{self, Regression};
use crate::scenario::WorldKind;
use crate::{catalogue, mutant, report};

/// Plays each, and tells; the exit code of the worst.
pub(super) fn replay(
    arguments: &arguments::Replay,
    screen: &Screen,
    out: &mut impl Write,
) -> Result<u8, LabError> {
    let names: Vec<_> = if arguments.regressions.is_empty() {
        catalogue::REGRESSIONS.iter().map(|entry| entry.name.to_owned()).collect()
    } else {
        arguments.regressions.clone()
    };
    let mistakes = mutant::mistakes(&arguments.mutant);
    let progress = Progress::new(names.len());
    let mut worst = 0;
    for (index, name) in names.iter().enumerate() {
        let kept = load(name)?;
        progress.begin(name);
        let mutants = mutant::as_arguments(&arguments.mutant);
        let (mut replayed, world) = match arguments.world {
            ReplayWorld::Model => (regression::replay(&kept, mistakes), ""),
            ReplayWorld::Fake => {
                let fake = Live::new(WorldKind::Fake, arguments.mutant.clone());
                (explore::replay(&fake, &kept)?, " --world fake")
            }
        };
        replayed.trace.header.replay = format!("oldbin-lab replay {name}{world}{mutants}");
        if let Some(folder) = &arguments.trace {
            write_trace(folder, index, &replayed.trace)?;
        }
        progress.done();
        let told = if arguments.json {
            report::replay_json(&kept, &replayed)
        } else {
            report::replay(&kept, &replayed, screen.in_colour)
        };
        let mut written = Ok(());
        progress.suspend(|| written = writeln!(out, "{told}"));
        written?;
        // Violated is worse than a way that differs, and that worse than something unchecked.
        let rank = |code: u8| [0, 3, 4, 1].iter().position(|&known| known == code);
        let code = replayed.verdict.exit_code();
        worst = if rank(code) > rank(worst) { code } else { worst };
    }
    progress.finish();
    Ok(worst)
}

/// A kept failure of the catalogue, or a file.
fn load(name: &str) -> Result<Regression, LabError> {
    if name.ends_with(".kdl") {
        return Ok(regression::parse(name, &read(Path::new(name))?)?);
    }
    match catalogue::regression(name) {
        Some(known) => Ok(known?),
        None => Err(LabError::UnknownRegression { name: name.to_owned() }),
    }
}
