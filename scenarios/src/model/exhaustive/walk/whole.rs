//! What happens in one instant, if the cell says so: nobody moves in the middle of it.

use fake_nginx::machine::Effect;
use orchestrator::host::{HostError, Reply};

use super::{Next, Running, Walker, Way};
use crate::model::choice::Who;
use crate::model::exhaustive::cell::Whole;
use crate::model::kernel::Doing;
use crate::model::world::{Broken, Wish};

impl Walker<'_> {
    /// What the call under way is answered; `None`: it is not at its end.
    pub(super) fn answer(&mut self, running: &mut Running) -> Option<Result<Reply, HostError>> {
        if self.cell.whole >= Whole::Looks && running.call.is_clock() {
            // Of what has changed before, nothing is missed.
            self.world.sees_all();
        }
        let answer = running.call.go(&mut self.world, &running.intent.plan, &mut running.run)?;
        Some(if self.reduces() { running.as_far_as_read(answer) } else { answer })
    }

    /// All the looks of the turn; whoever wakes looks at once.
    pub(super) fn looks(&mut self, next: Next, has_slept: bool) -> Next {
        if self.cell.whole < Whole::Looks {
            return next;
        }
        let mut next = next;
        let mut reads_the_clock = has_slept;
        loop {
            match next {
                Next::Calls(mut running) if running.call.is_look() || reads_the_clock => {
                    reads_the_clock = false;
                    let answer = loop {
                        if let Some(answer) = self.answer(&mut running) {
                            break answer;
                        }
                    };
                    next = running.answered(answer);
                }
                Next::Calls(..) | Next::Ends(..) => return next,
            }
        }
    }

    /// A worker that was woken, or forked, goes on until it waits or has ended.
    pub(super) fn ends_turn(&mut self, way: Way) -> Result<(), Broken> {
        let Way::Process(pid) = way else { return Ok(()) };
        if self.cell.whole < Whole::Turns {
            return Ok(());
        }
        loop {
            let worker =
                self.world.state.kernel.process(pid).filter(|process| process.actor.who == Who::Worker);
            let name = match worker.map(|worker| (&worker.doing, worker.next_step())) {
                Some((Doing::Effect(effect), name)) if !matches!(effect, Effect::WaitEvents { .. }) => name,
                Some(..) | None => return Ok(()),
            };
            self.told.steps.push(name);
            self.world.take(way, name, Wish::Time(u64::MAX))?;
        }
    }
}
