//! The machine's decisions as tables: what is seen, and what follows.

mod table;

use orchestrator::machine::{
    Action, Decision, FileId, Generation, Memory, Missing, Observation, Outcome, Phase, PidFile, Process,
    Reason, Retire, Retirement, Side, Signal, StuckState, Title, Waiting, decide, find_new_master_alone,
};
use table::{
    NEW, OLD, before, drained, generation, intent, memory, new_workers, old_workers, overlap, process,
    reason, sent, winched,
};

fn at(memory: &Memory, seen: &Observation, now_ms: u64) -> Decision {
    decide(&intent(), memory, seen, now_ms)
}

#[test]
fn a_changed_world_is_refused_before_anything_is_touched() {
    let cases = [
        Observation { pid_file: PidFile::Empty, ..before() },
        Observation { pid_file: PidFile::Pid(7), ..before() },
        Observation { oldbin: PidFile::Pid(99), ..before() },
        Observation { old: None, ..before() },
        Observation { binary: Some(FileId { device: 9, inode: 9 }), ..before() },
        Observation { is_interrupted: true, ..before() },
        overlap(),
    ];
    for seen in cases {
        let decision = at(&memory(Phase::Planned), &seen, 0);
        assert!(matches!(decision, Decision::Finished(Outcome::Refused, _)), "{seen:?}");
    }
}

#[test]
fn usr2_goes_only_to_a_sleeping_master_behind_the_new_file() {
    let decision = at(&memory(Phase::Planned), &before(), 0);
    assert!(matches!(decision, Decision::Act(Action::Replace(Side::New), _)));
    let installed = Observation { binary: Some(NEW), ..before() };
    let decision = at(&memory(Phase::Installing), &installed, 0);
    assert_eq!(sent(&decision), Some((100, Signal::Usr2)));
    let mut busy = installed;
    busy.old.as_mut().unwrap().is_asleep = false;
    assert_eq!(sent(&at(&memory(Phase::Installing), &busy, 0)), None);
}

#[test]
fn a_winch_that_is_sent_again_gets_the_time_of_the_first() {
    let restored = Observation { binary: Some(OLD), ..overlap() };
    let decision = at(&winched(Phase::Draining), &overlap(), 1_000);

    let Decision::Act(Action::Signal { signal: Signal::Winch, .. }, again) = decision else {
        panic!("{decision:?}")
    };
    let back = Memory { phase: Phase::Back, old_workers: winched(Phase::Back).old_workers, ..again };
    assert_eq!(sent(&at(&back, &restored, 1_010)), None, "they may have heard of it");
    assert_eq!(sent(&at(&back, &restored, 2_000)), Some((100, Signal::Io)), "nginx may have put it off");
}

/// WINCH was announced before a crash, and another hand has told the old workers to go: they drain, and their master would
/// fork others. Red when nobody who drains is asked by whom it was told.
#[test]
fn a_winch_that_may_never_have_been_sent_is_sent_again() {
    let unsure = Memory { is_winch_unsure: true, ..winched(Phase::Draining) };
    let decision = at(&unsure, &drained(), 10);
    assert_eq!(sent(&decision), Some((100, Signal::Winch)), "{decision:?}");
    assert_ne!(sent(&at(&winched(Phase::Draining), &drained(), 10)), Some((100, Signal::Winch)));
}

/// HUP was announced before a crash, and may never have been sent: who was there then is no sign that it was. Red when a
/// worker without its title yet is taken for a fresh one later.
#[test]
fn who_is_there_before_hup_is_no_fresh_worker() {
    let with = |title| {
        let mut seen = Observation { binary: Some(OLD), ..drained() };
        seen.old.iter_mut().for_each(|old| old.children.push(process(111, OLD, title)));
        seen
    };
    let decision = at(&winched(Phase::Back), &with(Title::Master), 10);
    let Decision::Act(Action::Signal { signal: Signal::Hup, .. }, hupped) = decision else {
        panic!("HUP is due: {decision:?}");
    };
    assert!(hupped.old_workers.iter().any(|known| known.pid == 111), "{:?}", hupped.old_workers);
    // Its title shows next, and WINCH may be on its way to it.
    let soon = at(&hupped, &with(Title::Worker), 20);
    assert!(matches!(soon, Decision::Wait { why: Waiting::OldWorkersStop, .. }), "{soon:?}");
    // Somebody else who comes now is what HUP brings.
    let fresh = Memory { old_workers: winched(Phase::Back).old_workers, ..hupped };
    let is_counted = at(&fresh, &with(Title::Worker), 20);
    assert!(!matches!(is_counted, Decision::Wait { why: Waiting::OldWorkersStop, .. }), "{is_counted:?}");
}

#[test]
fn winch_waits_for_everything_that_makes_a_generation_fit() {
    assert_eq!(sent(&at(&memory(Phase::Changing), &overlap(), 10)), Some((100, Signal::Winch)));
    let unfit: [fn(&mut Observation); 6] = [
        |seen| seen.pid_file = PidFile::Empty,
        |seen| seen.new.as_mut().unwrap().master.title = Title::Other,
        |seen| seen.new.as_mut().unwrap().is_asleep = false,
        |seen| seen.new.as_mut().unwrap().children.truncate(1),
        |seen| seen.new.as_mut().unwrap().children[0].title = Title::Master,
        |seen| seen.new.as_mut().unwrap().unserved = Some(vec![7]),
    ];
    for (case, spoil) in unfit.iter().enumerate() {
        let mut seen = overlap();
        spoil(&mut seen);
        let Decision::Act(Action::Note, known) = at(&memory(Phase::Changing), &seen, 10) else {
            panic!("case {case}: who it is, is remembered first");
        };
        let early = at(&known, &seen, 10);
        assert!(matches!(early, Decision::Wait { .. }), "case {case}: {early:?}");
        let late = at(&memory(Phase::Changing), &seen, 5_000);
        assert!(matches!(reason(&late), Some(Reason::NotReady { .. })), "case {case}: {late:?}");
    }
}

#[test]
fn a_usr2_without_effect_is_sent_once_more_to_a_master_that_sleeps_and_then_given_up() {
    let seen = Observation { binary: Some(NEW), ..before() };
    let again = at(&memory(Phase::Changing), &seen, 1);
    assert_eq!(sent(&again), Some((100, Signal::Usr2)));
    let asked_again = Memory { is_asked_again: true, ..memory(Phase::Changing) };
    assert_eq!(reason(&at(&asked_again, &seen, 2)), Some(&Reason::NotStarted));
    let mut busy = seen;
    busy.old.as_mut().unwrap().is_asleep = false;
    for memory in [memory(Phase::Changing), asked_again] {
        assert!(matches!(at(&memory, &busy, 2), Decision::Wait { why: Waiting::NewMaster, .. }));
    }
}

/// Red when a master that cannot act on USR2 is waited for as long as for a slow start, or when nobody says what has
/// become of it.
#[test]
fn a_pid_file_that_is_gone_at_usr2_is_a_way_back_that_tells_what_the_master_is_like() {
    let seen = Observation { pid_file: PidFile::Absent, binary: Some(NEW), ..before() };
    let Decision::Act(Action::Note, missing) = at(&memory(Phase::Changing), &seen, 10) else {
        panic!("it may be renamed back")
    };
    assert!(matches!(at(&missing, &seen, 11), Decision::Wait { why: Waiting::PidFile, .. }));
    assert_eq!(reason(&at(&missing, &seen, 3_010)), Some(&Reason::PidFileLost));
    let again = at(&missing, &Observation { binary: Some(NEW), ..before() }, 11);
    assert_eq!(sent(&again), Some((100, Signal::Usr2)), "it was renamed back");

    let back = Memory { abort: Some(Reason::PidFileLost), ..memory(Phase::Back) };
    let restored = Observation { binary: Some(OLD), ..seen };
    let Decision::Act(Action::Note, missing) = at(&back, &restored, 0) else { unreachable!() };
    let stuck = at(&missing, &restored, 6_000);
    assert!(matches!(stuck, Decision::Finished(Outcome::Stuck(StuckState::PidFileLost), _)), "{stuck:?}");
    let written = at(&missing, &before(), 100);
    assert!(matches!(written, Decision::Finished(Outcome::RolledBack, _)), "{written:?}");
}

/// Red when a file is written over that is neither the old nor the new one.
#[test]
fn a_file_of_somebody_else_at_the_path_stays_there() {
    let foreign = Some(FileId { device: 9, inode: 9 });
    let installing = at(&memory(Phase::Installing), &Observation { binary: foreign, ..before() }, 0);
    assert!(matches!(reason(&installing), Some(Reason::Changed(_))), "{installing:?}");
    let back = at(&memory(Phase::Back), &Observation { binary: foreign, ..before() }, 0);
    assert!(matches!(back, Decision::Finished(Outcome::RolledBack, _)), "{back:?}");
    for seen in [overlap(), drained(), Observation { old: None, ..overlap() }] {
        let decision = at(&winched(Phase::Back), &Observation { binary: foreign, ..seen }, 10);
        assert!(!matches!(decision, Decision::Act(Action::Replace(_), _)), "{decision:?}");
    }
    let gone = at(&memory(Phase::Back), &Observation { binary: None, ..before() }, 0);
    assert!(matches!(gone, Decision::Act(Action::Replace(Side::Old), _)), "{gone:?}");
}

#[test]
fn the_commit_point_needs_the_workers_that_were_ready() {
    let soaking = winched(Phase::Soaking);
    assert_eq!(sent(&at(&soaking, &drained(), 1_000)), Some((100, Signal::Quit)));
    assert!(matches!(at(&soaking, &drained(), 999), Decision::Wait { why: Waiting::Soak, .. }));
    let mut seen = drained();
    seen.new.as_mut().unwrap().children[1] = process(203, NEW, Title::Worker);
    assert_eq!(reason(&at(&soaking, &seen, 1_000)), Some(&Reason::NewWorkerDied));
    let seen = Observation { new: None, ..drained() };
    assert_eq!(reason(&at(&soaking, &seen, 1_000)), Some(&Reason::NewMasterDied));
    let mut seen = drained();
    seen.new.as_mut().unwrap().unserved = Some(vec![7]);
    let Decision::Act(Action::Note, doubting) = at(&soaking, &seen, 1_000) else { unreachable!() };
    assert!(matches!(at(&doubting, &seen, 1_001), Decision::Wait { why: Waiting::NewWorkers, .. }));
    assert_eq!(reason(&at(&doubting, &seen, 3_000)), Some(&Reason::ListenerLost(1)));
    assert!(matches!(at(&doubting, &drained(), 1_002), Decision::Act(Action::Note, _)), "calm again");
    let mut seen = drained();
    seen.old.as_mut().unwrap().children = vec![process(101, OLD, Title::ShuttingDown)];
    let decision = at(&soaking, &seen, 1_000);
    assert!(matches!(decision, Decision::Wait { why: Waiting::OldWorkersDrain(1), .. }));
}

#[test]
fn the_file_comes_first_on_the_way_back() {
    for seen in [overlap(), drained(), Observation { new: None, ..overlap() }] {
        let decision = at(&winched(Phase::Back), &seen, 10);
        assert!(matches!(decision, Decision::Act(Action::Replace(Side::Old), _)), "{decision:?}");
    }
}

#[test]
fn hup_goes_only_to_a_drained_master_and_the_new_master_stays_until_the_old_workers_are_back() {
    let restored = |seen: Observation| Observation { binary: Some(OLD), ..seen };
    // Not WINCHed: no HUP, the new master may go at once.
    assert_eq!(sent(&at(&memory(Phase::Back), &restored(overlap()), 10)), Some((200, Signal::Quit)));
    // WINCHed, and the workers from before have not heard of it yet.
    let decision = at(&winched(Phase::Back), &restored(overlap()), 10);
    assert!(matches!(decision, Decision::Wait { why: Waiting::OldWorkersStop, .. }));
    // They never hear of it: WINCH was not sent, or waits for a wake-up.
    assert_eq!(sent(&at(&winched(Phase::Back), &restored(overlap()), 1_000)), Some((100, Signal::Io)));
    // Drained.
    let hup = at(&winched(Phase::Back), &restored(drained()), 10);
    assert_eq!(sent(&hup), Some((100, Signal::Hup)));
    let Decision::Act(_, hupped) = hup else { unreachable!() };
    // HUP is on its way: neither a second one, nor an end of the new master.
    let mut busy = restored(drained());
    busy.old.as_mut().unwrap().is_asleep = false;
    assert_eq!(sent(&at(&hupped, &busy, 11)), None);
    assert_eq!(sent(&at(&hupped, &restored(drained()), 11)), None);
    // Half of the workers are not enough.
    let mut half = restored(drained());
    half.old.as_mut().unwrap().children = vec![process(103, OLD, Title::Worker)];
    assert_eq!(sent(&at(&hupped, &half, 12)), None);
    half.old.as_mut().unwrap().children.push(process(104, OLD, Title::Worker));
    assert_eq!(sent(&at(&hupped, &half, 12)), Some((200, Signal::Quit)));
}

/// HUP of another hand and WINCH have arrived together, and `oldbin` was killed: nginx has started workers, and has put WINCH
/// off. Red when the new master goes while that is so, or when the only workers that serve are put at risk.
#[test]
fn a_winch_that_nginx_may_have_put_off_works_before_the_new_master_goes() {
    let with =
        |children: &[Process]| Observation { old: old(true, children), binary: Some(OLD), ..overlap() };
    let before = [101, 102].map(|pid| process(pid, OLD, Title::Worker));
    let fresh = [103, 104].map(|pid| process(pid, OLD, Title::Worker));
    let serving = with(&[before.clone(), fresh].concat());

    let woken = at(&winched(Phase::Back), &serving, 1_000);
    let Decision::Act(Action::Signal { signal: Signal::Io, while_lives: Some(_), .. }, woken) = woken else {
        panic!("the old master is woken while the new one lives: {woken:?}");
    };
    assert_eq!(sent(&at(&woken, &serving, 1_999)), None, "its workers may not say yet that they were told");
    assert_eq!(sent(&at(&woken, &serving, 2_000)), Some((200, Signal::Quit)), "WINCH was never sent");
    assert_eq!(sent(&at(&woken.resumed(), &serving, 2_000)), Some((100, Signal::Io)), "nor this, perhaps");
    let told = with(&[101, 102, 103, 104].map(|pid| process(pid, OLD, Title::ShuttingDown)));
    assert_eq!(sent(&at(&woken, &told, 1_100)), Some((100, Signal::Hup)), "it was put off");

    let alone = |spoil: fn(&mut Generation)| {
        let mut seen = serving.clone();
        seen.new.iter_mut().for_each(spoil);
        sent(&at(&winched(Phase::Back), &seen, 1_000))
    };
    assert_eq!(alone(|new| new.children.clear()), Some((200, Signal::Quit)), "nobody else would serve");
    assert_eq!(
        alone(|new| new.is_asleep = false),
        Some((200, Signal::Quit)),
        "something is on its way to it"
    );
    let going = Memory { is_new_told: true, ..winched(Phase::Back) };
    assert_ne!(sent(&at(&going, &serving, 1_000)), Some((100, Signal::Io)), "it may be about to go");
    let busy = Observation { old: old(false, &before), ..serving };
    assert_eq!(sent(&at(&winched(Phase::Back), &busy, 1_000)), None);
}

#[test]
fn a_new_master_that_still_loads_is_killed_and_one_that_drains_is_not() {
    let mut seen = Observation { binary: Some(OLD), ..overlap() };
    let mut told = memory(Phase::Back);
    told.master.how = Retire::Quit;
    assert_eq!(sent(&at(&told, &seen, 1_500)), Some((200, Signal::Quit)), "untold: it is told once more");
    told.master.is_repeated = true;
    assert_eq!(sent(&at(&told, &seen, 1_999)), None);
    assert_eq!(sent(&at(&told, &seen, 2_000)), Some((200, Signal::Winch)), "its workers accept as before");
    told.master.how = Retire::Winch;
    assert_eq!(sent(&at(&told, &seen, 30_000)), None);
    assert_eq!(sent(&at(&told, &seen, 60_000)), Some((200, Signal::Term)));
    seen.new.as_mut().unwrap().master.title = Title::Other;
    told.master.how = Retire::Quit;
    assert_eq!(sent(&at(&told, &seen, 1_000)), Some((200, Signal::Kill)));
}

#[test]
fn rolled_back_is_said_only_when_everything_is_as_before() {
    let back = winched(Phase::Back);
    let fresh = [process(103, OLD, Title::Worker), process(104, OLD, Title::Worker)];
    let good = Observation { old: Some(generation(100, OLD, &fresh)), ..before() };
    let soon = at(&back, &good, 10);
    assert!(matches!(soon, Decision::Wait { why: Waiting::OldWorkersStop, .. }), "told by WINCH? {soon:?}");
    assert!(matches!(at(&back, &good, 1_000), Decision::Finished(Outcome::RolledBack, _)));
    let spoils: [fn(&mut Observation); 5] = [
        |seen| seen.pid_file = PidFile::Absent,
        |seen| seen.oldbin = PidFile::Pid(100),
        |seen| seen.orphans = vec![process(201, NEW, Title::Worker)],
        |seen| seen.old.as_mut().unwrap().children.truncate(1),
        |seen| seen.binary = Some(NEW),
    ];
    for (case, spoil) in spoils.iter().enumerate() {
        let mut seen = good.clone();
        spoil(&mut seen);
        assert!(!matches!(at(&back, &seen, 1_000), Decision::Finished(..)), "case {case}");
    }
}

/// An old worker that drains is forked again if it was another hand that told it, and not WINCH. Red when WINCH counts as
/// sent because it was announced.
#[test]
fn who_drains_is_waited_for_unless_winch_is_known_to_have_been_sent() {
    let mut children = vec![process(103, OLD, Title::Worker), process(104, OLD, Title::Worker)];
    children.push(process(101, OLD, Title::ShuttingDown));
    let seen = Observation { old: Some(generation(100, OLD, &children)), ..before() };
    let sure = winched(Phase::Back);
    assert!(matches!(at(&sure, &seen, 1_000), Decision::Finished(Outcome::RolledBack, _)));
    let unsure = Memory { is_winch_unsure: true, ..sure };
    let waits = at(&unsure, &seen, 1_000);
    assert!(!matches!(waits, Decision::Finished(..)), "{waits:?}");
    // It may have gone a moment ago, and its master may not have forked another yet.
    let gone = Observation { old: Some(generation(100, OLD, &children[..2])), ..before() };
    let again = at(&unsure, &gone, 1_000);
    assert!(matches!(&again, Decision::Act(Action::Note, sure) if !sure.is_winch_unsure), "{again:?}");
    assert!(unsure.clone().acted(&Action::Note).is_winch_unsure);
    let process = process(100, OLD, Title::Master).identity;
    let winch = Action::Signal { process, signal: Signal::Winch, while_lives: None };
    assert!(!unsure.acted(&winch).is_winch_unsure);
}

#[test]
fn the_old_master_is_never_told_to_end_on_the_way_back() {
    for seen in [overlap(), drained(), Observation { new: None, ..drained() }, before()] {
        for now_ms in [0, 500, 5_000, 50_000, 500_000] {
            for memory in [memory(Phase::Back), winched(Phase::Back)] {
                let told = sent(&at(&memory, &seen, now_ms));
                let is_end = matches!(told, Some((100, Signal::Quit | Signal::Term | Signal::Kill)));
                assert!(!is_end, "{told:?} at {now_ms}: {seen:?}");
            }
        }
    }
}

#[test]
fn behind_the_commit_point_only_the_truth_is_claimed() {
    let memory = winched(Phase::Committing);
    let done = Observation { old: None, oldbin: PidFile::Absent, ..drained() };
    assert!(matches!(at(&memory, &done, 10), Decision::Finished(Outcome::Upgraded, _)));
    let stale = Observation { oldbin: PidFile::Pid(100), ..done.clone() };
    assert!(matches!(at(&memory, &stale, 10), Decision::Act(Action::RemoveOldbin, _)));
    let dead = Observation { new: None, ..done.clone() };
    let stuck = Decision::Finished(
        Outcome::Stuck(StuckState::NewMasterDiedAfterCommit),
        Memory {
            phase: Phase::Finished(Outcome::Stuck(StuckState::NewMasterDiedAfterCommit)),
            since_ms: 10,
            ..memory.clone()
        },
    );
    assert_eq!(at(&memory, &dead, 10), stuck);
    let interrupted = Observation { is_interrupted: true, ..done };
    assert!(matches!(at(&memory, &interrupted, 10), Decision::Finished(Outcome::Upgraded, _)));
}

#[test]
fn nobody_who_serves_is_told_to_go_unless_the_other_master_lives_at_that_instant() {
    let other = |decision: &Decision| match decision {
        Decision::Act(Action::Signal { while_lives, .. }, _) => while_lives.as_ref().map(|master| master.pid),
        Decision::Act(Action::SignalOrphans { while_lives, .. }, _) => Some(while_lives.pid),
        Decision::Act(..) | Decision::Ask(_) | Decision::Wait { .. } | Decision::Finished(..) => None,
    };
    let restored = Observation { binary: Some(OLD), ..overlap() };
    let orphans = vec![process(201, NEW, Title::Worker)];
    let left = Observation { orphans, ..before() };
    let gone = Observation {
        old: None,
        oldbin: PidFile::Absent,
        orphans: vec![process(101, OLD, Title::Worker)],
        ..drained()
    };
    let cases = [
        ("WINCH", memory(Phase::Changing), overlap(), 200),
        ("the commit point", winched(Phase::Soaking), drained(), 200),
        ("the new master's end", memory(Phase::Back), restored, 100),
        ("orphans on the way back", memory(Phase::Back), left, 100),
        ("orphans behind the commit point", winched(Phase::Committing), gone, 200),
    ];
    for (what, memory, seen, who) in cases {
        assert_eq!(other(&at(&memory, &seen, 1_000)), Some(who), "{what}");
    }
}

#[test]
fn orphans_stay_until_the_generation_that_serves_has_its_workers() {
    let mut seen = Observation {
        old: None,
        oldbin: PidFile::Absent,
        orphans: vec![process(101, OLD, Title::Worker)],
        ..drained()
    };
    seen.new.as_mut().unwrap().children.truncate(1);
    let decision = at(&winched(Phase::Committing), &seen, 10);
    assert!(matches!(decision, Decision::Wait { why: Waiting::NewWorkers, .. }), "{decision:?}");
}

#[test]
fn a_new_master_that_was_announced_an_end_and_sleeps_with_all_its_workers_serves_when_the_old_one_is_gone() {
    let told = Memory { is_new_told: true, ..winched(Phase::Back) };
    let alone = Observation { old: None, ..overlap() };
    let Decision::Act(Action::Note, doubting) = at(&told, &alone, 10) else {
        panic!("it may not say so yet")
    };
    assert!(matches!(at(&doubting, &alone, 1_009), Decision::Wait { .. }));
    let Decision::Act(Action::Note, kept) = at(&doubting, &alone, 1_010) else { unreachable!() };
    assert_eq!(kept.phase, Phase::Committing);
    let mut going = alone;
    going.new.as_mut().unwrap().is_asleep = false;
    let Decision::Act(Action::Note, calm) = at(&doubting, &going, 1_010) else { panic!("it is going") };
    let Decision::Act(Action::Note, missing) = at(&calm, &going, 1_010) else { panic!("it may come back") };
    let stuck = at(&missing, &going, 6_010);
    assert!(matches!(stuck, Decision::Finished(Outcome::Stuck(StuckState::OnlyUnfitNewMaster), _)));
}

#[test]
fn a_held_upgrade_is_called_held_only_after_a_look_at_it() {
    let held = winched(Phase::Held);
    assert!(matches!(at(&held, &drained(), 10), Decision::Finished(Outcome::Held, _)));
    let dead = Observation { new: None, ..drained() };
    assert_eq!(reason(&at(&held, &dead, 10)), Some(&Reason::NewMasterDied));
    let Decision::Act(Action::Note, alone) = at(&held, &Observation { old: None, ..drained() }, 10) else {
        unreachable!()
    };
    assert_eq!(alone.phase, Phase::Committing, "nothing is left to go back to");
    let mut few = drained();
    few.new.as_mut().unwrap().children.truncate(1);
    let Decision::Act(Action::Note, doubting) = at(&held, &few, 10) else { unreachable!() };
    assert!(matches!(at(&doubting, &few, 11), Decision::Wait { why: Waiting::NewWorkers, .. }));
    assert_eq!(reason(&at(&doubting, &few, 2_010)), Some(&Reason::NewWorkerDied));
}

/// Red when `held` is said of an old master that serves again, or is about to.
#[test]
fn an_old_master_that_somebody_has_reloaded_is_told_to_stop_again_before_held_is_said() {
    let beside = |is_asleep, children: &[Process]| {
        let new = process(200, NEW, Title::Master);
        let children = [&[new], children].concat();
        Observation { old: old(is_asleep, &children), ..drained() }
    };
    let fresh = |title| process(103, OLD, title);
    let held = winched(Phase::Held);
    assert!(matches!(at(&held, &beside(true, &[]), 10), Decision::Finished(Outcome::Held, _)));
    for busy in [beside(false, &[]), beside(true, &[fresh(Title::Master)])] {
        let decision = at(&held, &busy, 10);
        assert!(matches!(decision, Decision::Wait { why: Waiting::OldMasterAsleep, .. }), "{decision:?}");
    }
    let serving = beside(true, &[fresh(Title::Worker)]);
    let Decision::Act(Action::Note, again) = at(&held, &serving, 10) else { panic!("it serves again") };
    assert_eq!((again.phase, again.since_ms), (Phase::Draining, 10));
    assert_eq!(sent(&at(&again, &serving, 1_010)), Some((100, Signal::Winch)));
}

/// Red when the watch looks at the workers only.
#[test]
fn an_upgrade_by_another_hand_in_the_watch_is_not_called_upgraded() {
    let watching = winched(Phase::Watching);
    let alone = Observation { old: None, oldbin: PidFile::Absent, ..drained() };
    let next = Observation { pid_file: PidFile::Pid(300), ..alone.clone() };
    assert!(matches!(at(&watching, &alone, 60_000), Decision::Finished(Outcome::Upgraded, _)));
    let Decision::Act(Action::Note, missing) = at(&watching, &next, 60_000) else { panic!("not yet") };
    let stuck = at(&missing, &next, 63_000);
    assert!(matches!(stuck, Decision::Finished(Outcome::Stuck(StuckState::PidFileWrong), _)), "{stuck:?}");
}

/// Red when a worker that accepts is waited for as if it drained: it would be for ever.
#[test]
fn a_quit_that_was_never_sent_is_sent_to_an_old_master_that_somebody_has_reloaded() {
    let told = Retirement { how: Retire::Quit, since_ms: 0, is_repeated: false };
    let committing = Memory { master: told, ..winched(Phase::Committing) };
    let beside = |title| Observation { old: old(true, &[process(103, OLD, title)]), ..drained() };
    assert!(matches!(at(&committing, &beside(Title::Worker), 999), Decision::Wait { .. }));
    assert_eq!(sent(&at(&committing, &beside(Title::Worker), 1_000)), Some((100, Signal::Quit)));
    assert!(matches!(at(&committing, &beside(Title::ShuttingDown), 1_000), Decision::Wait { .. }));
}

#[test]
fn a_way_back_that_could_not_be_put_on_disk_is_taken_again_when_the_old_file_is_seen() {
    for phase in [Phase::Changing, Phase::Draining, Phase::Soaking, Phase::Held] {
        let seen = Observation { binary: Some(OLD), ..drained() };
        let decision = at(&winched(phase), &seen, 10);
        assert!(matches!(reason(&decision), Some(Reason::Changed(_))), "{phase:?}: {decision:?}");
        let foreign = Observation { binary: Some(FileId { device: 9, inode: 9 }), ..drained() };
        assert_eq!(reason(&at(&winched(phase), &foreign, 10)), None, "{phase:?}: not ours to undo");
    }
    let done = Observation { old: None, oldbin: PidFile::Absent, binary: Some(OLD), ..drained() };
    let decision = at(&winched(Phase::Committing), &done, 10);
    assert!(matches!(decision, Decision::Act(Action::Replace(Side::New), _)), "{decision:?}");
}

#[test]
fn a_process_forked_right_before_its_masters_end_is_waited_for_until_it_is_a_worker_or_none() {
    let gone = |title| Observation {
        old: None,
        oldbin: PidFile::Absent,
        orphans: vec![process(103, OLD, title)],
        ..drained()
    };
    let committing = winched(Phase::Committing);
    let Decision::Act(Action::Note, doubting) = at(&committing, &gone(Title::Master), 10) else {
        unreachable!()
    };
    assert!(matches!(
        at(&doubting, &gone(Title::Master), 11),
        Decision::Wait { why: Waiting::Orphans(1), .. }
    ));
    let told = at(&doubting, &gone(Title::Worker), 11);
    assert!(matches!(told, Decision::Act(Action::SignalOrphans { .. }, _)), "{told:?}");
    let none = at(&doubting, &gone(Title::Master), 1_010);
    assert!(matches!(none, Decision::Finished(Outcome::Upgraded, _)), "a master is never told: {none:?}");
}

#[test]
fn workers_counted_in_the_middle_of_a_reload_are_not_waited_for_on_the_way_back() {
    let mut intent = intent();
    intent.plan.old_workers = 4;
    let fresh = [process(103, OLD, Title::Worker), process(104, OLD, Title::Worker)];
    let mut seen = Observation { old: Some(generation(100, OLD, &fresh)), ..before() };
    let done = decide(&intent, &winched(Phase::Back), &seen, 1_000);
    assert!(matches!(done, Decision::Finished(Outcome::RolledBack, _)), "{done:?}");
    seen.old.as_mut().unwrap().children.push(process(105, OLD, Title::Master));
    let more = decide(&intent, &winched(Phase::Back), &seen, 1_000);
    assert!(matches!(more, Decision::Act(Action::Note, _)), "one more is being forked: {more:?}");
}

#[test]
fn the_commit_point_is_not_passed_while_anything_is_on_its_way_to_either_master() {
    let soaking = winched(Phase::Soaking);
    let busy: [fn(&mut Observation); 2] = [
        |seen| seen.old.as_mut().unwrap().is_asleep = false,
        |seen| seen.new.as_mut().unwrap().is_asleep = false,
    ];
    for spoil in busy {
        let mut seen = drained();
        spoil(&mut seen);
        assert!(matches!(at(&soaking, &seen, 1_000), Decision::Wait { .. }));
    }
}

#[test]
fn the_new_workers_stay_when_their_master_dies_behind_the_commit_point_until_quit_is_known_to_be_lost() {
    let mut committing = winched(Phase::Committing);
    committing.master.how = Retire::Quit;
    let orphans = new_workers().to_vec();
    let seen = Observation { new: None, orphans, ..before() };
    let early = at(&committing, &seen, 999);
    assert!(matches!(early, Decision::Wait { why: Waiting::OldMasterEnd, .. }), "{early:?}");
    assert_eq!(reason(&at(&committing, &seen, 1_000)), Some(&Reason::NewMasterDied));
    let told = Observation { old: Some(generation(100, OLD, &[])), ..seen };
    let stuck = at(&committing, &told, 1_000);
    let is_stuck = Outcome::Stuck(StuckState::NewMasterDiedAfterCommit);
    assert!(matches!(stuck, Decision::Finished(outcome, _) if outcome == is_stuck), "{stuck:?}");
}

#[test]
fn workers_that_nginx_and_hup_have_both_started_are_reloaded_away() {
    let hupped = Memory { hups: 1, hupped_ms: Some(5), ..winched(Phase::Back) };
    let workers = [103, 104, 105, 106].map(|pid| process(pid, OLD, Title::Worker));
    let seen = Observation { old: Some(generation(100, OLD, &workers)), ..before() };
    let Decision::Act(Action::Note, missing) = at(&hupped, &seen, 10) else { panic!("it looks again first") };
    let reload = at(&missing, &seen, 1_010);
    assert_eq!(sent(&reload), Some((100, Signal::Hup)));
    let Decision::Act(_, reloaded) = reload else { unreachable!() };
    let fewer = Observation { old: Some(generation(100, OLD, &workers[2..])), ..before() };
    let done = at(&reloaded, &fewer, 1_200);
    assert!(matches!(done, Decision::Finished(Outcome::RolledBack, _)), "{done:?}");
}

#[test]
fn a_new_master_that_was_never_seen_is_found_when_the_old_one_is_gone() {
    let strays = [process(201, NEW, Title::Worker), process(200, NEW, Title::Master)];
    let plan = intent().plan;
    let found = find_new_master_alone(&plan, &strays, PidFile::Pid(200)).map(|new| new.pid);
    assert_eq!(found, Some(200));
    assert_eq!(find_new_master_alone(&plan, &strays, PidFile::Pid(7)), None);
    let loading = [process(200, NEW, Title::Other)];
    assert!(find_new_master_alone(&plan, &loading, PidFile::Absent).is_some());
}

#[test]
fn a_master_without_workers_is_not_upgraded() {
    let seen = Observation { old: Some(generation(100, OLD, &[])), ..before() };
    let decision = at(&memory(Phase::Planned), &seen, 0);
    assert!(matches!(decision, Decision::Finished(Outcome::Refused, _)), "{decision:?}");
}

#[test]
fn what_was_missing_before_does_not_shorten_the_patience_with_a_pid_file() {
    let memory = Memory { missing: Some((Missing::OldWorkers, 0)), ..winched(Phase::Back) };
    let workers = [process(103, OLD, Title::Worker), process(104, OLD, Title::Worker)];
    let seen = Observation {
        pid_file: PidFile::Absent,
        oldbin: PidFile::Pid(100),
        old: Some(generation(100, OLD, &workers)),
        ..before()
    };

    let Decision::Act(Action::Note, memory) = at(&memory, &seen, 60_000) else {
        panic!("it is not waited for")
    };

    assert_eq!(memory.missing, Some((Missing::PidFile, 60_000)));
}

#[test]
fn a_master_that_has_lost_quit_and_has_nobody_left_is_told_louder() {
    let quit = Retirement { how: Retire::Quit, since_ms: 0, is_repeated: true };
    let quitted = |how| Memory { master: Retirement { how, ..quit }, ..winched(Phase::Committing) };
    let drains = generation(100, OLD, &[process(101, OLD, Title::ShuttingDown)]);
    let draining = Observation { old: Some(drains), ..drained() };

    let calm = at(&quitted(Retire::Quit), &drained(), 4_999);
    let louder = at(&quitted(Retire::Quit), &drained(), 5_000);
    let last = at(&quitted(Retire::Term), &drained(), 5_000);
    let patient = at(&quitted(Retire::Quit), &draining, 3_600_000);

    assert!(matches!(calm, Decision::Wait { .. }), "{calm:?}");
    assert_eq!(sent(&louder), Some((100, Signal::Term)));
    assert_eq!(sent(&last), Some((100, Signal::Kill)));
    assert!(matches!(patient, Decision::Wait { .. }), "its requests are not cut: {patient:?}");
}

/// The old generation, in other circumstances.
fn old(is_asleep: bool, children: &[Process]) -> Option<Generation> {
    Some(Generation { is_asleep, ..generation(100, OLD, children) })
}

#[test]
fn no_signal_meets_another_in_a_busy_old_master() {
    let seen = Observation { old: old(false, &old_workers()), ..overlap() };
    assert_eq!(sent(&at(&memory(Phase::Changing), &seen, 0)), None, "WINCH");

    let seen = Observation { old: old(false, &[]), binary: Some(OLD), ..overlap() };
    assert_eq!(sent(&at(&winched(Phase::Back), &seen, 5_000)), None, "HUP");
}

#[test]
fn workers_that_a_reload_has_told_to_go_are_not_counted_before_they_say_so() {
    let three = [101, 102, 103].map(|pid| process(pid, OLD, Title::Worker));
    let seen = Observation { old: old(true, &three), binary: Some(NEW), ..before() };

    assert_eq!(sent(&at(&memory(Phase::Installing), &seen, 0)), None);
    assert_eq!(sent(&at(&memory(Phase::Installing), &seen, 1_000)), Some((100, Signal::Usr2)));
}

#[test]
fn a_new_master_that_is_left_alone_takes_over_only_with_all_its_workers() {
    let one = Some(generation(200, NEW, &new_workers()[..1]));
    let seen = Observation { old: None, new: one, ..overlap() };

    assert!(matches!(at(&memory(Phase::Changing), &seen, 0), Decision::Wait { .. }));
}

#[test]
fn the_soak_begins_when_the_last_old_worker_has_stopped_accepting() {
    let children = [process(101, OLD, Title::ShuttingDown), process(102, OLD, Title::Worker)];
    let seen = Observation { old: old(true, &children), ..overlap() };

    let decision = at(&winched(Phase::Draining), &seen, 10);
    assert!(matches!(decision, Decision::Wait { why: Waiting::OldWorkersStop, .. }), "{decision:?}");
}

#[test]
fn the_new_master_stays_until_the_old_workers_have_their_sockets() {
    let fresh = [103, 104].map(|pid| process(pid, OLD, Title::Worker));
    let unserved = Some(Generation { unserved: Some(vec![7]), ..generation(100, OLD, &fresh) });
    let hupped = Memory { hups: 1, hupped_ms: Some(0), ..winched(Phase::Back) };
    let seen = Observation { old: unserved, binary: Some(OLD), ..overlap() };
    assert_eq!(sent(&at(&hupped, &seen, 100)), None);

    let seen = Observation { old: old(true, &fresh), ..seen };
    assert_eq!(sent(&at(&hupped, &seen, 100)), Some((200, Signal::Quit)));
}

#[test]
fn nobody_says_rolled_back_while_a_child_may_become_a_new_master() {
    let [one, other] = old_workers();
    let seen = Observation { old: old(true, &[one, other, process(200, OLD, Title::Other)]), ..before() };

    let decision = at(&memory(Phase::Back), &seen, 0);
    assert!(!matches!(decision, Decision::Finished(..)), "{decision:?}");
}
