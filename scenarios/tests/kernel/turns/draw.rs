//! Which turn comes next: from a seed, or from a list.

use fake_nginx::machine::Signal;
use scenarios::model::choice::{Actor, Seeded, Who};

use super::simulated::Simulated;
use super::turn::Turn;

/// How much somebody does to nginx in one schedule, besides starting it: at least, and at most so many more.
const ACTS_MIN: u64 = 8;
const ACTS_MORE: u64 = 16;
/// One turn of so many is somebody's act while processes could go on.
const TURNS_PER_ACT: u64 = 14;

/// Draws a schedule.
pub(crate) struct Draw {
    seeded: Seeded,
    workers: u16,
    acts: u64,
    /// Nobody does anything to nginx before it has started, in most schedules.
    has_started: bool,
    last: Option<Actor>,
    /// The turns, if they were drawn before.
    listed: Option<std::vec::IntoIter<Turn>>,
}

impl Draw {
    /// The schedule of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut seeded = Seeded::new(seed);
        let workers = if seeded.bits().is_multiple_of(3) { 2 } else { 1 };
        let acts = ACTS_MIN + seeded.bits() % ACTS_MORE;
        let has_started = seeded.bits().is_multiple_of(6);
        Self { seeded, workers, acts, has_started, last: None, listed: None }
    }

    /// These turns instead, as far as they make sense, in the world of that seed.
    pub(crate) fn again(seed: u64, turns: Vec<Turn>) -> Self {
        Self { listed: Some(turns.into_iter()), ..Self::new(seed) }
    }

    /// How many workers there shall be.
    pub(crate) const fn workers(&self) -> u16 {
        self.workers
    }

    /// The next turn; `None`: this was all.
    pub(crate) fn next(&mut self, simulated: &Simulated) -> Option<Turn> {
        if let Some(listed) = &mut self.listed {
            return listed.find_map(|turn| simulated.sense_of(turn));
        }
        let ways: Vec<Turn> = simulated.ways().collect();
        if ways.is_empty() && self.acts == 0 {
            return None;
        }
        self.has_started |= ways.is_empty();
        if self.acts > 0 && self.has_started && (ways.is_empty() || self.below(TURNS_PER_ACT) == 0) {
            self.acts -= 1;
            // Most of what makes no sense now is drawn again; who has died is no reason to stop.
            if let Some(act) = (0..20).find_map(|_| simulated.sense_of(self.act(simulated)?)) {
                return Some(act);
            }
        }
        if ways.is_empty() {
            return self.next(simulated);
        }
        let is_last = |turn: &&Turn| matches!(turn, Turn::Step(name) if Some(name.actor) == self.last);
        let natural = ways.iter().find(is_last).copied();
        let turn = match natural {
            Some(turn) if self.below(2) == 0 => turn,
            _ => ways[self.pick(ways.len())],
        };
        self.last = if let Turn::Step(name) = turn { Some(name.actor) } else { None };
        Some(turn)
    }

    /// What somebody does. Only whoever lives is meant, and the first who is asked for a new binary is the oldest.
    fn act(&mut self, simulated: &Simulated) -> Option<Turn> {
        let living: Vec<Actor> = simulated.living().collect();
        let clients = simulated.clients();
        Some(match self.below(20) {
            0..=2 => {
                let master = living.iter().copied().find(|actor| actor.who == Who::Master)?;
                Turn::Kill(master, Signal::Usr2)
            }
            3 => Turn::Replace,
            4..=6 => Turn::Connect { is_kept: false },
            7..=8 => Turn::Connect { is_kept: true },
            9..=10 if clients > 0 => Turn::Ask(self.pick(clients)),
            11..=12 if clients > 0 => Turn::HangUp(self.pick(clients)),
            _ if living.is_empty() => return None,
            _ => {
                let to = living[self.pick(living.len())];
                Turn::Kill(to, self.signal())
            }
        })
    }

    fn signal(&mut self) -> Signal {
        match self.below(16) {
            0..=2 => Signal::Quit,
            3..=5 => Signal::Kill,
            6..=8 => Signal::Winch,
            9..=10 => Signal::Term,
            11..=13 => Signal::Hup,
            14 => Signal::Usr1,
            _ => Signal::Usr2,
        }
    }

    fn below(&mut self, n: u64) -> u64 {
        self.seeded.bits() % n
    }

    fn pick(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap_or(0)
    }
}
