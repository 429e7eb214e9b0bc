//! Every interleaving within a bound: states per second, beside another model checker over the same states in the same
//! run, and what a state takes in memory.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on ends here, and says what it has measured"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nix::sys::resource::{UsageWho, getrusage};
use scenarios::explore::Stop;
use scenarios::model::exhaustive::{self, Limits, Place, Report, Space};
use scenarios::model::script::Mistakes;
use stateright::{Checker as _, Model as _};

#[path = "../scenarios/src/model/exhaustive/checker.rs"]
mod checker;

use checker::Stateright;

/// Small enough to be visited many times.
const SMALL: &str = "upgrade";
/// Large enough that the states outweigh everything else.
const LARGE: &str = "upgrade crashes=1 fresh=1";

fn visit(bound: &str, reduces: bool) -> Report {
    let cell = exhaustive::named(bound).expect("a bound");
    let limits = Limits { reduces, ..Limits::EVERYTHING };
    exhaustive::explore(&cell, Mistakes::default(), limits, &mut |_| Stop::No)
}

fn exploring(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exploring");
    let states = visit(SMALL, false).states as u64;
    group.throughput(Throughput::Elements(states));
    group.bench_function("own", |bencher| bencher.iter(|| visit(SMALL, false).states));
    group.bench_function("stateright", |bencher| {
        bencher.iter(|| {
            let cell = exhaustive::named(SMALL).expect("a bound");
            let model = Stateright(Space::new(cell, Mistakes::default()));
            model.checker().threads(1).spawn_bfs().join().unique_state_count()
        });
    });
    group.throughput(Throughput::Elements(visit(SMALL, true).states as u64));
    group.bench_function("own, reduced", |bencher| bencher.iter(|| visit(SMALL, true).states));
    group.finish();

    let before = peak_bytes();
    let Report { states, edges, waiting_max, .. } = visit(LARGE, true);
    let taken = peak_bytes().saturating_sub(before);
    println!(
        "{LARGE}: {states} states, {edges} steps, at most {waiting_max} states waited: {} bytes a state",
        taken / states as u64
    );
}

/// The most memory that this process has had so far.
fn peak_bytes() -> u64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
    u64::try_from(usage.max_rss()).unwrap_or(0) * 1_024
}

criterion_group!(benches, exploring);
criterion_main!(benches);
