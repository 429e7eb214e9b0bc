//! From a sequence that differs to the few steps that it needs.

use super::{Listens, Runs, Seen, Sequence, Site, Verifier};
use crate::live::LiveError;

/// Leaves out steps as long as the two sides still differ: first all behind the difference, then one by one.
///
/// # Errors
/// [`LiveError`] if there is no world to play in.
pub fn shrink(
    verifier: &Verifier,
    sequence: &Sequence,
    seen: &Seen,
    mut goes_on: impl FnMut() -> bool,
) -> Result<(Sequence, Seen), LiveError> {
    let mut best = (sequence.clone(), seen.clone());
    loop {
        let before = best.0.clone();
        for smaller in smaller(&best.0, best.1.difference.step) {
            if !goes_on() {
                return Ok(best);
            }
            if let Some(seen) = verifier.verify(&smaller)?.differs {
                best = (smaller, *seen);
                break;
            }
        }
        if best.0 == before {
            return Ok(best);
        }
    }
}

/// Every sequence with less in it, the smallest first; snapshot 0 is the start, so step n has snapshot n + 1.
fn smaller(sequence: &Sequence, differs_at: usize) -> Vec<Sequence> {
    let mut all = Vec::new();
    let mut push = |steps: Vec<_>, site| {
        let smaller = Sequence { site, steps };
        if smaller != *sequence {
            all.push(smaller);
        }
    };
    let (steps, site) = (&sequence.steps, sequence.site);
    if differs_at < steps.len() {
        push(steps[..differs_at].to_vec(), site);
        return all;
    }
    for at in 0..steps.len() {
        let mut fewer = steps.clone();
        fewer.remove(at);
        push(fewer, site);
    }
    push(steps.clone(), Site { workers: 1, ..site });
    push(steps.clone(), Site { listens: Listens::Plain, ..site });
    push(steps.clone(), Site { runs: Runs::Daemon, ..site });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::Step;

    #[test]
    fn what_comes_behind_the_difference_goes_first() {
        let steps = vec![Step::Finish, Step::Start, Step::Finish];
        let sequence = Sequence { site: Site::plain(1), steps };

        let first = smaller(&sequence, 2);
        let then = smaller(&first[0], 2);

        assert_eq!(first[0].steps, [Step::Finish, Step::Start]);
        assert_eq!(then.iter().map(|smaller| smaller.steps.len()).collect::<Vec<_>>(), [1, 1]);
    }
}
