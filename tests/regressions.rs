//! What random scripts once found is played again for ever, and deliberate defects show that a replay can fail.
//!
//! One test for each file of `scenarios/catalogue/regressions/`, by its name: it must hold, and every fault that it
//! tells must strike; where processes can be forced, it is played on the fake too. What turns one red: the defect of the orchestrator, or of the model, that it was found by.

#![expect(clippy::print_stdout, reason = "what was not forced is told")]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::explore::{self, Live};
use scenarios::mutant::{self, Mutant};
use scenarios::regression::{Verdict, replay};
use scenarios::scenario::WorldKind;
use scenarios::{catalogue, live};

/// Deliberate defects, each with a kept failure that must notice.
const MUTANTS: [(&str, &str); 11] = [
    ("fake.forgets-to-rename-oldbin-back", "workers-are-doubled-when-the-new-master-dies-before-hup-arrives"),
    ("fake.respawns-nobody", "an-old-worker-is-killed-while-winch-is-on-its-way"),
    ("fake.deletes-the-wrong-pid-file", "the-disk-is-full-twice-and-two-upgrades-are-typed"),
    ("fake.closes-listeners-on-noaccept", "ctrl-c-and-a-killed-new-master-double-the-workers"),
    ("orchestrator.quits-without-looking", "orphans-of-the-old-master-meet-a-full-disk"),
    ("orchestrator.forgets-the-file", "a-worker-and-then-the-new-master-die-in-the-soak"),
    ("orchestrator.retires-before-reviving", "the-old-master-is-killed-on-the-way-back"),
    ("orchestrator.waits-for-the-untold", "an-old-master-that-is-reloaded-before-quit-is-sent-is-told-again"),
    ("orchestrator.lets-the-winch-lie", "winch-that-nginx-has-put-off-works-before-the-new-master-goes"),
    ("orchestrator.ignores-the-pid-file", "an-upgrade-by-another-hand-begins-in-the-watch"),
    ("orchestrator.ignores-orphans", "an-old-worker-and-the-new-master-are-killed-before-winch"),
];

/// Those whose faults can all be forced on processes.
const FORCED: [&str; 5] = [
    "a-master-that-lost-quit-is-told-louder-behind-the-commit-point",
    "a-worker-and-then-the-new-master-die-in-the-soak",
    "an-old-worker-is-killed-while-winch-is-on-its-way",
    "ctrl-c-and-a-killed-new-master-double-the-workers",
    "workers-are-doubled-when-the-new-master-dies-before-hup-arrives",
];

/// How often a deliberate defect may stay unnoticed where the kernel chooses who goes on.
const TRIES: usize = 10;

fn main() -> ExitCode {
    fake_nginx::run_if_stamped();
    if let Some(code) = live::run_if_agent() {
        return code;
    }
    let kept = catalogue::REGRESSIONS.iter().map(|entry| Trial::test(entry.name, || holds(entry.name)));
    let mutants = MUTANTS
        .iter()
        .map(|&(mutant, name)| Trial::test(format!("{mutant} is noticed"), move || is_noticed(mutant, name)));
    let forced = FORCED.map(|name| Trial::test(format!("{name} on the fake"), || holds_on_the_fake(name)));
    let noticed = Trial::test("orchestrator.forgets-the-file is noticed on the fake", || {
        is_noticed_on_the_fake(
            "orchestrator.forgets-the-file",
            "a-worker-and-then-the-new-master-die-in-the-soak",
        )
    });
    let trials = kept.chain(mutants).chain(forced).chain([noticed]).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// On a busy machine a moment may come less often than in the model: then nothing was forced, and that is told.
fn holds_on_the_fake(name: &str) -> Result<(), Failed> {
    match on_the_fake(name, "")? {
        Verdict::Held => Ok(()),
        Verdict::Unchecked(why) => {
            println!("{name} is unchecked: {why}");
            Ok(())
        }
        wrong @ (Verdict::Violated(_) | Verdict::NotDeterministic) => {
            Err(format!("{wrong:?}\nreplay  oldbin-lab replay --world fake {name}").into())
        }
    }
}

/// Only the faults are forced: a worker that dies a moment earlier is replaced before anybody counts on it, and then
/// there is no way back on which a mistake would show. That is one run of ten.
fn is_noticed_on_the_fake(mutant: &str, name: &str) -> Result<(), Failed> {
    let mut verdicts = Vec::new();
    for _ in 0..TRIES {
        match on_the_fake(name, mutant)? {
            Verdict::Violated(_) => return Ok(()),
            other @ (Verdict::Held | Verdict::Unchecked(_) | Verdict::NotDeterministic) => {
                verdicts.push(other)
            }
        }
    }
    Err(format!("{name} does not notice it: {verdicts:?}").into())
}

fn on_the_fake(name: &str, mutant: &str) -> Result<Verdict, Failed> {
    let kept = catalogue::regression(name).and_then(Result::ok).ok_or("no such kept failure")?;
    let mutants = if mutant.is_empty() { Vec::new() } else { vec![mutant.parse()?] };
    Ok(explore::replay(&Live::new(WorldKind::Fake, mutants), &kept)?.verdict)
}

fn holds(name: &str) -> Result<(), Failed> {
    let verdict = played(name, &[]);
    if verdict == Verdict::Held {
        return Ok(());
    }
    Err(format!("{verdict:?}\nreplay  oldbin-lab replay {name}").into())
}

fn is_noticed(mutant: &str, name: &str) -> Result<(), Failed> {
    let verdict = played(name, &[mutant.parse()?]);
    if matches!(verdict, Verdict::Violated(_)) {
        return Ok(());
    }
    Err(format!("{name} does not notice it: {verdict:?}").into())
}

fn played(name: &str, mutants: &[Mutant]) -> Verdict {
    let kept = catalogue::regression(name).and_then(Result::ok).expect("the catalogue's tests read it");
    replay(&kept, mutant::mistakes(mutants)).verdict
}
