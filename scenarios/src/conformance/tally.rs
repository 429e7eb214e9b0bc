//! What the sequences of a run have done, so that a kind of step that never had an effect is no silent pass.

use std::collections::BTreeMap;

use serde::Serialize;

use super::draw::kinds;
use super::step::word;
use super::{Compared, Sequence};

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Kinds of steps and of sites, each with how often it was played with effect, and without.
    pub steps: BTreeMap<String, Counted>,
    /// In how many sequences real nginx differed from itself, by what it differed in.
    pub excused: BTreeMap<String, u64>,
}

/// How often something was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// And somebody was there whom it concerned.
    pub with_effect: u64,
    /// And nobody was.
    pub without: u64,
}

impl Tally {
    /// Adds a sequence.
    pub fn count(&mut self, sequence: &Sequence, compared: &Compared) {
        for (at, step) in sequence.steps.iter().enumerate() {
            let counted = self.steps.entry(step.kind()).or_default();
            if compared.idle.contains(&at) {
                counted.without += 1;
            } else {
                counted.with_effect += 1;
            }
        }
        let site = sequence.site;
        for kind in [format!("begins {}", word(site.runs)), format!("begins {}", word(site.listens))] {
            self.steps.entry(kind).or_default().with_effect += 1;
        }
        let mut subjects: Vec<String> =
            compared.excused.iter().map(|(_, subject)| general(subject)).collect();
        subjects.sort();
        subjects.dedup();
        for subject in subjects {
            *self.excused.entry(subject).or_default() += 1;
        }
    }

    /// The kinds of steps that can be drawn and never had an effect.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let had = |kind: &String| self.steps.get(kind).is_some_and(|counted| counted.with_effect > 0);
        kinds().into_iter().filter(|kind| !had(kind)).collect()
    }
}

/// `log of worker 2.1` is a log of a worker.
fn general(subject: &str) -> String {
    subject.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::conformance::{Site, Step};

    #[test]
    fn a_step_that_had_nobody_to_act_on_is_still_missing() {
        let steps = ["start", "signal HUP new-master"].map(|step| step.parse::<Step>().unwrap()).to_vec();
        let sequence = Sequence { site: Site::plain(1), steps };
        let excused =
            BTreeSet::from([(0, "log of worker 2.1".to_owned()), (1, "log of worker 1.2".to_owned())]);
        let mut tally = Tally::default();

        tally.count(&sequence, &Compared { idle: BTreeSet::from([1]), excused, differs: None });

        assert!(!tally.missing().contains(&"start".to_owned()));
        assert!(tally.missing().contains(&"signal HUP master".to_owned()));
        assert_eq!(tally.excused, BTreeMap::from([("log of worker".to_owned(), 1)]));
    }
}
