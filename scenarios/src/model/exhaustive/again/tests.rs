//! Both engines on the same bounds.

use std::collections::{BTreeSet, VecDeque};

use super::super::cell::{Cell, named};
use super::super::node::Node;
use super::super::subject::Subject;
use super::super::tests::{FULL, mistakes, run, verdict};
use super::super::walk::{Reached, Walker};
use super::{instant, play_all};
use crate::model::choice::{Act, Calm};
use crate::model::script::{Mistakes, PATIENCE_MS, Stages};
use crate::model::shared::{ByPrint, fingerprint};
use crate::model::world::Wish;

/// The same of the search's nodes.
fn instants(cell: &Cell, mistakes: Mistakes) -> (BTreeSet<u64>, usize) {
    let stages = Stages::new(mistakes);
    let (setting, state) = stages.stage(&cell.script());
    let mut calm = Calm;
    let mut walker = Walker::new(cell, mistakes, (setting, state), &mut calm, false);
    let root = walker.root();
    let (mut met, mut instants) = (ByPrint::default(), BTreeSet::new());
    met.insert(fingerprint(&root), ());
    let mut open = VecDeque::from([root]);
    while let Some(node) = open.pop_front() {
        instants.insert(instant(fingerprint(&node.world), wish(&node)));
        walker.edges(&node, |_, _, reached| {
            if let Reached::Node(next) = reached
                && met.insert(fingerprint(&*next), ()).is_none()
            {
                open.push_back(*next);
            }
        });
    }
    (instants, met.len())
}

fn wish(node: &Node) -> Wish {
    match &node.subject {
        Subject::Types(_) | Subject::Killed => Wish::Act(Act::Type),
        Subject::Runs(running) => running.call.wish(),
        Subject::IsDone(_) => Wish::Time(node.world.state.kernel.now_ms() + PATIENCE_MS),
        Subject::Reads(_) => unreachable!("nobody reads here"),
    }
}

/// Both engines on a cell.
fn agree(cell: &str, mutant: Option<&str>) {
    let mistakes = mutant.map_or_else(Mistakes::default, mistakes);
    let own = named(cell).unwrap();
    let again = play_all(&own, mistakes);
    let (instants, states) = instants(&own, mistakes);
    let searched = run(cell, mistakes, FULL);
    assert_eq!(states, searched.states, "{cell} {mutant:?}");
    assert_eq!((again.wrong, again.claims), verdict(&searched), "{cell} {mutant:?}");
    assert_eq!(again.instants.len(), instants.len(), "{cell} {mutant:?}");
    assert!(again.instants == instants, "{cell} {mutant:?}: as many instants, and other ones");
}

/// Red when the search forgets an answer, or a part of the world when it comes back to it, or takes two states for one.
#[test]
fn whole_runs_show_what_the_search_shows() {
    for cell in [
        "upgrade",
        "upgrade binary=1",
        "upgrade binary=2",
        "upgrade binary=3",
        "upgrade binary=5",
        "upgrade binary=6",
        "upgrade fault=full-disk",
        "upgrade fault=package",
        "upgrade binary=5 fault=interrupt",
        "upgrade binary=1 crashes=1",
    ] {
        agree(cell, None);
    }
    for (cell, mutant) in [
        ("upgrade", "orchestrator.believes-the-pid-file"),
        ("upgrade binary=5", "orchestrator.quits-without-looking"),
        ("upgrade fault=full-disk", "orchestrator.forgets-the-file"),
        ("upgrade binary=1 crashes=1", "orchestrator.forgets-the-file"),
    ] {
        agree(cell, Some(mutant));
    }
}

#[test]
#[ignore = "a minute: a million runs and more"]
fn whole_runs_within_wider_bounds_show_what_the_search_shows() {
    for cell in [
        "upgrade fresh=1",
        "upgrade binary=5 fault=kill-new-master",
        "upgrade fault=kill-old-worker",
        "rollback",
        "upgrade crashes=1",
    ] {
        agree(cell, None);
    }
    agree("upgrade", Some("orchestrator.quits-without-looking"));
}
