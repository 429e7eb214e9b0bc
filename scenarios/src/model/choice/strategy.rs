//! Which kind of chooser a seed gets.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString};

use super::{Chooser, Pct, Seeded, Swarm};

/// How random picks are made. What one of these makes of a seed is frozen by tests: a seed means the same next year.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Strategy {
    /// The natural step with probability 1/2, else any.
    Seeded,
    /// Weights for each kind of actor, step and fault, other ones for each seed.
    Swarm,
    /// A priority for each actor, which changes a few times.
    Pct,
    /// One of the others, by the seed.
    Portfolio,
}

impl Strategy {
    /// Those that pick by themselves.
    pub const PURE: [Self; 3] = [Self::Seeded, Self::Swarm, Self::Pct];

    /// What a seed is really played with.
    ///
    /// A portfolio goes by a hash: seeds in turn would give each of three shards one strategy only.
    #[must_use]
    pub fn of(self, seed: u64) -> Self {
        match self {
            Self::Portfolio => Self::PURE[Seeded::new(!seed).below(Self::PURE.len())],
            Self::Seeded | Self::Swarm | Self::Pct => self,
        }
    }

    /// The chooser of a seed.
    #[must_use]
    pub fn chooser(self, seed: u64) -> Box<dyn Chooser> {
        match self.of(seed) {
            Self::Swarm => Box::new(Swarm::new(seed)),
            Self::Pct => Box::new(Pct::new(seed)),
            Self::Seeded | Self::Portfolio => Box::new(Seeded::new(seed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use fake_nginx::machine::Moment;

    use super::super::{Act, Actor, Label, Name, Who};
    use super::*;
    use crate::model::script::{FAULTS, FAULTS_MAX, Pause, Script};

    /// The script of a seed, and what it then picks among steps that are always the same, by a hash of both.
    fn drawn(strategy: Strategy, seed: u64, faults: usize) -> u64 {
        let mut chooser = strategy.chooser(seed);
        let script = Script::draw(&mut *chooser, faults);
        let mut text = format!("{} {}", script.workers, script.binary);
        for (pause, command) in &script.commands {
            let Pause::Rest(pause_ms) = pause else { panic!("nobody hurries in a random script") };
            text += &format!(" {pause_ms} {command}");
        }
        for fault in &script.faults {
            text += &format!(" {fault}");
        }
        let actor = |who, generation| Actor { who, generation, nth: 1 };
        let ways = [
            (actor(Who::Subject, 0), Act::LookPid),
            (actor(Who::Master, 1), Act::Nginx(Moment::Wake)),
            (actor(Who::Worker, 2), Act::Nginx(Moment::Fork)),
            (actor(Who::Master, 2), Act::Nginx(Moment::Exec)),
            (actor(Who::Client, 0), Act::AskAgain),
        ]
        .map(|(actor, act)| Name { actor, act });
        for n in (2..=ways.len()).cycle().take(200) {
            text += &format!(" {}", chooser.choose(n, Label::step(&ways[..n])));
        }
        super::super::swarm::fnv(&text)
    }

    /// A seed that somebody wrote down must mean the same next year. If this fails, something is drawn in another way:
    /// give it a name of its own, and leave the old one as it was.
    #[test]
    fn a_seed_means_the_same_next_year() {
        let vector = |strategy, faults| [0, 1, 2, u64::MAX].map(|seed| drawn(strategy, seed, faults));
        let vectors: Vec<_> = Strategy::PURE
            .into_iter()
            .flat_map(|pure| [FAULTS, FAULTS_MAX].map(|faults| vector(pure, faults)))
            .collect();
        let portfolio: Vec<_> = (0..24)
            .map(|seed| Strategy::PURE.iter().position(|&pure| pure == Strategy::Portfolio.of(seed)))
            .map(Option::unwrap_or_default)
            .collect();

        assert_eq!(
            vectors,
            [
                [0x07d9_b2b6_f9ca_b064, 0x0079_d657_8cc1_3500, 0x46c4_074c_5a86_887b, 0x9a68_7947_7f3d_9ff6],
                [0x1a57_fa20_bd30_4c8c, 0x89e5_54d3_c75d_4624, 0x1a16_74fe_5fe6_5788, 0x8790_9e9e_d792_1f18],
                [0xce3e_9d94_0fde_00a4, 0x11d9_d199_90bb_375b, 0x2bc0_36a4_3d6b_786c, 0x9566_9b3c_3a9c_70f8],
                [0xce3e_9d94_0fde_00a4, 0x4eed_a607_59cc_0a70, 0x130f_f3b1_2e0f_284a, 0xedf2_1ae1_6269_689d],
                [0x21a8_ec28_5d8d_ca9f, 0x9af3_955f_a287_4628, 0x969f_1c95_226b_10e6, 0x36bb_9c65_7ad1_5cf3],
                [0x21a8_ec28_5d8d_ca9f, 0x9af3_955f_a287_4628, 0x920d_3d9f_5d8c_e390, 0x5964_b93e_d5ff_6389],
            ]
        );
        assert_eq!(portfolio, [2, 2, 2, 2, 0, 2, 1, 1, 2, 2, 1, 2, 2, 2, 2, 0, 2, 2, 2, 2, 1, 2, 2, 2]);
    }

    #[test]
    fn every_shard_of_a_portfolio_has_all_strategies_in_equal_parts() {
        for shards in 1..=6_usize {
            for shard in 0..shards as u64 {
                let seeds = (shard..6_000).step_by(shards);
                let of = |pure| seeds.clone().filter(|&seed| Strategy::Portfolio.of(seed) == pure).count();
                let total = seeds.clone().count();
                for pure in Strategy::PURE {
                    let part = of(pure) * 100 / total;
                    assert!((28..=38).contains(&part), "{pure} has {part} % of shard {shard} of {shards}");
                }
            }
        }
    }
}
