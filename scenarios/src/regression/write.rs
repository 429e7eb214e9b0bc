//! A kept failure as its file: one line for each thing that is said.

use std::fmt;

use super::Regression;
use crate::model::binaries::BINARIES;
use crate::model::fault::When;
use crate::model::script::Pause;
use crate::scenario::SCHEMA;

impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "regression {:?} schema={SCHEMA} {{", self.name)?;
        writeln!(f, "    why {:?}", self.why)?;
        if let Some(source) = &self.source {
            writeln!(f, "    source {source:?}")?;
        }
        writeln!(f, "\n    workers {}", self.script.workers)?;
        if let Some(fault) = BINARIES.get(self.script.binary).copied().flatten() {
            let text = fault.to_string();
            let (name, properties) = text.split_once(' ').unwrap_or((&text, ""));
            writeln!(f, "    new {{ fault {name:?} {properties}; }}")?;
        }
        for (pause, command) in &self.script.commands {
            f.write_str("    type")?;
            for word in command.words() {
                write!(f, " {word:?}")?;
            }
            match *pause {
                Pause::Rest(0) => writeln!(f)?,
                Pause::Rest(pause_ms) => writeln!(f, " after=\"{pause_ms}ms\"")?,
                Pause::Until(when) => writeln!(f, " {}", properties(when))?,
            }
        }
        for planned in &self.script.faults {
            write!(f, "    fault {:?}", planned.fault.name())?;
            if planned.which > 0 {
                write!(f, " which={}", planned.which + 1)?;
            }
            writeln!(f, " {}", properties(planned.when))?;
        }
        for step in &self.deviations {
            writeln!(f, "    step \"{}\" instead-of=\"{}\" nth={}", step.take, step.instead_of, step.nth)?;
        }
        writeln!(f, "\n    wrong {:?}", self.wrong)?;
        f.write_str("}\n")
    }
}

fn properties(when: When) -> String {
    match when {
        When::Before(name, nth) => format!("before=\"{name}\" nth={nth}"),
        When::Step(step) => format!("at-step={step}"),
    }
}
