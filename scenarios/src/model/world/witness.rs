//! Somebody who looks on while a world moves: where it stands before every step, and what passes between it and
//! oldbin.

use orchestrator::host::{Call, HostError, Reply};
use orchestrator::machine::{Intent, Memory};

use super::{Broken, Wish, World};
use crate::model::host::UnderWay;

/// What passes between oldbin's code and the world.
#[derive(Clone, Copy)]
pub(in crate::model) enum Told<'a> {
    /// It begins with this, and with nothing else.
    Begins(&'a Intent, &'a Memory),
    /// It asks for this.
    Calls(&'a Call),
    /// Its host has come so far with that.
    Sees(&'a UnderWay),
    /// It was answered.
    Answer(&'a Result<Reply, HostError>),
}

/// Looks on, and may make something go wrong.
pub(in crate::model) trait Witness {
    /// The world stands still, and the subject waits for this. An error ends the run.
    fn stands(&mut self, world: &mut World<'_>, wish: Wish) -> Result<(), Broken>;

    /// Something passes between oldbin and the world.
    fn is_told(&mut self, told: Told<'_>);
}

impl World<'_> {
    /// Whoever looks on sees where it stands.
    pub(in crate::model) fn is_watched(&mut self, wish: Wish) -> Result<(), Broken> {
        let Some(witness) = self.witness.take() else { return Ok(()) };
        let stood = witness.stands(self, wish);
        self.witness = Some(witness);
        stood
    }

    /// Whoever looks on hears what passes.
    pub(in crate::model) fn is_told(&mut self, told: Told<'_>) {
        if let Some(witness) = &mut self.witness {
            witness.is_told(told);
        }
    }
}
