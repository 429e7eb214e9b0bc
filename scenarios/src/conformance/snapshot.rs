//! What can be seen of a world at rest, in words that mean the same in every run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// What was seen after one step: of each subject, what there was to say, in order.
///
/// Subjects are processes by order of birth (`master 2`, `worker 2.1`), files, connections, and `step`, which is what
/// became of the step itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot(pub BTreeMap<String, Vec<String>>);

impl Snapshot {
    /// Adds what there is to say of a subject.
    pub fn say(&mut self, subject: &str, what: impl Into<String>) {
        self.0.entry(subject.to_owned()).or_default().push(what.into());
    }

    /// What is said of a subject.
    #[must_use]
    pub fn of(&self, subject: &str) -> &[String] {
        self.0.get(subject).map_or(&[], Vec::as_slice)
    }

    /// The subjects of which the two do not say the same.
    #[must_use]
    pub fn differing<'a>(&'a self, other: &'a Self) -> BTreeSet<&'a str> {
        let subjects = self.0.keys().chain(other.0.keys());
        subjects.map(String::as_str).filter(|subject| self.of(subject) != other.of(subject)).collect()
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (subject, said) in &self.0 {
            for what in said {
                writeln!(f, "{subject:16} {what}")?;
            }
        }
        Ok(())
    }
}
