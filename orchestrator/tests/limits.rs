//! How often, and for how long: what is still waited for a moment before a limit, and no longer at it.
//!
//! Each line is red when its limit is forgotten, is taken for another one, or lies a try or a millisecond off.

mod table;

use orchestrator::machine::{
    Action, Decision, Generation, Identity, Intent, Memory, Missing, Observation, Options, Outcome, Phase,
    PidFile, Plan, Process, Reason, Retire, Retirement, Side, Signal, StuckState, Title, Waiting, decide,
};
use table::{NEW, OLD, before, drained, generation, intent, memory, overlap, process, reason, sent, winched};

fn with_options(options: Options) -> Intent {
    let Intent { goal, plan, defects } = intent();
    Intent { goal, plan: Plan { options, ..plan }, defects }
}

/// The old master sleeps, and has these children.
fn old_with(children: &[Process], seen: Observation) -> Observation {
    Observation { old: Some(generation(100, OLD, children)), ..seen }
}

fn workers<const N: usize>(pids: [u32; N]) -> [Process; N] {
    pids.map(|pid| process(pid, OLD, Title::Worker))
}

/// The old master is gone, and the new generation serves alone.
fn alone() -> Observation {
    Observation { old: None, oldbin: PidFile::Absent, ..drained() }
}

/// What an action is known by.
type IsIt = fn(&Action) -> bool;

/// How often this is done, if nothing ever comes of it, until the phase ends or nothing more is done.
fn tries(memory: &Memory, seen: &Observation, is_it: IsIt) -> usize {
    let mut known = memory.clone();
    let mut done = 0;
    for now_ms in (0..600_000).step_by(500) {
        match decide(&intent(), &known, seen, now_ms) {
            Decision::Act(action, next) => {
                done += usize::from(is_it(&action));
                known = next;
            }
            Decision::Ask(_) | Decision::Wait { .. } => {}
            Decision::Finished(..) => break,
        }
        if known.phase != memory.phase {
            break;
        }
    }
    done
}

#[test]
fn what_never_helps_is_tried_so_often_and_no_more() {
    let winches: IsIt = |action| matches!(action, Action::Signal { process, signal: Signal::Winch, .. } if process.pid == 100);
    let hups: IsIt =
        |action| matches!(action, Action::Signal { process, signal: Signal::Hup, .. } if process.pid == 100);
    let unsure = Memory { is_winch_unsure: true, ..winched(Phase::Draining) };
    let restored = Observation { binary: Some(OLD), ..drained() };
    let renamed = Observation { pid_file: PidFile::Absent, oldbin: PidFile::Pid(100), ..before() };
    let doubled = old_with(&workers([103, 104, 105, 106]), before());
    let put_back = Observation { binary: Some(OLD), ..alone() };
    let left = Observation { oldbin: PidFile::Pid(100), ..alone() };
    let cases: [(&str, Memory, Observation, IsIt, usize); 9] = [
        ("WINCH to workers that accept", winched(Phase::Draining), overlap(), winches, 3),
        ("WINCH that may not have been sent", unsure, drained(), winches, 3),
        ("HUP that brings nobody", winched(Phase::Back), restored, hups, 3),
        ("HUP to twice as many", winched(Phase::Back), doubled, hups, 6),
        (
            "the old file, on the way back",
            memory(Phase::Back),
            Observation { binary: Some(NEW), ..before() },
            |action| *action == Action::Replace(Side::Old),
            3,
        ),
        ("the pid file", memory(Phase::Back), renamed, |action| *action == Action::RenameOldbinBack, 6),
        (
            "the new file, where the old master died on the way back",
            winched(Phase::Back),
            put_back.clone(),
            |action| *action == Action::Replace(Side::New),
            6,
        ),
        (
            "the new file, behind the commit point",
            winched(Phase::Committing),
            put_back,
            |action| *action == Action::Replace(Side::New),
            6,
        ),
        ("the oldbin file", winched(Phase::Committing), left, |action| *action == Action::RemoveOldbin, 3),
    ];
    for (what, memory, seen, is_it, times) in cases {
        assert_eq!(tries(&memory, &seen, is_it), times, "{what}");
    }
}

/// What is due at a limit.
type Due = fn(&Decision) -> bool;

fn stuck(decision: &Decision) -> Option<StuckState> {
    match decision {
        Decision::Finished(Outcome::Stuck(state), _) => Some(*state),
        Decision::Act(..) | Decision::Ask(_) | Decision::Wait { .. } | Decision::Finished(..) => None,
    }
}

/// Waits one millisecond before it, and does what is due at it.
fn assert_limit(what: &str, intent: &Intent, memory: &Memory, seen: &Observation, (at_ms, due): (u64, Due)) {
    let early = decide(intent, memory, seen, at_ms - 1);
    assert!(matches!(early, Decision::Wait { .. }), "{what}: {early:?}");
    let late = decide(intent, memory, seen, at_ms);
    assert!(due(&late), "{what}: {late:?}");
}

#[test]
fn a_signal_is_given_its_time_before_the_next_one() {
    let told = |how| {
        let master = Retirement { how, since_ms: 0, is_repeated: true };
        Memory { master, ..memory(Phase::Back) }
    };
    let restored = || Observation { binary: Some(OLD), ..overlap() };
    let hupped = Memory { hups: 1, hupped_ms: Some(0), ..winched(Phase::Back) };
    let again = Memory { tries: 1, ..winched(Phase::Draining) };
    let last = Memory { tries: 3, ..winched(Phase::Draining) };
    let cases: [(&str, Memory, Observation, u64, Due); 5] = [
        ("HUP, then HUP", hupped, Observation { binary: Some(OLD), ..drained() }, 1_000, |decision| {
            sent(decision) == Some((100, Signal::Hup))
        }),
        ("the second WINCH, then the third", again, overlap(), 2_000, |decision| {
            sent(decision) == Some((100, Signal::Winch))
        }),
        ("the last WINCH, then the way back", last, overlap(), 10_000, |decision| {
            reason(decision) == Some(&Reason::OldWorkersKeepAccepting)
        }),
        ("TERM, then KILL", told(Retire::Term), restored(), 5_000, |decision| {
            sent(decision) == Some((200, Signal::Kill))
        }),
        ("KILL, and then nothing is left", told(Retire::Kill), restored(), 5_000, |decision| {
            stuck(decision) == Some(StuckState::NewGenerationStays)
        }),
    ];
    for (what, memory, seen, at_ms, due) in cases {
        assert_limit(what, &intent(), &memory, &seen, (at_ms, due));
    }
}

#[test]
fn what_should_come_by_itself_is_given_its_time() {
    let missing = |what, memory| Memory { missing: Some((what, 0)), ..memory };
    let hupped =
        || missing(Missing::OldWorkers, Memory { hups: 3, hupped_ms: Some(0), ..winched(Phase::Back) });
    let restored = || Observation { binary: Some(OLD), ..drained() };
    let draining = old_with(&[process(101, OLD, Title::ShuttingDown)], restored());
    let mut busy = restored();
    busy.old.iter_mut().for_each(|old: &mut Generation| old.is_asleep = false);
    let mut few = alone();
    few.new.iter_mut().for_each(|new| new.children.truncate(1));
    let spoilt = Observation { pid_file: PidFile::Garbage, ..before() };
    let no_workers: Due = |decision| stuck(decision) == Some(StuckState::OldWorkersMissing);
    let cases: [(&str, Memory, Observation, u64, Due); 6] = [
        ("the old workers", hupped(), restored(), 5_000, no_workers),
        ("the old workers, while some drain", hupped(), draining, 60_000, no_workers),
        ("the old workers, of a busy master", hupped(), busy, 10_000, no_workers),
        ("the pid file", missing(Missing::PidFile, memory(Phase::Back)), spoilt, 6_000, |decision| {
            stuck(decision) == Some(StuckState::PidFileWrong)
        }),
        (
            "a worker in the watch",
            missing(Missing::NewWorkers, winched(Phase::Watching)),
            few.clone(),
            5_000,
            |it| stuck(it) == Some(StuckState::NewWorkersMissing),
        ),
        ("a new master that is left alone", memory(Phase::Changing), few, 5_000, |decision| {
            stuck(decision) == Some(StuckState::OnlyUnfitNewMaster)
        }),
    ];
    for (what, memory, seen, at_ms, due) in cases {
        assert_limit(what, &intent(), &memory, &seen, (at_ms, due));
    }
}

#[test]
fn old_workers_drain_as_long_as_the_operator_says() {
    let intent = with_options(Options { drain_within_ms: Some(5_000), ..Options::NONE });
    let seen = old_with(&[process(101, OLD, Title::ShuttingDown)], drained());
    assert_limit(
        "drain",
        &intent,
        &winched(Phase::Soaking),
        &seen,
        (5_000, |decision| sent(decision) == Some((100, Signal::Quit))),
    );
}

/// A reload that ends with the watch has its workers tell that they go; a master that is busy may be about to reload.
#[test]
fn workers_that_are_too_many_at_the_end_of_a_watch_are_given_their_time() {
    let intent = with_options(Options { watch_ms: 3_000, ..Options::NONE });
    let mut crowded = alone();
    crowded.new.iter_mut().for_each(|new| new.children.push(process(203, NEW, Title::Worker)));
    let mut busy = alone();
    busy.new.iter_mut().for_each(|new| new.is_asleep = false);
    for seen in [crowded, busy] {
        let Decision::Act(Action::Note, missing) = decide(&intent, &winched(Phase::Watching), &seen, 3_000)
        else {
            panic!("it is looked at again: {seen:?}")
        };
        assert_limit(
            "too many",
            &intent,
            &missing,
            &seen,
            (4_000, |decision| matches!(decision, Decision::Finished(Outcome::Upgraded, _))),
        );
        let calm = decide(&intent, &missing, &alone(), 3_500);
        assert!(matches!(calm, Decision::Finished(Outcome::Upgraded, _)), "{calm:?}");
    }
}

/// A wait that is too long notices too late, one that is too short keeps a processor busy.
#[test]
fn a_wait_ends_when_something_is_due_and_after_a_second_at_the_latest() {
    let told = |is_repeated| {
        let master = Retirement { how: Retire::Quit, since_ms: 0, is_repeated };
        Memory { master, ..memory(Phase::Back) }
    };
    let restored = Observation { binary: Some(OLD), ..overlap() };
    let mut loading = restored.clone();
    loading.new.iter_mut().for_each(|new| new.master.title = Title::Other);
    let mut going = restored.clone();
    going
        .new
        .iter_mut()
        .for_each(|new| new.children.iter_mut().for_each(|it| it.title = Title::ShuttingDown));
    let draining = old_with(&[process(101, OLD, Title::ShuttingDown)], drained());
    let (new, drains) = (Waiting::NewMasterEnd(3), Waiting::OldWorkersDrain(1));
    let cases = [
        ("the second QUIT", told(false), &restored, 500, 1_000, &new),
        ("the ladder's WINCH", told(true), &restored, 1_500, 2_000, &new),
        ("KILL, to one that loads", told(true), &loading, 500, 1_000, &new),
        ("the end of a drain", told(false), &going, 500, 1_500, &new),
        ("a long drain", told(false), &going, 30_000, 31_000, &new),
        ("old workers that drain", winched(Phase::Soaking), &draining, 7_000, 8_000, &drains),
    ];
    for (what, memory, seen, now_ms, until_ms, why) in cases {
        let expected = Decision::Wait { until_ms, why: why.clone() };
        assert_eq!(decide(&intent(), &memory, seen, now_ms), expected, "{what}");
    }
}

/// A new master that was told once and sleeps beside workers that accept has not heard; any other has, or will.
#[test]
fn only_a_new_master_that_seems_untold_is_told_twice() {
    let quit = Retirement { how: Retire::Quit, since_ms: 0, is_repeated: false };
    let told = Memory { master: quit, ..memory(Phase::Back) };
    let restored = Observation { binary: Some(OLD), ..overlap() };
    assert_eq!(sent(&decide(&intent(), &told, &restored, 1_500)), Some((200, Signal::Quit)));
    let others: [fn(&mut Generation); 2] = [
        |new| new.is_asleep = false,
        |new| new.children.iter_mut().for_each(|child| child.title = Title::ShuttingDown),
    ];
    for change in others {
        let mut seen = restored.clone();
        seen.new.iter_mut().for_each(change);
        assert_eq!(sent(&decide(&intent(), &told, &seen, 1_500)), None, "{seen:?}");
    }
}

/// Red when a way back is not counted as one more try of each signal, or takes over what the last one knew of others.
#[test]
fn another_attempt_at_the_way_back_begins_anew_and_knows_why() {
    let orphans = Retirement { how: Retire::Kill, since_ms: 7, is_repeated: true };
    let identity: Identity = process(200, NEW, Title::Master).identity;
    let end = Outcome::Stuck(StuckState::OldWorkersMissing);
    let given_up =
        Memory { abort: Some(Reason::NewMasterDied), hups: 3, orphans, ..winched(Phase::Finished(end)) };
    assert!(given_up.is_finished());
    let again = given_up.again(90_000);
    let expected =
        Memory { hups: 0, orphans: Retirement::NONE, since_ms: 90_000, phase: Phase::Back, ..given_up };
    assert_eq!(again, expected);
    assert_eq!(again.new, Some(identity));
    assert!(!again.is_finished());
    let resumed = Memory { is_asked_again: true, ..memory(Phase::Changing) }.resumed();
    assert_eq!(resumed, memory(Phase::Changing), "its own second USR2 is still to come");
}

/// Red when a drain of hours keeps a processor busy, or when a start is noticed late.
#[test]
fn only_what_ends_with_time_or_with_a_process_is_waited_for_without_a_fast_timer() {
    let patient = [Waiting::Soak, Waiting::Probe, Waiting::Watch, Waiting::OldWorkersDrain(1)];
    assert!(patient.iter().all(Waiting::is_patient));
    let shown_by_a_title = [Waiting::NewMaster, Waiting::NewWorkers, Waiting::OldWorkersStop];
    assert!(!shown_by_a_title.iter().any(Waiting::is_patient));
}
