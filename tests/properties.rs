//! Whatever goes wrong half-way through an upgrade, does every request still find a live worker?
//!
//! Random scripts of commands, kills, crashes, reloads, full disks and faulty new binaries are played in the
//! model world, and judged after every step: see `scenarios::model::script`. A tape of numbers makes all
//! choices, so a failure shrinks to a short tape, and then to the few named steps that it stands for. These are kept
//! as a file under `scenarios/catalogue/regressions/`, which `oldbin-lab replay` plays.
//!
//! `OLDBIN_CASES=1000000` plays more, `OLDBIN_TAPE=1,2,3` plays one again.

#![expect(clippy::print_stdout, reason = "a run tells what it counted")]

use std::cell::RefCell;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use scenarios::explore::{Demands, Tally};
use scenarios::model::choice::{Seeded, Strategy, Tape};
use scenarios::model::fault::Fault;
use scenarios::model::script::{Mistakes, Played, Stages};
use scenarios::regression::Regression;

/// How many scripts one test plays.
const CASES: u32 = 2_000;
/// Numbers of a tape; behind its end everything takes its natural course.
const TAPE_MAX: usize = 600;
/// Within how many scripts each deliberate defect must be found.
const DETECTED_WITHIN: u64 = 20_000;

/// Fails if the scripts proved nothing.
fn assert_not_vacuous(tally: &Tally) {
    println!("{tally}");
    let missing = tally.vacuous(&Demands::MODEL, &Fault::drawn().collect::<Vec<_>>());
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

fn cases() -> u32 {
    std::env::var("OLDBIN_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES)
}

/// Plays tapes drawn from `seed`, and panics with the shortest that fails.
fn play_tapes(seed: u64, tally: &RefCell<Tally>) {
    let config =
        Config { cases: cases(), failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let stages = Stages::new(Mistakes::default());
    let ended = runner.run(&vec(any::<u16>(), 0..=TAPE_MAX), |tape| {
        let played = stages.play(&mut Tape::new(&tape));
        tally.borrow_mut().take(&played);
        played.wrong.map_or(Ok(()), |why| Err(TestCaseError::fail(why)))
    });
    match ended {
        Ok(()) => {}
        Err(TestError::Fail(why, tape)) => panic!("seed {seed}: {why}\n{}", told(&stages, &tape)),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// A tape as the few steps that its failure needs, kept as a file, and how to play it again.
fn told(stages: &Stages, tape: &[u16]) -> String {
    let (played, recorder) = stages.explain(Tape::new(tape));
    let is_wrong = |played: &Played| played.wrong.is_some();
    let Some(shrunk) = stages.shrink(&played, recorder.deviations(), &is_wrong) else {
        let numbers: Vec<_> = tape.iter().map(u16::to_string).collect();
        let numbers = numbers.join(",");
        return format!(
            "{:#?}\nreplay  OLDBIN_TAPE={numbers} cargo test --test properties again -- --ignored --nocapture",
            played.script
        );
    };
    let found = Regression::found(&shrunk);
    let path = Path::new(KEPT).join(format!("{}.kdl", found.name));
    match std::fs::write(&path, found.to_string()) {
        Ok(()) => format!("{found}\nreplay  oldbin-lab replay {}", path.display()),
        Err(error) => format!("{found}\ncannot be kept at {}: {error}", path.display()),
    }
}

/// Where failures are kept. A file there that `scenarios::catalogue` does not list fails a test of its own: it is
/// given a name and a story when its defect is mended.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/catalogue/regressions");

#[test]
fn whatever_goes_wrong_a_fresh_connection_finds_a_worker_and_no_claim_is_a_lie() {
    let tally = RefCell::new(Tally::default());

    play_tapes(1, &tally);

    assert_not_vacuous(&tally.into_inner());
}

#[test]
fn the_same_holds_from_a_seed_that_nobody_has_tried() {
    #[expect(clippy::disallowed_methods, reason = "a seed that nobody has tried comes from outside")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = u64::from(now.subsec_nanos()) ^ (now.as_secs() << 20);
    let tally = RefCell::new(Tally::default());

    play_tapes(seed, &tally);

    assert_not_vacuous(&tally.into_inner());
}

#[test]
#[ignore = "plays OLDBIN_TAPE again"]
fn again() {
    let text = std::env::var("OLDBIN_TAPE").expect("OLDBIN_TAPE holds the numbers of a tape");
    let tape: Vec<u16> = text.split(',').map(|word| word.parse().unwrap()).collect();
    let stages = Stages::new(Mistakes::default());
    let (played, _) = stages.explain(Tape::new(&tape));
    for event in &played.events {
        println!("{:>12} {}", event.at_us, serde_json::to_string(&event.what).unwrap());
    }
    assert_eq!(played.wrong, None, "{}", told(&stages, &tape));
}

#[test]
fn the_same_tape_gives_the_same_run() {
    let stages = Stages::new(Mistakes::default());
    for seed in 0..50 {
        let first = stages.explain(Seeded::new(seed)).0;
        let again = stages.explain(Seeded::new(seed)).0;
        assert_eq!(first, again, "seed {seed}");
    }
}

/// From how many places in the seeds each strategy sets out, so that its luck is told from its worth.
const STARTS: u64 = 9;

/// The table of `docs/exploring.md`: after how many scripts each strategy finds each defect, in the median.
#[test]
#[ignore = "measures the strategies, for a minute or two"]
fn a_portfolio_finds_every_deliberate_defect_from_wherever_it_starts() {
    const STRATEGIES: [Strategy; 4] = [Strategy::Seeded, Strategy::Swarm, Strategy::Pct, Strategy::Portfolio];
    println!("{:50} {:>9} {:>9} {:>9} {:>9}", "", "seeded", "swarm", "pct", "portfolio");
    let mut missed = Vec::new();
    for (name, mistakes) in mistakes() {
        let stages = Stages::new(mistakes);
        let within = |strategy: Strategy, start: u64| {
            let is_found = |seed: &u64| stages.play(&mut *strategy.chooser(start + seed)).wrong.is_some();
            (0..DETECTED_WITHIN).find(is_found).map_or(u64::MAX, |seed| seed + 1)
        };
        let medians = STRATEGIES.map(|strategy| {
            let mut all: Vec<_> = (0..STARTS).map(|nth| within(strategy, nth * DETECTED_WITHIN)).collect();
            all.sort_unstable();
            if strategy == Strategy::Portfolio && all.contains(&u64::MAX) {
                missed.push(name.clone());
            }
            match all[all.len() / 2] {
                u64::MAX => "-".to_owned(),
                median => median.to_string(),
            }
        });
        println!("{name:50} {:>9} {:>9} {:>9} {:>9}", medians[0], medians[1], medians[2], medians[3]);
    }
    assert!(missed.is_empty(), "not found within {DETECTED_WITHIN} scripts: {missed:?}");
}

/// Defects of the fake that no promise of the orchestrator depends on: it lives with them, or the model has nothing that
/// would show them. `oldbin-lab verify` finds each of them beside real nginx (`tests/differential.rs`).
const BEYOND_THE_PROMISES: [&str; 13] = [
    "handles-the-lowest-first",
    "goes-on-behind-reconfigure",
    "test-makes-no-pid-file",
    "signaller-exits-zero",
    "forgets-its-parent",
    "shrugs-off-a-missing-pid-file",
    "adds-no-second-set",
    "waits-for-hup",
    "promises-keep-alive",
    "leaves-the-old-pid-file",
    "leaves-unix-sockets",
    "watches-all-clones",
    "keeps-inherited-sockets",
];

/// Defects of the orchestrator that the strategies are measured by; `tests/defects.rs` looks for all.
const MEASURED: [&str; 7] = [
    "quits-without-looking",
    "believes-the-pid-file",
    "leaves-doubled-workers",
    "forgets-the-file",
    "retires-before-reviving",
    "ignores-orphans",
    "announces-late",
];

/// One deliberate defect each, the fake's and the orchestrator's.
fn mistakes() -> Vec<(String, Mistakes)> {
    let concern_promises = |name: &&str| !BEYOND_THE_PROMISES.contains(name);
    let fakes = fake_nginx::machine::Defects::names().filter(concern_promises).map(|name| {
        let nginx = fake_nginx::machine::Defects::named([name]).expect("a name of the list");
        (format!("fake.{name}"), Mistakes { nginx, ..Mistakes::default() })
    });
    let ours = MEASURED.iter().map(|name| {
        let oldbin = orchestrator::machine::Defects::named([*name]);
        (format!("orchestrator.{name}"), Mistakes { oldbin, ..Mistakes::default() })
    });
    fakes.chain(ours).collect()
}
