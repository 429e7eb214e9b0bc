//! What random scripts once found is played again for ever, and deliberate defects show that a replay can fail.
//!
//! One test for each file of `scenarios/catalogue/regressions/`, by its name: it must hold, and every fault that it
//! tells must strike. What turns one red: the defect of the orchestrator, or of the model, that it was found by.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::catalogue;
use scenarios::model::script::Mistakes;
use scenarios::mutant::{self, Mutant};
use scenarios::regression::{Verdict, replay};

/// Deliberate defects, each with a kept failure that must notice.
const MUTANTS: [(&str, &str); 8] = [
    ("fake.forgets-to-rename-oldbin-back", "workers-are-doubled-when-the-new-master-dies-before-hup-arrives"),
    ("fake.respawns-nobody", "an-old-worker-is-killed-while-winch-is-on-its-way"),
    ("fake.deletes-the-wrong-pid-file", "the-disk-is-full-twice-and-two-upgrades-are-typed"),
    ("fake.closes-listeners-on-noaccept", "ctrl-c-and-a-killed-new-master-double-the-workers"),
    ("orchestrator.quits-without-looking", "orphans-of-the-old-master-meet-a-full-disk"),
    ("orchestrator.forgets-the-file", "a-worker-and-then-the-new-master-die-in-the-soak"),
    ("orchestrator.retires-before-reviving", "the-old-master-is-killed-on-the-way-back"),
    ("orchestrator.ignores-orphans", "an-old-worker-and-the-new-master-are-killed-before-winch"),
];

fn main() -> ExitCode {
    let kept = catalogue::REGRESSIONS.iter().map(|entry| Trial::test(entry.name, || holds(entry.name)));
    let mutants = MUTANTS
        .iter()
        .map(|&(mutant, name)| Trial::test(format!("{mutant} is noticed"), move || is_noticed(mutant, name)));
    libtest_mimic::run(&Arguments::from_args(), kept.chain(mutants).collect()).exit_code()
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
    let mistakes =
        Mistakes { nginx: mutant::fake_defects(mutants), oldbin: mutant::orchestrator_defects(mutants) };
    replay(&kept, mistakes).verdict
}
