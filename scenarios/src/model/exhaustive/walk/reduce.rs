//! Which edges are left out, because others show the same.

use super::{Node, Snapshot, Subject, Walker, Way, Ways};

impl Walker<'_> {
    /// True if anything is left out at all.
    pub(super) const fn reduces(&self) -> bool {
        self.futures.is_some()
    }

    /// True if the subject looks at something that stays as it is, whatever others do.
    pub(super) fn only_looks(&mut self, node: &Node) -> bool {
        let (Some(futures), Subject::Runs(running)) = (&mut self.futures, &node.subject) else {
            return false;
        };
        // A fault may change anything at any time.
        let may_strike = node.left.faults > 0 && !self.cell.faults.is_empty();
        let run = (&running.intent.plan, &running.run);
        !may_strike
            && running.call.is_look()
            && futures.keep(&mut self.world, &node.world, &running.call, run)
    }

    /// A step that nobody else notices: it is taken at once.
    pub(super) fn unnoticed(&self, ways: &Ways) -> Option<Way> {
        let kernel = &self.world.state.kernel;
        let is_unnoticed = |way: &Way| match way {
            Way::Process(pid) => kernel.process(*pid).is_some_and(|process| kernel.is_unnoticed(process)),
            Way::Client(_) | Way::Subject | Way::Time => false,
        };
        if self.reduces() { ways.ways.iter().copied().find(is_unnoticed) } else { None }
    }

    /// True if it makes no difference to leave this step out.
    pub(super) fn is_in_vain(&self, at: &Snapshot, way: Way) -> bool {
        let Way::Process(pid) = way else { return false };
        let kernel = &at.state.kernel;
        self.reduces() && kernel.process(pid).is_some_and(|process| kernel.is_woken_in_vain(process))
    }

    /// True if the subject's next step concerns only itself, and whoever strikes it.
    pub(super) fn is_private(&self, subject: &Subject) -> bool {
        self.reduces() && matches!(subject, Subject::Runs(running) if running.call.is_private())
    }
}
