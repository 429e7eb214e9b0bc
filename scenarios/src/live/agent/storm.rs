//! Plays a random script: types its commands while its faults strike, and then finishes what is unfinished.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use orchestrator::host::{Call, HostError, Reply};
use orchestrator::state::journals;
use serde::Deserialize;

use super::super::storm::Storm;
use super::run::Run;
use super::strike::Strikes;
use super::subject::{ending, oldbin};
use super::{Stop, claim};
use crate::invariants::STRUCK;
use crate::model::operator::Command;
use crate::scenario::Claim;
use crate::trace::{Exit, What};

/// How often the last command is typed again.
const RECOVERIES: usize = 3;
/// What the orchestrator's own trace is called, beside its journal but not on its disk.
const CALLS: &str = "calls.jsonl";

impl Run<'_> {
    /// Plays it to its end.
    pub(super) fn storm(&mut self, storm: &Storm) -> Result<(), Stop> {
        if self.order.scenario.new.fault.is_some() {
            self.world.observer.note(What::Moment { name: format!("{STRUCK}new-binary") });
        }
        self.world.observer.tells_journal = true;
        self.world.strikes = Strikes::new(storm.strikes.clone(), self.world.observer.events.len());
        for typed in &storm.commands {
            self.world.wait_until(self.world.clock.now_us() + typed.pause_ms * 1_000)?;
            self.command(&typed.words)?;
        }
        self.world.strikes = Strikes::default();
        for _ in 0..RECOVERIES {
            let Some(command) = unfinished(&self.world.paths.state) else { break };
            self.command(&command.words())?;
        }
        Ok(())
    }

    /// Types one command, and waits until everybody has done what it led to.
    fn command(&mut self, words: &[String]) -> Result<(), Stop> {
        let act = self.act.map_or(1, |(act, _)| act + 1);
        self.act = Some((act, asked(words)));
        let calls = self.world.paths.prefix.join(CALLS);
        let mut command = oldbin(&self.world, self.order, words);
        command.current_dir(&self.world.paths.prefix).arg("--trace").arg(&calls);
        let step = self.world.begin_step(&format!("oldbin {}", words.join(" ")));
        let pid = self.world.start(&mut command)?;
        self.world.subject = Some(pid);
        let finished = self.world.finish(pid);
        self.world.subject = None;
        let finished = finished?;
        self.world.give_room();
        if let Some(at_us) = last_look_us(&calls) {
            let at_us = self.world.clock.of_monotonic_us(at_us);
            self.world.note_at(at_us, What::Moment { name: "subject.last-look".into() });
        }
        let failure = (finished.exit != Some(Exit::Code(0))).then(|| ending(finished.exit));
        self.world.end_step(step, failure);
        // Who was killed claims nothing.
        if !matches!(finished.exit, Some(Exit::Signal(_))) {
            let said = claim::of_oldbin(&finished);
            let is_no_end = matches!(said.claim, Claim::Stuck | Claim::Failed);
            let expected = if is_no_end { asked(words) } else { said.claim };
            self.act = Some((act, expected));
            self.claimed(said);
            self.act = Some((act, expected));
        }
        self.world.wait_until_settled()
    }
}

/// What a command claims if all goes well.
fn asked(words: &[String]) -> Claim {
    match words.first().map(String::as_str) {
        Some("rollback") => Claim::RolledBack,
        _ if words.iter().any(|word| word == "--hold") => Claim::Held,
        _ => Claim::Upgraded,
    }
}

/// What has to be typed so that the journal's upgrade comes to its end.
fn unfinished(state: &Path) -> Option<Command> {
    Command::finishing(journals(state).pop()?.ok()?.memory.phase)
}

/// One line of the orchestrator's trace.
#[derive(Deserialize)]
struct Called {
    began_us: u64,
    call: Call,
    #[expect(dead_code, reason = "what is in the file, and not needed here")]
    reply: Result<Reply, HostError>,
}

/// When the orchestrator last began to look at the world. Takes the file away.
fn last_look_us(calls: &Path) -> Option<u64> {
    let lines = BufReader::new(File::open(calls).ok()?).lines();
    let last = lines
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Called>(&line).ok())
        .filter(|called| called.call == Call::Now)
        .last();
    let _ = std::fs::remove_file(calls);
    last.map(|called| called.began_us)
}
