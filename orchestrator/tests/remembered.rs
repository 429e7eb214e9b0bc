//! What is remembered with each step, for the steps behind it, and for a run that goes on behind a crash.
//!
//! Each line is red when the step forgets it.

mod table;

use orchestrator::machine::{
    Action, Decision, Identity, Intent, Memory, Missing, Observation, Options, Outcome, Phase, PidFile, Plan,
    Process, Reason, Retire, Retirement, Signal, Title, decide,
};
use table::{NEW, OLD, before, drained, generation, intent, memory, overlap, process, reason, sent, winched};

/// The memory behind a step.
fn behind(memory: &Memory, seen: &Observation, now_ms: u64) -> (Option<(u32, Signal)>, Memory) {
    let decision = decide(&intent(), memory, seen, now_ms);
    let told = sent(&decision);
    match decision {
        Decision::Act(_, known) | Decision::Finished(_, known) => (told, known),
        Decision::Ask(_) | Decision::Wait { .. } => panic!("it does something: {decision:?}"),
    }
}

fn pids(all: &[Identity]) -> Vec<u32> {
    all.iter().map(|identity| identity.pid).collect()
}

fn old_with(children: &[Process], seen: Observation) -> Observation {
    Observation { old: Some(generation(100, OLD, children)), ..seen }
}

/// The old master is gone, and the new generation serves alone.
fn alone() -> Observation {
    Observation { old: None, oldbin: PidFile::Absent, ..drained() }
}

/// Somebody was told this, once, a while ago.
fn told(how: Retire) -> Retirement {
    Retirement { how, since_ms: 0, is_repeated: false }
}

#[test]
fn who_served_is_known_before_usr2_and_before_winch() {
    let installed = Observation { binary: Some(NEW), ..before() };
    let (usr2, changing) = behind(&memory(Phase::Installing), &installed, 10);
    assert_eq!(usr2, Some((100, Signal::Usr2)));
    assert_eq!((changing.old_count, pids(&changing.old_workers)), (2, vec![101, 102]));

    let reloaded = [Title::Worker, Title::ShuttingDown].map(|title| process(103 + title as u32, OLD, title));
    let seen = old_with(&reloaded, overlap());
    let (winch, draining) = behind(&memory(Phase::Changing), &seen, 10);
    assert_eq!(winch, Some((100, Signal::Winch)));
    assert_eq!(pids(&draining.old_workers), [reloaded[0].identity.pid]);
    assert_eq!(pids(&draining.old_draining), [reloaded[1].identity.pid]);
    assert!(draining.is_winch_unsure && draining.winched_ms == Some(10));
    let (winch, again) = behind(&winched(Phase::Draining), &overlap(), 1_000);
    assert_eq!(winch, Some((100, Signal::Winch)));
    assert!(again.is_winch_unsure, "this one may never be sent, either");
}

#[test]
fn usr2_is_announced_again_only_once_and_a_missing_pid_file_is_then_missing_anew() {
    let seen = Observation { binary: Some(NEW), ..before() };
    let known = Memory { missing: Some((Missing::PidFile, 0)), ..memory(Phase::Changing) };
    let (usr2, again) = behind(&known, &seen, 10);
    assert_eq!(usr2, Some((100, Signal::Usr2)));
    assert_eq!((again.is_asked_again, again.missing), (true, None));
}

#[test]
fn a_new_master_that_is_left_alone_is_known_with_its_workers_and_was_told_nothing() {
    let (_, committing) = behind(&memory(Phase::Changing), &alone(), 10);
    assert_eq!(committing.phase, Phase::Committing);
    assert_eq!(committing.new.as_ref().map(|new| new.pid), Some(200));
    assert_eq!(pids(&committing.new_workers), [201, 202]);

    // On the way back, where it was meant to go, and has never been told so.
    let back = Memory { new: None, master: told(Retire::Quit), ..winched(Phase::Back) };
    let (_, kept) = behind(&back, &alone(), 10);
    assert_eq!(kept.phase, Phase::Committing, "nobody has told it, so nobody is waited for");
    assert_eq!(kept.new.as_ref().map(|new| new.pid), Some(200));
    assert_eq!(kept.master, Retirement::NONE);
}

#[test]
fn a_new_master_that_is_told_to_go_is_known_with_all_its_children() {
    let unknown = Memory {
        new: None,
        new_workers: vec![process(203, NEW, Title::Worker).identity],
        ..memory(Phase::Back)
    };
    let restored = Observation { binary: Some(OLD), ..overlap() };
    let (quit, known) = behind(&unknown, &restored, 10);
    assert_eq!(quit, Some((200, Signal::Quit)));
    assert_eq!(known.new.as_ref().map(|new| new.pid), Some(200));
    assert_eq!(pids(&known.new_workers), [201, 202, 203]);
    assert!(known.is_new_told);

    // A second QUIT, and WINCH behind it, keep the time of the first.
    let (quit, twice) =
        behind(&Memory { master: told(Retire::Quit), ..memory(Phase::Back) }, &restored, 1_500);
    assert_eq!(quit, Some((200, Signal::Quit)));
    assert_eq!(twice.master, Retirement { is_repeated: true, ..told(Retire::Quit) });
    let (winch, deaf) = behind(&twice, &restored, 2_000);
    assert_eq!(winch, Some((200, Signal::Winch)));
    assert_eq!(deaf.master, Retirement { how: Retire::Winch, ..twice.master });
}

/// Who is there before the first HUP is no sign of it; who comes between two of them is one of the first.
#[test]
fn hup_is_counted_and_who_is_there_before_the_first_is_known() {
    let unborn = process(111, OLD, Title::Master);
    let restored = old_with(&[unborn], Observation { binary: Some(OLD), ..drained() });
    let known = Memory { missing: Some((Missing::OldWorkers, 0)), ..winched(Phase::Back) };
    let (hup, first) = behind(&known, &restored, 10);
    assert_eq!(hup, Some((100, Signal::Hup)));
    assert_eq!((first.hups, first.hupped_ms, first.missing), (1, Some(10), None));
    assert_eq!(pids(&first.old_workers), [101, 102, 111]);
    let once = Memory { hups: 1, hupped_ms: Some(10), ..known };
    let (hup, second) = behind(&once, &restored, 5_000);
    assert_eq!(hup, Some((100, Signal::Hup)));
    assert_eq!((second.hups, pids(&second.old_workers)), (2, vec![101, 102]));
}

#[test]
fn workers_without_a_master_are_told_one_thing_after_the_other() {
    let left = |title| Observation { orphans: vec![process(101, OLD, title)], ..alone() };
    let (_, told_once) = behind(&winched(Phase::Committing), &left(Title::Worker), 10);
    assert_eq!(told_once.orphans, Retirement { since_ms: 10, ..told(Retire::Quit) });
    let told_at = |seen: &Observation| match decide(&intent(), &told_once, seen, 1_500) {
        Decision::Act(Action::SignalOrphans { signal, .. }, known) => {
            Some((signal, known.orphans.is_repeated))
        }
        Decision::Act(..) | Decision::Ask(_) | Decision::Wait { .. } | Decision::Finished(..) => None,
    };
    assert_eq!(told_at(&left(Title::Worker)), Some((Signal::Quit, true)), "it accepts as before");
    assert_eq!(told_at(&left(Title::ShuttingDown)), None, "it has heard");
}

/// One that has told nothing of itself, and is waited for no more, keeps nobody from telling the others to go.
#[test]
fn who_does_not_tell_what_it_is_does_not_hold_up_the_others() {
    let orphans = vec![process(103, OLD, Title::Master), process(104, OLD, Title::Worker)];
    let doubting = Memory { doubted_ms: Some(0), ..winched(Phase::Committing) };
    let decision = decide(&intent(), &doubting, &Observation { orphans, ..alone() }, 1_000);
    let Decision::Act(Action::SignalOrphans { processes, .. }, _) = decision else { panic!("{decision:?}") };
    assert_eq!(pids(&processes), [104]);
}

#[test]
fn what_is_missing_behind_the_commit_point_counts_from_the_end_of_the_old_master() {
    let committing = Memory { master: told(Retire::Quit), ..winched(Phase::Committing) };
    let (_, known) = behind(&committing, &alone(), 70_000);
    assert_eq!((known.since_ms, known.master), (70_000, Retirement::NONE));
}

#[test]
fn an_old_master_that_is_left_to_its_connections_is_told_once_more_and_no_more() {
    let Intent { goal, plan, defects } = intent();
    let options = Options { drain_within_ms: Some(5_000), leaves_drain: true, ..Options::NONE };
    let intent = Intent { goal, plan: Plan { options, ..plan }, defects };
    let draining = old_with(&[process(101, OLD, Title::ShuttingDown)], overlap());
    let committing = Memory { master: told(Retire::Quit), ..winched(Phase::Committing) };
    let Decision::Act(Action::Signal { signal: Signal::Quit, .. }, again) =
        decide(&intent, &committing, &draining, 5_000)
    else {
        panic!("QUIT may never have been sent")
    };
    assert_eq!(again.master, Retirement { since_ms: 5_000, is_repeated: true, ..told(Retire::Quit) });
    let left = decide(&intent, &again, &draining, 5_001);
    assert!(matches!(left, Decision::Finished(Outcome::Draining, _)), "{left:?}");
}

/// Red when a count, a doubt or a patience of one phase is found in the next one.
#[test]
fn a_phase_begins_with_nothing_tried_and_nothing_missing() {
    let soaking = Memory {
        tries: 2,
        doubted_ms: Some(1),
        missing: Some((Missing::PidFile, 1)),
        master: told(Retire::Kill),
        ..winched(Phase::Soaking)
    };
    let (_, back) = behind(&soaking, &Observation { new: None, ..drained() }, 10);
    let expected = Memory { since_ms: 10, abort: Some(Reason::NewMasterDied), ..winched(Phase::Back) };
    assert_eq!(back, expected);
    let watching = Memory { missing: Some((Missing::NewWorkers, 1)), ..winched(Phase::Watching) };
    let options = Options { watch_ms: 3_000, ..Options::NONE };
    let Intent { goal, plan, defects } = intent();
    let intent = Intent { goal, plan: Plan { options, ..plan }, defects };
    let calm = decide(&intent, &watching, &alone(), 10);
    assert_eq!(calm, Decision::Act(Action::Note, winched(Phase::Watching)), "they have come back");
}

#[test]
fn a_refusal_knows_why() {
    let interrupted = Observation { is_interrupted: true, ..before() };
    let refused = decide(&intent(), &memory(Phase::Planned), &interrupted, 10);
    assert_eq!(reason(&refused), Some(&Reason::Interrupted));
}
