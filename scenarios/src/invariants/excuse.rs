//! What a run did to itself: the faults that struck, and what they excuse.
//!
//! A script that kills processes must not call the gap that it made itself an error of the subject, and must not
//! excuse any other. So an excuse is computed from the trace: a blow is a signal that the laboratory sent, directly
//! before the moment `struck.NAME`. A trace without such moments, as of every story, has no excuses: a story says
//! itself what holds in spite of its faults.

use std::collections::BTreeMap;

use super::{SIGHT_MS, State};
use crate::trace::{Event, Role, Trace, What};

/// How the moment begins that tells of a random script's fault.
pub(crate) const STRUCK: &str = "struck.";
/// The subject began to look at the world for the last time before it claimed something.
const LAST_LOOK: &str = "subject.last-look";
/// The subject has put its journal in its place.
const SAVED: &str = "subject.save";

/// A fault that struck.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Blow {
    position: usize,
    at_us: u64,
    name: String,
    /// Who was hit.
    on: Option<(u32, Role)>,
}

impl Blow {
    /// True for what strikes the subject itself, which knows it, and for what was wrong from the beginning.
    fn is_of_command(&self) -> bool {
        matches!(self.name.as_str(), "crash" | "interrupt" | "full-disk" | "new-binary")
    }
}

/// Everything that a run did to itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Excuses {
    blows: Vec<Blow>,
    /// Workers that were felled, by a blow to them or to their master, and when.
    felled: BTreeMap<u32, u64>,
    /// From when until when nobody need accept: those who would were felled, and are not replaced yet.
    nobody_accepts: Vec<(u64, u64)>,
}

impl Excuses {
    /// Those of a trace.
    pub(super) fn of(trace: &Trace) -> Self {
        let mut excuses = Self::default();
        let mut state = State::default();
        let mut sent = None;
        let mut since_us = None;
        // Masters that leave and take their workers with them, and why.
        let mut leavers: BTreeMap<u32, &str> = BTreeMap::new();
        let told = told_to_end(trace);
        for (position, event) in trace.events.iter().enumerate() {
            state.apply(event);
            // A master that is hit while it loads hears of it only once its workers are there.
            if let What::Born { pid, parent, role: Role::Worker, .. } = &event.what
                && let Some(signal) = leavers.get(parent)
            {
                since_us = since_us.or(Some(event.at_us));
                if *signal != "QUIT" {
                    excuses.felled.insert(*pid, event.at_us);
                }
            }
            if let Some(began_us) = since_us
                && excuses.is_replaced(&state, (&leavers, &told), began_us, event)
            {
                excuses.nobody_accepts.push((began_us, event.at_us));
                since_us = None;
            }
            if let What::Signal { to, signal, arrived: false, .. } = &event.what {
                sent = Some((*to, signal.as_str()));
            }
            let What::Moment { name } = &event.what else { continue };
            let Some(name) = name.strip_prefix(STRUCK) else { continue };
            let role = name.ends_with("-master").then_some(Role::Master);
            let role = role.or(name.ends_with("-worker").then_some(Role::Worker));
            let hit = sent.take().zip(role);
            let on = hit.map(|((pid, _), role)| (pid, role));
            if let Some(((pid, signal), role)) = hit {
                let leaving = match role {
                    Role::Worker => vec![pid],
                    // A master takes its workers with it unless it has no time to.
                    Role::Master if signal != "KILL" => {
                        leavers.insert(pid, signal);
                        state.workers_of(pid).map(|worker| worker.pid).collect()
                    }
                    Role::Master => Vec::new(),
                };
                if leaving
                    .iter()
                    .any(|pid| state.processes.get(pid).is_some_and(|of| of.draining_us.is_none()))
                {
                    since_us = since_us.or(Some(event.at_us));
                }
                if signal != "QUIT" {
                    excuses.felled.extend(leaving.into_iter().map(|pid| (pid, event.at_us)));
                }
            }
            excuses.blows.push(Blow { position, at_us: event.at_us, name: name.to_owned(), on });
        }
        excuses.nobody_accepts.extend(since_us.map(|began_us| (began_us, u64::MAX)));
        excuses
    }

    /// True if somebody accepts who came after the blow and stays, or somebody else and all is at rest.
    ///
    /// A master that was told to end while it loads starts its workers, and only then hears of it.
    fn is_replaced(
        &self,
        state: &State,
        (leavers, told): (&BTreeMap<u32, &str>, &BTreeMap<u32, u64>),
        began_us: u64,
        event: &Event,
    ) -> bool {
        let is_told =
            |master: &u32| told.get(master).is_some_and(|&at_us| at_us <= event.at_us + SIGHT_MS * 1_000);
        let stays = |worker: &super::Process| {
            worker.is_serving() && !leavers.contains_key(&worker.parent) && !is_told(&worker.parent)
        };
        let is_well =
            |pid: &u32| !self.felled.contains_key(pid) && state.processes.get(pid).is_some_and(stays);
        if let What::Listening { pid, accepting: true, .. } = &event.what {
            return is_well(pid) && state.processes.get(pid).is_some_and(|of| of.born_us >= began_us);
        }
        event.what == What::Quiescent && state.processes.keys().any(is_well)
    }

    /// How many faults there were, a faulty new binary among them.
    pub(super) fn faults(&self) -> usize {
        self.blows.len()
    }

    /// True if a fault of this name struck.
    pub(super) fn has_struck(&self, name: &str) -> bool {
        self.blows.iter().any(|blow| blow.name == name)
    }

    /// True if a master was felled.
    pub(super) fn has_felled_master(&self) -> bool {
        self.blows.iter().any(|blow| matches!(blow.on, Some((_, Role::Master))))
    }

    /// True if this master was felled before that time.
    pub(super) fn has_felled(&self, master: u32, before_us: u64) -> bool {
        self.blows.iter().any(|blow| blow.at_us < before_us && blow.on == Some((master, Role::Master)))
    }

    /// True if at some instant of that time nobody need accept.
    pub(super) fn excuse_nobody(&self, from_us: u64, until_us: u64) -> bool {
        let sight_us = SIGHT_MS * 1_000;
        self.nobody_accepts
            .iter()
            .any(|&(from, until)| from_us <= until.saturating_add(sight_us) && from <= until_us + sight_us)
    }

    /// True if a request of that time, answered by this worker if that is known, ended with a worker's death.
    pub(super) fn excuse_loss(
        &self,
        trace: &Trace,
        worker: Option<u32>,
        from_us: u64,
        until_us: u64,
    ) -> bool {
        if self.felled.is_empty() {
            return false;
        }
        let died = |what| if let &What::Died { pid, .. } = what { Some(pid) } else { None };
        // Whoever was felled may cut its requests at any time from the blow to its death.
        let was_dying = |pid: &u32, died_us: u64| {
            let felled_us = self.felled.get(pid);
            felled_us.is_some_and(|&at_us| at_us <= until_us + SIGHT_MS * 1_000) && died_us >= from_us
        };
        trace
            .select(died)
            .filter(|(_, event, pid)| was_dying(pid, event.at_us))
            .any(|(.., pid)| worker.is_none_or(|worker| worker == pid))
    }

    /// True if anything struck between these events.
    pub(super) fn have_struck(&self, from: usize, until: usize) -> bool {
        self.blows.iter().any(|blow| (from..until).contains(&blow.position))
    }

    /// True if nginx was struck behind the subject's last look, of an act from `began` to its claim, and
    /// before the next rest: then the subject could not know.
    pub(super) fn excuse_claim(&self, trace: &Trace, began: usize, claimed: usize) -> bool {
        let events = &trace.events;
        let is_look =
            |event: &&crate::trace::Event| matches!(&event.what, What::Moment { name } if name == LAST_LOOK);
        let act = events.get(began..claimed).unwrap_or_default();
        let looked_us = act.iter().rfind(is_look).or(act.first()).map_or(0, |event| event.at_us);
        let rest = events.iter().skip(claimed).position(|event| event.what == What::Quiescent);
        let rested = rest.map_or(events.len(), |offset| claimed + offset);
        // A process that was killed may be seen until the kernel has ended it.
        let ended_us = |blow: &Blow| {
            let died = |what: &What| matches!(what, What::Died { pid, .. } if Some(*pid) == blow.on.map(|(pid, _)| pid));
            events
                .iter()
                .skip(blow.position)
                .find(|event| died(&event.what))
                .map_or(blow.at_us, |event| event.at_us)
        };
        self.blows
            .iter()
            .filter(|blow| !blow.is_of_command() && blow.position <= rested)
            .any(|blow| ended_us(blow) >= looked_us)
    }
}

/// When each process was first seen to be told that it shall end, which nothing takes back.
fn told_to_end(trace: &Trace) -> BTreeMap<u32, u64> {
    let mut told = BTreeMap::new();
    for event in &trace.events {
        if let What::Signal { to, signal, arrived: true, .. } = &event.what
            && matches!(signal.as_str(), "QUIT" | "TERM")
        {
            told.entry(*to).or_insert(event.at_us);
        }
    }
    told
}

/// True if the subject put a journal in its place in the act that begins there.
pub(super) fn has_saved(trace: &Trace, began: usize) -> bool {
    let act = trace.events.iter().skip(began + 1);
    act.take_while(|event| !matches!(event.what, What::StepEnded { .. }))
        .any(|event| matches!(&event.what, What::Moment { name } if name == SAVED))
}

#[cfg(test)]
mod tests {
    use super::super::tests::Run;
    use super::*;
    use crate::trace::Kind;

    /// The milliseconds at which nobody need accept, of those from 0 to 200.
    fn gaps(run: &Run) -> Vec<(u64, u64)> {
        Excuses::of(&run.trace)
            .nobody_accepts
            .iter()
            .map(|&(from, until)| (from / 1_000, until / 1_000))
            .collect()
    }

    const FOR_EVER: u64 = u64::MAX / 1_000;

    #[test]
    fn a_story_has_no_excuses() {
        let run = Run::new().signal(20, 10, "KILL").signal(21, 11, "TERM").died(22, 11, None);
        let run = run.moment(23, "worker-1.born");
        assert_eq!(Excuses::of(&run.trace), Excuses::default());
    }

    /// Red when a gap begins without a blow, or ends before somebody accepts who was not hit.
    #[test]
    fn nobody_need_accept_from_a_blow_to_a_worker_until_another_one_does() {
        let hit = Run::new().struck(20, 11, "KILL", "kill-old-worker");
        assert_eq!(gaps(&hit), [(20, FOR_EVER)]);
        let forked = hit.clone().died(21, 11, None).worker(25, 13, 10);
        assert_eq!(gaps(&forked.clone().accepts(30, 13)), [(20, 30)]);
        assert_eq!(gaps(&forked.clone().accepts(30, 12)), [(20, FOR_EVER)], "it was there before");
        assert_eq!(gaps(&forked.clone().died(28, 13, None).accepts(30, 13)), [(20, FOR_EVER)], "it has died");
        assert_eq!(gaps(&forked.drains(28, 13).accepts(30, 13)), [(20, FOR_EVER)], "it drains");
        assert_eq!(
            gaps(&hit.clone().rest(40)),
            [(20, 40)],
            "the other one serves, and nothing moves any more"
        );
        let two = hit.struck(22, 12, "KILL", "kill-old-worker");
        assert_eq!(gaps(&two.rest(40)), [(20, FOR_EVER)], "nobody is left");
        let told = Run::new().drains(10, 11).struck(20, 11, "TERM", "term-old-worker");
        assert_eq!(gaps(&told), [], "it accepted no more");
    }

    /// Red when workers that a new master starts only to end them end an excuse: nobody is there when they have gone.
    #[test]
    fn whoever_comes_up_only_to_go_replaces_nobody() {
        let hit = Run::new().new_generation(10).struck(20, 10, "TERM", "term-old-master");
        let up = hit.worker(21, 23, 20).accepts(22, 23);
        assert_eq!(gaps(&up), [(20, 22)]);
        assert_eq!(gaps(&up.clone().arrives(25, 20, "QUIT")), [(20, FOR_EVER)]);
        let late = 23 + SIGHT_MS;
        assert_eq!(gaps(&up.clone().arrives(late, 20, "QUIT")), [(20, 22)], "somebody told it later");
        assert_eq!(gaps(&up.arrives(25, 20, "WINCH")), [(20, 22)], "which can be taken back");
    }

    #[test]
    fn a_master_takes_its_workers_with_it_unless_it_is_killed() {
        let killed = Run::new().struck(20, 10, "KILL", "kill-old-master");
        assert_eq!(gaps(&killed), []);
        assert!(Excuses::of(&killed.trace).felled.is_empty());
        let term = Run::new().struck(20, 10, "TERM", "term-old-master");
        assert_eq!(gaps(&term), [(20, FOR_EVER)]);
        assert_eq!(Excuses::of(&term.trace).felled.into_keys().collect::<Vec<_>>(), [11, 12]);
        let quit = Run::new().struck(20, 10, "QUIT", "quit-old-master");
        assert_eq!(gaps(&quit), [(20, FOR_EVER)]);
        assert!(Excuses::of(&quit.trace).felled.is_empty(), "their requests are answered");
        // Its own workers are no replacement, whatever it forks yet; those of the other master are.
        let late = quit.worker(25, 13, 10);
        assert_eq!(gaps(&late.clone().accepts(30, 13)), [(20, FOR_EVER)]);
        assert_eq!(gaps(&late.new_generation(40).accepts(50, 21)), [(20, 50)]);
        let loading = Run::new().master(10, 20, 10, 2, "1.26.3").struck(20, 20, "TERM", "term-new-master");
        assert_eq!(gaps(&loading), [], "it has no workers yet");
        let born = loading.worker(30, 21, 20);
        assert_eq!(gaps(&born), [(30, FOR_EVER)]);
        assert!(Excuses::of(&born.trace).felled.contains_key(&21));
    }

    #[test]
    fn a_gap_is_excused_as_far_as_it_can_be_seen() {
        let run = Run::new().struck(100, 11, "KILL", "kill-old-worker").worker(150, 13, 10);
        let excuses = Excuses::of(&run.accepts(200, 13).trace);
        let sight_us = SIGHT_MS * 1_000;
        assert!(excuses.excuse_nobody(0, 100_000 - sight_us));
        assert!(!excuses.excuse_nobody(0, 100_000 - sight_us - 1));
        assert!(excuses.excuse_nobody(200_000 + sight_us, 900_000));
        assert!(!excuses.excuse_nobody(200_000 + sight_us + 1, 900_000));
        assert!(excuses.excuse_nobody(120_000, 130_000));
    }

    #[test]
    fn a_request_is_lost_with_the_worker_that_was_felled_and_with_no_other() {
        let sight_us = SIGHT_MS * 1_000;
        let hit =
            Run::new().struck(100, 11, "KILL", "kill-old-worker").died(120, 11, None).died(121, 12, None);
        let loss = |worker, from_us, until_us| {
            Excuses::of(&hit.trace).excuse_loss(&hit.trace, worker, from_us, until_us)
        };
        assert!(loss(Some(11), 0, 110_000) && loss(None, 0, 110_000));
        assert!(!loss(Some(12), 0, 110_000), "nobody has felled it");
        assert!(loss(Some(11), 0, 100_000 - sight_us));
        assert!(!loss(Some(11), 0, 100_000 - sight_us - 1), "it was over before the blow");
        assert!(loss(Some(11), 120_000, 130_000));
        assert!(!loss(Some(11), 120_001, 130_000), "it began behind the death");
        let quit = Run::new().struck(100, 11, "QUIT", "quit-old-worker").died(120, 11, None);
        assert!(!Excuses::of(&quit.trace).excuse_loss(&quit.trace, Some(11), 0, 110_000));
    }

    #[test]
    fn faults_are_counted_and_known_by_name_and_masters_by_the_time_of_their_blow() {
        let run = Run::new().struck(20, 10, "KILL", "kill-old-master");
        let last = run.last();
        let excuses = Excuses::of(&run.moment(30, "struck.full-disk").trace);
        assert_eq!(excuses.faults(), 2);
        assert!(excuses.has_struck("full-disk") && !excuses.has_struck("crash"));
        assert!(excuses.has_felled_master());
        assert!(
            excuses.has_felled(10, 20_001)
                && !excuses.has_felled(10, 20_000)
                && !excuses.has_felled(20, 20_001)
        );
        assert!(excuses.have_struck(last, last + 1) && !excuses.have_struck(last + 2, last + 9));
        assert!(!excuses.have_struck(0, last), "before it");
        let worker = Excuses::of(&Run::new().struck(20, 11, "KILL", "kill-old-worker").trace);
        assert!(!worker.has_felled_master() && !worker.has_felled(11, 20_001));
    }

    /// Red when what the subject could know excuses it, or what it could not does not.
    #[test]
    fn a_claim_is_excused_by_what_struck_behind_its_last_look_and_before_the_next_rest() {
        let begun = || Run::new().step(10, 1, "oldbin upgrade");
        let is_excused = |run: Run| {
            let began =
                run.trace.events.iter().position(|event| matches!(event.what, What::StepBegan { .. }));
            let is_claim = |event: &crate::trace::Event| matches!(event.what, What::Claimed { .. });
            let claimed = run.trace.events.iter().position(is_claim).expect("it claims");
            Excuses::of(&run.trace).excuse_claim(&run.trace, began.expect("it begins"), claimed)
        };
        let kill = |run: Run, ms| run.struck(ms, 11, "KILL", "kill-old-worker");
        let look = |run: Run| run.moment(30, LAST_LOOK);
        let claims = |run: Run| run.claims(60, crate::scenario::Claim::Upgraded);
        assert!(!is_excused(claims(look(begun()))));
        assert!(is_excused(claims(kill(look(begun()), 40))));
        assert!(!is_excused(claims(look(kill(begun(), 20)))), "it could look");
        assert!(is_excused(claims(kill(begun(), 20))), "it looked before, if at all");
        assert!(is_excused(claims(look(kill(begun(), 20)).died(31, 11, None))), "it was seen to the end");
        assert!(is_excused(kill(claims(look(begun())), 70).rest(80)));
        assert!(!is_excused(kill(claims(look(begun())).rest(70), 80)), "all was at rest");
        let late = claims(look(begun())).served(65, Kind::Fresh, 11).rest(70);
        assert!(!is_excused(kill(late, 80)), "all was at rest, if not at once");
        for name in ["crash", "interrupt", "full-disk", "new-binary"] {
            let own = look(begun()).moment(40, &format!("{STRUCK}{name}"));
            assert!(!is_excused(claims(own)), "the subject knows of {name}");
        }
    }

    #[test]
    fn a_journal_is_saved_in_the_act_that_begins_there() {
        let ended = |run: Run| run.push(30, What::StepEnded { step: 1, failure: None });
        let run = Run::new().step(10, 1, "oldbin upgrade");
        let began = run.last();
        assert!(has_saved(&run.clone().moment(20, SAVED).trace, began));
        assert!(!has_saved(&run.clone().moment(20, LAST_LOOK).trace, began));
        assert!(!has_saved(&ended(run).moment(40, SAVED).trace, began), "by the next one");
        let before = Run::new().moment(5, SAVED).served(6, Kind::Fresh, 11);
        assert!(!has_saved(&before.trace, before.last()));
    }
}
