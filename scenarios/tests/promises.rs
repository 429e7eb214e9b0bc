//! What the orchestrator promises, asked within some seconds: of every interleaving within the bounds that every change
//! must pass, with looks taken whole, and of some thousand random scripts.
//!
//! `oldbin-lab explore` asks more and tells more. This is what a mutant is shown that the tables of decisions have let
//! pass (`docs/mutation-testing.md`): it stops at the first thing that is wrong, and knows no number of states, so
//! whoever keeps every promise in another way passes.

use scenarios::explore::Stop;
use scenarios::model::choice::Seeded;
use scenarios::model::exhaustive::{self, Cell, Limits, Whole};
use scenarios::model::script::{Mistakes, Stages};

/// How many random scripts are played.
const SCRIPTS: u64 = 5_000;

/// Red when an order of steps within a small bound breaks a rule, or cannot come to a calm end.
#[test]
fn every_promise_is_kept_within_the_bounds_of_every_change() {
    for cell in exhaustive::cells() {
        let cell = Cell { whole: cell.whole.max(Whole::Looks), ..cell };
        let limits = Limits { first_only: true, ..Limits::EVERYTHING };
        let report = exhaustive::explore(&cell, Mistakes::default(), limits, &mut |_| Stop::No);
        assert_eq!(report.found, [], "{cell}");
    }
}

/// Red when a draw of commands, faults and steps breaks a rule.
#[test]
fn every_promise_is_kept_in_random_scripts() {
    let stages = Stages::new(Mistakes::default());
    for seed in 0..SCRIPTS {
        let played = stages.play(&mut Seeded::new(seed));
        assert_eq!(played.wrong, None, "oldbin-lab explore --seed {seed} --scripts 1");
    }
}
