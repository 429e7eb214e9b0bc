//! What `oldbin-lab` understands.

mod explore;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::conformance::{self, Wanted};
use crate::mutant::Mutant;
use crate::scenario::WorldKind;

pub(crate) use explore::{Explore, HowToPick, Merge};

/// Prove that an nginx upgrade loses no request
///
/// Runs failure scenarios against an upgrade procedure: our orchestrator, a runbook, or any script. Each run
/// starts a real nginx (or fake-nginx, which needs nothing installed), keeps it under load while its binary
/// changes, and judges what was seen. Without a command, all stories run in every world that is there.
#[derive(Debug, Parser)]
#[command(name = "oldbin-lab", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Behind the options of every help text.
const AFTER_HELP: &str = "\
Exit codes:
   0  held: every scenario ended as it should, canaries included
   1  violated: the report marks the first bad step
   2  wrong usage, or a file that is no scenario
   3  unchecked: the evidence for something is missing, and the scenario does not say why
  70  a bug in this program

Example:
  oldbin-lab run orchestrator-upgrade --world real --trace traces";

/// Behind the help of `replay`.
const REPLAY_AFTER_HELP: &str = "\
Exit codes:
   0  held: what once went wrong does not
   1  violated: the way there is told
   2  wrong usage, or a file that is no kept failure
   3  unchecked: a fault never had anything to strike, or cannot be forced in that world
   4  not deterministic: two runs went two ways
  70  a bug in this program

Example:
  oldbin-lab replay workers-are-doubled-when-the-new-master-dies-before-hup-arrives";

/// Behind the options of `explore`.
const EXPLORE_AFTER_HELP: &str = "\
Script number n is drawn from seed n, so a run is a range of seeds: in the model the same range gives the same
counts and the same failures, whatever the number of jobs. On real processes the kernel chooses too, so a seed
gives the same commands and faults, but not always the same end.

Exit codes:
   0  held: nothing failed, and every kind of fault struck often enough to mean something
   1  violated: at least one script failed
   2  wrong usage
   3  unchecked: too little happened, or the run was cut short by Ctrl-C
  70  a bug in this program

Examples:
  oldbin-lab explore --scripts 1000000
  oldbin-lab explore --exhaustive
  oldbin-lab explore --world fake --for 5m --keep failures
  oldbin-lab explore --scripts 1000000 --seed 1 --shard 3/16 --json > 3.json
  oldbin-lab explore --mutant orchestrator.quits-without-looking";

/// Behind the options of `merge`.
const MERGE_AFTER_HELP: &str = "\
All files are parts of one run: the same world, strategy, seed, number of scripts and of shards. The order does not
matter, a shard that is there twice counts once, and failures that need the same steps are told once. Of explore
--exhaustive: the same bounds, and each counts once.

Exit codes:
   0  held: all shards are there, and nothing failed
   1  violated: at least one script failed
   2  wrong usage, or a file that holds no results of that run
   3  unchecked: a shard or a bound is missing or was cut short, or too little happened
  70  a bug in this program

Example:
  oldbin-lab merge results/*.json --junit report.xml";

/// Behind the options of `verify`.
const VERIFY_AFTER_HELP: &str = "\
Exit codes:
   0  same: the fake did what real nginx did
   1  differs: at least one sequence
   2  wrong usage, or a file that is no kept sequence
   3  no real nginx was found, or not the pair that was asked for
  70  a bug in this program

Examples:
  oldbin-lab verify --for 5m --keep differences
  oldbin-lab verify --seed 17 --sequences 1 --pair 1.22.1:1.26.3";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios and print their verdicts
    ///
    /// A failure prints what was seen around the first bad step, and the command that runs it again.
    #[command(after_help = AFTER_HELP)]
    Run(Run),
    /// Play random scripts of commands, kills, crashes and faulty new binaries
    ///
    /// Each script types `oldbin upgrade`, `rollback`, `commit` and `recover` in some order, with pauses, while
    /// masters and workers of either generation are killed, oldbin is killed or interrupted, nginx is reloaded,
    /// the journal's disk is full, or the new binary is faulty. Meanwhile clients connect. Whatever goes wrong, a
    /// fresh connection must find a worker, no request may be lost but by the death of its worker, and what
    /// oldbin says at its end must be true. A failure is made as small as it can be, and told with the command
    /// that plays it again.
    #[command(after_help = EXPLORE_AFTER_HELP)]
    Explore(Explore),
    /// Add up what the shards of one `explore` have found
    ///
    /// Says what all have counted, every failure once, and which shards are missing.
    #[command(after_help = MERGE_AFTER_HELP)]
    Merge(Merge),
    /// List the scenarios, the runbooks and the nginx releases that were found
    List {
        /// List the moments at which a fault can strike, and the faults, instead
        #[arg(long)]
        moments: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the verdict and the report of a trace that `run --trace` wrote
    #[command(after_help = AFTER_HELP)]
    Report {
        /// The trace
        trace: PathBuf,
        /// The scenario that it is of, where that is a file
        #[arg(long, value_name = "FILE")]
        scenario: Option<String>,
    },
    /// Play a kept failure again: what random scripts once found must hold now
    ///
    /// A kept failure is a story in a file: what was typed, what went wrong right before which step, and which steps
    /// came in another order than usual. It is played twice in the model, and the two runs are compared; on the fake,
    /// where the kernel chooses too, it is played once.
    #[command(after_help = REPLAY_AFTER_HELP)]
    Replay(Replay),
    /// Play random steps on the fake and on real nginx, and compare what is seen after each
    ///
    /// A step is a signal to a master or worker, another binary or configuration, a damaged pid file, a call of nginx,
    /// or a connection. After each, everything comes to rest, and processes, listening sockets, pid files, log lines,
    /// output and connections are compared. What real nginx differs in from itself is excused. A difference is made
    /// small, and told with the steps that lead to it.
    #[command(after_help = VERIFY_AFTER_HELP)]
    Verify(Verify),
    /// Measure upgrade and rollback: orchestrator, bare signals and nginx's own `make upgrade`, in turns
    Bench(Bench),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Names of the catalogue, or files that end in .kdl [default: the whole catalogue]
    pub(crate) scenarios: Vec<String>,
    /// Where to run
    #[arg(long, value_enum, default_value_t = Worlds::All)]
    pub(crate) world: Worlds,
    /// Run each scenario this many times
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) times: u32,
    /// Where random picks begin
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write the trace of every run into this folder, as JSON Lines
    #[arg(long, value_name = "FOLDER")]
    pub(crate) trace: Option<PathBuf>,
    /// Tell every moment of every process in the traces (model and fake)
    #[arg(long)]
    pub(crate) moments: bool,
    /// Print one JSON object per run instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// Do without namespaces, even where they can be had
    #[arg(long)]
    pub(crate) no_namespaces: bool,
    /// Run a deliberately defective fake or orchestrator, to see that the laboratory notices
    #[arg(long, value_name = "DEFECT")]
    pub(crate) mutant: Vec<Mutant>,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Names of kept failures, or files that end in .kdl [default: all that are kept]
    pub(crate) regressions: Vec<String>,
    /// Where to play
    #[arg(long, value_enum, default_value_t = ReplayWorld::Model)]
    pub(crate) world: ReplayWorld,
    /// Write the trace of every run into this folder, as JSON Lines
    #[arg(long, value_name = "FOLDER")]
    pub(crate) trace: Option<PathBuf>,
    /// Print one JSON object per run
    #[arg(long)]
    pub(crate) json: bool,
    /// Play with a deliberately defective fake or orchestrator, to see that the replay notices
    #[arg(long, value_name = "DEFECT")]
    pub(crate) mutant: Vec<Mutant>,
}

/// A world in which something can be forced to happen at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplayWorld {
    /// In memory: every step comes as it came then
    Model,
    /// Linux, with fake-nginx: faults strike at their moments, all else takes its own course
    Fake,
}

/// `30`, `90s`, `5m`, `1h`.
fn duration_ms(text: &str) -> Result<u64, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, *factor)))
        .unwrap_or((text, 1_000));
    let number: u64 = number.parse().map_err(|_| "write a time such as 90s or 5m".to_owned())?;
    number.checked_mul(factor).filter(|&ms| ms > 0).ok_or_else(|| "write a time such as 90s or 5m".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Names of kept sequences, or files that end in .kdl, instead of random ones
    pub(crate) kept: Vec<String>,
    /// How many random sequences
    #[arg(long, default_value_t = 50, value_name = "N", conflicts_with_all = ["for_ms", "kept"], value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) sequences: u64,
    /// Play for this long instead (30, 90s, 5m, 1h)
    #[arg(long = "for", value_name = "TIME", conflicts_with = "kept", value_parser = duration_ms)]
    pub(crate) for_ms: Option<u64>,
    /// The first seed [default: one that nobody has tried, which is told]
    #[arg(long, value_name = "S", conflicts_with = "kept")]
    pub(crate) seed: Option<u64>,
    /// How many steps a sequence has at most
    #[arg(long, default_value_t = conformance::STEPS_MAX as u16, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=100))]
    pub(crate) steps_max: u16,
    /// Which releases, by version or by age (1.26.3:newest)
    #[arg(long, value_name = "OLD:NEW", default_value_t = Wanted::WIDEST)]
    pub(crate) pair: Wanted,
    /// How many sequences play at once [default: four for each core, as processes wait]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// Write every difference into this folder; those that are told, made small
    #[arg(long, value_name = "FOLDER")]
    pub(crate) keep: Option<PathBuf>,
    /// Compare a deliberately defective fake, to see that the difference is noticed
    #[arg(long, value_name = "DEFECT")]
    pub(crate) mutant: Vec<Mutant>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// How often each procedure runs
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Where to run
    #[arg(long, value_enum, default_value_t = Worlds::All)]
    pub(crate) world: Worlds,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The worlds that a user can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Worlds {
    /// In memory, in virtual time: every choice of the kernel is drawn from the seed
    Model,
    /// Linux, with fake-nginx
    Fake,
    /// Linux, with the real nginx releases that are found
    Real,
    /// All three; the real one where a release is found
    All,
}

impl Worlds {
    pub(crate) fn kinds(self) -> &'static [WorldKind] {
        match self {
            Self::Model => &[WorldKind::Model],
            Self::Fake => &[WorldKind::Fake],
            Self::Real => &[WorldKind::Real],
            Self::All => &[WorldKind::Model, WorldKind::Fake, WorldKind::Real],
        }
    }
}
