//! While the new binary serves alone, and behind the commit point: who is asked and when, what is forgiven, who is left
//! to drain, and for how long everything is watched.
//!
//! Each table stands for a deliberate defect too: it holds without, and must not hold with it.

mod table;

use orchestrator::machine::{
    Action, Answers, Baseline, Decision, Defect, Depth, Drops, Generation, Goal, Intent, Memory, Observation,
    Options, Outcome, Phase, PidFile, Plan, Process, Reason, Retire, Retirement, Signal, StuckState, Title,
    Waiting, decide,
};
use table::{OLD, drained, generation, intent, memory, overlap, process, reason, sent, winched};

/// One that asks for a page, soaks for ten seconds, drains for five and watches for three.
fn asking(options: Options) -> Intent {
    let probes = vec!["http://127.0.0.1/".to_owned()];
    let options = Options { soak_ms: 10_000, probes, ..options };
    let Intent { goal, plan, defects } = intent();
    Intent { goal, plan: Plan { options, ..plan }, defects }
}

/// Everything that was asked is in order.
fn good(seen: Observation) -> Observation {
    Observation { answers: Some(Answers::default()), ..seen }
}

/// A probe has failed.
fn bad(seen: Observation) -> Observation {
    let failed = Some("http://127.0.0.1/ answers 503".to_owned());
    Observation { answers: Some(Answers { failed, troubles: Vec::new() }), ..seen }
}

/// The log has so many bad lines.
fn troubled(seen: Observation, lines: usize) -> Observation {
    let troubles = vec!["[alert] 200#200: bad luck".to_owned(); lines];
    Observation { answers: Some(Answers { failed: None, troubles }), ..seen }
}

/// The old workers still drain.
fn draining() -> Observation {
    let children: Vec<Process> = [101, 102].map(|pid| process(pid, OLD, Title::ShuttingDown)).to_vec();
    Observation { old: Some(generation(100, OLD, &children)), ..overlap() }
}

/// The old master is gone.
fn alone() -> Observation {
    Observation { old: None, oldbin: PidFile::Absent, ..drained() }
}

/// The new generation serves alone, with these workers.
fn with_workers(pids: [u32; 2]) -> Observation {
    let workers = pids.map(|pid| process(pid, table::NEW, Title::Worker));
    Observation { new: Some(generation(200, table::NEW, &workers)), ..drained() }
}

fn noted(decision: Decision) -> Option<Memory> {
    match decision {
        Decision::Act(Action::Note, memory) => Some(memory),
        Decision::Act(..) | Decision::Ask(_) | Decision::Wait { .. } | Decision::Finished(..) => None,
    }
}

fn is_not_good_enough(decision: &Decision) -> bool {
    matches!(reason(decision), Some(Reason::NotGoodEnough { .. }))
}

/// The first failure is asked again after a second, the second is one too many; a recovery takes the first back.
fn a_failure_is_asked_again_before_it_counts(intent: &Intent) -> bool {
    let soaking = winched(Phase::Soaking);
    let first = decide(intent, &soaking, &bad(drained()), 100);
    let Some(failing) = noted(first).filter(|memory| memory.phase == Phase::Soaking) else { return false };
    let waits = matches!(
        decide(intent, &failing, &drained(), 200),
        Decision::Wait { until_ms: 1_100, why: Waiting::Probe }
    );
    let asks = decide(intent, &failing, &drained(), 1_100) == Decision::Ask(Depth::Brief);
    let calm = noted(decide(intent, &failing, &good(drained()), 1_100));
    let is_forgotten = calm.is_some_and(|memory| memory.failed_ms.is_none() && memory.failures == 0);
    waits && asks && is_forgotten && is_not_good_enough(&decide(intent, &failing, &bad(drained()), 1_100))
}

/// With one failure to forgive, the second that counts is one too many; lines of the log count each.
fn a_budget_is_spent(intent: &Intent) -> bool {
    let Intent { goal, plan, defects } = intent.clone();
    let options = Options { forgiven: 1, ..plan.options };
    let intent = Intent { goal, plan: Plan { options, ..plan }, defects };
    let failing = Memory { failed_ms: Some(0), ..winched(Phase::Soaking) };
    let Some(once) = noted(decide(&intent, &failing, &bad(drained()), 1_000)) else { return false };
    let Some(Reason::NotGoodEnough { failures: 2, forgiven: 1, .. }) =
        reason(&decide(&intent, &once, &bad(drained()), 2_000)).cloned()
    else {
        return false;
    };
    let soaking = winched(Phase::Soaking);
    let forgives = !is_not_good_enough(&decide(&intent, &soaking, &troubled(drained(), 1), 100));
    (once.failures, once.failed_ms) == (1, Some(1_000))
        && forgives
        && is_not_good_enough(&decide(&intent, &soaking, &troubled(drained(), 2), 100))
}

/// In the soak everybody is asked each second, briefly.
fn a_soak_asks(intent: &Intent) -> bool {
    let soaking = winched(Phase::Soaking);
    let asked = Memory { asked_ms: Some(500), ..soaking.clone() };
    decide(intent, &soaking, &drained(), 0) == Decision::Ask(Depth::Brief)
        && matches!(decide(intent, &soaking, &good(drained()), 500), Decision::Wait { until_ms: 1_500, .. })
        && matches!(decide(intent, &asked, &drained(), 1_499), Decision::Wait { why: Waiting::Soak, .. })
        && decide(intent, &asked, &drained(), 1_500) == Decision::Ask(Depth::Brief)
}

/// Whoever was asked a moment ago is asked once more before the commit point, thoroughly.
fn a_commit_asks_once_more(intent: &Intent) -> bool {
    let asked = Memory { asked_ms: Some(9_999), ..winched(Phase::Soaking) };
    decide(intent, &asked, &drained(), 10_000) == Decision::Ask(Depth::Thorough)
        && sent(&decide(intent, &asked, &good(drained()), 10_000)) == Some((100, Signal::Quit))
}

/// A worker that ends is forgiven once, and the one in its place is known from then on.
fn a_worker_is_forgiven_once(intent: &Intent) -> bool {
    let Intent { goal, plan, defects } = intent.clone();
    let options = Options { forgiven: 1, ..plan.options };
    let intent = Intent { goal, plan: Plan { options, ..plan }, defects };
    let replaced = with_workers([201, 203]);
    let Some(known) = noted(decide(&intent, &winched(Phase::Soaking), &replaced, 100)) else { return false };
    let again = with_workers([204, 203]);
    let is_known = known.new_workers.iter().any(|worker| worker.pid == 203) && known.failures == 1;
    let goes_on = decide(&intent, &known, &replaced, 100) == Decision::Ask(Depth::Brief);
    let ends = reason(&decide(&intent, &known, &again, 200)) == Some(&Reason::NewWorkerDied);
    is_known && goes_on && ends
}

fn leaving(intent: &Intent) -> Intent {
    let Intent { goal, plan, defects } = intent.clone();
    let options = Options { drain_within_ms: Some(5_000), leaves_drain: true, watch_ms: 0, ..plan.options };
    Intent { goal, plan: Plan { options, ..plan }, defects }
}

fn told(since_ms: u64, is_repeated: bool) -> Memory {
    let master = Retirement { how: Retire::Quit, since_ms, is_repeated };
    Memory { master, since_ms, ..winched(Phase::Committing) }
}

/// Old workers that should be left to their connections are not cut; they are left.
fn nobody_is_cut_who_is_to_be_left(intent: &Intent) -> bool {
    let intent = leaving(intent);
    let waits =
        |now_ms| matches!(decide(&intent, &told(0, true), &draining(), now_ms), Decision::Wait { .. });
    let is_left = matches!(
        decide(&intent, &told(0, true), &draining(), 5_000),
        Decision::Finished(Outcome::Draining, _)
    );
    let unfit = Observation { pid_file: PidFile::Absent, ..draining() };
    let is_kept = matches!(decide(&intent, &told(0, true), &unfit, 5_000), Decision::Wait { .. });
    waits(4_999) && is_left && is_kept
}

/// QUIT may have been announced and never sent: it is sent again before the old master is left.
fn nobody_is_left_who_may_not_have_heard(intent: &Intent) -> bool {
    sent(&decide(&leaving(intent), &told(0, false), &draining(), 5_000)) == Some((100, Signal::Quit))
}

/// Behind the commit point the new generation is watched for three seconds.
fn a_watch_follows_the_commit(intent: &Intent) -> bool {
    let Intent { goal, plan, defects } = intent.clone();
    let intent =
        Intent { goal, plan: Plan { options: Options { watch_ms: 3_000, ..plan.options }, ..plan }, defects };
    let done = Memory { since_ms: 100, ..winched(Phase::Committing) };
    let Some(watching) = noted(decide(&intent, &done, &alone(), 100)) else { return false };
    let waits = matches!(
        decide(&intent, &watching, &alone(), 3_099),
        Decision::Wait { why: Waiting::Watch, until_ms: 3_100 }
    );
    let ends =
        matches!(decide(&intent, &watching, &alone(), 3_100), Decision::Finished(Outcome::Upgraded, _));
    let interrupted = Observation { is_interrupted: true, ..alone() };
    let is_over =
        matches!(decide(&intent, &watching, &interrupted, 200), Decision::Finished(Outcome::Upgraded, _));
    watching.phase == Phase::Watching && waits && ends && is_over
}

/// A new master that dies in the watch is told of, whoever is in its place.
fn a_death_in_the_watch_is_told(intent: &Intent) -> bool {
    let watching = winched(Phase::Watching);
    let dead = StuckState::NewMasterDiedAfterCommit;
    let gone = Observation { new: None, ..alone() };
    let workers = [301, 302].map(|pid| process(pid, table::NEW, Title::Worker));
    let another = Observation { new: Some(generation(300, table::NEW, &workers)), ..alone() };
    let is_told = |seen: &Observation| matches!(decide(intent, &watching, seen, 0), Decision::Finished(Outcome::Stuck(state), _) if state == dead);
    is_told(&gone) && is_told(&another)
}

/// Before the commit point a pid file that names anybody but the new master is looked at again, and is then a way back; one
/// that was mended is forgotten.
fn a_damaged_pid_file_is_a_way_back(intent: &Intent) -> bool {
    let is_noticed = |phase: Phase, pid_file: PidFile| {
        let seen = good(Observation { pid_file, ..drained() });
        let first = noted(decide(intent, &winched(phase), &seen, 20_000));
        let Some(doubting) = first.filter(|memory| memory.doubted_ms == Some(20_000)) else { return false };
        let waits = matches!(
            decide(intent, &doubting, &seen, 21_999),
            Decision::Wait { why: Waiting::PidFile, until_ms: 22_000 }
        );
        let mended = noted(decide(intent, &doubting, &good(drained()), 20_100));
        let is_forgotten = mended.is_some_and(|memory| memory.doubted_ms.is_none() && memory.abort.is_none());
        let ends = reason(&decide(intent, &doubting, &seen, 22_000)) == Some(&Reason::PidFileDamaged);
        waits && is_forgotten && ends
    };
    let damages = [PidFile::Absent, PidFile::Empty, PidFile::Garbage, PidFile::Pid(7)];
    let phases = [Phase::Draining, Phase::Soaking, Phase::Held];
    phases.iter().all(|&phase| damages.iter().all(|&pid_file| is_noticed(phase, pid_file)))
}

/// An old master that may fork a worker yet, or has one that has not told what it is, has not drained.
fn a_busy_master_has_not_drained(intent: &Intent) -> bool {
    let of_old = |change: &dyn Fn(&mut Generation)| {
        let mut seen = good(drained());
        seen.old.iter_mut().for_each(change);
        seen
    };
    let busy = of_old(&|old| old.is_asleep = false);
    let forking = of_old(&|old| old.children.push(process(111, table::OLD, Title::Master)));
    let waits = |seen: &Observation| {
        let decision = decide(intent, &winched(Phase::Draining), seen, 10);
        matches!(decision, Decision::Wait { why: Waiting::OldWorkersStop, .. })
    };
    waits(&busy) && waits(&forking)
}

type Table = fn(&Intent) -> bool;

const TABLES: &[(&str, Defect, Table)] = &[
    ("a failure is asked again", Defect::AsksOnlyOnce, a_failure_is_asked_again_before_it_counts),
    ("a budget is spent", Defect::ForgivesEverything, a_budget_is_spent),
    ("a soak asks", Defect::SoaksUnasked, a_soak_asks),
    ("a commit asks once more", Defect::CommitsUnasked, a_commit_asks_once_more),
    ("a worker is forgiven once", Defect::ForgivesEveryWorker, a_worker_is_forgiven_once),
    ("nobody is cut who is to be left", Defect::CutsWhatIsToBeLeft, nobody_is_cut_who_is_to_be_left),
    ("nobody is left who has not heard", Defect::LeavesTheUntold, nobody_is_left_who_may_not_have_heard),
    ("a damaged pid file is a way back", Defect::IgnoresThePidFile, a_damaged_pid_file_is_a_way_back),
    ("a busy master has not drained", Defect::DrainsABusyMaster, a_busy_master_has_not_drained),
    ("a watch follows the commit", Defect::ForgetsTheWatch, a_watch_follows_the_commit),
    ("a death in the watch is told", Defect::WatchesAnybody, a_death_in_the_watch_is_told),
];

#[test]
fn each_table_holds_and_its_defect_breaks_it() {
    for (name, defect, table) in TABLES {
        let right = asking(Options::NONE);
        let wrong = Intent { defects: [*defect].into_iter().collect(), ..right.clone() };
        assert!(table(&right), "{name}");
        assert!(!table(&wrong), "{name}: {defect:?} changes nothing");
    }
}

#[test]
fn before_winch_a_failing_answer_is_waited_for_and_a_bad_log_is_not() {
    let intent = asking(Options { ready_within_ms: 5_000, ..Options::NONE });
    let changing = memory(Phase::Changing);
    assert_eq!(decide(&intent, &changing, &overlap(), 10), Decision::Ask(Depth::Brief));
    let known = noted(decide(&intent, &changing, &bad(overlap()), 10)).unwrap();
    let waits = decide(&intent, &known, &bad(overlap()), 10);
    assert!(matches!(waits, Decision::Wait { until_ms: 1_010, why: Waiting::Probe }), "{waits:?}");
    assert!(is_not_good_enough(&decide(&intent, &changing, &troubled(overlap(), 1), 10)));
    assert_eq!(sent(&decide(&intent, &changing, &good(overlap()), 10)), Some((100, Signal::Winch)));
}

#[test]
fn where_nothing_can_be_asked_nobody_is() {
    let plan = intent().plan;
    assert!(!plan.can_ask(Depth::Brief) && !plan.can_ask(Depth::Thorough));
    let knocked = Baseline { knocked: vec![7], ..Baseline::default() };
    let plan = Plan { baseline: knocked, ..plan };
    assert!(!plan.can_ask(Depth::Brief) && plan.can_ask(Depth::Thorough));
    let intent = Intent { plan, goal: Goal::Forward, ..intent() };
    assert!(matches!(decide(&intent, &winched(Phase::Soaking), &drained(), 0), Decision::Wait { .. }));
    assert_eq!(decide(&intent, &winched(Phase::Draining), &drained(), 0), Decision::Ask(Depth::Thorough));
}

/// Red when either count is taken for the answer.
#[test]
fn a_connection_is_lost_when_both_counts_have_risen() {
    let before = Drops { packets: 5, overflows: 7 };
    assert_eq!(Drops { packets: 9, overflows: 7 }.since(&before), 0);
    assert_eq!(Drops { packets: 5, overflows: 9 }.since(&before), 0);
    assert_eq!(Drops { packets: 9, overflows: 9 }.since(&before), 2);
}
