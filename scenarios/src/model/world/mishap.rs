//! What a scenario wants to go wrong at named moments: it strikes right before the step is taken, not before it
//! would be the natural one, as on the fake, where the process itself has reached the moment and waits.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use crate::model::choice::{Actor, Name, Who, count};
use crate::model::fault::{Blow, Fault};
use crate::scenario::{Mishap, Until, Wrong, fault_named, is_forcible};
use crate::trace::What;

/// What is to go wrong at moments, and what is to be told of them.
#[derive(Debug, Default)]
pub(super) struct Mishaps {
    planned: Vec<Planned>,
    counts: BTreeMap<Name, u32>,
    paused: Vec<(Actor, End)>,
    /// Those whose pause is over: the step that they take now was counted before.
    resumed: Vec<Actor>,
    told: BTreeSet<String>,
    tells_all: bool,
    is_on: bool,
}

#[derive(Debug)]
struct Planned {
    mishap: Mishap,
    /// Its moment has been reached, and there was nobody to strike.
    is_overdue: bool,
}

/// The end of a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    At(u64),
    Moment(String),
}

impl Mishaps {
    /// True if steps have to be looked at.
    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn is_paused(&self, actor: Actor) -> bool {
        self.paused.iter().any(|(paused, _)| *paused == actor)
    }

    /// When the next pause ends by time.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let times = self.paused.iter().filter_map(|(_, end)| match end {
            End::At(at_ms) => Some(*at_ms),
            End::Moment(_) => None,
        });
        times.min()
    }

    fn release(&mut self, is_over: impl Fn(&End) -> bool) {
        let released = self.paused.extract_if(.., |(_, end)| is_over(end)).map(|(actor, _)| actor);
        self.resumed.extend(released);
    }

    /// Time has passed.
    pub(super) fn time_is(&mut self, now_ms: u64) {
        self.release(|end| matches!(end, End::At(at_ms) if *at_ms <= now_ms));
    }

    /// How often this step was about to be taken; `None`: it was counted before its pause.
    fn count(&mut self, name: Name) -> Option<u32> {
        if let Some(at) = self.resumed.iter().position(|actor| *actor == name.actor) {
            self.resumed.remove(at);
            return None;
        }
        Some(count(&mut self.counts, name))
    }
}

impl World<'_> {
    /// From now on moments are counted, and what is planned for them strikes. The trace tells the moments in
    /// `told`, or all of them.
    pub(in crate::model) fn plan_mishaps(&mut self, planned: &[Mishap], told: &[String], tells_all: bool) {
        let is_on = tells_all || !planned.is_empty() || !told.is_empty();
        let planned = planned.iter().map(|mishap| Planned { mishap: mishap.clone(), is_overdue: false });
        let told = told.iter().cloned().collect();
        self.mishaps = Mishaps { planned: planned.collect(), told, tells_all, is_on, ..Mishaps::default() };
    }

    /// This step is about to be taken: strikes what is due. False: it must not be taken any more.
    pub(super) fn survives(&mut self, name: Name) -> bool {
        let Some(nth) = self.mishaps.count(name) else { return true };
        let text = name.to_string();
        if is_forcible(name) && (self.mishaps.tells_all || self.mishaps.told.remove(&text)) {
            self.note(What::Moment { name: text.clone() });
        }
        self.mishaps.release(|end| *end == End::Moment(text.clone()));
        for mut planned in std::mem::take(&mut self.mishaps.planned) {
            let is_due = planned.is_overdue || (planned.mishap.at == text && planned.mishap.nth == nth);
            if !is_due || !self.strikes_at(name, &planned.mishap) {
                planned.is_overdue = is_due;
                self.mishaps.planned.push(planned);
            }
        }
        let kernel = &self.state.kernel;
        let is_process = matches!(name.actor.who, Who::Launcher | Who::Master | Who::Worker);
        !self.mishaps.is_paused(name.actor)
            && (!is_process || kernel.runnable().any(|process| process.next_step() == name))
    }

    fn strikes_at(&mut self, name: Name, mishap: &Mishap) -> bool {
        let has_struck = match &mishap.what {
            Wrong::Crash if name.actor == Actor::SUBJECT => self.inflict(Fault::Crash, 0),
            Wrong::Crash => self.takes_away(name.actor, None),
            &Wrong::Exit { status } => self.takes_away(name.actor, Some(status)),
            Wrong::Pause(until) => {
                let end = match until {
                    Until::Ms(ms) => End::At(self.now_ms() + ms),
                    Until::Moment(name) => End::Moment(name.clone()),
                };
                self.mishaps.paused.push((name.actor, end));
                true
            }
            Wrong::Elsewhere { fault, which } => {
                fault_named(fault).is_some_and(|fault| self.inflict(fault, which.saturating_sub(1)))
            }
        };
        if has_struck {
            self.note(What::Moment { name: mishap.moment() });
        }
        has_struck
    }

    /// This very process dies by KILL, or exits with a code.
    fn takes_away(&mut self, actor: Actor, status: Option<u8>) -> bool {
        let is_it = |process: &&crate::model::kernel::Proc| process.actor == actor;
        let Some(pid) = self.state.kernel.living().find(is_it).map(|process| process.pid) else {
            return false;
        };
        let has_struck = match status {
            None => self.deal(Blow::Kill, pid),
            Some(code) => self.exit_with(pid, code),
        };
        self.has_changed |= has_struck;
        self.digest();
        has_struck
    }
}
