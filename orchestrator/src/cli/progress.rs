//! One line on standard error per step, while it happens.

use std::io::{IsTerminal, Write};

use crate::driver::Event;
use crate::machine::{Action, Memory, Phase, Plan, Reason, Side, Signal, Waiting};

/// Tells a person what happens, and keeps the times of what a report names.
pub(super) struct Progress<'a> {
    plan: &'a Plan,
    last: Option<Waiting>,
    is_terminal: bool,
    pub(super) first_signal_us: Option<u64>,
    pub(super) old_ended_us: Option<u64>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { plan, last: None, is_terminal, first_signal_us: None, old_ended_us: None }
    }

    pub(super) fn tell(&mut self, now_us: u64, event: &Event<'_>) {
        match event {
            Event::Acted(action) => {
                if matches!(action, Action::Signal { .. } | Action::SignalOrphans { .. }) {
                    self.first_signal_us.get_or_insert(now_us);
                }
                if let Some(text) = acted(action, self.plan) {
                    self.say(&text);
                }
            }
            Event::Entered(memory) => {
                if let Some(text) = entered(memory, self.plan) {
                    self.say(&text);
                }
            }
            Event::Waits(why) => {
                if self.last.as_ref() != Some(why) {
                    self.last = Some((*why).clone());
                    if let Some(text) = waits(why) {
                        self.say(&text);
                    }
                }
            }
            Event::JournalFailed(error) => self.say(&format!("the journal cannot be written: {error}")),
            Event::OldMasterEnded => {
                self.old_ended_us.get_or_insert(now_us);
            }
        }
    }

    fn say(&self, text: &str) {
        let (bright, plain) = if self.is_terminal { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let _ = writeln!(std::io::stderr(), "{bright}oldbin:{plain} {text}");
    }
}

fn entered(memory: &Memory, plan: &Plan) -> Option<String> {
    let path = plan.binary.display();
    match memory.phase {
        Phase::Planned | Phase::Held | Phase::Finished(_) => None,
        Phase::Installing => {
            Some(format!("{} takes the place of {} at {path}", plan.new_version, plan.old_version))
        }
        Phase::Changing => Some(format!("asking master {} to change its binary", plan.old.pid)),
        Phase::Draining => {
            let pid = memory.new.as_ref().map_or(0, |new| new.pid);
            let count = memory.new_workers.len();
            Some(format!("new master {pid} is ready with {count} workers; draining the old workers"))
        }
        Phase::Soaking => {
            Some(format!("the new binary serves alone; soaking for {} ms", plan.options.soak_ms))
        }
        Phase::Committing => Some("commit point: the old master is let go".to_owned()),
        Phase::Back => memory.abort.as_ref().map(|reason: &Reason| format!("going back: {reason}")),
    }
}

fn acted(action: &Action, plan: &Plan) -> Option<String> {
    match action {
        Action::Replace(Side::Old) => {
            Some(format!("{} is {} again", plan.binary.display(), plan.old_version))
        }
        Action::Signal { signal: Signal::Hup, .. } => Some("bringing the old workers back".to_owned()),
        Action::Signal { process, signal: signal @ (Signal::Quit | Signal::Term | Signal::Kill), .. }
            if process.pid != plan.old.pid =>
        {
            Some(format!("sent {signal} to the new master {}", process.pid))
        }
        Action::Signal { process, signal: signal @ (Signal::Term | Signal::Kill), .. } => {
            Some(format!("sent {signal} to the old master {}: the drain took too long", process.pid))
        }
        Action::SignalOrphans { processes, signal, .. } => {
            Some(format!("sent {signal} to {} workers without a master", processes.len()))
        }
        Action::RemoveOldbin => Some("removed the oldbin file of a master that was killed".to_owned()),
        Action::RenameOldbinBack => Some("renamed the oldbin file back".to_owned()),
        Action::Note | Action::Replace(Side::New) | Action::Signal { .. } => None,
    }
}

fn waits(why: &Waiting) -> Option<String> {
    match why {
        Waiting::OldWorkersDrain(count) => {
            Some(format!("waiting for {count} old workers that still serve requests"))
        }
        Waiting::NewMasterEnd(count) => {
            Some(format!("waiting for {count} processes of the new binary to end"))
        }
        Waiting::Orphans(count) => Some(format!("waiting for {count} workers without a master to end")),
        Waiting::Probe => Some("a probe failed; trying again".to_owned()),
        Waiting::OldWorkersBack => Some("waiting for the old workers".to_owned()),
        Waiting::OldMasterAsleep
        | Waiting::NewMaster
        | Waiting::NewWorkers
        | Waiting::OldWorkersStop
        | Waiting::Soak
        | Waiting::OldMasterEnd
        | Waiting::PidFile => None,
    }
}
