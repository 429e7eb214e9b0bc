//! What the signal handlers of a master do: lines, flags, and the collecting of children.
//!
//! # Source
//! `ngx_signal_handler` and `ngx_process_get_status` in `src/os/unix/ngx_process.c`, nginx 1.14 to 1.30.

use super::{Master, NewBinary, Point, Step as MasterStep};
use crate::fault::Fault;
use crate::machine::effect::Effect;
use crate::machine::line::{Action, Kind, Line};
use crate::machine::reply::{Reply, Waited};
use crate::machine::signal::{Arrival, ExitStatus, Pid, Signal};
use crate::machine::{Defect, Turn, unanswered};

/// The exit code after which a child is not started again.
const FATAL_CODE: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Take the next arrival.
    Next { then: Point },
    /// USR2: the parent's number has come.
    Parent { arrival: Arrival, then: Point },
    /// USR2 was refused and the refusal's first line written.
    Refused { then: Point },
    /// CHLD: its line is written, or the last child's.
    Collect { then: Point },
    /// A child's state has come.
    Collected { then: Point },
    /// A child's line is written.
    Told { kind: Option<Kind>, pid: Pid, status: ExitStatus, then: Point },
}

impl Master {
    pub(super) fn handle(&mut self, step: Step, reply: &Reply) -> Option<Turn> {
        match step {
            Step::Next { then } => self.next_arrival(then),
            Step::Parent { arrival, then } => self.gate(arrival, then, reply),
            Step::Refused { then } => self.log(handler(Step::Next { then }), Line::ChangingBinaryIgnored),
            Step::Collect { then } => self.go(handler(Step::Collected { then }), Effect::Wait),
            Step::Collected { then } => self.collected(then, reply),
            Step::Told { kind, pid, status, then } => self.told(kind, pid, status, then),
        }
    }

    fn next_arrival(&mut self, then: Point) -> Option<Turn> {
        if self.arrivals.is_empty() {
            return self.to(MasterStep::At(then));
        }
        let arrival = self.arrivals.remove(0);
        match self.fault {
            Some(Fault::LosesSignal { signal }) if signal == arrival.signal => {
                return self.to(handler(Step::Next { then }));
            }
            // Its own timer; that of an escalation is another.
            Some(Fault::DiesAfter { status, .. }) if arrival.signal == Signal::Alrm && self.delay_ms == 0 => {
                return self.go(MasterStep::Over, Effect::Exit(status));
            }
            _ => {}
        }
        let flags = &mut self.flags;
        let action = match arrival.signal {
            Signal::Usr2 => {
                return self.go(handler(Step::Parent { arrival, then }), Effect::ParentPid);
            }
            Signal::Quit => {
                flags.quit = true;
                Action::ShuttingDown
            }
            Signal::Term | Signal::Int => {
                flags.terminate = true;
                Action::Exiting
            }
            Signal::Winch if self.is_daemonized => {
                flags.noaccept = true;
                Action::StopAccepting
            }
            Signal::Hup => {
                flags.reconfigure = true;
                Action::Reconfiguring
            }
            Signal::Usr1 => {
                flags.reopen = true;
                Action::ReopeningLogs
            }
            Signal::Alrm => {
                flags.sigalrm = true;
                Action::None
            }
            Signal::Chld => {
                flags.reap = true;
                Action::None
            }
            Signal::Winch | Signal::Io | Signal::Kill => Action::None,
        };
        let collects = arrival.signal == Signal::Chld;
        let next = if collects { Step::Collect { then } } else { Step::Next { then } };
        self.log_signal(next, arrival, action)
    }

    fn log_signal(&mut self, next: Step, arrival: Arrival, action: Action) -> Option<Turn> {
        let sender = arrival.sender.filter(|_| self.profile.logs_sender);
        self.log(handler(next), Line::Signal { signal: arrival.signal, sender, action })
    }

    /// USR2 is refused while the original parent lives (a supervisor, or the old master) or a new binary runs.
    fn gate(&mut self, arrival: Arrival, then: Point, reply: &Reply) -> Option<Turn> {
        let &Reply::Pid(parent) = reply else { unanswered(&self.step, reply) };
        let has_parent =
            if self.profile.gate_by_original_parent { parent == self.parent } else { parent > Pid(1) };
        let has_new_binary = matches!(self.new_binary, NewBinary::Runs(_));
        let is_gate_shut = has_parent && !self.defects.has(Defect::ForgetsItsParent);
        if is_gate_shut || (has_new_binary && !self.defects.has(Defect::AcceptsASecondUsr2)) {
            return self.log_signal(Step::Refused { then }, arrival, Action::Ignoring);
        }
        self.flags.change_binary = true;
        self.log_signal(Step::Next { then }, arrival, Action::ChangingBinary)
    }

    fn collected(&mut self, then: Point, reply: &Reply) -> Option<Turn> {
        if let Reply::Failed(errno) = *reply {
            return self.log(handler(Step::Next { then }), Line::WaitFailed { errno });
        }
        let &Reply::Waited(waited) = reply else { unanswered(&self.step, reply) };
        let Waited::Exited { pid, status } = waited else { return self.to(handler(Step::Next { then })) };
        let child = self.children.iter_mut().find(|child| child.pid == Some(pid));
        let kind = child.map(|child| {
            child.has_exited = true;
            child.kind
        });
        self.log(handler(Step::Told { kind, pid, status, then }), Line::Exited { kind, pid, status })
    }

    fn told(&mut self, kind: Option<Kind>, pid: Pid, status: ExitStatus, then: Point) -> Option<Turn> {
        let next = handler(Step::Collect { then });
        if status == ExitStatus::Code(0) && self.defects.has(Defect::LetsToldWorkersGo) {
            let child = self.children.iter_mut().find(|child| child.pid == Some(pid));
            child.into_iter().for_each(|child| child.respawn = false);
        }
        if status != ExitStatus::Code(FATAL_CODE) {
            return self.to(next);
        }
        let child = self.children.iter_mut().find(|child| child.pid == Some(pid) && child.respawn);
        match (child, kind) {
            (Some(child), Some(kind)) => {
                child.respawn = false;
                self.log(next, Line::FatalCode { kind, pid, code: FATAL_CODE })
            }
            _ => self.to(next),
        }
    }
}

const fn handler(step: Step) -> MasterStep {
    MasterStep::Handler(step)
}
