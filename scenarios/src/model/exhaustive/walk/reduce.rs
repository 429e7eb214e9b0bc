//! Which edges are left out, because others show the same.

use smallvec::SmallVec;

use super::{Behind, Left, Name, Node, Subject, Walker, Way, Wish};
use crate::model::exhaustive::cell::Whole;
use crate::model::world::Ways;

/// So many steps in one edge: whoever goes round in a circle is met at last.
const STRAIGHT_MAX: usize = 64;

/// The steps of a node that need be walked.
pub(super) struct Steps {
    pub(super) steps: SmallVec<[(Way, Name); 8]>,
    /// True if nothing else need happen before them, nor go wrong.
    pub(super) is_alone: bool,
}

impl Walker<'_> {
    /// True if anything is left out at all.
    pub(super) const fn reduces(&self) -> bool {
        self.futures.is_some()
    }

    /// True if the subject looks at something that stays as it is, whatever others do.
    pub(super) fn only_looks(&mut self, node: &Node) -> bool {
        let may_strike = self.may_strike(node.left);
        let (Some(futures), Subject::Runs(running)) = (&mut self.futures, &node.subject) else {
            return false;
        };
        let run = (&running.intent.plan, &running.run);
        // A fault may change anything at any time.
        !may_strike
            && running.call.is_look()
            && futures.keep(&mut self.world, &node.world, &running.call, run)
    }

    /// The steps from where the world stands.
    pub(super) fn steps(&mut self, subject: &Subject) -> Steps {
        let ways = self.world.ways(self.wish(subject));
        let unnoticed = self.unnoticed(&ways);
        let is_private = self.is_private(subject);
        let all = ways.ways.into_iter().zip(ways.names);
        let steps = all.filter(|&(way, _)| match unnoticed {
            Some(only) => way == only,
            None => (!is_private || way == Way::Subject) && !self.is_in_vain(way),
        });
        Steps { steps: steps.collect(), is_alone: unnoticed.is_some() }
    }

    /// Goes on as long as there is but one step, and nothing can go wrong before it.
    pub(super) fn straight_on(&mut self, behind: Behind) -> Behind {
        let mut behind = behind;
        for _ in 0..STRAIGHT_MAX {
            let Behind::At(subject, left) = behind else { break };
            let Some((step, wish)) = self.only_step(&subject, left) else { return Behind::At(subject, left) };
            self.told.steps.push(step.1);
            behind = self.go(subject, left, step, wish);
        }
        behind
    }

    fn only_step(&mut self, subject: &Subject, left: Left) -> Option<((Way, Name), Wish)> {
        if !self.reduces() || *subject == Subject::Killed {
            return None;
        }
        let Steps { steps, is_alone } = self.steps(subject);
        let may_be_killed = left.crashes > 0 && matches!(subject, Subject::Runs(_));
        let may_go_wrong = self.may_strike(left) || may_be_killed || left.stalls > 0;
        match steps[..] {
            [step] if is_alone || !may_go_wrong => Some((step, self.wish(subject))),
            _ => None,
        }
    }

    /// What nobody will ask for again would only make two states of one.
    pub(super) fn forget_what_is_past(&mut self, subject: &Subject) {
        if !self.reduces() {
            return;
        }
        let may_wake = match subject {
            Subject::Runs(running) => running.call.is_wait(),
            Subject::Reads(_) => true,
            Subject::Types(_) | Subject::Killed | Subject::IsDone(_) => false,
        };
        // Whoever begins a turn looks at everything behind that.
        if self.cell.whole >= Whole::Looks && !may_wake {
            self.world.sees_all();
        }
        if self.world.state.clients.are_done() {
            self.world.state.kernel.forget_accepts();
        }
    }

    fn may_strike(&self, left: Left) -> bool {
        left.faults > 0 && !self.cell.faults.is_empty()
    }

    /// A step that nobody else notices: it is taken at once.
    fn unnoticed(&self, ways: &Ways) -> Option<Way> {
        let kernel = &self.world.state.kernel;
        let is_unnoticed = |way: &Way| match way {
            Way::Process(pid) => kernel.process(*pid).is_some_and(|process| kernel.is_unnoticed(process)),
            Way::Client(_) | Way::Subject | Way::Time => false,
        };
        if self.reduces() { ways.ways.iter().copied().find(is_unnoticed) } else { None }
    }

    /// True if it makes no difference to leave this step out.
    fn is_in_vain(&self, way: Way) -> bool {
        let Way::Process(pid) = way else { return false };
        let kernel = &self.world.state.kernel;
        self.reduces() && kernel.process(pid).is_some_and(|process| kernel.is_woken_in_vain(process))
    }

    /// True if the subject's next step concerns only itself, and whoever strikes it.
    fn is_private(&self, subject: &Subject) -> bool {
        self.reduces() && matches!(subject, Subject::Runs(running) if running.call.is_private())
    }
}
