//! Random picks from a seed, by a generator of our own, so that a seed means the same next year.
//!
//! # Source
//! SplitMix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014.

use super::{About, Chooser, Label};

/// Picks at random.
///
/// Faults and scripts are drawn evenly. Steps are not: with probability 1/2 the natural way is taken, so that
/// an actor often gets a few steps in a row; an even walk interleaves everything so finely that nothing ever
/// gets ahead.
#[derive(Debug, Clone)]
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// Starts from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`, evenly as far as anybody can tell for small `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as usize
    }
}

impl Chooser for Seeded {
    fn choose(&mut self, n: usize, label: Label<'_>) -> usize {
        match label.about {
            About::Step => {
                let pick = self.below(2 * n);
                if pick < n { pick } else { 0 }
            }
            About::Fault | About::FaultKind | About::Script => self.below(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference implementation, seed 1234567.
    #[test]
    fn the_generator_is_splitmix64_for_ever() {
        let mut seeded = Seeded::new(1_234_567);

        let first: Vec<u64> = (0..5).map(|_| seeded.bits()).collect();

        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn every_way_is_taken() {
        let mut seeded = Seeded::new(7);
        let mut taken = [0; 5];

        for _ in 0..1_000 {
            taken[seeded.choose(5, Label::number(About::Fault))] += 1;
        }

        assert!(taken.iter().all(|&count| count > 150), "{taken:?}");
    }
}
