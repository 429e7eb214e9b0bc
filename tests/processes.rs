//! Whatever goes wrong half-way through an upgrade, does every request still find a live worker? On real processes.
//!
//! The scripts are those of `properties`, from the same seeds; `oldbin-lab explore --world fake --for 5m` plays any
//! number. What turns this red: a fresh connection that finds nobody although the script has not felled the last
//! worker itself, a request that is lost without its worker's death, a claim that is not true, a command that needs a
//! person after one fault, two generations at the end; and a run in which too little happened to mean anything.
//!
//! Every process of a world is this very executable: an agent, a load, an oldbin, a stamped fake.
#![expect(clippy::print_stdout, reason = "a run tells what it counted")]

mod common;

use std::process::ExitCode;

use common::no_real_nginx;
use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::explore::{self, Demands, Failure, Live, Run, Stop, Tally, World, verdict};
use scenarios::mutant::Mutant;
use scenarios::scenario::WorldKind;
use scenarios::shard::Shard;
use scenarios::{live, report};

/// How long each of two runs on the fake plays: with the last scripts and real nginx half a minute.
const FAKE_MS: u64 = 5_000;
/// How long the run on real nginx plays.
const REAL_MS: u64 = 4_000;
/// Scripts at once: they mostly wait.
const JOBS: usize = 16;
/// The seed of every run but one.
const SEED: u64 = 1;
/// Within how many scripts each deliberate defect must be found.
const DETECTED_WITHIN: u64 = 150;

/// Deliberate defects that the property finds on processes.
const MUTANTS: [&str; 3] = [
    "orchestrator.quits-without-looking",
    "orchestrator.forgets-the-file",
    "fake.deletes-the-wrong-pid-file",
];

/// How many scripts of the known seed are certain to meet every kind of fault.
const SCRIPTS_OF_ALL_KINDS: u64 = 60;
/// Kinds of faults, of which the run from the known seed must meet each.
const KINDS: [&[&str]; 6] = [
    &["kill-old-master", "kill-new-master"],
    &["kill-old-worker", "kill-new-worker"],
    &["reload"],
    &["crash"],
    &["interrupt"],
    &["full-disk"],
];

fn main() -> ExitCode {
    fake_nginx::run_if_stamped();
    if let Some(code) = live::run_if_agent() {
        return code;
    }
    // Each run has all the machine.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let mut trials = vec![
        Trial::test("whatever goes wrong, the fake is upgraded or as before", || {
            holds(WorldKind::Fake, FAKE_MS, SEED)
        }),
        Trial::test("and from a seed that nobody has tried", || {
            holds(WorldKind::Fake, FAKE_MS, explore::fresh_seed())
        }),
    ];
    let on_real = Trial::test("whatever goes wrong, real nginx is upgraded or as before", || {
        holds(WorldKind::Real, REAL_MS, SEED)
    });
    trials.push(match no_real_nginx() {
        None => on_real,
        Some(why) => on_real.with_kind(why).with_ignored_flag(true),
    });
    trials.extend(MUTANTS.map(|name| {
        let trial = Trial::test(format!("the defect {name} is found"), move || is_found(name));
        trial.with_kind("takes ten seconds: .ci/run asks for it").with_ignored_flag(true)
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Plays scripts for a while; all must hold, and enough must happen.
fn holds(kind: WorldKind, for_ms: u64, seed: u64) -> Result<(), Failed> {
    let world = Live::new(kind, Vec::new());
    let run = Run { seed, scripts: u64::MAX, shard: Shard::WHOLE, for_ms: Some(for_ms), jobs: JOBS };
    let (tally, failures) = explore::explore(&world, &run, until_first_failure)?;
    println!("world {kind}, seeds from {seed}\n{tally}");
    if let Some(failure) = failures.first() {
        return Err(told(&world, failure)?.into());
    }
    let mut missing = tally.vacuous(&Demands::LIVE, &Live::faults());
    if seed == SEED && tally.scripts >= SCRIPTS_OF_ALL_KINDS {
        let struck = |names: &[&str]| names.iter().any(|name| tally.faults.contains_key(*name));
        let absent = KINDS.iter().filter(|names| !struck(names));
        missing.extend(absent.map(|names| format!("no {} struck", names.join(" or "))));
    }
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n").into()) }
}

/// A failure, small, on one page.
fn told(world: &Live, failure: &Failure) -> Result<String, Failed> {
    let shrunk = world.shrink(failure)?;
    let small = shrunk.map_or_else(String::new, |shrunk| format!("{shrunk}\n"));
    let page = failure.trace.as_ref().and_then(|trace| {
        let (scenario, verdict) = verdict(&failure.script, trace);
        report::failure(&scenario, trace, &verdict, false, false)
    });
    Ok(format!("seed {}: {}\n{small}{}", failure.seed, failure.why, page.unwrap_or_default()))
}

/// Plays scripts with a deliberate defect until one fails.
fn is_found(name: &str) -> Result<(), Failed> {
    let mutant: Mutant = name.parse()?;
    let world = Live::new(WorldKind::Fake, vec![mutant]);
    let run = Run { seed: SEED, scripts: DETECTED_WITHIN, shard: Shard::WHOLE, for_ms: None, jobs: JOBS };
    let (tally, failures) = explore::explore(&world, &run, until_first_failure)?;
    match failures.first() {
        Some(failure) => {
            println!("{name:45} {:4} scripts: {}", tally.scripts, failure.why);
            Ok(())
        }
        None => Err(format!("not found within {DETECTED_WITHIN} scripts\n{tally}").into()),
    }
}

fn until_first_failure(_: &Tally, failures: &[Failure]) -> Stop {
    if failures.is_empty() { Stop::No } else { Stop::Now }
}
