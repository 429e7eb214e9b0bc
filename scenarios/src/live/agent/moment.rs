//! Moments: the named places of an upgrade that a scenario can ask for.

use std::collections::{BTreeMap, BTreeSet};

use super::process::Process;
use crate::trace::{Content, PidFile, Role, What};

/// Which moments were reached, each once per generation.
#[derive(Debug, Default)]
pub(super) struct Moments {
    reached: BTreeSet<(&'static str, u32)>,
}

impl Moments {
    /// The moment that `what` is, if it is one and is reached for the first time.
    pub(super) fn of(&mut self, what: &What, processes: &BTreeMap<u32, Process>) -> Option<&'static str> {
        let (name, generation) = name(what, processes)?;
        self.reached.insert((name, generation)).then_some(name)
    }
}

fn name(what: &What, processes: &BTreeMap<u32, Process>) -> Option<(&'static str, u32)> {
    let youngest = processes.values().map(|process| process.generation).max().unwrap_or(1);
    let of = |pid: &u32| processes.get(pid);
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "most events are no moments, and a new one is none either"
    )]
    match what {
        What::Born { role: Role::Master, generation: generation @ 2.., .. } => {
            Some(("new-master.born", *generation))
        }
        What::PidFile { file: PidFile::Current, content: Content::Pid(pid) } => {
            let master = of(pid).filter(|process| process.generation > 1)?;
            Some(("new-master.after-pid-file", master.generation))
        }
        What::Listening { pid, accepting: true, .. } => {
            let worker = of(pid).filter(|process| process.generation > 1 && process.role == Role::Worker)?;
            Some(("new-worker.accepting", worker.generation))
        }
        What::Signal { to, signal, arrived: true, .. } => {
            let master = of(to).filter(|process| process.role == Role::Master)?;
            let name = match signal.as_str() {
                "WINCH" => "old-master.after-winch",
                "HUP" => "old-master.after-hup",
                _ => return None,
            };
            (master.generation < youngest).then_some((name, master.generation))
        }
        What::Died { pid, .. } => {
            let master = of(pid).filter(|process| process.role == Role::Master)?;
            let generation = master.generation;
            let had_workers =
                processes.values().any(|of| of.role == Role::Worker && of.generation == generation);
            match (generation < youngest, generation) {
                (true, _) => Some(("old-master.gone", generation)),
                (false, 1) => None,
                (false, _) if had_workers => Some(("new-master.gone", generation)),
                (false, _) => Some(("new-master.exited-at-start", generation)),
            }
        }
        _ => None,
    }
}
