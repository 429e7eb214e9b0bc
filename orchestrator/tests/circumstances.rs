//! Decisions in circumstances that a plain upgrade does not meet: other files, other hands, other wishes.
//!
//! Each line is red when the circumstance is not looked at, or is taken for all that matters.

mod table;

use orchestrator::machine::{
    Action, Decision, Defect, Depth, Drops, FileId, Identity, Intent, LogMark, Memory, Missing, Observation,
    Options, Outcome, Phase, PidFile, Plan, Process, Reason, Retire, Retirement, Side, Signal, StuckState,
    Title, Waiting, decide, find_new_master,
};
use table::{
    NEW, OLD, before, drained, generation, intent, memory, new_workers, old_workers, overlap, process,
    reason, sent, winched,
};

fn planned(change: impl FnOnce(&mut Plan)) -> Intent {
    let mut intent = intent();
    change(&mut intent.plan);
    intent
}

fn wanting(options: Options) -> Intent {
    planned(|plan| plan.options = options)
}

fn old_with(children: &[Process], seen: Observation) -> Observation {
    Observation { old: Some(generation(100, OLD, children)), ..seen }
}

fn outcome(decision: &Decision) -> Option<Outcome> {
    match decision {
        Decision::Finished(outcome, _) => Some(*outcome),
        Decision::Act(..) | Decision::Ask(_) | Decision::Wait { .. } => None,
    }
}

/// `oldbin` was killed between its announcement and the new file.
#[test]
fn a_new_file_that_was_announced_and_is_not_there_is_put_there() {
    let decision = decide(&intent(), &memory(Phase::Installing), &before(), 10);
    assert!(matches!(decision, Decision::Act(Action::Replace(Side::New), _)), "{decision:?}");
}

/// Somebody replaced the file between USR2 and exec. Red when that is not remembered: should the new master die now, its workers
/// are known by what they execute.
#[test]
fn a_new_master_of_another_file_is_remembered_with_it() {
    let other = FileId { device: 1, inode: 9 };
    let seen = Observation { new: Some(generation(200, other, &[])), ..overlap() };
    let decision = decide(&intent(), &memory(Phase::Changing), &seen, 10);

    assert_eq!(reason(&decision), Some(&Reason::WrongBinary));
    let Decision::Act(_, known) = decision else { panic!("it turns back: {decision:?}") };
    assert_eq!(known.new.and_then(|new| new.exe), Some(other));
}

/// A package manager may have put another file there before the upgrade, and in a container nobody sees what runs.
#[test]
fn the_old_file_is_back_when_it_is_the_one_from_before_or_the_one_that_runs() {
    let from_before = planned(|plan| plan.old.exe = None);
    let that_runs = planned(|plan| plan.old_file = FileId { device: 1, inode: 3 });
    for intent in [from_before, that_runs] {
        let decision = decide(&intent, &memory(Phase::Back), &before(), 10);
        assert_eq!(outcome(&decision), Some(Outcome::RolledBack), "{decision:?}");
    }
}

#[test]
fn an_oldbin_file_that_was_there_before_may_stay_or_go() {
    let stale = PidFile::Pid(77);
    let intent = planned(|plan| plan.oldbin_before = stale);
    for oldbin in [stale, PidFile::Absent] {
        let decision = decide(&intent, &memory(Phase::Back), &Observation { oldbin, ..before() }, 10);
        assert_eq!(outcome(&decision), Some(Outcome::RolledBack), "{decision:?}");
    }
}

#[test]
fn a_pid_file_is_called_lost_only_if_usr2_did_not_find_it_and_nobody_has_written_one_since() {
    let stuck = |abort, pid_file| {
        let missing = Some((Missing::PidFile, 0));
        let back = Memory { abort: Some(abort), missing, ..memory(Phase::Back) };
        outcome(&decide(&intent(), &back, &Observation { pid_file, ..before() }, 60_000))
    };
    let lost = Some(Outcome::Stuck(StuckState::PidFileLost));
    let wrong = Some(Outcome::Stuck(StuckState::PidFileWrong));
    assert_eq!(stuck(Reason::PidFileLost, PidFile::Absent), lost);
    assert_eq!(stuck(Reason::PidFileLost, PidFile::Pid(7)), wrong);
    assert_eq!(stuck(Reason::Asked, PidFile::Absent), wrong);
}

/// The new master was killed and has left its workers; they serve until enough old ones do who were not told to go.
#[test]
fn workers_that_the_new_master_has_left_stay_until_the_old_ones_are_back() {
    let hupped = Memory { hups: 1, hupped_ms: Some(0), ..winched(Phase::Back) };
    let fresh = [103, 104].map(|pid| process(pid, OLD, Title::Worker));
    let told = |memory: &Memory, children: &[Process], now_ms| {
        let orphans = vec![process(201, NEW, Title::Worker)];
        let seen = old_with(children, Observation { orphans, ..before() });
        matches!(decide(&intent(), memory, &seen, now_ms), Decision::Act(Action::SignalOrphans { .. }, _))
    };
    assert!(told(&hupped, &fresh, 100));
    assert!(!told(&hupped, &fresh[..1], 100), "one is not enough");
    assert!(!told(&winched(Phase::Back), &old_workers(), 100), "WINCH may be on its way to them");
    assert!(told(&winched(Phase::Back), &old_workers(), 1_000), "it is not");
}

/// A HUP that comes together with WINCH starts workers that are drained at once. Red, too, when the deliberate defect
/// changes nothing.
#[test]
fn hup_waits_until_winch_has_had_its_time() {
    let restored = Observation { binary: Some(OLD), ..overlap() };
    let waits = decide(&intent(), &winched(Phase::Back), &restored, 10);
    assert!(matches!(waits, Decision::Wait { why: Waiting::OldWorkersStop, until_ms: 1_000 }), "{waits:?}");
    let hasty = Intent { defects: [Defect::HupsIntoTheWinch].into_iter().collect(), ..intent() };
    assert_eq!(sent(&decide(&hasty, &winched(Phase::Back), &restored, 10)), Some((100, Signal::Hup)));
}

/// Another hand has told the old workers to go: their master forks others by itself, and HUP would add to them.
#[test]
fn a_master_that_was_told_nothing_gets_no_hup() {
    let seen = old_with(&[process(101, OLD, Title::ShuttingDown)], before());
    let decision = decide(&intent(), &memory(Phase::Back), &seen, 10);
    assert!(matches!(decision, Decision::Act(Action::Note, _)), "{decision:?}");
}

/// Red when who drains is not asked by whom it was told.
#[test]
fn only_workers_that_winch_has_told_are_left_to_drain() {
    let serving = [103, 104].map(|pid| process(pid, OLD, Title::Worker));
    let is_left = |memory: &Memory, pid| {
        let drains = process(pid, OLD, Title::ShuttingDown);
        let seen = old_with(&[&serving[..], &[drains]].concat(), before());
        outcome(&decide(&intent(), memory, &seen, 1_000)) == Some(Outcome::RolledBack)
    };
    let sure = winched(Phase::Back);
    let known = Memory { old_workers: sure.old_workers.clone(), ..memory(Phase::Back) };
    assert!(is_left(&sure, 101));
    assert!(!is_left(&sure, 105), "it was forked since");
    assert!(!is_left(&Memory { is_winch_unsure: true, ..sure }, 101), "WINCH may never have been sent");
    assert!(!is_left(&known, 101), "WINCH was never announced");
}

#[test]
fn listeners_may_be_dropped_if_the_operator_says_so() {
    let mut seen = overlap();
    seen.new.iter_mut().for_each(|new| new.unserved = Some(vec![7]));
    let may_drop = wanting(Options { may_drop_listeners: true, ..Options::NONE });
    assert_eq!(sent(&decide(&may_drop, &memory(Phase::Changing), &seen, 10)), Some((100, Signal::Winch)));
    assert_eq!(sent(&decide(&intent(), &memory(Phase::Changing), &seen, 10)), None);
}

#[test]
fn a_soak_comes_between_the_drain_and_the_commit_point_if_the_operator_wants_one() {
    let soaking = decide(&intent(), &winched(Phase::Draining), &drained(), 10);
    let Decision::Act(Action::Note, known) = soaking else { panic!("{soaking:?}") };
    assert_eq!((known.phase, known.since_ms), (Phase::Soaking, 10));
    let hasty = decide(&wanting(Options::NONE), &winched(Phase::Draining), &drained(), 10);
    assert_eq!(sent(&hasty), Some((100, Signal::Quit)));
}

/// Red when one kind of question is asked only beside another one.
#[test]
fn probes_checks_the_log_and_drops_can_each_be_asked_for() {
    let wish = || vec!["a wish".to_owned()];
    let log = LogMark { path: "/var/log/nginx/error.log".into(), file: OLD, length: 7 };
    let wishes = [
        wanting(Options { probes: wish(), ..Options::NONE }),
        wanting(Options { checks: wish(), ..Options::NONE }),
    ];
    for intent in &wishes {
        assert_eq!(decide(intent, &memory(Phase::Changing), &overlap(), 10), Decision::Ask(Depth::Brief));
    }
    let [probes, checks] = wishes;
    let log = planned(|plan| plan.baseline.log = Some(log));
    let drops = planned(|plan| plan.baseline.dropped = Some(Drops::default()));
    for intent in [probes, checks, log, drops] {
        assert!(intent.plan.can_ask(Depth::Brief), "{intent:?}");
    }
}

/// What `oldbin upgrade` does if nothing else is said.
#[test]
fn a_usual_upgrade_soaks_watches_a_tenth_of_that_and_lets_no_probe_be_ten_times_slower() {
    let expected = Options { soak_ms: 30_000, watch_ms: 3_000, slower_max: 10, ..Options::NONE };
    assert_eq!(Options::usual(30_000), expected);
}

/// A held upgrade may be reloaded, and without forgiveness there is nothing to count.
#[test]
fn workers_in_the_place_of_others_are_counted_only_where_some_are_forgiven_and_nobody_holds() {
    let workers = [203, 204].map(|pid| process(pid, NEW, Title::Worker));
    let reloaded = Observation { new: Some(generation(200, NEW, &workers)), ..drained() };
    let forgiving = wanting(Options { forgiven: 9, ..Options::NONE });
    let held = decide(&forgiving, &winched(Phase::Held), &reloaded, 10);
    assert_eq!(outcome(&held), Some(Outcome::Held), "{held:?}");
    let more = [&new_workers()[..], &workers[..1]].concat();
    let more = Observation { new: Some(generation(200, NEW, &more)), ..drained() };
    assert!(matches!(
        decide(&intent(), &winched(Phase::Soaking), &more, 10),
        Decision::Wait { why: Waiting::Soak, .. }
    ));
}

/// The new master has died behind the commit point. Whether QUIT was ever sent is seen at an old one that has acted on
/// everything, and has reaped its child.
#[test]
fn an_old_master_that_is_busy_or_has_not_reaped_is_waited_for() {
    let quit = Retirement { how: Retire::Quit, since_ms: 0, is_repeated: false };
    let committing = Memory { master: quit, ..winched(Phase::Committing) };
    let mut busy = before();
    busy.old.iter_mut().for_each(|old| old.is_asleep = false);
    let [one, other] = old_workers();
    let unreaped = old_with(&[one, other, process(200, NEW, Title::Master)], before());
    for seen in [busy, unreaped] {
        let decision = decide(&intent(), &committing, &seen, 5_000);
        assert!(matches!(decision, Decision::Wait { why: Waiting::OldMasterEnd, .. }), "{decision:?}");
    }
    let serves = decide(&intent(), &committing, &before(), 5_000);
    assert_eq!(reason(&serves), Some(&Reason::NewMasterDied));
}

/// Red when an old master is left that serves as before, or that has nobody to be left to.
#[test]
fn an_old_master_is_left_only_to_workers_that_all_drain() {
    let leaving = wanting(Options { drain_within_ms: Some(5_000), leaves_drain: true, ..Options::NONE });
    let quit = Retirement { how: Retire::Quit, since_ms: 0, is_repeated: true };
    let committing = Memory { master: quit, ..winched(Phase::Committing) };
    let drains = process(101, OLD, Title::ShuttingDown);
    let is_left = |children: &[Process], now_ms| {
        let seen = old_with(children, overlap());
        outcome(&decide(&leaving, &committing, &seen, now_ms)) == Some(Outcome::Draining)
    };
    assert!(is_left(std::slice::from_ref(&drains), 5_000));
    assert!(!is_left(&[drains, process(103, OLD, Title::Worker)], 5_000), "somebody has sent it HUP");
    assert!(!is_left(&[], 5_000), "it ends by itself, or is told louder");
}

#[test]
fn a_new_master_is_known_by_its_file_its_command_line_or_the_pid_file() {
    let plan = intent().plan;
    let found = |child: Process, pid_file| {
        let old = generation(100, OLD, &[child]);
        find_new_master(&plan, &Memory::new(), Some(&old), pid_file).is_some()
    };
    let unseen = Process {
        identity: Identity { exe: None, ..process(200, NEW, Title::Worker).identity },
        title: Title::Master,
    };
    assert!(found(process(200, NEW, Title::Master), PidFile::Absent));
    assert!(found(process(200, OLD, Title::Other), PidFile::Absent));
    assert!(found(process(200, OLD, Title::Master), PidFile::Pid(200)));
    assert!(!found(process(200, OLD, Title::Master), PidFile::Pid(7)), "a worker right after its fork");
    assert!(!found(unseen, PidFile::Absent), "nobody may see what it executes");
}
