//! Random priorities: one actor goes on until it cannot, or until its priority changes.
//!
//! Each actor draws a priority when it is first seen, and at each step the highest one moves. At a few steps that
//! were drawn beforehand the one who would move falls below all others. A defect that needs d such orders to come
//! right is met with a chance that falls with d alone, and not with the length of the run.
//!
//! # Source
//! Burckhardt, Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding
//! Bugs", 2010.

use smallvec::SmallVec;

use super::{About, Actor, Chooser, Label, Seeded};

/// How often priorities change at most.
const CHANGES_MAX: usize = 6;
/// Among how many choices they do: short and long runs are both met.
const WITHIN: [usize; 3] = [40, 160, 640];
/// Priorities from here on are drawn; those below are of actors that fell.
const DRAWN: u64 = 1 << 32;
/// Sets this generator's numbers apart from those of the other strategies.
const SALT: u64 = 0x7063_7400_0000_0001;

/// Picks the actor of the highest priority.
#[derive(Debug, Clone)]
pub struct Pct {
    numbers: Seeded,
    priorities: SmallVec<[(Actor, u64); 16]>,
    changes: SmallVec<[usize; CHANGES_MAX]>,
    choices: usize,
    /// What the next one who falls falls to.
    floor: u64,
}

impl Pct {
    /// Starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut numbers = Seeded::new(Seeded::new(seed ^ SALT).bits());
        let within = WITHIN[numbers.below(WITHIN.len())];
        let changes = (0..numbers.below(CHANGES_MAX + 1)).map(|_| numbers.below(within)).collect();
        Self { numbers, priorities: SmallVec::new(), changes, choices: 0, floor: DRAWN }
    }

    fn priority(&mut self, actor: Actor) -> &mut u64 {
        let known = self.priorities.iter().position(|(known, _)| *known == actor);
        let at = known.unwrap_or_else(|| {
            self.priorities.push((actor, DRAWN + (self.numbers.bits() >> 1)));
            self.priorities.len() - 1
        });
        &mut self.priorities[at].1
    }

    /// The first way of the highest actor.
    fn highest(&mut self, label: Label<'_>) -> usize {
        let mut best = (0, 0);
        for (way, name) in label.ways.iter().enumerate() {
            let priority = *self.priority(name.actor);
            if priority > best.1 {
                best = (way, priority);
            }
        }
        best.0
    }
}

impl Chooser for Pct {
    fn choose(&mut self, n: usize, label: Label<'_>) -> usize {
        match label.about {
            About::Step => {
                let falls = self.changes.iter().filter(|change| **change == self.choices).count();
                self.choices += 1;
                for _ in 0..falls {
                    let way = self.highest(label);
                    self.floor -= 1;
                    *self.priority(label.ways[way].actor) = self.floor;
                }
                self.highest(label)
            }
            About::Fault | About::FaultKind | About::Script => self.numbers.below(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Act, Name};
    use super::*;

    fn taken(seed: u64, choices: usize) -> Vec<usize> {
        let ways = [0, 1, 2].map(|nth| Name { actor: Actor::client(nth), act: Act::Step });
        let mut pct = Pct::new(seed);
        (0..choices).map(|_| pct.choose(3, Label::step(&ways))).collect()
    }

    #[test]
    fn one_actor_goes_on_until_its_priority_changes() {
        let changes = |seed| taken(seed, 640).windows(2).filter(|pair| pair[0] != pair[1]).count();
        let counts: Vec<_> = (0..200).map(changes).collect();

        assert!(counts.iter().all(|&count| count <= CHANGES_MAX), "{counts:?}");
        assert!(counts.contains(&0) && counts.iter().any(|&count| count > 2), "{counts:?}");
    }

    #[test]
    fn every_actor_is_first_for_some_seed() {
        for way in 0..3 {
            assert!((0..50).any(|seed| taken(seed, 1) == [way]), "way {way} is never first");
        }
    }
}
