//! The rows of a failure: who did what, in columns.

use std::collections::BTreeMap;
use std::fmt;

use super::cell;
use crate::invariants::State;
use crate::trace::{Content, Event, PidFile, Role, Trace, What};

/// The columns, from the left.
pub(super) const COLUMNS: [&str; 5] = ["old master", "old workers", "new master", "new workers", "client"];
/// The client's column.
pub(super) const CLIENT: usize = 4;

/// What happened at one time.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// When.
    pub(super) at_us: u64,
    /// The positions of its first and last event.
    pub(super) events: (usize, usize),
    /// What happened to whom.
    pub(super) body: Body,
    /// How much a reader needs it; the least needed rows go first when there are too many.
    pub(super) weight: u8,
    /// True for the first bad step.
    pub(super) is_bad: bool,
}

/// For each column what was done, each with the pids that it was done by or to.
pub(super) type Cells = [Vec<(String, Vec<u32>)>; 5];

/// What a row says.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// A text for each column.
    Cells(Cells),
    /// One text across all columns.
    Across(String),
}

/// The rows of a trace; `bad` is the event of the first bad step, which has a row of its own.
pub(super) fn rows(trace: &Trace, bad: Option<usize>) -> Vec<Row> {
    let mut state = State::default();
    let mut rows: Vec<Row> = Vec::new();
    let begins = |what: &What| matches!(what, What::Quiescent | What::StepBegan { .. });
    let prologue = trace.events.iter().position(|event| begins(&event.what)).unwrap_or(0);
    for (position, event) in trace.events.iter().enumerate() {
        let is_bad = bad == Some(position);
        // A death is told by the state before it, a birth by the state behind it; both know the process.
        state.apply(event);
        let Some((body, weight)) = row(&state, event, is_bad) else { continue };
        // What is there from the start is the least news.
        let weight = if position < prologue { 1 } else { weight };
        let row = Row { at_us: event.at_us, events: (position, position), body, weight, is_bad };
        match rows.last_mut() {
            Some(last) if !is_bad && last.takes(&row) => last.take(row),
            Some(_) | None => rows.push(row),
        }
    }
    rows
}

fn row(state: &State, event: &Event, is_bad: bool) -> Option<(Body, u8)> {
    let across = |text: String, weight| Some((Body::Across(text), weight));
    match &event.what {
        What::Born { pid, role: Role::Master, .. } => Some((of(state, *pid, "born"), 8)),
        What::Born { pid, role: Role::Worker, .. } => Some((of(state, *pid, "up"), 6)),
        What::Draining { pid } => Some((of(state, *pid, "draining"), 5)),
        What::Died { pid, exit } => Some((of(state, *pid, &cell::exit(*exit)), 7)),
        What::Signal { to, signal, arrived: false, .. } => Some((of(state, *to, signal), 7)),
        What::SignalToStranger { pid, signal } => across(format!("{signal} to the stranger {pid}"), 9),
        What::Request(request) if is_bad => {
            let by = request.pid.map_or(String::new(), |pid| format!(" by {pid}"));
            let text = format!("c{} {}{by}", request.connection, cell::fate(request));
            Some((cells(CLIENT, text, Vec::new()), 9))
        }
        What::Binary { version } => {
            let version = version.as_deref().unwrap_or("no nginx");
            across(format!("the binary's file is {version}"), 4)
        }
        What::PidFile { file, content } => across(file_text(*file, content), 3),
        What::StepBegan { step, text } => across(format!("step {step}: {text}"), 5),
        What::StepEnded { step, failure: Some(why) } => across(format!("step {step} fails: {why}"), 8),
        What::Claimed { act, claim, expected, .. } if claim != expected => {
            across(format!("act {act} claims {claim}, and should claim {expected}"), 9)
        }
        What::Claimed { act, claim, .. } => across(format!("act {act} claims {claim}"), 8),
        What::Survivor { pid, title } => across(format!("left behind: {pid} {title}"), 8),
        What::Quiescent => is_bad.then(|| (still_there(state), 9)),
        What::Signal { arrived: true, .. }
        | What::Listening { .. }
        | What::NotListening { .. }
        | What::Request(_)
        | What::Log { .. }
        | What::StepEnded { failure: None, .. }
        | What::Moment { .. } => is_bad.then(|| (Body::Across("here".into()), 9)),
    }
}

fn file_text(file: PidFile, content: &Content) -> String {
    let name = match file {
        PidFile::Current => "nginx.pid",
        PidFile::Oldbin => "nginx.pid.oldbin",
    };
    match content {
        Content::Absent => format!("{name} is gone"),
        Content::Empty => format!("{name} is empty"),
        Content::Pid(pid) => format!("{name} names {pid}"),
        Content::Garbage(text) => format!("{name} holds {text:?}"),
    }
}

/// Who is still there at a rest.
fn still_there(state: &State) -> Body {
    let workers = state.workers().map(|worker| {
        let text = if worker.draining_us.is_some() { "still draining" } else { "still up" };
        of(state, worker.pid, text)
    });
    let masters = state.masters().into_iter().map(|master| of(state, master.pid, "still up"));
    let mut all: Cells = Default::default();
    masters.chain(workers).for_each(|body| add(&mut all, body));
    if all.iter().all(Vec::is_empty) {
        Body::Across("nothing runs any more".into())
    } else {
        Body::Cells(all)
    }
}

/// A cell in the column of this process.
fn of(state: &State, pid: u32, text: &str) -> Body {
    let (role, generation) =
        state.processes.get(&pid).map_or((Role::Master, 1), |process| (process.role, process.generation));
    let side = if generation > 1 { 2 } else { 0 };
    match role {
        Role::Master if state.generations <= 2 => cells(side, text.to_owned(), Vec::new()),
        Role::Master => cells(side, text.to_owned(), vec![pid]),
        Role::Worker => cells(side + 1, text.to_owned(), vec![pid]),
    }
}

fn cells(column: usize, text: String, pids: Vec<u32>) -> Body {
    let mut cells: Cells = Default::default();
    cells[column].push((text, pids));
    Body::Cells(cells)
}

impl Row {
    /// True if the other row belongs to the same millisecond and there is room for it.
    fn takes(&self, other: &Self) -> bool {
        let (Body::Cells(mine), Body::Cells(its)) = (&self.body, &other.body) else { return false };
        let is_together = self.at_us / 1000 == other.at_us / 1000 && !self.is_bad;
        let has_room = mine.iter().zip(its).all(|(mine, its)| {
            its.iter().all(|(text, _)| mine.is_empty() || mine.iter().any(|(other, _)| other == text))
        });
        is_together && has_room
    }

    fn take(&mut self, other: Self) {
        self.events.1 = other.events.1;
        self.weight = self.weight.max(other.weight);
        if let Body::Cells(mine) = &mut self.body {
            add(mine, other.body);
        }
    }
}

/// Puts the cells of one row into another, equal texts together.
fn add(mine: &mut Cells, other: Body) {
    let Body::Cells(its) = other else { return };
    for (mine, its) in mine.iter_mut().zip(its) {
        for (text, pids) in its {
            match mine.iter_mut().find(|(other, _)| *other == text) {
                Some((_, known)) => known.extend(pids),
                None => mine.push((text, pids)),
            }
        }
    }
}

/// How many requests ended how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    served: usize,
    others: BTreeMap<String, usize>,
}

/// The requests that ended at these positions of the trace.
pub(super) fn requests(trace: &Trace, from: usize, before: usize) -> Counts {
    let mut counts = Counts::default();
    for event in trace.events.get(from..before).unwrap_or_default() {
        if let What::Request(request) = &event.what {
            match cell::fate(request).as_str() {
                "served" => counts.served += 1,
                other => *counts.others.entry(other.to_owned()).or_default() += 1,
            }
        }
    }
    counts
}

impl Counts {
    /// True if there was no request.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// True if nothing but good happened.
    pub(super) fn are_served(&self) -> bool {
        self.others.is_empty()
    }
}

impl fmt::Display for Counts {
    /// What went wrong comes first: it is what a reader looks for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.others.iter().map(|(fate, count)| format!("{count} {fate}"));
        let served = (self.served > 0).then(|| format!("{} served", self.served));
        f.write_str(&others.chain(served).collect::<Vec<_>>().join(", "))
    }
}
