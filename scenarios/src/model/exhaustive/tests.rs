//! The search against itself and against another model checker.

use std::collections::BTreeSet;

use stateright::{Checker as _, Property};

use super::node::Node;
use super::walk::{Reached, Walker};
use super::*;
use crate::explore::Stop;
use crate::model::choice::Calm;
use crate::model::script::{Mistakes, Stages};
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
        "upgrade fault=exit-new-master",
        "upgrade fresh=1",
        "rollback fresh=1",
        "upgrade workers=2",
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
    ];
    for (mutant, cell) in wrong {
        let (few, all) = (run(cell, mistakes(mutant), Limits::EVERYTHING), run(cell, mistakes(mutant), FULL));
        assert_eq!(verdict(&few), verdict(&all), "{cell} {mutant}");
    }
}

/// Looks that are taken in one instant are a coarser bound, as nobody moves between two of them. What it misses is not
/// to be found here: the same is wrong, and the same is claimed, with every deliberate defect.
#[test]
fn whole_looks_show_what_torn_ones_show() {
    let same = |cell: &str, mistakes: Mistakes| {
        let torn = run(cell, mistakes, Limits { states_max: 40_000, ..Limits::EVERYTHING });
        let whole = run(&format!("{cell} looks=whole"), mistakes, Limits::EVERYTHING);
        if torn.is_complete() {
            assert_eq!(verdict(&whole), verdict(&torn), "{cell}");
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
    ] {
        let mistakes = mistakes(mutant);
        let report = run(cell, mistakes, Limits { first_only: true, ..Limits::EVERYTHING });
        let story = as_story(&named(cell).unwrap(), mistakes, &report.found[0]).unwrap();
        let file = Regression::found_by("a test", &story).to_string();
        let read = regression::parse("found.kdl", &file).unwrap();

        let Verdict::Violated(why) = regression::replay(&read, mistakes).verdict else {
            panic!("{cell} {mutant}: it holds\n{file}");
        };
        assert_eq!(search::kind(&why), search::kind(&report.found[0].why), "{cell} {mutant}");
        assert_eq!(
            regression::replay(&read, Mistakes::default()).verdict,
            Verdict::Held,
            "{cell} {mutant}\n{file}"
        );
    }
}

#[test]
fn a_limit_is_kept_and_told() {
    let limits = Limits { states_max: 500, ..Limits::EVERYTHING };
    let report = run("upgrade", Mistakes::default(), limits);

    assert!(!report.is_complete() && report.left > 0 && report.states < 600, "{report:?}");
}

/// The cell as another model checker sees it.
struct Stateright {
    cell: Cell,
    stages: Stages,
    mistakes: Mistakes,
}

/// A node, or what an edge led to instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum State {
    Node(Box<Node>),
    Wrong(String),
    End,
}

impl Stateright {
    fn walk<T>(&self, act: impl FnOnce(&mut Walker<'_>) -> T) -> T {
        let mut calm = Calm;
        let (setting, state) = self.stages.stage(&self.cell.script());
        act(&mut Walker::new(&self.cell, self.mistakes, (setting, state), &mut calm, false))
    }
}

impl stateright::Model for Stateright {
    type State = State;
    /// What an edge leads to.
    type Action = State;

    fn init_states(&self) -> Vec<State> {
        vec![State::Node(Box::new(self.walk(|walker| walker.root())))]
    }

    fn actions(&self, state: &State, actions: &mut Vec<State>) {
        let State::Node(node) = state else { return };
        self.walk(|walker| {
            walker.edges(node, |_, _, reached| {
                actions.push(match reached {
                    Reached::Node(node) => State::Node(node),
                    Reached::Wrong(why) => State::Wrong(search::kind(&why)),
                    Reached::End => State::End,
                });
            });
        });
    }

    fn next_state(&self, _: &State, action: State) -> Option<State> {
        Some(action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // One that never fails, so that the other checker visits everything too.
        vec![Property::always("anything", |_, _| true)]
    }
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

        let model = Stateright { cell: named(cell).unwrap(), stages: Stages::new(mistakes), mistakes };
        let (recorder, visited) = stateright::StateRecorder::new_with_accessor();
        stateright::Model::checker(model).visitor(recorder).spawn_bfs().join();

        let wrong: BTreeSet<String> = visited()
            .into_iter()
            .filter_map(|state| if let State::Wrong(why) = state { Some(why) } else { None })
            .collect();
        let nodes = visited().into_iter().filter(|state| matches!(state, State::Node(_))).count();
        assert_eq!(nodes, own.states, "{cell} {mutant:?}");
        assert_eq!(wrong, verdict(&own).0, "{cell} {mutant:?}");
    }
}
