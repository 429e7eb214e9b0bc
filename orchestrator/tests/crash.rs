//! `oldbin` killed at every call, and what the next run makes of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]
#![expect(clippy::wildcard_enum_match_arm, reason = "most faults do nothing at most moments")]

mod world;

use orchestrator::driver::drive;
use orchestrator::host::HostError;
use orchestrator::machine::{Defect, Defects, Goal, Memory, Outcome, Signal};
use world::{Crash, Fault, World, intent};

/// Runs an upgrade; if it is killed, the next run goes on towards `then`.
fn run(world: &mut World, then: Goal, soak_ms: u64) -> Outcome {
    let first = drive(world, &intent(Goal::Forward, false, soak_ms), Memory::new(), |_, _| {});
    match first {
        Ok((outcome, _)) => outcome,
        Err(HostError::Os { what, .. }) => panic!("{what}"),
        Err(HostError::Crashed) => {
            world.revive();
            let Some(memory) = world.saved.clone() else { return Outcome::Refused };
            drive(world, &intent(then, false, soak_ms), memory, |_, _| {}).unwrap().0
        }
    }
}

fn count(world: &World, signal: Signal) -> usize {
    world.signals.iter().filter(|(_, sent)| *sent == signal).count()
}

#[test]
fn a_sound_binary_is_upgraded_to_without_a_deaf_moment() {
    for lag in 0..6 {
        for soak_ms in [0, 100] {
            let mut world = World::new(Fault::None, lag);
            assert_eq!(run(&mut world, Goal::Forward, soak_ms), Outcome::Upgraded);
            assert!(world.is_upgraded() && !world.is_deaf, "lag {lag}");
            let sent: Vec<_> = world.signals.iter().map(|(_, signal)| *signal).collect();
            assert_eq!(sent, [Signal::Usr2, Signal::Winch, Signal::Quit], "lag {lag}");
        }
    }
}

#[test]
fn a_broken_binary_is_rolled_back_from_whatever_it_breaks() {
    let faults = [
        Fault::ExitsAtStart,
        Fault::NeverReady,
        Fault::WorkersDieAtStart,
        Fault::MasterDiesAfterWinch,
        Fault::MasterKilledAfterWinch,
        Fault::WorkerDiesAfterWinch,
        Fault::IgnoresUsr2,
    ];
    for fault in faults {
        for lag in 0..6 {
            let mut world = World::new(fault, lag);
            assert_eq!(run(&mut world, Goal::Forward, 100), Outcome::RolledBack, "{fault:?} lag {lag}");
            assert!(world.is_rolled_back(), "{fault:?} lag {lag}");
            // Between the death of a whole generation and nginx's own restart of the workers nobody can serve.
            let dies_whole = fault == Fault::MasterDiesAfterWinch;
            assert!(!world.is_deaf || dies_whole, "{fault:?} lag {lag}");
        }
    }
}

#[test]
fn a_resumed_upgrade_ends_well_wherever_it_was_killed() {
    for then in [Goal::Forward, Goal::Back, Goal::Commit] {
        for lag in [0, 1, 3, 7, 40] {
            for fault in [Fault::None, Fault::ExitsAtStart, Fault::WorkerDiesAfterWinch] {
                every_crash(then, lag, fault);
            }
        }
    }
}

fn every_crash(then: Goal, lag: u32, fault: Fault) {
    let mut reference = World::new(fault, lag);
    run(&mut reference, then, 20);
    for at in 1..=reference.calls {
        for crash in [Crash::Before(at), Crash::After(at)] {
            let mut world = World::new(fault, lag);
            world.crash = crash;
            let outcome = run(&mut world, then, 20);
            let context =
                format!("{crash:?} then {then:?}, lag {lag}, {fault:?}: {outcome:?} {:?}", world.signals);
            match outcome {
                Outcome::Upgraded => assert!(world.is_upgraded(), "{context}"),
                Outcome::RolledBack | Outcome::Refused => assert!(world.is_rolled_back(), "{context}"),
                Outcome::Held | Outcome::Draining | Outcome::Stuck(_) => panic!("{context}"),
            }
            assert!(!world.is_deaf, "{context}");
            // A binary that is gone before anybody saw it is started once more, and once more by whoever goes on.
            let starts_max = if fault == Fault::ExitsAtStart { 3 } else { 1 };
            assert!(count(&world, Signal::Usr2) <= starts_max, "{context}");
            assert!(count(&world, Signal::Hup) <= 1, "{context}");
            assert!(world.max_old_workers <= 2, "{context}");
        }
    }
}

#[test]
fn ctrl_c_rolls_back_before_the_commit_point_and_not_behind_it() {
    for lag in [0, 2, 5] {
        let mut reference = World::new(Fault::None, lag);
        run(&mut reference, Goal::Forward, 50);
        for at in 1..=reference.calls {
            let mut world = World::new(Fault::None, lag);
            world.interrupt_at = Some(at);
            match run(&mut world, Goal::Forward, 50) {
                Outcome::Upgraded => assert!(world.is_upgraded(), "at {at}"),
                Outcome::RolledBack | Outcome::Refused => assert!(world.is_rolled_back(), "at {at}"),
                outcome @ (Outcome::Held | Outcome::Draining | Outcome::Stuck(_)) => {
                    panic!("at {at}: {outcome:?}")
                }
            }
            assert!(!world.is_deaf, "at {at}");
        }
    }
}

#[test]
fn a_full_disk_turns_back_and_does_not_stop_the_way_back() {
    for saves in 0..4 {
        let mut world = World::new(Fault::JournalFailsAfter(saves), 1);
        let outcome = if saves == 0 { Outcome::Refused } else { Outcome::RolledBack };
        assert_eq!(run(&mut world, Goal::Forward, 50), outcome, "after {saves}");
        assert!(world.is_rolled_back() && !world.is_deaf, "after {saves}");
    }
}

#[test]
fn a_held_upgrade_is_committed_or_rolled_back_as_asked() {
    for (goal, outcome) in [(Goal::Commit, Outcome::Upgraded), (Goal::Back, Outcome::RolledBack)] {
        let mut world = World::new(Fault::None, 2);
        let held = drive(&mut world, &intent(Goal::Forward, true, 10), Memory::new(), |_, _| {}).unwrap();
        assert_eq!(held.0, Outcome::Held);
        let memory = world.saved.clone().unwrap();
        let ended = drive(&mut world, &intent(goal, true, 10), memory, |_, _| {}).unwrap();
        assert_eq!(ended.0, outcome);
        assert!(!world.is_deaf);
        assert_eq!(world.is_upgraded(), goal == Goal::Commit);
    }
}

#[test]
fn the_mutants_break_a_promise() {
    let mut world = World::new(Fault::ExitsAtStart, 20);
    let mut mutant = intent(Goal::Forward, false, 0);
    mutant.defects = Defects::from_iter([Defect::QuitsWithoutLooking]);
    drive(&mut world, &mutant, Memory::new(), |_, _| {}).unwrap();
    assert!(world.is_deaf && !world.is_upgraded());

    let mut world = World::new(Fault::ExitsAtStart, 3);
    let mut mutant = intent(Goal::Forward, false, 0);
    mutant.defects = Defects::from_iter([Defect::ForgetsTheFile]);
    drive(&mut world, &mutant, Memory::new(), |_, _| {}).unwrap();
    assert!(!world.is_rolled_back());

    let mut world = World::new(Fault::MasterKilledAfterWinch, 3);
    let mut mutant = intent(Goal::Forward, false, 50);
    mutant.defects = Defects::from_iter([Defect::IgnoresOrphans]);
    drive(&mut world, &mutant, Memory::new(), |_, _| {}).unwrap();
    assert!(!world.is_rolled_back());
}
