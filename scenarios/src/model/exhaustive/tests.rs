//! The search against itself and against another model checker.

use std::collections::BTreeSet;

use stateright::{Checker as _, Model as _};

use super::checker::Stateright;
use super::*;
use crate::explore::Stop;
use crate::model::script::Mistakes;
use crate::mutant;
use crate::regression::{self, Regression, Verdict};

pub(super) const FULL: Limits = Limits { reduces: false, ..Limits::EVERYTHING };

pub(super) fn mistakes(name: &str) -> Mistakes {
    mutant::mistakes(&[name.parse().unwrap()])
}

pub(super) fn run(cell: &str, mistakes: Mistakes, limits: Limits) -> Report {
    explore(&named(cell).unwrap(), mistakes, limits, &mut |_| Stop::No)
}

/// What is wrong, and what was claimed.
pub(super) fn verdict(report: &Report) -> (BTreeSet<String>, BTreeSet<String>) {
    let wrong = report.found.iter().map(|found| search::kind(&found.why)).collect();
    let reached = report.reached.keys().filter(|name| name.starts_with("claim.")).cloned().collect();
    (wrong, reached)
}

/// A look that is taken too early, or a state that two looks share and should not, would lose a verdict.
#[test]
fn fewer_states_show_the_same() {
    let sound = [
        "upgrade",
        "rollback",
        "upgrade crashes=1",
        "upgrade fault=full-disk",
        "upgrade fault=second-usr2",
        "upgrade fault=reopen",
        "upgrade fault=package",
        "upgrade fault=reused-pid",
        "upgrade fault=second-operator",
        "upgrade fault=power-failure looks=whole",
        "upgrade fault=usr2-new-master",
        "upgrade fault=exit-new-master",
        "upgrade fresh=1",
        "rollback fresh=1",
        "upgrade workers=2",
        "upgrade crashes=1 fresh=1 turns=whole",
        "rollback workers=2 fresh=1 turns=whole",
    ];
    for cell in sound {
        let (few, all) =
            (run(cell, Mistakes::default(), Limits::EVERYTHING), run(cell, Mistakes::default(), FULL));
        assert_eq!(verdict(&few), verdict(&all), "{cell}");
        assert!(few.states < all.states, "{cell}: {} of {}", few.states, all.states);
    }
    let wrong = [
        ("orchestrator.believes-the-pid-file", "upgrade"),
        ("orchestrator.quits-without-looking", "upgrade"),
        ("orchestrator.quits-without-looking", "upgrade fault=package"),
        ("orchestrator.forgets-the-file", "upgrade fault=full-disk"),
        ("fake.closes-listeners-on-noaccept", "upgrade"),
        ("fake.closes-listeners-on-noaccept", "upgrade fresh=1"),
        ("fake.forgets-quit", "upgrade workers=2"),
        ("orchestrator.retires-before-reviving", "rollback workers=2 fresh=1 turns=whole"),
    ];
    for (mutant, cell) in wrong {
        let (few, all) = (run(cell, mistakes(mutant), Limits::EVERYTHING), run(cell, mistakes(mutant), FULL));
        assert_eq!(verdict(&few), verdict(&all), "{cell} {mutant}");
    }
}

/// Looks and turns that are taken in one instant are coarser bounds, as nobody moves in the middle of them. What they miss
/// is not to be found here: with every deliberate defect, looks show the same that is wrong and the same claims, and turns
/// a part of that, which is nothing only if that is nothing.
#[test]
fn whole_looks_and_turns_show_what_torn_ones_show() {
    let same = |cell: &str, mistakes: Mistakes| {
        let within = |bound| verdict(&run(&format!("{cell} {bound}"), mistakes, Limits::EVERYTHING));
        let torn = run(cell, mistakes, Limits { states_max: 40_000, ..Limits::EVERYTHING });
        let (looks, turns) = (within("looks=whole"), within("turns=whole"));
        if torn.is_complete() {
            assert_eq!(looks, verdict(&torn), "{cell}");
            assert!(turns.0.is_subset(&looks.0) && turns.1.is_subset(&looks.1), "{cell}: {turns:?}");
            assert_eq!(turns.0.is_empty(), looks.0.is_empty(), "{cell}");
        }
        torn.is_complete() && !torn.found.is_empty()
    };
    for cell in ["upgrade fresh=1", "rollback", "upgrade fault=full-disk", "upgrade fault=second-usr2"] {
        assert!(!same(cell, Mistakes::default()));
    }
    let orchestrators = orchestrator::machine::Defects::names().map(|name| format!("orchestrator.{name}"));
    let fakes = fake_nginx::machine::Defects::names().map(|name| format!("fake.{name}"));
    let shown: Vec<_> = orchestrators.chain(fakes).filter(|name| same("rollback", mistakes(name))).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

/// Red when a process is known by its number alone, be it where it is looked at or where it is signalled.
#[test]
fn nobody_signals_a_number_that_is_somebody_elses_by_now() {
    let cell = "upgrade fault=kill-old-master fault=reused-pid";
    let sound = run(cell, Mistakes::default(), Limits::EVERYTHING);
    assert_eq!(sound.found, []);
    assert!(sound.reached["fault.reused-pid"] > 1_000, "{:?}", sound.reached);

    let wrong = run(cell, mistakes("orchestrator.signals-by-number"), Limits::EVERYTHING);
    assert!(verdict(&wrong).0.iter().all(|why| why.contains("no nginx")), "{:?}", wrong.found);
    assert!(!wrong.found.is_empty());
}

/// Red when a command goes on beside another one, or changes something before it is refused.
#[test]
fn a_second_operator_is_refused_while_a_command_runs_and_goes_on_behind_it() {
    let cell = "rollback fault=second-operator";
    let sound = run(cell, Mistakes::default(), Limits::EVERYTHING);
    assert_eq!(sound.found, []);
    let behind = sound.reached.keys().filter(|label| label.contains("who types")).count();
    assert_eq!(behind, 4, "{:?}", sound.reached);

    let wrong = run(cell, mistakes("orchestrator.forgets-the-lock"), Limits::EVERYTHING);
    assert!(verdict(&wrong).0.iter().any(|why| why.contains("while another command runs")));
}

/// Red when a write counts as done before it is on disk, when pids of the last boot are believed, and when the way back
/// tells the new generation to go while a restart would start it.
#[test]
fn a_restart_starts_the_right_binary_and_leaves_nobody_without_a_way_on() {
    for cell in ["upgrade fault=power-failure", "rollback fault=power-failure looks=whole"] {
        let sound = run(cell, Mistakes::default(), Limits::EVERYTHING);
        assert_eq!(sound.found, [], "{cell}");
        let ways = sound.reached.keys().filter(|label| label.starts_with("fault.power-failure")).count();
        assert_eq!(
            ways, 8,
            "what is not on disk is there or not, nobody's or a stranger's number: {:?}",
            sound.reached
        );
    }
    let shows = |cell: &str, mutant: &str, what: &str| {
        let wrong = verdict(&run(cell, mistakes(mutant), Limits::EVERYTHING)).0;
        assert!(wrong.iter().any(|why| why.contains(what)), "{mutant}: {wrong:?}");
    };
    let upgrade = "upgrade fault=power-failure";
    shows(upgrade, "orchestrator.syncs-no-folder", "a restart finds Some(Image");
    shows(upgrade, "orchestrator.syncs-no-folder", "no journal that has announced it");
    shows(upgrade, "orchestrator.syncs-no-copy", "a restart finds Some(Garbage)");
    shows(upgrade, "orchestrator.forgets-the-boot", "an earlier upgrade is not finished");
    shows("rollback fault=power-failure looks=whole", "orchestrator.restores-the-file-last", "Some(Back)");
}

/// Red when a signal by another hand excuses every claim: those that are made with open eyes are judged.
#[test]
fn signals_by_another_hand_excuse_no_claim_that_was_made_with_open_eyes() {
    for fault in ["winch-new-master", "usr2-old-master"] {
        let cell = format!("upgrade fault={fault}");
        assert_eq!(run(&cell, Mistakes::default(), Limits::EVERYTHING).found, [], "{cell}");
        let wrong = run(&cell, mistakes("orchestrator.forgets-the-file"), Limits::EVERYTHING);
        assert!(
            verdict(&wrong).0.iter().any(|why| why.contains("another binary is at the path")),
            "{cell}: {:?}",
            wrong.found
        );
    }
}

#[test]
fn the_order_changes_nothing_but_the_way() {
    let depth = Limits { order: Order::Depth, ..Limits::EVERYTHING };
    for cell in ["upgrade", "upgrade stalls=1", "debian-init-upgrade"] {
        let wide = run(cell, Mistakes::default(), Limits::EVERYTHING);
        let deep = run(cell, Mistakes::default(), depth);

        assert_eq!((wide.states, wide.edges, wide.ends), (deep.states, deep.edges, deep.ends), "{cell}");
        assert_eq!(verdict(&wide), verdict(&deep), "{cell}");
    }
}

#[test]
fn the_same_cell_gives_the_same_report() {
    for cell in ["upgrade fault=full-disk", "documented-upgrade stalls=1"] {
        let twice = [(); 2].map(|()| run(cell, Mistakes::default(), Limits::EVERYTHING));
        assert_eq!(twice[0], twice[1], "{cell}");
    }
}

/// Every step of a way is one that can be taken, and the last of them is the wrong one.
#[test]
fn a_way_to_something_wrong_is_told_from_the_beginning() {
    let report = run("documented-upgrade", Mistakes::default(), Limits::EVERYTHING);

    let path: Vec<_> = report.found[0].path.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(format!("{}\n{}", report.found[0].why, path.join("\n")));
}

/// The file of what is wrong is wrong in the same way when it is played, and holds without the mistake. Red when a
/// fault of the way strikes at another step, or its steps are taken in another order.
#[test]
fn what_is_wrong_becomes_a_file_that_replays() {
    for (cell, mutant) in [
        ("upgrade", "orchestrator.believes-the-pid-file"),
        ("upgrade fault=full-disk", "orchestrator.forgets-the-file"),
        ("upgrade fault=second-usr2", "fake.accepts-a-second-usr2"),
        ("upgrade crashes=1", "orchestrator.retires-before-reviving"),
        ("upgrade fault=power-failure", "orchestrator.syncs-no-copy"),
        ("upgrade fault=power-failure", "orchestrator.forgets-the-boot"),
    ] {
        let report = run(cell, mistakes(mutant), Limits { first_only: true, ..Limits::EVERYTHING });
        replays(cell, mutant, &report.found[0]);
    }
}

/// Red when everybody comes to rest before a command of the file though on the way they do not, or when what a second
/// operator types between two commands is left out.
#[test]
fn a_command_that_is_typed_while_others_move_becomes_part_of_the_file() {
    for (cell, mutant) in [
        ("upgrade crashes=1 looks=whole", "orchestrator.forgets-the-winch"),
        ("rollback fault=second-operator looks=whole", "orchestrator.retires-before-reviving"),
    ] {
        let report = run(cell, mistakes(mutant), Limits { states_max: 20_000, ..Limits::EVERYTHING });
        let files: Vec<_> = report.found.iter().map(|found| replays(cell, mutant, found)).collect();
        let hurries = |file: &Regression| file.script.commands.iter().any(|(pause, _)| pause.hurries());
        assert!(files.iter().any(hurries), "{cell} {mutant}: {files:?}");
    }
}

/// The file of what a search has found.
fn replays(cell: &str, mutant: &str, found: &Found) -> Regression {
    let mistakes = mistakes(mutant);
    let story = as_story(&named(cell).unwrap(), mistakes, found).unwrap();
    let file = Regression::found_by("a test", &story).to_string();
    let read = regression::parse("found.kdl", &file).unwrap();

    let Verdict::Violated(why) = regression::replay(&read, mistakes).verdict else {
        panic!("{cell} {mutant}: it holds\n{file}");
    };
    assert_eq!(search::kind(&why), search::kind(&found.why), "{cell} {mutant}");
    let sound = regression::replay(&read, Mistakes::default()).verdict;
    assert_eq!(sound, Verdict::Held, "{cell} {mutant}\n{file}");
    read
}

#[test]
fn a_limit_is_kept_and_told() {
    let limits = Limits { states_max: 500, ..Limits::EVERYTHING };
    let report = run("upgrade", Mistakes::default(), limits);

    assert!(!report.is_complete() && report.left > 0 && report.states < 600, "{report:?}");
}

/// Another search, written by others, over the same edges: as many states, and the same of them wrong.
#[test]
fn stateright_visits_as_many_states() {
    for (cell, mutant) in [
        ("upgrade", None),
        ("make-upgrade stalls=1", None),
        ("upgrade", Some("orchestrator.believes-the-pid-file")),
    ] {
        let mistakes = mutant.map_or_else(Mistakes::default, mistakes);
        let own = run(cell, mistakes, FULL);

        let model = Stateright(Space::new(named(cell).unwrap(), mistakes));
        let (recorder, visited) = stateright::StateRecorder::new_with_accessor();
        model.checker().visitor(recorder).spawn_bfs().join();

        let visited = visited();
        let wrong: BTreeSet<String> = visited.iter().filter_map(Place::wrong).map(str::to_owned).collect();
        let nodes = visited.iter().filter(|place| place.is_state()).count();
        assert_eq!(nodes, own.states, "{cell} {mutant:?}");
        assert_eq!(wrong, verdict(&own).0, "{cell} {mutant:?}");
    }
}
