//! Mutants: a fake or an orchestrator with one deliberate defect, to see that the laboratory notices.
//!
//! A mutant's name is `fake.` or `orchestrator.` and the name of the defect. No option of `oldbin` and none
//! of nginx's sets a defect; the laboratory hands it to a stamp, or to the library behind `oldbin`.

use std::fmt;

use orchestrator::machine::Defects;

use crate::model::script::Mistakes;

/// One deliberate defect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// Of the fakes' machines, by the name that a stamp knows.
    Fake(String),
    /// Of the orchestrator's machine, by its name.
    Orchestrator(String),
}

/// A name that is no mutant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no mutant {name}; known are {known}", known = all().join(", "))]
pub struct NoMutant {
    /// What was asked for.
    pub name: String,
}

/// The name of every mutant.
#[must_use]
pub fn all() -> Vec<String> {
    let fakes = fake_nginx::machine::Defects::names().map(|name| format!("fake.{name}"));
    fakes.chain(Defects::names().map(|name| format!("orchestrator.{name}"))).collect()
}

impl std::str::FromStr for Mutant {
    type Err = NoMutant;

    fn from_str(text: &str) -> Result<Self, NoMutant> {
        let no_mutant = || NoMutant { name: text.to_owned() };
        if !all().iter().any(|name| name == text) {
            return Err(no_mutant());
        }
        match text.split_once('.') {
            Some(("fake", name)) => Ok(Self::Fake(name.to_owned())),
            Some((_, name)) => Ok(Self::Orchestrator(name.to_owned())),
            None => Err(no_mutant()),
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fake(name) => write!(f, "fake.{name}"),
            Self::Orchestrator(name) => write!(f, "orchestrator.{name}"),
        }
    }
}

/// The defects of the fakes among these mutants, as a stamp says them.
#[must_use]
pub fn of_fakes(mutants: &[Mutant]) -> Vec<String> {
    mutants
        .iter()
        .filter_map(|mutant| if let Mutant::Fake(name) = mutant { Some(name.clone()) } else { None })
        .collect()
}

/// The defects of the orchestrator among these mutants.
#[must_use]
pub fn of_orchestrator(mutants: &[Mutant]) -> Vec<String> {
    mutants
        .iter()
        .filter_map(|mutant| if let Mutant::Orchestrator(name) = mutant { Some(name.clone()) } else { None })
        .collect()
}

/// The defects of the fakes for the model, which needs no stamp.
#[must_use]
pub fn fake_defects(mutants: &[Mutant]) -> fake_nginx::machine::Defects {
    let names = of_fakes(mutants);
    // Every name is known: a `Mutant` is parsed from the list.
    fake_nginx::machine::Defects::named(names.iter().map(String::as_str)).unwrap_or_default()
}

/// The defects of an orchestrator in this process.
#[must_use]
pub fn orchestrator_defects(mutants: &[Mutant]) -> Defects {
    let names = of_orchestrator(mutants);
    Defects::named(names.iter().map(String::as_str))
}

/// What the model makes wrong on purpose.
#[must_use]
pub fn mistakes(mutants: &[Mutant]) -> Mistakes {
    Mistakes { nginx: fake_defects(mutants), oldbin: orchestrator_defects(mutants) }
}

/// As they are typed behind a command, each with a blank before it.
#[must_use]
pub fn as_arguments(mutants: &[Mutant]) -> String {
    mutants.iter().map(|mutant| format!(" --mutant {mutant}")).collect()
}
