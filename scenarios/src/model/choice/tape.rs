//! Picks from a list of numbers: the form that proptest draws and shrinks.

use super::{About, Chooser, Label};

/// Takes the next number of a tape, modulo the number of ways; behind its end the natural way.
///
/// As with a seed, a step is the natural one more often than any other: half of the numbers say so.
///
/// So every tape is a legal schedule, a shorter tape is a calmer one, and a smaller number is nearer to the
/// natural way.
#[derive(Debug, Clone)]
pub struct Tape<'a> {
    numbers: &'a [u16],
    at: usize,
}

impl<'a> Tape<'a> {
    /// Starts at the tape's beginning.
    #[must_use]
    pub const fn new(numbers: &'a [u16]) -> Self {
        Self { numbers, at: 0 }
    }
}

impl Chooser for Tape<'_> {
    fn choose(&mut self, n: usize, label: Label<'_>) -> usize {
        let number = usize::from(self.numbers.get(self.at).copied().unwrap_or(0));
        self.at += 1;
        match label.about {
            About::Step => Some(number % (2 * n)).filter(|&way| way < n).unwrap_or(0),
            About::Fault | About::FaultKind | About::Script => number % n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_a_way_and_behind_the_end_is_the_natural_one() {
        let mut tape = Tape::new(&[7, 65_535, 2]);
        let label = Label::number(About::Script);

        let taken: Vec<_> = (0..5).map(|_| tape.choose(3, label)).collect();

        assert_eq!(taken, [1, 0, 2, 0, 0]);
    }
}
