//! What goes wrong at a named moment of a run: `fault "crash" at="new-master.exec"`.
//!
//! A moment is somebody's step, in the words of [`Name`]. The model strikes before the step is taken; on the fake
//! the process that reports it waits for the strike. On real nginx nothing can be forced at a moment.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::choice::{Act, Name, Who};
use crate::model::fault::Fault;

/// One thing that goes wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mishap {
    /// What.
    pub what: Wrong,
    /// Right before this moment, such as `new-master.exec`.
    pub at: String,
    /// When it is reached for this time, from 1, counted from the first act on.
    pub nth: u32,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrong {
    /// The process that has reached the moment dies by SIGKILL.
    Crash,
    /// It exits with this code.
    Exit {
        /// The code.
        status: u8,
    },
    /// It does nothing until then.
    Pause(Until),
    /// Something else happens right then: a fault of the model by its name here.
    Elsewhere {
        /// One of [`elsewhere`].
        fault: String,
        /// Of several workers that could be struck: which, by age, from 1.
        which: u8,
    },
}

/// The end of a pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// After so many milliseconds.
    Ms(u64),
    /// When this moment is reached.
    Moment(String),
}

/// The names of faults that strike elsewhere, and the model's faults.
///
/// Nobody can make a process call exit(3) that does not run, so that is said at a moment of that process. A package
/// manager brings a third release, and a scenario has two. Who gets which pid is the kernel's choice, and a command is
/// an act. Nobody takes the power away from the machine that the laboratory runs on.
pub fn elsewhere() -> impl Iterator<Item = (&'static str, Fault)> {
    let by_itself = |fault: &Fault| fault.name().starts_with("exit-");
    let is_of_model = |fault: &Fault| {
        matches!(fault, Fault::Package | Fault::ReusedPid | Fault::SecondOperator | Fault::PowerFailure)
    };
    Fault::all().filter(move |fault| !by_itself(fault) && !is_of_model(fault)).map(|fault| {
        let name = match fault {
            Fault::Crash => "kill-oldbin",
            Fault::Interrupt => "interrupt-oldbin",
            Fault::Blow(..)
            | Fault::Reload
            | Fault::Reopen
            | Fault::Package
            | Fault::ReusedPid
            | Fault::Sent(..)
            | Fault::SecondOperator
            | Fault::PowerFailure
            | Fault::SecondUsr2
            | Fault::FullDisk => fault.name(),
        };
        (name, fault)
    })
}

/// The model's fault of that name.
pub(crate) fn fault_named(name: &str) -> Option<Fault> {
    elsewhere().find(|(known, _)| *known == name).map(|(_, fault)| fault)
}

/// The words of an orchestrator's steps that have a moment in every world.
const SUBJECT: &[Act] = &[
    Act::AskTime,
    Act::LookPid,
    Act::LookBinary,
    Act::LookMaster,
    Act::LookOrphans,
    Act::Probe,
    Act::Note,
    Act::Save,
    Act::Replace,
    Act::MendPid,
    Act::SendHup,
    Act::SendQuit,
    Act::SendTerm,
    Act::SendKill,
    Act::SendUsr2,
    Act::SendWinch,
    Act::SendIo,
    Act::SendOrphans,
];

/// The actors of moments, as they are listed.
pub const ACTORS: [&str; 7] =
    ["old-master", "new-master", "old-worker-N", "new-worker-N", "master-of-G", "worker-of-G-N", "subject"];

/// The words that stand behind an actor.
#[must_use]
pub fn words_of(who: Who) -> Vec<&'static str> {
    match who {
        Who::Master | Who::Worker => {
            fake_nginx::machine::Moment::ALL.iter().map(|moment| moment.word()).collect()
        }
        Who::Subject => SUBJECT.iter().map(|act| act.word()).collect(),
        Who::Launcher | Who::Client | Who::Time | Who::Fault => Vec::new(),
    }
}

/// True if a process stops there to be told how to go on.
#[must_use]
pub fn is_forcible(name: Name) -> bool {
    match name.actor.who {
        Who::Master | Who::Worker => matches!(name.act, Act::Nginx(_)),
        Who::Subject => SUBJECT.contains(&name.act),
        Who::Launcher | Who::Client | Who::Time | Who::Fault => false,
    }
}

/// The moment of that text at which something can be forced.
#[must_use]
pub fn moment(text: &str) -> Option<Name> {
    text.parse().ok().filter(|&name| is_forcible(name))
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, at, nth } = self;
        match what {
            Wrong::Crash => write!(f, "crash before {at} #{nth}"),
            Wrong::Exit { status } => write!(f, "exit {status} before {at} #{nth}"),
            Wrong::Pause(Until::Ms(ms)) => write!(f, "pause of {ms} ms before {at} #{nth}"),
            Wrong::Pause(Until::Moment(until)) => write!(f, "pause until {until} before {at} #{nth}"),
            Wrong::Elsewhere { fault, which: 1 } => write!(f, "{fault} before {at} #{nth}"),
            Wrong::Elsewhere { fault, which } => write!(f, "{fault} {which} before {at} #{nth}"),
        }
    }
}

impl Mishap {
    /// How a trace tells that it has struck.
    #[must_use]
    pub fn moment(&self) -> String {
        format!("fault.{self}")
    }
}
