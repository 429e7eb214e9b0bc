//! The moments that a scenario can ask for, so that a run in which nothing happened does not pass.
//!
//! A moment is read off the trace, so every world has all of them. A world that writes a moment down itself
//! ([`What::Moment`]) is believed.

use super::State;
use crate::scenario::Claim;
use crate::trace::{Event, Fate, Kind, Request, Role, Trace, What};

/// A named moment.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// `actor.moment`, stable for ever.
    pub name: &'static str,
    /// When it is reached.
    pub sentence: &'static str,
    find: fn(&Trace) -> Option<usize>,
}

impl Moment {
    /// The position of the first event that reaches it.
    #[must_use]
    pub fn reached(&self, trace: &Trace) -> Option<usize> {
        let told = |event: &Event| matches!(&event.what, What::Moment { name } if name == self.name);
        trace.events.iter().position(told).or_else(|| (self.find)(trace))
    }
}

/// Every moment that a file can ask for.
pub const MOMENTS: &[Moment] = &[
    Moment {
        name: "new-master.born",
        sentence: "A master of a later generation is seen.",
        find: |trace| State::find(trace, |state, _| state.generations > 1),
    },
    Moment {
        name: "new-master.answers",
        sentence: "A worker of a later generation answers a request.",
        find: |trace| State::find(trace, |state, event| answered_by(state, event) > Some(1)),
    },
    Moment {
        name: "new-master.died",
        sentence: "A master dies while an older one lives.",
        find: |trace| {
            State::find(trace, |state, event| {
                let died = dead_master(state, event);
                died.is_some() && state.masters().iter().any(|other| Some(other.generation) < died)
            })
        },
    },
    Moment {
        name: "old-master.exited",
        sentence: "A master dies while a younger one lives.",
        find: |trace| {
            State::find(trace, |state, event| {
                let died = dead_master(state, event);
                died.is_some() && state.masters().iter().any(|other| Some(other.generation) > died)
            })
        },
    },
    Moment {
        name: "old-workers.draining",
        sentence: "A worker drains while a younger master lives.",
        find: |trace| {
            State::find(trace, |state, event| {
                let What::Draining { pid } = event.what else { return false };
                let generation = state.processes.get(&pid).map(|worker| worker.generation);
                state.masters().iter().any(|master| Some(master.generation) > generation)
            })
        },
    },
    Moment {
        name: "old-workers.gone",
        sentence: "The old master is there beside a new one and has no workers any more.",
        find: |trace| {
            State::find(trace, |state, _| match state.masters().as_slice() {
                [old, .., _] => state.workers_of(old.pid).next().is_none(),
                _ => false,
            })
        },
    },
    Moment {
        name: "old-workers.restored",
        sentence: "The old master starts workers again, some of its generation having drained.",
        find: |trace| {
            State::find(trace, |state, event| {
                let What::Born { role: Role::Worker, generation, .. } = event.what else { return false };
                state.generations > generation && state.drained.contains(&generation)
            })
        },
    },
    Moment {
        name: "both-releases.answer",
        sentence: "An older worker answers a request after a younger one has answered.",
        find: |trace| {
            let mut youngest = None;
            State::find(trace, |state, event| {
                let by = answered_by(state, event);
                youngest = youngest.max(by);
                by.is_some() && by < youngest
            })
        },
    },
    Moment {
        name: "slow-request.in-a-drain",
        sentence: "A worker is told to drain while it answers a slow request, and answers it in full.",
        find: |trace| {
            State::find(trace, |state, event| match served(event) {
                Some(request) if request.kind == Kind::Slow => request
                    .pid
                    .and_then(|pid| state.processes.get(&pid)?.draining_us)
                    .is_some_and(|draining_us| draining_us > request.started_us),
                _ => false,
            })
        },
    },
    Moment {
        name: "binary.replaced",
        sentence: "The file at the binary's path becomes the new release.",
        find: |trace| binary_becomes(trace, &trace.header.new, 0),
    },
    Moment {
        name: "binary.restored",
        sentence: "The file at the binary's path becomes the old release again.",
        find: |trace| {
            let replaced = binary_becomes(trace, &trace.header.new, 0)?;
            binary_becomes(trace, &trace.header.old, replaced + 1)
        },
    },
    Moment {
        name: "subject.refuses",
        sentence: "An act ends with the claim that nothing was touched.",
        find: |trace| {
            let is_it = |event: &Event| matches!(event.what, What::Claimed { claim: Claim::Refused, .. });
            trace.events.iter().position(is_it)
        },
    },
];

fn binary_becomes(trace: &Trace, release: &str, from: usize) -> Option<usize> {
    let is_it = |event: &Event| matches!(&event.what, What::Binary { version: Some(v) } if v == release);
    trace.events.iter().skip(from).position(is_it).map(|offset| from + offset)
}

/// The generation of the master that this event ends.
fn dead_master(state: &State, event: &Event) -> Option<u32> {
    let What::Died { pid, .. } = event.what else { return None };
    let process = state.processes.get(&pid)?;
    (process.role == Role::Master).then_some(process.generation)
}

/// The generation of the worker that answered the request which this event ends.
fn answered_by(state: &State, event: &Event) -> Option<u32> {
    let pid = served(event)?.pid?;
    state.processes.get(&pid).map(|worker| worker.generation)
}

fn served(event: &Event) -> Option<&Request> {
    let What::Request(request) = &event.what else { return None };
    matches!(request.fate, Fate::Served { .. }).then_some(request)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Run;
    use super::*;

    fn reached(run: &Run) -> Vec<&'static str> {
        MOMENTS
            .iter()
            .filter(|moment| moment.reached(&run.trace).is_some())
            .map(|moment| moment.name)
            .collect()
    }

    fn first(name: &str, run: &Run) -> Option<usize> {
        MOMENTS.iter().find(|moment| moment.name == name).unwrap().reached(&run.trace)
    }

    #[test]
    fn a_run_in_which_nothing_happens_reaches_no_moment() {
        assert_eq!(reached(&Run::new().served(5, Kind::Slow, 11).rest(10)), Vec::<&str>::new());
    }

    #[test]
    fn a_worker_that_crashes_and_comes_back_is_not_restored_by_anybody() {
        let run = Run::new().new_generation(10).died(20, 11, None).worker(21, 13, 10);
        assert_eq!(first("old-workers.restored", &run), None);
    }

    #[test]
    fn each_moment_is_reached_at_its_event() {
        let run = Run::new().binary(1, "1.26.3");
        let replaced = run.last();
        let run = run.new_generation(10);
        let born = run.last() - 2;
        let run = run.served(15, Kind::Fresh, 21);
        let answers = run.last();
        let run = run.served(16, Kind::Fresh, 11);
        let both = run.last();
        let run = run.drains(20, 11);
        let draining = run.last();
        let run = run.drains(20, 12).slow(15, 25, 11);
        let in_drain = run.last();
        let run = run.died(26, 11, None).died(27, 12, None);
        let gone = run.last();
        let run = run.worker(30, 13, 10);
        let restored = run.last();
        let exited = run.clone().died(40, 10, None);
        assert_eq!(first("old-master.exited", &exited), Some(exited.last()));
        let run = run.died(40, 20, None);
        let died = run.last();
        let run = run.binary(50, "1.22.1");
        let found: Vec<_> = MOMENTS.iter().map(|moment| (moment.name, moment.reached(&run.trace))).collect();
        assert_eq!(
            found,
            [
                ("new-master.born", Some(born)),
                ("new-master.answers", Some(answers)),
                ("new-master.died", Some(died)),
                ("old-master.exited", None),
                ("old-workers.draining", Some(draining)),
                ("old-workers.gone", Some(gone)),
                ("old-workers.restored", Some(restored)),
                ("both-releases.answer", Some(both)),
                ("slow-request.in-a-drain", Some(in_drain)),
                ("binary.replaced", Some(replaced)),
                ("binary.restored", Some(run.last())),
                ("subject.refuses", None),
            ]
        );
    }

    #[test]
    fn whose_master_has_died_is_told_by_the_one_that_lives() {
        let alone = Run::new().died(20, 10, None);
        let ended = ["new-master.died", "old-master.exited"].map(|name| first(name, &alone));
        assert_eq!(ended, [None, None], "nobody older or younger is there");
        let old = Run::new().new_generation(10).died(20, 10, None);
        assert_eq!(first("new-master.died", &old), None);
        let new = Run::new().new_generation(10).died(20, 20, None);
        assert_eq!(first("old-master.exited", &new), None);
    }

    #[test]
    fn a_worker_without_a_younger_master_is_no_old_one() {
        assert_eq!(first("old-workers.draining", &Run::new().drains(20, 11)), None);
        assert_eq!(first("old-workers.draining", &Run::new().new_generation(10).drains(20, 21)), None);
        let reloaded = Run::new().drains(20, 11).worker(21, 13, 10);
        assert_eq!(first("old-workers.restored", &reloaded), None, "by a reload, with nobody younger there");
    }

    #[test]
    fn a_slow_request_that_began_in_a_drain_was_not_in_flight_when_it_began() {
        let run = Run::new().drains(20, 11).slow(21, 30, 11);
        assert_eq!(first("slow-request.in-a-drain", &run), None);
        let quick = Run::new().drains(20, 11).served(20, Kind::Fresh, 11);
        assert_eq!(first("slow-request.in-a-drain", &quick), None);
    }

    #[test]
    fn a_file_that_was_put_there_once_was_not_put_back() {
        let once = Run::new().of_one_release();
        assert_eq!(first("binary.replaced", &once), Some(once.last()));
        assert_eq!(first("binary.restored", &once), None);
    }

    #[test]
    fn a_refusal_is_one_only_if_the_subject_says_so() {
        let refused = Run::new().claims(20, Claim::Refused);
        assert_eq!(first("subject.refuses", &refused), Some(refused.last()));
        assert_eq!(first("subject.refuses", &Run::new().claims(20, Claim::Stuck)), None);
    }

    #[test]
    fn a_world_that_tells_a_moment_is_believed() {
        let run = Run::new().push(7, What::Moment { name: "new-master.born".into() });
        assert_eq!(first("new-master.born", &run), Some(run.last()));
    }
}
