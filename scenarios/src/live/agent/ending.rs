//! The end of a world: what should not be there is told, and everything is ended and reaped.

use rustix::process::Signal;

use super::proc;
use super::world::{World, kill};
use crate::trace::{Event, Role, What};

/// How long nginx may take for a fast shutdown before it is killed: its own escalation to SIGKILL takes 3.2 s,
/// but nothing that is still wanted is lost here.
const FAST_SHUTDOWN_US: u64 = 1_000_000;
/// How long the kernel may take to end what was killed.
const KILL_US: u64 = 2_000_000;

impl World {
    /// Ends everything, and notes what the run has left behind.
    pub(super) fn end(&mut self) {
        self.note_survivors();
        self.end_control();
        let kept = self.observer.events.len();
        let now = self.clock.now_us();
        self.deadline_us = now + FAST_SHUTDOWN_US;
        let heads: Vec<u32> = self
            .observer
            .processes
            .iter()
            .filter(|(_, process)| {
                process.is_alive() && (process.role == Role::Master || self.is_orphan(process.parent))
            })
            .map(|(&pid, _)| pid)
            .collect();
        for pid in heads {
            self.observer.signal(pid, "TERM", Signal::TERM);
        }
        for pid in self.running_children() {
            kill(pid, Signal::KILL);
        }
        self.wait_until_empty();
        self.deadline_us = self.clock.now_us() + KILL_US;
        for (pid, _) in proc::descendants(self.observer.own()) {
            kill(pid, Signal::KILL);
        }
        self.wait_until_empty();
        // What ended here was ended by the laboratory, and is no part of the run.
        self.observer.events.truncate(kept);
    }

    /// The trace's events, by time.
    pub(super) fn into_events(self) -> Vec<Event> {
        let mut events = self.observer.events;
        events.sort_by_key(|event| event.at_us);
        events
    }

    /// Whatever still runs and is neither nginx under a master nor a child of the agent.
    fn note_survivors(&mut self) {
        let own = self.observer.own();
        let children = self.running_children();
        for (pid, parent) in proc::descendants(own) {
            let process = self.observer.processes.get(&pid);
            let is_expected = match process {
                Some(process) => process.role == Role::Master || !self.is_orphan(parent),
                None => children.contains(&pid) || children.contains(&parent),
            };
            let title = proc::title(pid).unwrap_or_default();
            // A zombie has no title, and needs only to be reaped.
            if !is_expected && !title.is_empty() {
                self.observer.note(What::Survivor { pid, title });
            }
        }
    }

    /// True if this parent is no master.
    fn is_orphan(&self, parent: u32) -> bool {
        self.observer.processes.get(&parent).is_none_or(|master| !master.is_alive())
    }

    /// Waits until the agent has no descendants, or its deadline.
    fn wait_until_empty(&mut self) {
        const LOOK_US: u64 = 5_000;
        while !proc::descendants(self.observer.own()).is_empty() {
            if self.clock.now_us() >= self.deadline_us || self.turn_to_end(LOOK_US).is_err() {
                return;
            }
        }
    }
}
