//! Random picks with weights of their own for each seed.
//!
//! A walk that gives every kind of step the same chance looks at the same middle of the space again and again. Here
//! each seed draws a weight for every kind of actor, of step and of fault, and some weigh nothing: a run in which
//! nobody is ever killed but the new master, or in which the old workers always come last, is as likely as any.
//!
//! Weights are hashes of the seed and of what they weigh, so nothing is drawn that a run never asks for, and a new
//! kind of step changes no other weight.
//!
//! # Source
//! Groce, Zhang, Eide, Chen, Regehr, "Swarm Testing", 2012.

use super::{About, Chooser, Label, Name, Seeded};

/// Weights of actors and steps. Few weigh nothing, as a step is a product of two.
const OF_STEPS: [u64; 8] = [0, 1, 1, 2, 2, 4, 8, 16];
/// Weights of faults. Many weigh nothing, so that those that are left meet each other.
const OF_FAULTS: [u64; 8] = [0, 0, 0, 0, 1, 1, 2, 4];
/// Of sixteen steps so many are natural ones whatever they weigh; one number for each seed.
const NATURAL: [usize; 4] = [0, 4, 8, 12];
/// Sets this generator's numbers apart from those of the other strategies.
const SALT: u64 = 0x7377_6172_6d00_0001;

/// Picks by weights that a seed gives.
#[derive(Debug, Clone)]
pub struct Swarm {
    numbers: Seeded,
    weights: u64,
    natural: usize,
}

impl Swarm {
    /// Starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut numbers = Seeded::new(Seeded::new(seed ^ SALT).bits());
        let weights = numbers.bits();
        let natural = NATURAL[numbers.below(NATURAL.len())];
        Self { numbers, weights, natural }
    }

    /// What one of `table` this seed gives to `what`.
    fn weight(&self, table: [u64; 8], what: u64) -> u64 {
        table[Seeded::new(self.weights ^ what).below(table.len())]
    }

    fn weight_of_step(&self, name: Name) -> u64 {
        let Name { actor, act } = name;
        let actor = (actor.who as u64) << 8 | u64::from(actor.generation);
        self.weight(OF_STEPS, actor) * self.weight(OF_STEPS, fnv(act.word()))
    }

    /// One of `n`, each as often as it weighs; the first if nothing weighs anything.
    fn pick(&mut self, n: usize, weight: impl Fn(&Self, usize) -> u64) -> Option<usize> {
        let total: u64 = (0..n).map(|way| weight(self, way)).sum();
        let mut left = self.numbers.below(usize::try_from(total).ok().filter(|&total| total > 0)?) as u64;
        (0..n).find(|&way| {
            let own = weight(self, way);
            let is_it = left < own;
            left = left.saturating_sub(own);
            is_it
        })
    }
}

impl Chooser for Swarm {
    fn choose(&mut self, n: usize, label: Label<'_>) -> usize {
        match label.about {
            About::Step => {
                let is_natural = self.numbers.below(16) < self.natural;
                if is_natural && self.weight_of_step(label.ways[0]) > 0 {
                    return 0;
                }
                self.pick(n, |swarm, way| swarm.weight_of_step(label.ways[way])).unwrap_or(0)
            }
            About::FaultKind => self
                .pick(n, |swarm, kind| swarm.weight(OF_FAULTS, !(kind as u64)))
                .unwrap_or_else(|| self.numbers.below(n)),
            About::Fault | About::Script => self.numbers.below(n),
        }
    }
}

/// FNV-1a: short, and the same next year.
pub(super) fn fnv(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seed_switches_off_other_faults() {
        let drawn = |seed| {
            let mut swarm = Swarm::new(seed);
            let mut counts = [0; 20];
            (0..2_000).for_each(|_| counts[swarm.choose(20, Label::number(About::FaultKind))] += 1);
            counts.map(|count| count > 0)
        };
        let all: Vec<_> = (0..50).map(drawn).collect();

        for kinds in &all {
            let on = kinds.iter().filter(|is_on| **is_on).count();
            assert!((1..20).contains(&on), "{on} of 20 kinds are drawn");
        }
        for kind in 0..20 {
            assert!(all.iter().any(|kinds| kinds[kind]), "kind {kind} is off for every seed");
        }
    }
}
