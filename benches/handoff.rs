//! The handoff, by three procedures, on the fake and on real nginx where one is found: from the first USR2 to
//! the old master's end. The floor is the bare signals of the same run; `oldbin-lab bench` prints the ratios.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends here")]

use std::process::ExitCode;
use std::time::Duration;

use criterion::Criterion;
use scenarios::catalogue;
use scenarios::handoff::Handoff;
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
    let procedure = name.trim_start_matches("handoff-by-");
    criterion.bench_function(&format!("handoff/{world}/{procedure}"), |bencher| {
        bencher.iter_custom(|times| {
            let one = |_| {
                let trace = live::run(&scenario, &setting).unwrap();
                let handoff = Handoff::of(&trace).expect("an upgrade that ends has a handoff");
                Duration::from_micros(handoff.handoff_us)
            };
            (0..times).map(one).sum()
        });
    });
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
        isolation: Isolation::Best,
        replay: format!("oldbin-lab run {} --world {world}", scenario.name),
    }
}
