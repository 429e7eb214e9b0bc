//! `oldbin-lab replay`: kept failures, played again.

use std::io::Write;
use std::path::Path;

use super::run::{read, write_trace};
use super::{LabError, Screen, arguments};
use crate::model::script::Mistakes;
use crate::regression::{self, Regression};
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
    let mistakes = Mistakes {
        nginx: mutant::fake_defects(&arguments.mutant),
        oldbin: mutant::orchestrator_defects(&arguments.mutant),
    };
    let mut worst = 0;
    for (index, name) in names.iter().enumerate() {
        let kept = load(name)?;
        let mut replayed = regression::replay(&kept, mistakes);
        let mutants: String = arguments.mutant.iter().map(|mutant| format!(" --mutant {mutant}")).collect();
        replayed.trace.header.replay = format!("oldbin-lab replay {name}{mutants}");
        if let Some(folder) = &arguments.trace {
            write_trace(folder, index, &replayed.trace)?;
        }
        if arguments.json {
            writeln!(out, "{}", report::replay_json(&kept, &replayed))?;
        } else {
            writeln!(out, "{}", report::replay(&kept, &replayed, screen.in_colour))?;
        }
        // Violated is worse than a way that differs, and that worse than something unchecked.
        let rank = |code: u8| [0, 3, 4, 1].iter().position(|&known| known == code);
        let code = replayed.verdict.exit_code();
        worst = if rank(code) > rank(worst) { code } else { worst };
    }
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
