//! What opaque code can know, by what passed between it and the world.

use orchestrator::host::{Call, Reply};

use crate::model::shared::fingerprint;
use crate::model::world::Told;

/// What oldbin's code can know, by all that it was told.
#[derive(Default)]
pub(super) struct Knows {
    /// What was typed, how often somebody may type again, and what oldbin was started for.
    typed: u64,
    /// What is left of earlier turns.
    earlier: u64,
    /// When everybody was last asked, if that was in a turn that then waited.
    asked: Option<u64>,
    /// All that it was told since the turn began.
    turn: u64,
    /// In this turn: the time, whether somebody is asked, what was saved, and what was done then or before.
    now_us: u64,
    asks: bool,
    saved: Option<u64>,
    acted: Option<u64>,
    waited: bool,
    last: Option<Call>,
}

impl Knows {
    pub(super) fn print(&self) -> u64 {
        fingerprint(&(self.typed, self.earlier, self.asked, self.turn))
    }

    /// It is at the beginning of a command.
    pub(super) fn of(typed: u64) -> Self {
        Self { typed, ..Self::default() }
    }

    /// Every turn begins with the clock; what is left of the one before is then known.
    pub(super) fn calls(&mut self, call: &Call) {
        if matches!(call, Call::Now) && self.last.is_some() {
            let asked = self.asks.then_some(self.now_us).or(self.asked);
            let (earlier, asked) = match (self.saved, self.acted) {
                (Some(saved), Some(acted)) => (fingerprint(&(saved, acted)), None),
                _ if self.waited => (self.earlier, asked),
                _ => (self.print(), None),
            };
            *self = Self { typed: self.typed, earlier, asked, ..Self::default() };
        }
        self.asks |= matches!(call, Call::Probe { .. } | Call::Check { .. } | Call::Knock { .. });
        self.asks |= matches!(call, Call::ReadTroubles { .. });
        self.last = Some(call.clone());
    }

    pub(super) fn hears(&mut self, told: Told<'_>) {
        let print = match told {
            Told::Begins(intent, memory) => {
                self.typed = fingerprint(&(self.typed, intent));
                self.earlier = fingerprint(memory);
                return;
            }
            Told::Calls(_) => return,
            Told::Sees(stage) => fingerprint(stage),
            Told::Answer(answer) => fingerprint(answer),
        };
        self.turn = fingerprint(&(self.turn, print));
        match (&self.last, told) {
            (_, Told::Answer(Ok(Reply::Now { now_us, .. }))) => self.now_us = *now_us,
            (Some(Call::Save(memory)), Told::Answer(Ok(Reply::Done))) => {
                self.saved = Some(fingerprint(memory));
            }
            (Some(Call::Act(action)), Told::Answer(Ok(Reply::Done))) => {
                self.acted = Some(fingerprint(action));
            }
            (Some(Call::Wait { .. }), Told::Answer(Ok(Reply::Done))) => self.waited = true,
            _ => {}
        }
    }
}
