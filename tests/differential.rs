//! Does the fake do what real nginx does, whatever is done to both? Random steps, and what is seen after each compared.
//!
//! `oldbin-lab verify --for 5m` plays any number. What turns this red: anything that the fake shows otherwise than a
//! real release, and that real nginx does not show in two ways itself; a deliberate defect of the fake that the steps
//! do not find; a kept sequence that differs, or is said to differ and does not.
//!
//! Every process of a world is this very executable, or a copy of a real nginx.
#![expect(clippy::print_stdout, reason = "a run tells what it counted")]

mod common;

use std::process::ExitCode;

use common::no_real_nginx;
use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::conformance::{self, Compared, Found, Pair, Run, STEPS_MAX, Verifier, kept};
use scenarios::explore::{Stop, fresh_seed};
use scenarios::live::nginx;
use scenarios::mutant::Mutant;
use scenarios::{catalogue, live};

/// How long each of two random runs plays.
const RANDOM_MS: u64 = 5_000;
/// Sequences at once: they mostly wait.
const JOBS: usize = 8;
/// The seed of every run but one.
const SEED: u64 = 1;
/// Within how many sequences each deliberate defect must be found.
const DETECTED_WITHIN: u64 = 150;
/// How many sequences mean something.
const SEQUENCES_MIN: u64 = 5;

/// Deliberate defects that the steps find.
const MUTANTS: [&str; 4] = [
    "fake.forgets-to-rename-oldbin-back",
    "fake.accepts-a-second-usr2",
    "fake.respawns-nobody",
    "fake.closes-listeners-on-noaccept",
];

fn main() -> ExitCode {
    fake_nginx::run_if_stamped();
    if let Some(code) = live::run_if_agent() {
        return code;
    }
    // Each run has all the machine.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let mut trials = vec![
        Trial::test("the fake does what real nginx does", || is_same(SEED)),
        Trial::test("and from a seed that nobody has tried", || is_same(fresh_seed())),
        Trial::test("every kept sequence is as its file says", kept_are_as_they_say),
    ];
    if let Some(why) = no_real_nginx() {
        trials = trials.into_iter().map(|trial| trial.with_kind(why).with_ignored_flag(true)).collect();
    }
    trials.extend(MUTANTS.map(|name| {
        let trial = Trial::test(format!("the steps find {name}"), move || is_found(name));
        trial.with_kind("takes ten seconds: .ci/run asks for it").with_ignored_flag(true)
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The oldest and the newest release that are found.
fn verifier(mutants: Vec<Mutant>) -> Result<Verifier, Failed> {
    let releases = nginx::releases();
    let pair = Pair::widest(&releases).ok_or("no real nginx was found")?;
    Ok(Verifier::new(pair, releases, mutants))
}

fn is_same(seed: u64) -> Result<(), Failed> {
    let verifier = verifier(Vec::new())?;
    let run = Run { seed, sequences: u64::MAX, steps_max: STEPS_MAX, for_ms: Some(RANDOM_MS), jobs: JOBS };
    let (same, found) = conformance::verify(&verifier, &run, until_first_difference)?;
    println!("pair {}, seeds from {seed}: {same} same, {} differ", verifier.pair(), found.len());
    if let Some(found) = found.into_iter().next() {
        return Err(told(&verifier, found)?.into());
    }
    if same < SEQUENCES_MIN {
        return Err(format!("{same} sequences mean nothing").into());
    }
    Ok(())
}

/// A difference, small, on one page, and as the file that keeps it.
fn told(verifier: &Verifier, found: Found) -> Result<String, Failed> {
    let (sequence, seen) = conformance::shrink(verifier, &found.sequence, &found.seen, || true)?;
    let mut page = format!("seed {}\n", found.seed);
    conformance::tell(&sequence, &seen, &mut page)?;
    let kept = kept::Kept::found(found.seed, &sequence);
    let pair = verifier.pair();
    let replay = format!("oldbin-lab verify --seed {} --sequences 1 --pair {pair}", found.seed);
    Ok(format!("{page}\n{kept}\nreplay  {replay}"))
}

/// Every kept sequence is the same on both sides, or differs where its file says so.
fn kept_are_as_they_say() -> Result<(), Failed> {
    let verifier = verifier(Vec::new())?;
    let mut wrong = Vec::new();
    for entry in catalogue::CONFORMANCE {
        let kept = kept::parse(entry.name, entry.text).map_err(|error| error.render(false))?;
        match (verifier.verify(&kept.sequence)?, &kept.differs) {
            (Compared::Same, None) | (Compared::Differs(_), Some(_)) => {}
            (Compared::Same, Some(_)) => wrong.push(format!("{} does not differ any more", kept.name)),
            (Compared::Differs(seen), None) => {
                let mut page = format!("{}\n", kept.name);
                conformance::tell(&kept.sequence, &seen, &mut page)?;
                wrong.push(page);
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// Plays sequences with a deliberate defect of the fake until one differs.
fn is_found(name: &str) -> Result<(), Failed> {
    let verifier = verifier(vec![name.parse()?])?;
    let run = Run { seed: SEED, sequences: DETECTED_WITHIN, steps_max: STEPS_MAX, for_ms: None, jobs: JOBS };
    let (same, found) = conformance::verify(&verifier, &run, until_first_difference)?;
    let first = found.first().ok_or_else(|| format!("not found within {DETECTED_WITHIN} sequences"))?;
    println!("{name:40} {:4} sequences: {:?}", same + 1, first.seen.difference.subjects);
    Ok(())
}

fn until_first_difference(_: u64, differ: usize) -> Stop {
    if differ == 0 { Stop::No } else { Stop::Now }
}
