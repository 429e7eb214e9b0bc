//! What is explored: what is typed, which binary comes, and how much may go wrong.

use std::fmt;

use crate::catalogue;
use crate::model::binaries::BINARIES;
use crate::model::fault::{Blow, Fault, Whom};
use crate::model::operator::{Command, options};
use crate::model::script::{Pause, Script};
use crate::runbook::Runbook;

/// A bound, within which everything is visited.
#[derive(Debug, Clone)]
pub struct Cell {
    /// What somebody does.
    pub procedure: Procedure,
    /// Workers of a generation.
    pub workers: u16,
    /// Which of [`BINARIES`] comes.
    pub binary: usize,
    /// Which faults may strike.
    pub faults: Vec<Fault>,
    /// How many of them.
    pub faults_max: u8,
    /// How often the orchestrator may be killed, and somebody types something again.
    pub crashes_max: u8,
    /// How often time passes although somebody could go on: a slow machine. Otherwise every process is faster than
    /// any pause.
    pub stalls_max: u8,
    /// How many fresh connections come, each at any time.
    pub fresh: u8,
    /// How many requests lasting clients send, each at any time.
    pub lasting: u8,
    /// What happens in one instant, without others moving in the middle of it.
    pub whole: Whole,
}

/// What happens in one instant; each is a coarser bound than the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whole {
    /// Single steps: others move between any two of them.
    Steps,
    /// All the looks of one turn of the orchestrator: a tenth of the states.
    Looks,
    /// These, and the turn of a worker, from its wake-up until it waits again: with two workers a hundredth of that.
    Turns,
}

/// What somebody does.
#[derive(Debug, Clone)]
pub enum Procedure {
    /// Types these commands, one behind the other.
    Oldbin(Vec<Command>),
    /// Follows a runbook.
    Runbook(Box<Runbook>),
}

impl Cell {
    /// An upgrade by our orchestrator: nothing goes wrong, and nobody connects.
    #[must_use]
    pub fn upgrade(workers: u16) -> Self {
        Self {
            procedure: Procedure::Oldbin(vec![Command::Upgrade(options(0, false))]),
            workers,
            binary: 0,
            faults: Vec::new(),
            faults_max: 0,
            crashes_max: 0,
            stalls_max: 0,
            fresh: 0,
            lasting: 0,
            whole: Whole::Steps,
        }
    }

    /// An upgrade that is held, and then taken back.
    #[must_use]
    pub fn rollback(workers: u16) -> Self {
        let commands = vec![Command::Upgrade(options(0, true)), Command::Rollback(options(0, false))];
        Self { procedure: Procedure::Oldbin(commands), ..Self::upgrade(workers) }
    }

    /// A runbook, with one worker and a client who asks once, on a fresh connection.
    #[must_use]
    pub fn runbook(runbook: Runbook) -> Self {
        Self { procedure: Procedure::Runbook(Box::new(runbook)), fresh: 1, ..Self::upgrade(1) }
    }

    /// With this many of these faults.
    #[must_use]
    pub fn with_faults(self, faults: impl IntoIterator<Item = Fault>, faults_max: u8) -> Self {
        Self { faults: faults.into_iter().collect(), faults_max, ..self }
    }

    /// True if the power may fail.
    pub(super) fn loses_power(&self) -> bool {
        self.faults.contains(&Fault::PowerFailure)
    }

    /// What must hold in a script like this.
    pub(super) fn script(&self) -> Script {
        let commands = match &self.procedure {
            Procedure::Oldbin(commands) => {
                commands.iter().map(|command| (Pause::REST, command.clone())).collect()
            }
            Procedure::Runbook(_) => Vec::new(),
        };
        Script { workers: self.workers, binary: self.binary, commands, faults: Vec::new() }
    }
}

impl fmt::Display for Cell {
    /// `upgrade workers=2 faults=1 crashes=1 fresh=1`; [`named`] understands it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.procedure {
            Procedure::Oldbin(commands) if commands.len() > 1 => f.write_str("rollback")?,
            Procedure::Oldbin(_) => f.write_str("upgrade")?,
            Procedure::Runbook(book) => f.write_str(&book.name)?,
        }
        write!(f, " workers={}", self.workers)?;
        if self.binary != 0 {
            write!(f, " binary={}", self.binary)?;
        }
        if self.faults.len() < single_faults().count() {
            self.faults.iter().try_for_each(|fault| write!(f, " fault={}", fault.name()))?;
        }
        if self.faults.len() != usize::from(self.faults_max) || self.faults.len() > 2 {
            write!(f, " faults={}", self.faults_max)?;
        }
        let budgets = [
            ("crashes", self.crashes_max),
            ("stalls", self.stalls_max),
            ("fresh", self.fresh),
            ("lasting", self.lasting),
        ];
        for (word, count) in budgets {
            if count > 0 {
                write!(f, " {word}={count}")?;
            }
        }
        match self.whole {
            Whole::Steps => Ok(()),
            Whole::Looks => f.write_str(" looks=whole"),
            Whole::Turns => f.write_str(" turns=whole"),
        }
    }
}

/// A cell from its words.
///
/// # Errors
/// One sentence, for words that name none.
pub fn named(text: &str) -> Result<Cell, String> {
    let mut words = text.split_whitespace();
    let mut cell = match words.next() {
        Some("upgrade") => Cell::upgrade(1),
        Some("rollback") => Cell::rollback(1),
        Some(name) => match catalogue::runbook(name) {
            Some(Ok(book)) => Cell::runbook(book),
            Some(Err(_)) | None => {
                return Err(format!("{name:?} is neither `upgrade`, nor `rollback`, nor a runbook"));
            }
        },
        None => return Err("a cell begins with `upgrade`, `rollback` or the name of a runbook".into()),
    };
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("{word:?} should be word=value"))?;
        if key == "fault" {
            let fault = Fault::named(value).ok_or_else(|| format!("{value:?} is no fault"))?;
            if fault == Fault::Crash {
                return Err("a crash has a budget of its own: crashes=1".into());
            }
            cell.faults.push(fault);
            cell.faults_max += 1;
            continue;
        }
        if let "looks" | "turns" = key {
            cell.whole = match word {
                "looks=whole" => Whole::Looks,
                "turns=whole" => Whole::Turns,
                _ => return Err(format!("{word:?} should be {key}=whole")),
            };
            continue;
        }
        let number: u8 = value.parse().map_err(|_| format!("{word:?} should end in a small number"))?;
        match key {
            "workers" if (1..=3).contains(&number) => cell.workers = number.into(),
            "binary" if usize::from(number) < BINARIES.len() => cell.binary = number.into(),
            "faults" if cell.faults.is_empty() => cell = cell.with_faults(single_faults(), number),
            "faults" => cell.faults_max = number,
            "crashes" if matches!(cell.procedure, Procedure::Runbook(_)) => {
                return Err(format!("{word:?}: only the orchestrator is killed, and nobody runs it here"));
            }
            "crashes" => cell.crashes_max = number,
            "stalls" => cell.stalls_max = number,
            "fresh" => cell.fresh = number,
            "lasting" => cell.lasting = number,
            _ => return Err(format!("{word:?} is no bound of a cell, or out of range")),
        }
    }
    Ok(cell)
}

/// The cells that everybody runs: an upgrade with two workers, and, with looks taken whole, with a client or a crash
/// besides; an upgrade and a rollback with two workers, a client and a crash, with turns taken whole; with one worker an
/// upgrade and a rollback with a client, a crash, or one moment at which the machine is slow; an upgrade with every kind of
/// binary, and with every single fault; one in which a stranger gets the number of an old master that was killed; and a
/// rollback in which the power fails.
#[must_use]
pub fn cells() -> Vec<Cell> {
    let both = || [Cell::upgrade(1), Cell::rollback(1)];
    let asked = both().map(|cell| Cell { fresh: 1, ..cell });
    let crashed = both().map(|cell| Cell { crashes_max: 1, ..cell });
    let slow = both().map(|cell| Cell { stalls_max: 1, ..cell });
    let two = Cell { whole: Whole::Looks, ..Cell::upgrade(2) };
    let large = [Cell { fresh: 1, ..two.clone() }, Cell { crashes_max: 1, ..two }];
    let whole = |cell| Cell { fresh: 1, crashes_max: 1, whole: Whole::Turns, ..cell };
    let turns = [Cell::upgrade(2), Cell::rollback(2)].map(whole);
    let binaries = (1..BINARIES.len()).map(|binary| Cell { binary, ..Cell::upgrade(1) });
    let faulty = single_faults().map(|fault| Cell::upgrade(1).with_faults([fault], 1));
    let calm = [Cell::upgrade(2)].into_iter().chain(asked).chain(crashed).chain(slow);
    let old_master = Fault::Blow(Blow::Kill, Whom::OldMaster);
    let reused = Cell::upgrade(1).with_faults([old_master, Fault::ReusedPid], 2);
    let whole = Cell { whole: Whole::Looks, ..Cell::rollback(1) };
    let dark = whole.with_faults([Fault::PowerFailure], 1);
    calm.chain(large).chain(turns).chain(binaries).chain(faulty).chain([reused, dark]).collect()
}

/// Larger ones, for somebody who has half an hour: two workers with a client or on the way back; with one worker a rollback
/// with every single fault, an upgrade with a crash besides every single fault, and a rollback with both, that one with looks
/// taken whole.
#[must_use]
pub fn wider() -> Vec<Cell> {
    let large = [
        Cell { fresh: 1, ..Cell::upgrade(2) },
        Cell::rollback(2),
        Cell { crashes_max: 1, whole: Whole::Looks, ..Cell::rollback(2) },
        Cell { fresh: 1, lasting: 1, ..Cell::upgrade(1) },
        Cell { fresh: 1, lasting: 1, ..Cell::rollback(1) },
    ];
    let back = Cell { whole: Whole::Looks, ..Cell::rollback(1) };
    large
        .into_iter()
        .chain(crash_faults().map(|fault| crashed(Cell::upgrade(1), fault)))
        .chain(crash_faults().map(|fault| crashed(back.clone(), fault)))
        .chain(single_faults().map(|fault| Cell::rollback(1).with_faults([fault], 1)))
        .collect()
}

/// A crash besides one fault, in an upgrade and in a rollback with two workers and so many fresh connections, with turns
/// taken whole: two cells for each kind.
#[must_use]
pub fn crashes(fresh: u8) -> Vec<Cell> {
    let cell = |cell| Cell { fresh, whole: Whole::Turns, ..cell };
    let both = || [Cell::upgrade(2), Cell::rollback(2)].map(cell);
    crash_faults().flat_map(|fault| both().map(|cell| crashed(cell, fault))).collect()
}

/// An exit is left out, as it differs from KILL in a number that nobody asks for.
fn crash_faults() -> impl Iterator<Item = Fault> {
    single_faults().filter(|fault| !matches!(fault, Fault::Blow(Blow::Exit, _)))
}

fn crashed(cell: Cell, fault: Fault) -> Cell {
    Cell { crashes_max: 1, ..cell }.with_faults([fault], 1)
}

/// All but the crash, which has a budget of its own.
fn single_faults() -> impl Iterator<Item = Fault> {
    Fault::all().filter(|&fault| fault != Fault::Crash)
}

/// Two faults of one kind each, in an upgrade with two workers, with turns taken whole: a cell for each pair.
#[must_use]
pub fn pairs() -> Vec<Cell> {
    let kinds: Vec<Fault> = single_faults().collect();
    let with = |first: usize| kinds[first..].iter().map(move |&second| (first, second));
    let pairs = (0..kinds.len()).flat_map(with);
    let cell = Cell { whole: Whole::Turns, ..Cell::upgrade(2) };
    pairs.map(|(first, second)| cell.clone().with_faults([kinds[first], second], 2)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_named_as_it_is_written() {
        for cell in cells().into_iter().chain(crashes(0)).chain(crashes(1)).chain(wider()).chain(pairs()) {
            assert_eq!(named(&cell.to_string()).unwrap().to_string(), cell.to_string());
        }
        assert!(named("upgrade workers=9").unwrap_err().contains("workers=9"));
        assert!(named("no-such-book").unwrap_err().contains("no-such-book"));
        assert!(named("upgrade fault=crash").unwrap_err().contains("crashes=1"), "it would strike nobody");
        assert!(
            named("make-upgrade crashes=1").unwrap_err().contains("orchestrator"),
            "it would kill nobody"
        );
    }
}
