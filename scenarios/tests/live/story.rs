//! What a trace of a run shows.

use std::collections::BTreeSet;

use scenarios::live::{self, Isolation};
use scenarios::runbook::{Action, Condition, Target};
use scenarios::scenario::{Claim, Load, Subject, WorldKind};
use scenarios::trace::{Content, Exit, Fate, Kind, PidFile, Role, Trace, What};

use crate::world::{
    Place, act, claims, moments, no_load, requests, run, scenario, setting, shell, signal, some_load, upgrade,
};

type Story = (&'static str, fn(WorldKind));

/// Each runs in both live worlds.
pub(crate) const TRIALS: &[Story] = &[
    ("a_manual_upgrade_shows_two_generations_and_loses_nothing", |world| {
        a_manual_upgrade_shows_two_generations_and_loses_nothing(Place::of(world));
    }),
    ("a_manual_upgrade_without_namespaces_shows_the_same", |world| {
        a_manual_upgrade_shows_two_generations_and_loses_nothing(Place {
            isolation: Isolation::Subreaper,
            ..Place::of(world)
        });
    }),
    ("requests_are_refused_when_nobody_is_left", requests_are_refused_when_nobody_is_left),
    ("a_hostile_pid_file_reaches_nobody", a_hostile_pid_file_reaches_nobody),
    ("a_run_that_never_ends_is_ended_by_its_deadline", a_run_that_never_ends_is_ended_by_its_deadline),
    (
        "a_program_gets_its_paths_and_claims_by_its_exit_code",
        a_program_gets_its_paths_and_claims_by_its_exit_code,
    ),
    ("orphaned_workers_survive_the_run_and_are_told", orphaned_workers_survive_the_run_and_are_told),
    (
        "a_worker_that_is_killed_is_seen_to_die_and_to_be_replaced",
        a_worker_that_is_killed_is_seen_to_die_and_to_be_replaced,
    ),
    ("slow_answers_take_as_long_as_they_should", slow_answers_take_as_long_as_they_should),
    ("a_new_release_with_fewer_workers_starts_fewer", a_new_release_with_fewer_workers_starts_fewer),
    ("a_new_binary_that_cannot_start_is_seen_to_fail", a_new_binary_that_cannot_start_is_seen_to_fail),
];

fn a_manual_upgrade_shows_two_generations_and_loses_nothing(place: Place) {
    let trace = run(place, some_load(), upgrade());

    assert_eq!(claims(&trace), [(Claim::Upgraded, "every step is done")]);
    assert_eq!(masters(&trace), [(1, trace.header.old.clone()), (2, trace.header.new.clone())]);
    assert_eq!(born(&trace, Role::Worker), [1, 1, 2, 2]);
    let files = pid_files(&trace);
    let [old, new] = pids_of(&trace, Role::Master)[..] else { panic!("two masters") };
    assert_eq!(
        files,
        [
            (PidFile::Current, Content::Pid(old)),
            (PidFile::Current, Content::Absent),
            (PidFile::Oldbin, Content::Pid(old)),
            (PidFile::Current, Content::Pid(new)),
            (PidFile::Oldbin, Content::Absent),
        ]
    );
    let asked = requests(&trace);
    let kinds: BTreeSet<Kind> = asked.iter().map(|request| request.kind).collect();
    assert_eq!(kinds, BTreeSet::from([Kind::Fresh, Kind::Kept, Kind::Slow]));
    let lost: Vec<_> = asked.iter().filter(|request| request.is_lost()).collect();
    assert!(lost.is_empty(), "{lost:?}");
    for name in ["new-master.born", "new-worker.accepting", "old-master.after-winch", "old-master.gone"] {
        assert!(moments(&trace).contains(&name), "{name} in {:?}", moments(&trace));
    }
    let quiescent = trace.select(|what| matches!(what, What::Quiescent).then_some(())).count();
    assert_eq!(quiescent, 3);
    assert_eq!(survivors(&trace), 0);
    assert_eq!(is_accepting_at_the_end(&trace), pids_of(&trace, Role::Worker)[2..].iter().copied().collect());
}

fn requests_are_refused_when_nobody_is_left(world: WorldKind) {
    let mut load = some_load();
    load.patience_ms = 1_000;
    let stop = vec![signal("TERM", Target::OldMaster), Action::Sleep { for_ms: 100 }];
    let trace = run(Place::of(world), load, stop);

    let refused = requests(&trace).iter().filter(|request| request.fate == Fate::Refused).count();
    assert!(refused > 5, "{refused}");
    let slow_lost = |request: &&&scenarios::trace::Request| {
        request.kind == Kind::Slow && matches!(request.fate, Fate::Truncated | Fate::Dropped)
    };
    assert!(requests(&trace).iter().filter(slow_lost).count() >= 1, "a fast shutdown cuts slow answers");
    let exits: Vec<_> =
        trace.select(|what| if let What::Died { exit, .. } = what { Some(*exit) } else { None }).collect();
    assert_eq!(exits.len(), 3);
    assert!(exits.iter().all(|(.., exit)| *exit == Some(Exit::Code(0))), "{exits:?}");
}

fn a_hostile_pid_file_reaches_nobody(world: WorldKind) {
    for number in ["1", "-1"] {
        let steps = vec![
            shell(&format!("echo {number} > $OLDBIN_PID_FILE")),
            signal("KILL", Target::PidFile("{pid}".into())),
        ];
        let trace = run(Place::of(world), no_load(), steps);

        let strangers: Vec<i64> = trace
            .select(|what| if let What::SignalToStranger { pid, .. } = what { Some(*pid) } else { None })
            .map(|(.., pid)| pid)
            .collect();
        assert_eq!(strangers, [number.parse::<i64>().unwrap()]);
        assert_eq!(deaths(&trace), 0);
        assert_eq!(claims(&trace).len(), 1);
    }
}

fn a_run_that_never_ends_is_ended_by_its_deadline(world: WorldKind) {
    let mut story = scenario(Load { slow_ms: 5_000, patience_ms: 10_000, ..some_load() });
    story.deadline_ms = 1_000;
    let wait = shell("mkfifo never; cat never");
    let trace = live::run(&story, &setting(Place::of(world), vec![wait])).expect("a trace");

    assert!(moments(&trace).contains(&"run.deadline"));
    assert_eq!(claims(&trace), [(Claim::Failed, "the run's deadline has passed")]);
    let unfinished = requests(&trace).iter().filter(|request| request.fate == Fate::Unfinished).count();
    assert!(unfinished >= 1, "slow answers were under way");
}

fn a_program_gets_its_paths_and_claims_by_its_exit_code(world: WorldKind) {
    let program = |words: &str| Subject::Command {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), words.into()],
    };
    let look = "test -x $OLDBIN_BINARY -a -x $OLDBIN_NEW -a -s $OLDBIN_PID_FILE -a -d $OLDBIN_PREFIX";
    let mut story = scenario(no_load());
    story.acts = vec![act(program(look)), act(program("echo no way >&2; exit 7"))];
    let trace = live::run(&story, &setting(Place::of(world), Vec::new())).expect("a trace");

    assert_eq!(claims(&trace), [(Claim::Upgraded, ""), (Claim::Failed, "no way")]);
}

fn orphaned_workers_survive_the_run_and_are_told(world: WorldKind) {
    let trace = run(Place::of(world), no_load(), vec![signal("KILL", Target::OldMaster)]);

    assert_eq!(survivors(&trace), 2);
    assert_eq!(deaths(&trace), 1);
    assert_eq!(is_accepting_at_the_end(&trace).len(), 2);
}

fn a_worker_that_is_killed_is_seen_to_die_and_to_be_replaced(world: WorldKind) {
    let kill = shell("kill -9 $(cat /proc/$(cat $OLDBIN_PID_FILE)/task/*/children | cut -d' ' -f1)");
    let trace = run(Place::of(world), no_load(), vec![kill]);

    assert_eq!(born(&trace, Role::Worker), [1, 1, 1]);
    let exits: Vec<_> =
        trace.select(|what| if let What::Died { exit, .. } = what { Some(*exit) } else { None }).collect();
    assert_eq!(exits.iter().map(|(.., exit)| *exit).collect::<Vec<_>>(), [Some(Exit::Signal(9))]);
}

fn slow_answers_take_as_long_as_they_should(world: WorldKind) {
    let load = Load { slow: 4, slow_ms: 400, ..no_load() };
    let trace = run(Place::of(world), load, vec![Action::Sleep { for_ms: 1_100 }]);

    let lasted: Vec<u64> = trace
        .select(|what| if let What::Request(request) = what { Some(request.started_us) } else { None })
        .map(|(_, event, started_us)| (event.at_us - started_us) / 1_000)
        .collect();
    assert!(lasted.len() >= 8, "{lasted:?}");
    // Never faster; how much slower depends on who else uses the machine. A fake's answer takes whole seconds.
    let wanted = if world == WorldKind::Fake { 1_000 } else { 400 };
    assert!(lasted.iter().all(|&ms| ms >= wanted - 10), "{lasted:?}");
    assert!(lasted.iter().any(|&ms| ms < wanted + 200), "{lasted:?}");
}

fn a_new_release_with_fewer_workers_starts_fewer(world: WorldKind) {
    let mut story = scenario(no_load());
    story.new.workers = 1;
    let steps = vec![
        Action::Copy { from: "{new}".into(), to: "{binary}".into() },
        signal("USR2", Target::OldMaster),
        crate::world::sees(2, 2, 1),
    ];
    let trace = live::run(&story, &setting(Place::of(world), steps)).expect("a trace");

    assert_eq!(born(&trace, Role::Worker), [1, 1, 2]);
}

fn a_new_binary_that_cannot_start_is_seen_to_fail(world: WorldKind) {
    let mut story = scenario(some_load());
    story.new.fault = Some("exits-at-start status=7".into());
    let restored = Condition::Absent("{pid}.oldbin".into());
    let steps = vec![
        Action::Copy { from: "{new}".into(), to: "{binary}".into() },
        signal("USR2", Target::OldMaster),
        Action::Wait { until: Condition::Exists("{pid}.oldbin".into()), within_ms: 100, every_ms: None },
        Action::Wait { until: restored, within_ms: 5_000, every_ms: None },
    ];
    let mut setting = setting(Place::of(world), steps);
    // The file may come and go between two looks.
    setting.runbooks.values_mut().for_each(|book| book.steps[2].failure_is_ignored = true);
    let trace = live::run(&story, &setting).expect("a trace");

    assert!(moments(&trace).contains(&"new-master.exited-at-start"), "{:?}", moments(&trace));
    let exits: Vec<_> =
        trace.select(|what| if let What::Died { exit, .. } = what { Some(*exit) } else { None }).collect();
    assert_eq!(exits.iter().map(|(.., exit)| *exit).collect::<Vec<_>>(), [Some(Exit::Code(7))]);
    assert_eq!(requests(&trace).iter().filter(|request| request.is_lost()).count(), 0);
}

fn masters(trace: &Trace) -> Vec<(u32, String)> {
    trace
        .select(|what| match what {
            What::Born { role: Role::Master, generation, version, .. } => {
                Some((*generation, version.clone().unwrap_or_default()))
            }
            _ => None,
        })
        .map(|(.., master)| master)
        .collect()
}

fn born(trace: &Trace, wanted: Role) -> Vec<u32> {
    trace
        .select(|what| match what {
            What::Born { role, generation, .. } if *role == wanted => Some(*generation),
            _ => None,
        })
        .map(|(.., generation)| generation)
        .collect()
}

fn pids_of(trace: &Trace, wanted: Role) -> Vec<u32> {
    trace
        .select(|what| match what {
            What::Born { role, pid, .. } if *role == wanted => Some(*pid),
            _ => None,
        })
        .map(|(.., pid)| pid)
        .collect()
}

fn pid_files(trace: &Trace) -> Vec<(PidFile, Content)> {
    let mut seen: Vec<_> = trace
        .select(|what| match what {
            // A file is empty between its creation and its first byte, if one looks in time.
            What::PidFile { content: Content::Empty, .. } => None,
            What::PidFile { file, content } => Some((*file, content.clone())),
            _ => None,
        })
        .map(|(.., file)| file)
        .collect();
    seen.dedup();
    seen
}

fn is_accepting_at_the_end(trace: &Trace) -> BTreeSet<u32> {
    let mut holders = BTreeSet::new();
    for event in &trace.events {
        match &event.what {
            What::Listening { pid, accepting: true, .. } => {
                holders.insert(*pid);
            }
            What::Listening { pid, accepting: false, .. }
            | What::NotListening { pid, .. }
            | What::Died { pid, .. } => {
                holders.remove(pid);
            }
            _ => {}
        }
    }
    holders
}

fn deaths(trace: &Trace) -> usize {
    trace.select(|what| matches!(what, What::Died { .. }).then_some(())).count()
}

fn survivors(trace: &Trace) -> usize {
    trace.select(|what| matches!(what, What::Survivor { .. }).then_some(())).count()
}
