//! One line on standard error per step, while it happens, and on a terminal a bar for what takes long.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::driver::Event;
use crate::host::linux::{children, connections, title};
use crate::machine::{Action, Memory, Phase, Plan, Reason, Side, Signal, Title, Waiting};

/// How often connections are counted while old workers drain: it reads every descriptor of theirs.
const COUNT_US: u64 = 1_000_000;

/// How often a drain is told of where no bar can be drawn.
const TELL_US: u64 = 10_000_000;

/// Tells a person what happens, and keeps the times of what a report names.
pub(super) struct Progress<'a> {
    plan: &'a Plan,
    last: Option<Waiting>,
    is_terminal: bool,
    bar: ProgressBar,
    since_us: u64,
    counted_us: u64,
    told_us: u64,
    pub(super) first_signal_us: Option<u64>,
    pub(super) old_ended_us: Option<u64>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self {
            plan,
            last: None,
            is_terminal,
            bar,
            since_us: 0,
            counted_us: 0,
            told_us: 0,
            first_signal_us: None,
            old_ended_us: None,
        }
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
                self.since_us = now_us;
                self.bar.finish_and_clear();
                if let Some(text) = entered(memory, self.plan) {
                    self.say(&text);
                }
            }
            Event::Waits(why) => self.waits(now_us, why),
            Event::JournalFailed(error) => self.say(&format!("the journal cannot be written: {error}")),
            Event::OldMasterEnded => {
                self.old_ended_us.get_or_insert(now_us);
            }
        }
    }

    fn waits(&mut self, now_us: u64, why: &Waiting) {
        let is_new = self.last.as_ref() != Some(why);
        self.last = Some(why.clone());
        match why {
            Waiting::OldWorkersDrain(count) => self.drains(now_us, *count, is_new),
            Waiting::Soak => self.draw(now_us, self.plan.options.soak_ms),
            Waiting::Watch => self.draw(now_us, self.plan.options.watch_ms),
            Waiting::NewMasterEnd(_)
            | Waiting::Orphans(_)
            | Waiting::Probe
            | Waiting::OldWorkersBack
            | Waiting::OldMasterAsleep
            | Waiting::NewMaster
            | Waiting::NewWorkers
            | Waiting::OldWorkersStop
            | Waiting::OldMasterEnd
            | Waiting::PidFile => {
                if let Some(text) = waits(why).filter(|_| is_new) {
                    self.say(&text);
                }
            }
        }
    }

    /// How many connections still hold the old generation.
    fn drains(&mut self, now_us: u64, workers: usize, is_new: bool) {
        if !is_new && now_us < self.counted_us + COUNT_US {
            return;
        }
        self.counted_us = now_us;
        let is_draining = |pid: &u32| title(*pid) == Title::ShuttingDown;
        let count: usize = children(self.plan.old.pid).into_iter().filter(is_draining).map(connections).sum();
        let text = format!("waiting for {workers} old workers that still serve {count} connections");
        if is_new || !self.is_terminal && now_us >= self.told_us + TELL_US {
            self.told_us = now_us;
            self.say(&text);
        }
        set_style(&self.bar, "{spinner} {msg} {elapsed}");
        self.bar.set_message(text);
        self.bar.tick();
    }

    /// How much of a time that is known has passed.
    fn draw(&self, now_us: u64, of_ms: u64) {
        set_style(&self.bar, "{bar:20} {pos}/{len} s");
        self.bar.set_length(of_ms / 1_000);
        self.bar.set_position(now_us.saturating_sub(self.since_us) / 1_000_000);
        self.bar.tick();
    }

    fn say(&self, text: &str) {
        let (bright, plain) = if self.is_terminal { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        self.bar.suspend(|| {
            let _ = writeln!(std::io::stderr(), "{bright}oldbin:{plain} {text}");
        });
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn set_style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
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
        Phase::Watching => Some(format!("watching the new binary for {} ms", plan.options.watch_ms)),
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
        Waiting::NewMasterEnd(count) => {
            Some(format!("waiting for {count} processes of the new binary to end"))
        }
        Waiting::Orphans(count) => Some(format!("waiting for {count} workers without a master to end")),
        Waiting::Probe => Some("something that was asked failed; asking again".to_owned()),
        Waiting::OldWorkersBack => Some("waiting for the old workers".to_owned()),
        Waiting::OldMasterAsleep
        | Waiting::NewMaster
        | Waiting::NewWorkers
        | Waiting::OldWorkersStop
        | Waiting::OldWorkersDrain(_)
        | Waiting::Soak
        | Waiting::Watch
        | Waiting::OldMasterEnd
        | Waiting::PidFile => None,
    }
}
