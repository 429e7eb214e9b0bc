//! What may go wrong at a node.

use super::{Label, Left, Name, Node, Reached, Subject, Walker, Way, Wish};
use crate::model::choice::{Act, Actor};
use crate::model::exhaustive::subject::Typed;
use crate::model::fault::{Fault, Whom};
use crate::model::operator;
use crate::model::power::Restart;

/// The clock's step.
const TIME_PASSES: Name = Name { actor: Actor::TIME, act: Act::Pass };

impl Walker<'_> {
    /// Every edge of something that goes wrong.
    pub(super) fn mishaps(&mut self, node: &Node, mut found: impl FnMut(&mut Self, Label, Reached)) {
        let faults: &[Fault] = if node.left.faults > 0 { &self.cell.faults } else { &[] };
        for &fault in faults.iter().filter(|fault| node.subject.can_meet(**fault)) {
            for which in 0..self.whiches(fault, node) {
                self.world.restore(&node.world);
                if !self.world.inflict(fault, which) {
                    break;
                }
                let left = Left { faults: node.left.faults - 1, ..node.left };
                let behind = self.at(node.subject.clone().meets(fault), left);
                let reached = self.reached(behind);
                found(self, Label::Fault(fault, which), reached);
            }
        }
        if faults.contains(&Fault::SecondOperator)
            && let Subject::Types(Typed::Own(next @ 1..)) = node.subject
        {
            self.types_between(node, next, &mut found);
        }
        let wish = self.wish(&node.subject);
        // Who waits for a program waits for ever.
        let is_waiting = matches!(wish, Wish::Time(until_ms) | Wish::Change(until_ms) if until_ms < u64::MAX);
        if node.left.stalls > 0 && is_waiting {
            self.world.restore(&node.world);
            if self.world.ways(wish).ways.iter().all(|way| *way != Way::Time) {
                let left = Left { stalls: node.left.stalls - 1, ..node.left };
                let behind = self.go(node.subject.clone(), left, (Way::Time, TIME_PASSES), wish);
                let reached = self.reached(behind);
                found(self, Label::Stall, reached);
            }
        }
        if node.left.crashes > 0 && matches!(node.subject, Subject::Runs(_)) {
            self.world.restore(&node.world);
            self.world.command_ends();
            // Who judges counts it as a fault.
            self.world.counts.faults.push(Fault::Crash);
            let left = Left { crashes: node.left.crashes - 1, ..node.left };
            let behind = self.at(Subject::Killed, left);
            let reached = self.reached(behind);
            found(self, Label::Crash, reached);
        }
    }

    /// Somebody else types something between two commands.
    fn types_between(&mut self, node: &Node, next: u8, found: &mut impl FnMut(&mut Self, Label, Reached)) {
        for command in operator::others() {
            self.world.restore(&node.world);
            self.world.counts.faults.push(Fault::SecondOperator);
            let left = Left { faults: node.left.faults - 1, ..node.left };
            let subject = Subject::Types(Typed::Between(command.clone(), next));
            let behind = self.at(subject, left);
            let reached = self.reached(behind);
            found(self, Label::Between(command), reached);
        }
    }

    /// How many there are at most that this fault can strike.
    fn whiches(&self, fault: Fault, node: &Node) -> u8 {
        let is_of_several = matches!(fault, Fault::Blow(_, Whom::OldWorker | Whom::NewWorker));
        let count = match is_of_several {
            true => usize::from(self.cell.workers),
            false if fault == Fault::PowerFailure => Restart::COUNT_MAX.into(),
            false if fault == Fault::ReusedPid => node.world.state.kernel.free_pids().count(),
            false => 1,
        };
        u8::try_from(count).unwrap_or(u8::MAX)
    }
}
