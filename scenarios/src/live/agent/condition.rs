//! What a runbook looks at: files, and what `ps` shows.

use std::collections::BTreeMap;
use std::path::Path;

use super::proc;
use super::world::World;
use crate::runbook::{Condition, fill};
use crate::trace::Role;

impl World {
    /// True if the condition holds now.
    pub(super) fn holds(&self, condition: &Condition, values: &BTreeMap<&'static str, String>) -> bool {
        let path = |text: &str| fill(text, values);
        match condition {
            Condition::Exists(file) => Path::new(&path(file)).exists(),
            Condition::Absent(file) => !Path::new(&path(file)).exists(),
            Condition::NotEmpty(file) => std::fs::metadata(path(file)).is_ok_and(|file| file.len() > 0),
            Condition::All(all) => all.iter().all(|condition| self.holds(condition, values)),
            Condition::Sees { masters, old_workers, new_workers } => {
                let seen = self.masters();
                let is = |wanted: &Option<u16>, count: usize| {
                    wanted.is_none_or(|wanted| usize::from(wanted) == count)
                };
                let workers = |master: Option<&(u32, usize)>| master.map_or(0, |(_, workers)| *workers);
                let new = if seen.len() > 1 { seen.last() } else { None };
                is(masters, seen.len())
                    && is(old_workers, workers(seen.first()))
                    && is(new_workers, workers(new))
            }
        }
    }

    /// The masters that `ps` shows, the oldest first, each with the number of its workers there.
    pub(super) fn masters(&self) -> Vec<(u32, usize)> {
        let own = self.observer.own();
        let shown: Vec<(u32, u32, String)> = proc::descendants(own)
            .into_iter()
            .filter_map(|(pid, parent)| Some((pid, parent, proc::title(pid)?)))
            .collect();
        let workers_of = |master: u32| {
            let is_worker = |(_, parent, title): &&(u32, u32, String)| {
                *parent == master && title.starts_with("nginx: worker process")
            };
            shown.iter().filter(is_worker).count()
        };
        let mut masters: Vec<(u32, u32, usize)> = shown
            .iter()
            .filter(|(_, _, title)| title.starts_with("nginx: master process"))
            .filter_map(|(pid, _, _)| {
                // A worker that has just been forked still looks like its master, but is known as what it is.
                let known = self.observer.processes.get(pid)?;
                (known.role == Role::Master && known.is_alive())
                    .then(|| (known.generation, *pid, workers_of(*pid)))
            })
            .collect();
        masters.sort_unstable();
        masters.into_iter().map(|(_, pid, workers)| (pid, workers)).collect()
    }
}
