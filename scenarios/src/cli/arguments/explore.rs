//! What `oldbin-lab explore` and `merge` understand.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::duration_ms;
use crate::model::choice::Strategy;
use crate::model::exhaustive::{self, Cell};
use crate::model::script;
use crate::mutant::Mutant;
use crate::scenario::WorldKind;
use crate::shard::Shard;

#[derive(Debug, Args)]
pub(crate) struct Explore {
    /// Where to play
    #[arg(long, value_enum, default_value_t = OneWorld::Model)]
    pub(crate) world: OneWorld,
    /// How many scripts [default: 10000 in the model, 100 elsewhere]
    #[arg(long, value_name = "N", conflicts_with = "for_ms", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) scripts: Option<u64>,
    /// Play for this long instead (30, 90s, 5m, 1h)
    #[arg(long = "for", value_name = "TIME", value_parser = duration_ms)]
    pub(crate) for_ms: Option<u64>,
    /// The first seed [default: one that nobody has tried, which is told]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Who picks what happens next [default: portfolio in the model; seeded on processes, whose order is the kernel's,
    /// and for --scripts 1 with a --seed]
    #[arg(long, value_enum)]
    pub(crate) strategy: Option<HowToPick>,
    /// How many faults a script has at most
    #[arg(long, default_value_t = script::FAULTS as u64, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=script::FAULTS_MAX as u64))]
    pub(crate) faults: u64,
    /// How many scripts play at once [default: one for each core; four for each where processes wait]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// Play only part I of N, by the seed's remainder [default: what the environment of GitLab, Kubernetes, Slurm,
    /// Buildkite or CircleCI says, else all]
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Put every kind of fault at every moment of the natural run of each story instead, and a crash of oldbin at every
    /// pair of its calls
    #[arg(long, group = "walk", conflicts_with_all = ["world", "scripts", "seed", "strategy", "faults", "keep", "junit", "shard"])]
    pub(crate) linear: bool,
    /// Visit every interleaving within a bound instead of playing scripts
    #[arg(long, group = "walk", conflicts_with_all = ["world", "scripts", "seed", "strategy", "faults"])]
    pub(crate) exhaustive: bool,
    /// A bound, such as "upgrade workers=2 fault=reload", "rollback crashes=1 fresh=1" or "make-upgrade binary=3" (a
    /// runbook); several times for several [default: those that every change must pass]
    #[arg(long, value_name = "WORDS", requires = "exhaustive", value_parser = exhaustive::named)]
    pub(crate) cell: Vec<Cell>,
    /// A crash of the orchestrator besides one fault instead, two workers, an upgrade and a rollback for each kind, for some
    /// minutes
    #[arg(long, requires = "exhaustive", conflicts_with = "cell")]
    pub(crate) crashes: bool,
    /// With --crashes: a client besides, who asks once at any time, for an hour or two
    #[arg(long, requires = "crashes")]
    pub(crate) client: bool,
    /// Wider bounds instead, for half an hour
    #[arg(long, requires = "exhaustive", conflicts_with_all = ["cell", "crashes"])]
    pub(crate) wider: bool,
    /// With --exhaustive: every pair of kinds of faults, a bound for each; with --linear: a crash at every call behind
    /// each fault of any kind
    #[arg(long, requires = "walk", conflicts_with_all = ["cell", "crashes", "wider"])]
    pub(crate) pairs: bool,
    /// Meet at most so many states within a bound
    #[arg(long, value_name = "N", requires = "exhaustive")]
    pub(crate) states: Option<u64>,
    /// Go down before aside: fewer states wait at a time, and the way to something wrong is not the shortest
    #[arg(long, requires = "exhaustive")]
    pub(crate) depth_first: bool,
    /// Write every failure into this folder: as a file that `oldbin-lab replay` plays where that can be, else with what
    /// was seen
    #[arg(long, value_name = "FOLDER")]
    pub(crate) keep: Option<PathBuf>,
    /// Explore a deliberately defective fake or orchestrator, to see that the property notices
    #[arg(long, value_name = "DEFECT")]
    pub(crate) mutant: Vec<Mutant>,
    /// Print one JSON object, which `oldbin-lab merge` adds to others
    #[arg(long)]
    pub(crate) json: bool,
    /// Write JUnit's XML into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// What `explore --json` or `merge --json` printed, one object or several in a file
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Print one JSON object, which can be merged again
    #[arg(long)]
    pub(crate) json: bool,
    /// Write JUnit's XML into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

/// A world to explore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OneWorld {
    /// In memory, in virtual time: thousands of scripts a second, every choice drawn from the seed
    Model,
    /// Linux, with fake-nginx
    Fake,
    /// Linux, with the real nginx releases that are found
    Real,
}

impl OneWorld {
    pub(crate) fn kind(self) -> WorldKind {
        match self {
            Self::Model => WorldKind::Model,
            Self::Fake => WorldKind::Fake,
            Self::Real => WorldKind::Real,
        }
    }
}

/// A strategy to explore with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HowToPick {
    /// The natural step with probability 1/2, else any
    Seeded,
    /// Other weights for each seed: some steps, actors and faults are frequent, some never come
    Swarm,
    /// A random priority for each actor, which changes a few times
    Pct,
    /// One of the three, by the seed
    Portfolio,
}

impl HowToPick {
    pub(crate) fn strategy(self) -> Strategy {
        match self {
            Self::Seeded => Strategy::Seeded,
            Self::Swarm => Strategy::Swarm,
            Self::Pct => Strategy::Pct,
            Self::Portfolio => Strategy::Portfolio,
        }
    }
}
