//! Where the person and the orchestrator stand: a value between any two calls.
//!
//! What the orchestrator knows in the middle of a turn is what it was answered since the turn began, or what it
//! has decided by them. So it is its memory, those answers, and the call that is under way; its code runs again
//! from there whenever an answer comes, up to the next call.

use orchestrator::driver::{self, Decided, Turn};
use orchestrator::host::{Call, Host, HostError, Reply};
use orchestrator::machine::{Decision, Defect, Intent, Memory, Outcome, Phase, PidFile, Side, Waiting};

use crate::model::fault::Fault;
use crate::model::host::{Run, UnderWay};
use crate::model::operator::Command;
use crate::model::runbook::Reading;
use crate::model::shared::Shared;
use crate::scenario::Claim;

/// What somebody types.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Typed {
    /// The cell's own command with that number.
    Own(u8),
    /// Something else, because something is unfinished.
    Other(Command),
    /// Something else by somebody else, before the cell's own command with that number.
    Between(Command, u8),
}

/// Where the subject stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// Somebody is about to type this.
    Types(Typed),
    /// The orchestrator was killed, and somebody will type something.
    Killed,
    /// A command runs.
    Runs(Box<Running>),
    /// Somebody follows the cell's runbook.
    Reads(Reading),
    /// Everything was done, and this was claimed last.
    IsDone(Claim),
}

impl Subject {
    /// True if this may go wrong here. Once everything was done only the power fails, and who follows a runbook through a
    /// restart does what no runbook says.
    pub(super) fn can_meet(&self, fault: Fault) -> bool {
        match self {
            Self::IsDone(_) => fault == Fault::PowerFailure,
            Self::Reads(_) => fault != Fault::PowerFailure,
            Self::Types(_) | Self::Killed | Self::Runs(_) => true,
        }
    }

    /// Where it stands behind this: when the power fails a command ends as one that is killed, and somebody looks at what
    /// came up.
    pub(super) fn meets(self, fault: Fault) -> Self {
        let ends = fault == Fault::PowerFailure && matches!(self, Self::Runs(_) | Self::IsDone(_));
        if ends { Self::Killed } else { self }
    }
}

/// A command that runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Running {
    pub(super) typed: Typed,
    pub(super) intent: Shared<Intent>,
    pub(super) wanted: Outcome,
    pub(super) run: Run,
    memory: Shared<Memory>,
    /// What it carries out; `None`: it looks.
    decided: Option<Shared<Decided>>,
    answers: Vec<Shared<Answer>>,
    pub(super) call: UnderWay,
}

type Answer = Result<Reply, HostError>;

/// What a machine does behind an answer.
pub(super) enum Next {
    /// It calls again.
    Calls(Box<Running>),
    /// It has come to its end.
    Ends(Box<Running>, Box<Result<(Outcome, Memory), HostError>>),
}

impl Running {
    /// From the first call on.
    pub(super) fn begin(typed: Typed, intent: Intent, wanted: Outcome, memory: Memory, run: Run) -> Next {
        // Every turn begins with the clock.
        let call = UnderWay::new(Call::Now);
        let (intent, memory) = (Shared::new(intent), Shared::new(memory));
        Box::new(Self { typed, intent, wanted, run, memory, decided: None, answers: Vec::new(), call })
            .go_on()
    }

    /// The answer to the call under way, as far as the decision depends on it: what was in a pid file that the phase
    /// does not ask for makes no difference.
    pub(super) fn as_far_as_read(&self, answer: Answer) -> Answer {
        match self.call.pid_file_of() {
            Some(side) if !self.reads(side) => Ok(Reply::PidFile(PidFile::Absent)),
            Some(_) | None => answer,
        }
    }

    fn reads(&self, side: Side) -> bool {
        match self.memory.phase {
            Phase::Changing => side == Side::New || self.intent.defects.has(Defect::QuitsWithoutLooking),
            // Who the old master is, is remembered.
            Phase::Draining | Phase::Soaking | Phase::Held => side == Side::New,
            Phase::Planned
            | Phase::Installing
            | Phase::Committing
            | Phase::Watching
            | Phase::Back
            | Phase::Finished(_) => true,
        }
    }

    /// The call under way was answered.
    pub(super) fn answered(mut self: Box<Self>, answer: Answer) -> Next {
        self.answers.push(Shared::new(answer));
        self.go_on()
    }

    fn go_on(mut self: Box<Self>) -> Next {
        loop {
            let mut host = Answered { answers: &self.answers, at: 0, next: None };
            let Some(decided) = &self.decided else {
                let decided = driver::look(&mut host, &self.intent, &self.memory, &mut |_, _| {});
                if let Some(call) = host.next {
                    return self.calls(call);
                }
                match decided {
                    Ok(decided) => {
                        let decided = without_words(decided);
                        #[cfg(test)]
                        assert_eq!(self.decides_without_the_unread(), Some(decided.clone()), "{self:?}");
                        self.decided = Some(Shared::new(decided));
                    }
                    Err(error) => return self.ends(Err(error)),
                }
                self.answers.clear();
                continue;
            };
            let (decided, memory) = (Decided::clone(decided), Memory::clone(&self.memory));
            let turn = driver::carry_out(&mut host, &self.intent, memory, decided, &mut |_, _| {});
            if let Some(call) = host.next {
                return self.calls(call);
            }
            match turn {
                Ok(Turn::Next(memory)) => {
                    self.memory = Shared::new(memory);
                    self.decided = None;
                }
                Ok(Turn::Finished(outcome, memory)) => return self.ends(Ok((outcome, memory))),
                Err(error) => return self.ends(Err(error)),
            }
            self.answers.clear();
        }
    }

    /// What would be decided if the pid files that are not asked for were not there.
    #[cfg(test)]
    fn decides_without_the_unread(&self) -> Option<Decided> {
        let mut sides = [Side::New, Side::Old].into_iter();
        let answers = self.answers.iter().map(|answer| {
            let is_unread = matches!(**answer, Ok(Reply::PidFile(_)))
                && sides.next().is_some_and(|side| !self.reads(side));
            if is_unread { Shared::new(Ok(Reply::PidFile(PidFile::Absent))) } else { answer.clone() }
        });
        let answers: Vec<_> = answers.collect();
        let mut host = Answered { answers: &answers, at: 0, next: None };
        driver::look(&mut host, &self.intent, &self.memory, &mut |_, _| {}).ok().map(without_words)
    }

    fn ends(self: Box<Self>, ended: Result<(Outcome, Memory), HostError>) -> Next {
        Next::Ends(self, Box::new(ended))
    }

    fn calls(mut self: Box<Self>, call: Call) -> Next {
        self.call = UnderWay::new(call);
        Next::Calls(self)
    }
}

/// Why it waits, and for whose end, is told to people and to Linux; here it would only make two states of one.
fn without_words(decided: Decided) -> Decided {
    let decision = match decided.decision {
        Decision::Wait { until_ms, .. } => Decision::Wait { until_ms, why: Waiting::Soak },
        other @ (Decision::Act(..) | Decision::Finished(..) | Decision::Ask(_)) => other,
    };
    Decided { decision, watched: Vec::new(), ..decided }
}

/// Gives the answers that were given before, and stops at the first call that has none.
struct Answered<'a> {
    answers: &'a [Shared<Answer>],
    at: usize,
    next: Option<Call>,
}

impl Host for Answered<'_> {
    fn call(&mut self, call: Call) -> Answer {
        let answer = self.answers.get(self.at).map(|answer| Answer::clone(answer));
        self.at += 1;
        answer.unwrap_or_else(|| {
            self.next.get_or_insert(call);
            Err(HostError::Crashed)
        })
    }
}
