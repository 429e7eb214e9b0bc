//! What everybody but the subject can do from here: which of the subject's looks show the same whenever they are
//! taken.
//!
//! A look changes nothing for others. If what it would show stays the same whatever others do before it, then every
//! order in which it is not the next step is, but for the place of that look, also an order in which it is. So only
//! those need to be walked.
//!
//! # Source
//! Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996: a persistent set of one.

use std::sync::Arc;

use orchestrator::machine::Plan;
use smallvec::SmallVec;

use crate::model::host::{Run, UnderWay};
use crate::model::shared::{ByPrint, fingerprint};
use crate::model::world::{Snapshot, Way, Wish, World};

/// A world without its subject, and what is known of what comes behind it.
struct Future {
    at: Arc<Snapshot>,
    /// Those that follow it in one step of anybody else; `None`: nobody has looked yet.
    next: Option<SmallVec<[u64; 4]>>,
    /// By look: whether it shows the same from here on; `None`: somebody is finding out.
    keeps: ByPrint<Option<bool>>,
}

/// All that is known.
#[derive(Default)]
pub(super) struct Futures {
    known: ByPrint<Future>,
}

/// A look, with what it needs.
#[derive(Clone, Copy)]
struct Look<'a> {
    call: &'a UnderWay,
    plan: &'a Plan,
    run: &'a Run,
    id: u64,
}

impl Look<'_> {
    /// What it would show there.
    fn shows(&self, world: &mut World<'_>, at: &Snapshot) -> u64 {
        world.restore(at);
        let (mut call, mut run) = (self.call.clone(), *self.run);
        let answer = call.go(world, self.plan, &mut run);
        fingerprint(&(answer, call))
    }
}

impl Futures {
    /// True if this look shows the same now and after whatever others may do before it.
    pub(super) fn keep(
        &mut self,
        world: &mut World<'_>,
        at: &Snapshot,
        call: &UnderWay,
        (plan, run): (&Plan, &Run),
    ) -> bool {
        let look = Look { call, plan, run, id: fingerprint(call) };
        let id = self.meet(at);
        if let Some(known) = self.known_of(id, look) {
            return known;
        }
        let shown = look.shows(world, at);
        self.keep_from(world, id, look, shown)
    }

    /// What is known of a look; who runs in circles may come to anything.
    fn known_of(&self, id: u64, look: Look<'_>) -> Option<bool> {
        self.known[&id].keeps.get(&look.id).map(|keeps| keeps.unwrap_or(false))
    }

    /// From a world in which this is shown.
    fn keep_from(&mut self, world: &mut World<'_>, id: u64, look: Look<'_>, shown: u64) -> bool {
        if let Some(known) = self.known_of(id, look) {
            return known;
        }
        self.note(id, look, None);
        let next = self.next(world, id);
        let keeps = next.into_iter().all(|next| {
            let at = Arc::clone(&self.known[&next].at);
            look.shows(world, &at) == shown && self.keep_from(world, next, look, shown)
        });
        self.note(id, look, Some(keeps));
        keeps
    }

    fn note(&mut self, id: u64, look: Look<'_>, keeps: Option<bool>) {
        if let Some(future) = self.known.get_mut(&id) {
            future.keeps.insert(look.id, keeps);
        }
    }

    fn meet(&mut self, at: &Snapshot) -> u64 {
        let id = fingerprint(&(&at.state.kernel, &at.state.clients));
        let new = || Future { at: Arc::new(at.clone()), next: None, keeps: ByPrint::default() };
        self.known.entry(id).or_insert_with(new);
        id
    }

    /// Those that follow in one step of anybody but the subject. Time does not pass while the subject may look.
    fn next(&mut self, world: &mut World<'_>, id: u64) -> SmallVec<[u64; 4]> {
        let future = &self.known[&id];
        if let Some(next) = &future.next {
            return next.clone();
        }
        let at = Arc::clone(&future.at);
        world.restore(&at);
        let wish = Wish::Time(u64::MAX);
        let ways = world.ways(wish);
        let mut next = SmallVec::new();
        for (way, name) in ways.ways.into_iter().zip(ways.names) {
            if matches!(way, Way::Time | Way::Subject) {
                continue;
            }
            world.restore(&at);
            if world.take(way, name, wish).is_ok() {
                next.push(self.meet(&world.snapshot()));
            }
        }
        if let Some(future) = self.known.get_mut(&id) {
            future.next = Some(next.clone());
        }
        next
    }
}
