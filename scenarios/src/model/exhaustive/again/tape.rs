//! The choices of a run, and which run comes next.

/// The choices of a run: which way was taken, of how many.
#[derive(Default)]
pub(super) struct Tape {
    taken: Vec<(usize, usize)>,
    at: usize,
}

impl Tape {
    /// As it was before; behind that, the first way.
    pub(super) fn pick(&mut self, n: usize) -> usize {
        if self.at == self.taken.len() {
            self.taken.push((0, n));
        }
        let (taken, known) = self.taken[self.at];
        assert_eq!(known, n, "the same choices have led elsewhere");
        self.at += 1;
        taken
    }

    /// The last choice is none.
    pub(super) fn has_no_other(&mut self) {
        self.taken.last_mut().into_iter().for_each(|(taken, n)| *n = *taken + 1);
    }

    /// True if all that comes now is new.
    pub(super) fn is_over(&self) -> bool {
        self.at == self.taken.len()
    }

    /// Another way at the last place that has one. False: there is none.
    pub(super) fn turns(&mut self) -> bool {
        self.at = 0;
        while let Some((taken, n)) = self.taken.pop() {
            if taken + 1 < n {
                self.taken.push((taken + 1, n));
                return true;
            }
        }
        false
    }
}
