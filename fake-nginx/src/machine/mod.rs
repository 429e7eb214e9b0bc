//! nginx's decisions: a process, from its start to its exit, as one resumable machine.
//!
//! [`Process::next`] takes what the last act came to and says the next one. It knows no clock, no file and
//! no other process; [`crate::os`] carries its effects out on Linux, a simulated kernel can do it in memory.
//! fork(2) is a clone of the machine that gets another reply.
//!
//! A process is first [`StartUp`]; what it becomes then ([`Master`], in a forked child [`Worker`]) is part of
//! the machine too; with `master_process off`, [`Single`] is both. A [`Log`](Effect::Log) is an effect like any other: no history stays in the state, which
//! is small and can be compared and hashed.
//!
//! # Source
//! Named in each file. The functions hardly changed between nginx 1.14 and 1.30; where they did, a flag of
//! [`crate::release::Profile`] is asked.
//!
//! # Not modelled
//! Cache manager and loader, shared memory, upstreams, AIO, HTTP/2, QUIC, debug points.
//!
//! # Units
//! Durations and times are milliseconds and end in `_ms`.

mod cycle;
mod defects;
mod effect;
pub mod inherited;
mod init_cycle;
mod line;
mod master;
mod moment;
mod names;
pub mod pid_file;
mod plan;
mod reply;
mod signal;
mod single;
mod start_up;
mod worker;

pub use cycle::{Cycle, Fd, Listening, Listenings, PidFile, Speaks};
pub use defects::{Defect, Defects, NoDefect};
pub use effect::{Command, Conn, Effect, Entry, Notice, Offspring, Print, Slot, Title};
pub use line::{Action, Errno, Kind, Line, Shown, SocketCall};
pub use master::{Child, Master, NewBinary};
pub use moment::Moment;
pub use names::{AddressId, ConfId, Names, PathId, TextId};
pub use plan::{Plan, Purpose};
pub use reply::{Answer, ConfRead, Inherited, Named, Parsed, Ready, Received, Reply, Sent, Waited};
pub use signal::{Arrival, Arrivals, ExitStatus, Pid, Signal};
pub use single::Single;
pub use start_up::StartUp;
pub use worker::{Connection, Phase, Worker};

/// A process of nginx.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    /// From `main` to the master's loop.
    StartUp(StartUp),
    /// The master.
    Master(Master),
    /// A worker.
    Worker(Worker),
    /// Both in one.
    Single(Box<Single>),
}

/// What a part of the machine does next.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a return value that is taken apart at once")]
enum Turn {
    Do(Effect),
    Become(Process),
}

impl Process {
    /// A process that begins.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self::StartUp(StartUp::new(plan))
    }

    /// Takes the answer to the last effect (at first [`Reply::Begin`]) and says the next.
    ///
    /// # Panics
    /// When the reply does not answer the last effect, or after [`Effect::Exit`].
    pub fn next(&mut self, reply: Reply) -> Effect {
        let mut reply = reply;
        loop {
            let turn = match self {
                Self::StartUp(start_up) => start_up.next(reply),
                Self::Master(master) => master.next(reply),
                Self::Worker(worker) => worker.next(reply),
                Self::Single(single) => single.next(reply),
            };
            match turn {
                Turn::Do(effect) => return effect,
                Turn::Become(process) => *self = process,
            }
            reply = Reply::Begin;
        }
    }
}

/// Stops at a reply that does not answer the last effect: a bug of whoever carries effects out.
#[track_caller]
fn unanswered(step: &dyn std::fmt::Debug, reply: &Reply) -> ! {
    unreachable!("{step:?} is not answered by {reply:?}")
}
