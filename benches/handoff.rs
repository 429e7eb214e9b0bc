//! The handoff on the fake and on real nginx where one is found, by different procedures: from USR2 to the first
//! answer of the new generation, the whole upgrade, and the way back. The floor is the bare signals of the same
//! run; `oldbin-lab bench` prints the ratios.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends here")]

use std::process::ExitCode;
use std::time::Duration;

use criterion::Criterion;
use scenarios::catalogue;
use scenarios::handoff::{Span, spans};
use scenarios::live::{self, Isolation, Setting, nginx};
use scenarios::scenario::{Scenario, Subject, WorldKind};

fn main() -> ExitCode {
    // The agents of the worlds and the fakes are this very executable.
    fake_nginx::run_if_stamped();
    if let Some(code) = live::run_if_agent() {
        return code;
    }
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let releases = nginx::releases();
    for world in [WorldKind::Fake, WorldKind::Real] {
        if world == WorldKind::Real && releases.is_empty() {
            eprintln!("handoff on real nginx is left out: none was found, run scripts/real-nginx");
            continue;
        }
        for entry in catalogue::HANDOFFS {
            handoff(&mut criterion, world, entry.name, &releases);
        }
    }
    criterion.final_summary();
    ExitCode::SUCCESS
}

fn handoff(criterion: &mut Criterion, world: WorldKind, name: &str, releases: &[nginx::Found]) {
    let scenario = catalogue::scenario(name).unwrap().unwrap();
    let setting = setting(world, &scenario, releases);
    let (kind, procedure) = name.split_once("-by-").unwrap();
    let measured: &[Span] =
        if kind == "rollback" { &[Span::Rollback] } else { &[Span::FirstAnswer, Span::Upgrade] };
    for &span in measured {
        criterion.bench_function(&format!("{}/{world}/{procedure}", span.name()), |bencher| {
            bencher.iter_custom(|times| {
                let one = |_| {
                    let trace = live::run(&scenario, &setting).unwrap();
                    let us = spans(&trace).get(&span).copied();
                    Duration::from_micros(us.expect("a procedure that ends well shows its spans"))
                };
                (0..times).map(one).sum()
            });
        });
    }
}

fn setting(world: WorldKind, scenario: &Scenario, releases: &[nginx::Found]) -> Setting {
    let runbooks = scenario
        .acts
        .iter()
        .filter_map(|act| match &act.subject {
            Subject::Runbook { name } => Some((name.clone(), catalogue::runbook(name)?.unwrap())),
            Subject::Orchestrator { .. } | Subject::Command { .. } => None,
        })
        .collect();
    Setting {
        world,
        releases: releases.to_vec(),
        runbooks,
        seed: 1,
        mutants: Vec::new(),
        tells_moments: false,
        isolation: Isolation::Best,
        replay: format!("oldbin-lab run {} --world {world}", scenario.name),
    }
}
