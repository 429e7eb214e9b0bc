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
use fake_nginx::machine::Defects;
use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::conformance::{self, Found, Hunted, Played, Run, STEPS_MAX, Verifier, Wanted, kept};
use scenarios::explore::{Stop, fresh_seed};
use scenarios::live::nginx;
use scenarios::mutant::Mutant;
use scenarios::{catalogue, live};

/// How long each of two random runs begins new sequences; the last ones take some seconds more.
const RANDOM_MS: u64 = 3_000;
/// Sequences at once: they mostly wait.
const JOBS: usize = 8;
/// The seed of every run but one.
const SEED: u64 = 1;
/// Within how many sequences each deliberate defect must be found.
const DETECTED_WITHIN: u64 = 300;
/// The pair in which they are looked for.
const MIDDLE: &str = "1.22.1:1.26.3";
/// How many sequences mean something.
const SEQUENCES_MIN: u64 = 5;

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
    let hunt = Trial::test("the steps find every deliberate defect", every_defect_is_found);
    trials.push(hunt.with_kind("takes minutes: .ci/run asks for it").with_ignored_flag(true));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The oldest and the newest release that are found.
fn verifier() -> Result<Verifier, Failed> {
    let releases = nginx::releases();
    let pair = Wanted::WIDEST.among(&releases).ok_or("no real nginx was found")?;
    Ok(Verifier::new(pair, releases, Vec::new()))
}

/// Two releases between which most has changed that a draining worker says; else the widest pair.
fn middle() -> Result<Verifier, Failed> {
    let releases = nginx::releases();
    match MIDDLE.parse::<Wanted>()?.among(&releases) {
        Some(pair) => Ok(Verifier::new(pair, releases, Vec::new())),
        None => verifier(),
    }
}

fn is_same(seed: u64) -> Result<(), Failed> {
    let verifier = verifier()?;
    let run = Run { seed, sequences: u64::MAX, steps_max: STEPS_MAX, for_ms: Some(RANDOM_MS), jobs: JOBS };
    let Played { same, found, .. } = conformance::verify(&verifier, &run, until_first_difference)?;
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
    let verifier = verifier()?;
    let mut wrong = Vec::new();
    for entry in catalogue::CONFORMANCE {
        let kept = kept::parse(entry.name, entry.text).map_err(|error| error.render(false))?;
        match (verifier.verify(&kept.sequence)?.differs, &kept.differs) {
            (None, None) | (Some(_), Some(_)) => {}
            (None, Some(_)) => wrong.push(format!("{} does not differ any more", kept.name)),
            (Some(seen), None) => {
                let mut page = format!("{}\n", kept.name);
                conformance::tell(&kept.sequence, &seen, &mut page)?;
                wrong.push(page);
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// Plays the same sequences with each deliberate defect of the fake, until one differs.
fn every_defect_is_found() -> Result<(), Failed> {
    let mutants =
        Defects::names().map(|name| format!("fake.{name}").parse()).collect::<Result<Vec<Mutant>, _>>()?;
    let run = Run { seed: SEED, sequences: DETECTED_WITHIN, steps_max: STEPS_MAX, for_ms: None, jobs: JOBS };
    let mut missed = Vec::new();
    println!();
    for Hunted { mutant, noticed } in conformance::hunt(&middle()?, &mutants, &run)? {
        match noticed {
            Some((after, subjects)) => {
                println!("{:40} {after:4} sequences: {subjects:?}", mutant.to_string())
            }
            None => missed.push(mutant.to_string()),
        }
    }
    let all = mutants.len();
    if missed.is_empty() {
        Ok(())
    } else {
        Err(format!("{} of {all} not found: {missed:?}", missed.len()).into())
    }
}

fn until_first_difference(_: u64, differ: usize) -> Stop {
    if differ == 0 { Stop::No } else { Stop::Now }
}
