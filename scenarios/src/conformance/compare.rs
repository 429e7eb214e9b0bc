//! Where two runs of one sequence part, and what of it real nginx explains by itself.

use std::collections::BTreeSet;

use super::Snapshot;

/// What is excused: the step, from 0, and the subject.
pub type Excused = BTreeSet<(usize, String)>;

/// The first step after which two runs differ, and in which subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The step's position, from 0.
    pub step: usize,
    /// Of whom or what they do not say the same.
    pub subjects: BTreeSet<String>,
}

/// What runs of real nginx differ in among themselves.
#[must_use]
pub fn excused(real: &[Vec<Snapshot>]) -> Excused {
    let Some((first, others)) = real.split_first() else { return Excused::new() };
    let mut excused = Excused::new();
    for other in others {
        for (step, (one, two)) in first.iter().zip(other).enumerate() {
            excused.extend(one.differing(two).into_iter().map(|subject| (step, subject.to_owned())));
        }
    }
    excused
}

/// Where the two part, but for what is excused.
#[must_use]
pub fn difference(fake: &[Snapshot], real: &[Snapshot], excused: &Excused) -> Option<Difference> {
    let empty = Snapshot::default();
    (0..fake.len().max(real.len())).find_map(|step| {
        let (fake, real) = (fake.get(step).unwrap_or(&empty), real.get(step).unwrap_or(&empty));
        let subjects: BTreeSet<String> = fake
            .differing(real)
            .into_iter()
            .map(str::to_owned)
            .filter(|subject| !excused.contains(&(step, subject.clone())))
            .collect();
        (!subjects.is_empty()).then_some(Difference { step, subjects })
    })
}

/// The best that can be said for the fake: the pair of runs that part last, or `None` if some pair does not part.
#[must_use]
pub fn best(fakes: &[Vec<Snapshot>], reals: &[Vec<Snapshot>]) -> Option<(usize, usize, Difference)> {
    let excused = excused(reals);
    let mut best: Option<(usize, usize, Difference)> = None;
    for (f, fake) in fakes.iter().enumerate() {
        for (r, real) in reals.iter().enumerate() {
            let found = difference(fake, real, &excused)?;
            let rank = |found: &Difference| (found.step, usize::MAX - found.subjects.len());
            if best.as_ref().is_none_or(|(_, _, known)| rank(known) < rank(&found)) {
                best = Some((f, r, found));
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(said: &[&str]) -> Vec<Snapshot> {
        let snapshot = |what: &&str| {
            let mut snapshot = Snapshot::default();
            snapshot.say("pid file", *what);
            snapshot.say("binary", "old");
            snapshot
        };
        said.iter().map(snapshot).collect()
    }

    #[test]
    fn runs_part_at_their_first_difference() {
        let found = difference(&run(&["a", "b", "c"]), &run(&["a", "x", "y"]), &Excused::new()).unwrap();

        assert_eq!((found.step, found.subjects), (1, BTreeSet::from(["pid file".to_owned()])));
    }

    #[test]
    fn what_real_nginx_differs_in_from_itself_is_excused_and_nothing_else() {
        let reals = [run(&["a", "b", "c"]), run(&["a", "x", "c"])];

        assert_eq!(best(&[run(&["a", "z", "c"])], &reals), None);
        assert_eq!(best(&[run(&["a", "b", "d"])], &reals).unwrap().2.step, 2);
    }

    #[test]
    fn a_run_that_ends_early_differs() {
        assert_eq!(difference(&run(&["a"]), &run(&["a", "b"]), &Excused::new()).unwrap().step, 1);
    }
}
