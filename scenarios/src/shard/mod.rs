//! One of several parts of a run, so that several machines can share it without a word between them.
//!
//! Whatever is numbered can be shared: shard I of N takes the numbers whose remainder by N is I - 1. So the shards
//! together are the whole, no two overlap, and which part a number is of depends on nothing else.

mod environment;

pub use environment::{Contradiction, Told, told_by, variables};

use std::fmt;
use std::str::FromStr;

/// One part of `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard {
    /// From 0.
    index: u64,
    count: u64,
}

/// Something that is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a shard as 3/16: the third of sixteen, counted from 1")]
pub struct NoShard;

impl Shard {
    /// Everything, in one part.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Part `index` of `count`, counted from 0. `None`: there is no such part.
    #[must_use]
    pub fn from_zero(index: u64, count: u64) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// Which it is, counted from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.index + 1
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }

    /// True if there are no others.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.count == 1
    }

    /// True if this number is its own.
    #[must_use]
    pub const fn takes(self, number: u64) -> bool {
        number % self.count == self.index
    }

    /// How many of the `scripts` numbers from `first` on are its own.
    #[must_use]
    pub const fn share(self, first: u64, scripts: u64) -> u64 {
        scripts.saturating_sub(self.skip(first)).div_ceil(self.count)
    }

    /// Its own number that comes `nth`, from 0, among those from `first` on.
    #[must_use]
    pub const fn nth(self, first: u64, nth: u64) -> u64 {
        first.wrapping_add(self.skip(first)).wrapping_add(nth.wrapping_mul(self.count))
    }

    /// How many numbers from `first` on are somebody else's before one is its own.
    const fn skip(self, first: u64) -> u64 {
        let phase = first % self.count;
        if phase <= self.index { self.index - phase } else { self.count - (phase - self.index) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number(), self.count)
    }
}

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let parsed = || {
            let (number, count) = text.split_once('/')?;
            Self::from_zero(number.parse::<u64>().ok()?.checked_sub(1)?, count.parse().ok()?)
        };
        parsed().ok_or(NoShard)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Wherever a run begins: every number is of one shard, and each shard finds its own.
        #[test]
        fn the_shards_are_the_whole_and_do_not_overlap(
            first in 0..u64::MAX - 2_000, scripts in 0..500_u64, count in 1..40_u64,
        ) {
            let mut all: Vec<u64> = (0..count)
                .filter_map(|index| Shard::from_zero(index, count))
                .flat_map(|shard| (0..shard.share(first, scripts)).map(move |nth| shard.nth(first, nth)))
                .collect();
            all.sort_unstable();

            prop_assert_eq!(all, (first..first + scripts).collect::<Vec<_>>());
        }

        /// What a shard plays is what it says that it takes.
        #[test]
        fn a_shard_takes_what_it_plays(first in 0..u64::MAX - 100_000, index in 0..16_u64, nth in 0..1_000_u64) {
            let shard = Shard::from_zero(index, 16).unwrap();

            prop_assert!(shard.takes(shard.nth(first, nth)));
        }
    }

    #[test]
    fn a_shard_is_read_as_it_is_written_and_nothing_else_is_one() {
        let shard = Shard { index: 2, count: 16 };
        assert_eq!((shard.to_string().as_str(), "3/16".parse()), ("3/16", Ok(shard)));

        for text in ["", "3", "0/4", "5/4", "1/0", "-1/4", "1/4/4", "a/b"] {
            assert_eq!(text.parse::<Shard>(), Err(NoShard), "{text:?}");
        }
    }
}
