//! Which nodes were met, in which order the others come, and the way to one.

use std::collections::BTreeMap;

use super::cell::Cell;
use super::node::{Label, Node};
use super::walk::{Reached, Walker};
use crate::counts::count;
use crate::model::choice::{Calm, Name};
use crate::model::script::{Mistakes, Stages};
use crate::model::shared::{ByPrint, fingerprint};
use crate::pool::Stop;

/// How often somebody is asked whether to go on.
const STATES_BETWEEN_LOOKS: usize = 4_096;

/// In which order nodes are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The fewest steps first: a way to something wrong is a shortest one.
    Breadth,
    /// Few nodes wait at a time.
    Depth,
}

/// How a cell is explored.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In which order.
    pub order: Order,
    /// How many states at most.
    pub states_max: usize,
    /// Whether looks that show the same at any time are taken at once, and what no decision depends on is forgotten.
    pub reduces: bool,
    /// Whether it ends with the first thing that is wrong.
    pub first_only: bool,
}

impl Limits {
    /// Breadth first, without a limit.
    pub const EVERYTHING: Self =
        Self { order: Order::Breadth, states_max: usize::MAX, reduces: true, first_only: false };
}

/// Something wrong, and a way there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is wrong.
    pub why: String,
    /// How it came to it.
    pub path: Vec<Label>,
}

/// What was visited.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Different states that were met.
    pub states: usize,
    /// Of these, how many were not visited.
    pub left: usize,
    /// Edges that were walked.
    pub edges: u64,
    /// The longest of the ways by which states were met first.
    pub depth: u32,
    /// How many states waited at a time.
    pub waiting_max: usize,
    /// States at the calm end.
    pub ends: usize,
    /// How often each thing was claimed, and each fault struck.
    pub reached: BTreeMap<String, u64>,
    /// What is wrong, each thing once.
    pub found: Vec<Found>,
}

impl Report {
    /// True if every state within the bound was visited.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.left == 0
    }
}

/// Explores a cell. `look` is told what was visited so far, many times a second.
pub fn explore(
    cell: &Cell,
    mistakes: Mistakes,
    limits: Limits,
    look: &mut dyn FnMut(&Report) -> Stop,
) -> Report {
    let stages = Stages::new(mistakes);
    let script = cell.script();
    let mut calm = Calm;
    let (setting, state) = stages.stage(&script);
    let walker = Walker::new(cell, mistakes, (setting, state), &mut calm, limits.reduces);
    Search {
        walker,
        limits,
        met: ByPrint::default(),
        states: Vec::new(),
        edges: Vec::new(),
        report: Report::default(),
    }
    .go(look)
}

/// A state that was met: from where first, and by how many steps.
struct Met {
    print: u64,
    from: u32,
    depth: u32,
}

/// The states that wait for their visit, the next one first, by what [`Search::rank`] says.
type Waiting = BTreeMap<(u32, u32), (u32, Box<Node>)>;

/// Something wrong, behind which state and by which steps.
struct Wrong {
    from: u32,
    last: Vec<Label>,
    depth: u32,
    why: String,
}

struct Search<'c> {
    walker: Walker<'c>,
    limits: Limits,
    /// Number by fingerprint.
    met: ByPrint<u32>,
    states: Vec<Met>,
    /// Edges of calm, from one number to another.
    edges: Vec<(u32, u32)>,
    report: Report,
}

/// What stands for a state: the calm end.
const END: u32 = u32::MAX;

impl Search<'_> {
    fn go(mut self, look: &mut dyn FnMut(&Report) -> Stop) -> Report {
        let root = self.walker.root();
        let number = self.meet(fingerprint(&root), 0, 0);
        let mut waiting = Waiting::from([(self.rank(number), (number, Box::new(root)))]);
        let mut wrong: Vec<Wrong> = Vec::new();
        let mut visited = 0;
        while let Some((_, (number, node))) = waiting.pop_first() {
            let depth = self.states[number as usize].depth;
            if self.limits.first_only && wrong.iter().any(|wrong| self.is_found(wrong.depth, depth)) {
                break;
            }
            visited += 1;
            self.visit(number, &node, &mut waiting, &mut wrong);
            self.report.states = self.states.len();
            self.report.left = waiting.len();
            self.report.waiting_max = self.report.waiting_max.max(waiting.len());
            if self.states.len() >= self.limits.states_max {
                break;
            }
            if visited % STATES_BETWEEN_LOOKS == 0 && look(&self.report) == Stop::Now {
                break;
            }
        }
        wrong.sort_by_key(|wrong| wrong.depth);
        let found = wrong.into_iter().map(|Wrong { from, last, why, .. }| self.explained(from, last, why));
        self.report.found = found.collect();
        if self.report.is_complete() && self.report.found.is_empty() {
            self.report.found = self.stranded().into_iter().collect();
        }
        self.report
    }

    /// True if no way to something wrong will be shorter than that.
    const fn is_found(&self, wrong_depth: u32, depth: u32) -> bool {
        matches!(self.limits.order, Order::Depth) || wrong_depth <= depth
    }

    /// How soon a state is visited.
    fn rank(&self, number: u32) -> (u32, u32) {
        match self.limits.order {
            Order::Breadth => (self.states[number as usize].depth, number),
            Order::Depth => (0, u32::MAX - number),
        }
    }

    fn visit(&mut self, number: u32, node: &Node, waiting: &mut Waiting, wrong: &mut Vec<Wrong>) {
        let depth = self.states[number as usize].depth;
        let mut reached = Vec::new();
        let report = &mut self.report;
        self.walker.edges(node, |walker, label, to| {
            report.edges += 1;
            if label.is_mishap() {
                count(&mut report.reached, &label.to_string());
            }
            let told = walker.take_told();
            for claim in told.claims {
                count(&mut report.reached, &format!("claim.{claim}"));
            }
            reached.push((label, told.steps, to));
        });
        for (label, steps, to) in reached {
            let depth = depth + 1 + u32::try_from(steps.len()).unwrap_or(u32::MAX);
            let is_calm = !label.is_mishap();
            let to = match to {
                Reached::Node(next) => {
                    let print = fingerprint(&*next);
                    match self.met.get(&print).copied() {
                        None => {
                            let to = self.meet(print, number, depth);
                            waiting.insert(self.rank(to), (to, next));
                            to
                        }
                        Some(to) => {
                            self.comes_nearer(to, number, depth, waiting);
                            to
                        }
                    }
                }
                Reached::End => {
                    self.report.ends += 1;
                    END
                }
                Reached::Wrong(why) => {
                    let found = Wrong { from: number, last: way(label, steps).collect(), depth, why };
                    let known = wrong.iter_mut().find(|known| kind(&known.why) == kind(&found.why));
                    match known {
                        None => wrong.push(found),
                        Some(known) if found.depth < known.depth => *known = found,
                        Some(_) => {}
                    }
                    continue;
                }
            };
            if is_calm {
                self.edges.push((number, to));
            }
        }
    }

    /// A state that nobody has met.
    fn meet(&mut self, print: u64, from: u32, depth: u32) -> u32 {
        let number = u32::try_from(self.states.len()).expect("memory ends before four billion states");
        self.states.push(Met { print, from, depth });
        self.met.insert(print, number);
        self.report.depth = self.report.depth.max(depth);
        number
    }

    /// A state that still waits is visited sooner if this is a shorter way to it.
    fn comes_nearer(&mut self, to: u32, from: u32, depth: u32, waiting: &mut Waiting) {
        if self.limits.order == Order::Depth || self.states[to as usize].depth <= depth {
            return;
        }
        if let Some(waits) = waiting.remove(&self.rank(to)) {
            let met = &mut self.states[to as usize];
            (met.from, met.depth) = (from, depth);
            waiting.insert(self.rank(to), waits);
        }
    }

    /// The first state from which no calm end can be reached.
    fn stranded(&mut self) -> Option<Found> {
        let mut leads = vec![false; self.states.len()];
        let mut edges = std::mem::take(&mut self.edges);
        edges.sort_unstable_by_key(|&(_, to)| to);
        let into = |to: u32| {
            let from = edges.partition_point(|&(_, other)| other < to);
            edges[from..].iter().take_while(move |&&(_, other)| other == to).map(|&(from, _)| from)
        };
        let mut open = vec![END];
        while let Some(to) = open.pop() {
            for from in into(to) {
                if !std::mem::replace(&mut leads[from as usize], true) {
                    open.push(from);
                }
            }
        }
        let stranded = leads.iter().position(|&leads| !leads)?;
        let why = "from here no calm end can be reached".to_owned();
        Some(self.explained(u32::try_from(stranded).ok()?, Vec::new(), why))
    }

    /// The way to a state, by walking it once more.
    fn explained(&mut self, to: u32, last: Vec<Label>, why: String) -> Found {
        let mut numbers = vec![to];
        while let Some(&number) = numbers.last().filter(|&&number| number != 0) {
            numbers.push(self.states[number as usize].from);
        }
        let mut node = self.walker.root();
        let mut path = Vec::new();
        for number in numbers.into_iter().rev().skip(1) {
            let print = self.states[number as usize].print;
            let mut next = None;
            self.walker.edges(&node, |walker, label, reached| {
                let steps = walker.take_told().steps;
                if let Reached::Node(reached) = reached
                    && next.is_none()
                    && fingerprint(&*reached) == print
                {
                    next = Some((label, steps, reached));
                }
            });
            let Some((label, steps, reached)) = next else { break };
            path.extend(way(label, steps));
            node = *reached;
        }
        path.extend(last);
        Found { why, path }
    }
}

/// All the steps of an edge.
fn way(first: Label, behind: impl IntoIterator<Item = Name>) -> impl Iterator<Item = Label> {
    std::iter::once(first).chain(behind.into_iter().map(Label::Step))
}

/// What is wrong, without the numbers of this time.
pub(super) fn kind(why: &str) -> String {
    why.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}
