//! From a node to those that follow it.

mod mishaps;
mod reduce;
mod whole;

use std::sync::Arc;

use orchestrator::machine::Plan;
use smallvec::SmallVec;

use super::cell::{Cell, Procedure};
use super::futures::Futures;
use super::node::{Label, Left, Node};
use super::subject::{Next, Running, Subject, Typed};
use crate::model::choice::{Act, Calm, Name};
use crate::model::client::Clients;
use crate::model::host::Run;
use crate::model::judge;
use crate::model::kernel::Setting;
use crate::model::operator::{self, Command, Ended};
use crate::model::runbook::{Book, Reading, Said};
use crate::model::script::{Mistakes, PATIENCE_MS, RECOVERIES, Script};
use crate::model::truth::Promise;
use crate::model::world::{Snapshot, State, Tick, Way, Wish, World};
use crate::scenario::Claim;

use reduce::Steps;

/// Whoever is at work for longer waits for ever: longer than all deadlines of the orchestrator together.
const END_MS_MAX: u64 = 3_600_000;

/// What an edge leads to.
pub(super) enum Reached {
    /// Another state.
    Node(Box<Node>),
    /// Something that must not be.
    Wrong(String),
    /// The calm end of everything.
    End,
}

/// Where the world stands behind a step.
enum Behind {
    /// Here.
    At(Subject, Left),
    /// At something that must not be.
    Wrong(String),
    /// At the calm end of everything.
    End,
}

/// What was told on the way of an edge.
#[derive(Default)]
pub(super) struct Told {
    /// What was claimed.
    pub(super) claims: SmallVec<[Claim; 2]>,
    /// The steps behind the first one.
    pub(super) steps: SmallVec<[Name; 8]>,
}

/// Walks from node to node in a world of its own.
pub(super) struct Walker<'c> {
    cell: &'c Cell,
    script: Script,
    book: Option<Book>,
    mistakes: Mistakes,
    world: World<'c>,
    root: Snapshot,
    futures: Option<Futures>,
    /// Since somebody took it.
    told: Told,
}

impl<'c> Walker<'c> {
    /// At a state in which nginx serves; `reduces`: looks that show the same at any time are taken at once, and what
    /// no decision depends on is forgotten.
    pub(super) fn new(
        cell: &'c Cell,
        mistakes: Mistakes,
        (setting, state): (&Arc<Setting>, &State),
        calm: &'c mut Calm,
        reduces: bool,
    ) -> Self {
        let clients = Clients::with_budget(cell.fresh, cell.lasting, PATIENCE_MS);
        let mut state = state.clone();
        state.clients = clients;
        let mut world = World::from_state(state, Arc::clone(setting), calm, false);
        world.set_deadline(END_MS_MAX);
        if cell.loses_power() {
            world.may_lose_power();
        }
        let root = world.snapshot();
        let book = match &cell.procedure {
            Procedure::Runbook(book) => Some(Book::new(&world, (**book).clone(), 1)),
            Procedure::Oldbin(_) => None,
        };
        let futures = reduces.then(Futures::default);
        Self { cell, script: cell.script(), book, mistakes, world, root, futures, told: Told::default() }
    }

    /// Where everything begins: nginx serves, nobody has done anything.
    pub(super) fn root(&self) -> Node {
        let recoveries = u8::try_from(RECOVERIES).unwrap_or(u8::MAX);
        let left = Left {
            faults: self.cell.faults_max,
            crashes: self.cell.crashes_max,
            stalls: self.cell.stalls_max,
            recoveries,
        };
        let subject = match self.book {
            Some(_) => Subject::Reads(Reading::new()),
            None => Subject::Types(Typed::Own(0)),
        };
        Node { world: self.root.clone(), subject, left }
    }

    /// Takes what was told on the way of the last edge.
    pub(super) fn take_told(&mut self) -> Told {
        std::mem::take(&mut self.told)
    }

    /// Every edge, in a fixed order.
    pub(super) fn edges(&mut self, node: &Node, mut found: impl FnMut(&mut Self, Label, Reached)) {
        if node.subject == Subject::Killed {
            for command in typed_again(&self.script) {
                let subject = Subject::Types(Typed::Other(command.clone()));
                let next = Node { subject, ..node.clone() };
                found(self, Label::Types(command), Reached::Node(Box::new(next)));
            }
            return;
        }
        let only_looks = self.only_looks(node);
        self.world.restore(&node.world);
        let Steps { steps, is_alone } = self.steps(&node.subject);
        let wish = self.wish(&node.subject);
        for (way, name) in steps {
            if only_looks && way != Way::Subject {
                continue;
            }
            self.world.restore(&node.world);
            let behind = self.go(node.subject.clone(), node.left, (way, name), wish);
            let reached = self.reached(behind);
            found(self, Label::Step(name), reached);
        }
        if !only_looks && !is_alone {
            self.mishaps(node, found);
        }
    }

    /// The node behind a step, and behind those that follow it because nothing else can happen.
    fn reached(&mut self, behind: Behind) -> Reached {
        match self.straight_on(behind) {
            Behind::At(subject, left) => {
                self.forget_what_is_past(&subject);
                Reached::Node(Box::new(Node { world: self.world.snapshot(), subject, left }))
            }
            Behind::Wrong(why) => Reached::Wrong(why),
            Behind::End => Reached::End,
        }
    }

    fn wish(&self, subject: &Subject) -> Wish {
        match subject {
            Subject::Runs(running) => running.call.wish(),
            Subject::Reads(reading) => reading.wish(),
            Subject::IsDone(_) => Wish::Time(self.world.now_ms() + PATIENCE_MS),
            Subject::Types(_) | Subject::Killed => Wish::Act(Act::Type),
        }
    }

    /// The world as it stands, judged.
    fn at(&self, subject: Subject, left: Left) -> Behind {
        match self.script.judge_service(&self.world) {
            Some(wrong) => Behind::Wrong(wrong.why),
            None => Behind::At(subject, left),
        }
    }

    fn go(&mut self, subject: Subject, left: Left, (way, name): (Way, Name), wish: Wish) -> Behind {
        if let Subject::IsDone(claim) = subject
            && way == Way::Time
            && self.world.is_quiet()
        {
            return self.judge_end(claim);
        }
        // What is done now comes behind whatever was done before.
        self.world.counts.steps += 1;
        match self.world.take(way, name, wish) {
            Ok(Tick::World) => match self.ends_turn(way) {
                Ok(()) => self.at(subject, left),
                Err(broken) => Behind::Wrong(broken.to_string()),
            },
            Ok(Tick::Subject) => self.turn(subject, left),
            Err(broken) => Behind::Wrong(broken.to_string()),
        }
    }

    fn turn(&mut self, subject: Subject, left: Left) -> Behind {
        match subject {
            Subject::Types(typed) => self.types(typed, left),
            Subject::Runs(mut running) => {
                let has_slept = running.call.is_wait();
                let Some(answer) = self.answer(&mut running) else {
                    return self.at(Subject::Runs(running), left);
                };
                let next = self.looks(running.answered(answer), has_slept);
                self.goes_on(next, left)
            }
            Subject::Reads(mut reading) => {
                let Some(book) = &self.book else { unreachable!("who reads has a runbook") };
                let Some(said) = reading.go(&mut self.world, book) else {
                    return self.at(Subject::Reads(reading), left);
                };
                let promise = Promise::of_runbook(&self.world);
                self.is_said(&"the runbook", &said, Some(&promise))
                    .unwrap_or_else(|| self.is_done(said.claim, left))
            }
            // Nothing has moved for longer than anything may take.
            Subject::IsDone(claim) => self.judge_end(claim),
            Subject::Killed => unreachable!("nobody has a turn"),
        }
    }

    fn types(&mut self, typed: Typed, left: Left) -> Behind {
        let command = self.command(&typed);
        match operator::begin(&mut self.world, &command, self.mistakes.oldbin) {
            Ok(operator::Run { intent, memory, wanted }) => {
                let run = Run::new(&mut self.world, &intent);
                self.world.command_begins(operator::takes_lock(&intent));
                self.goes_on(Running::begin(typed, intent, wanted, memory, run), left)
            }
            Err(why) => self.has_ended(&typed, &operator::refused(why), None, left),
        }
    }

    fn goes_on(&mut self, next: Next, left: Left) -> Behind {
        match next {
            Next::Calls(running) => self.at(Subject::Runs(running), left),
            Next::Ends(running, ended) => {
                let Running { typed, intent, wanted, .. } = *running;
                self.world.command_ends();
                let Ended::Said(said, plan) = operator::finish(&mut self.world, &intent.plan, wanted, *ended)
                else {
                    unreachable!("nobody kills it here");
                };
                self.has_ended(&typed, &said, plan.as_deref(), left)
            }
        }
    }

    fn command(&self, typed: &Typed) -> Command {
        match typed {
            Typed::Own(nth) => self.script.commands[usize::from(*nth)].1.clone(),
            Typed::Other(command) | Typed::Between(command, _) => command.clone(),
        }
    }

    /// A command has said its last words: they are judged, and something else is typed, or all is done.
    fn has_ended(&mut self, typed: &Typed, said: &Said, plan: Option<&Plan>, left: Left) -> Behind {
        let promise = plan.map(|plan| Promise::of_plan(&self.world, plan));
        let command = self.command(typed);
        if let Some(wrong) = self.script.judge_refusal(&self.world, &command, said) {
            return Behind::Wrong(wrong.why);
        }
        if let Some(wrong) = self.is_said(&command, said, promise.as_ref()) {
            return wrong;
        }
        if let Typed::Between(_, next) = typed {
            return self.at(Subject::Types(Typed::Own(*next)), left);
        }
        if let Typed::Own(nth) = typed
            && usize::from(*nth) + 1 < self.script.commands.len()
        {
            return self.at(Subject::Types(Typed::Own(nth + 1)), left);
        }
        if left.recoveries > 0
            && let Some(command) = judge::unfinished(&self.world)
        {
            // Who was refused has changed nothing, and types something else.
            let costs = u8::from(said.claim != Claim::Refused);
            let left = Left { recoveries: left.recoveries - costs, ..left };
            return self.at(Subject::Types(Typed::Other(command)), left);
        }
        self.is_done(said.claim, left)
    }

    /// `Some`: the words are a lie. To find that out the world comes to rest; afterwards it is as it was.
    fn is_said(
        &mut self,
        who: &dyn std::fmt::Display,
        said: &Said,
        promise: Option<&Promise>,
    ) -> Option<Behind> {
        self.told.claims.push(said.claim);
        if let Some(wrong) = self.script.judge_service(&self.world) {
            return Some(Behind::Wrong(wrong.why));
        }
        let before = self.world.snapshot();
        let judged = self.script.judge_claim(&mut self.world, who, said, promise);
        self.world.restore(&before);
        match judged {
            Ok(wrong) => wrong.map(|wrong| Behind::Wrong(wrong.why)),
            Err(broken) => Some(Behind::Wrong(broken.to_string())),
        }
    }

    /// Nothing is typed any more, and nothing goes wrong any more but a power failure.
    fn is_done(&mut self, claim: Claim, left: Left) -> Behind {
        self.world.stop_clients();
        let faults = if self.cell.loses_power() { left.faults } else { 0 };
        self.at(Subject::IsDone(claim), Left { faults, crashes: 0, stalls: 0, ..left })
    }

    /// Nothing moves any more.
    fn judge_end(&self, claim: Claim) -> Behind {
        let wrong = self.script.judge_end_of(claim, &self.world);
        wrong.map_or(Behind::End, |wrong| Behind::Wrong(wrong.why))
    }
}

/// What somebody may type behind a crash.
pub(super) fn typed_again(script: &Script) -> Vec<Command> {
    let mut all = vec![Command::Recover, Command::Rollback(operator::options(0, false))];
    for (_, own) in &script.commands {
        if !all.contains(own) {
            all.push(own.clone());
        }
    }
    all
}
