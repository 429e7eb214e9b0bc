//! The machine: what to do next, from what was asked, what is remembered and what is seen.
//!
//! [`decide`] is pure. It is told the time and an [`Observation`], and answers with one [`Decision`]; it
//! makes no system call and reads no clock, so `oldbin`, the laboratory's model and the unit tests run this
//! same code. Nothing is remembered outside [`Memory`], which is the journal: a run that was killed goes on
//! from its last announced action.
//!
//! The rules that keep requests alive:
//! - Nothing irreversible on a pid file's word. QUIT to the old master, the commit point, needs workers of
//!   the new generation, alive and accepting, in the very observation that decides.
//! - USR2 and HUP take effect at most once. Whether one was lost, and is sent again, is judged only while the
//!   master sleeps in sigsuspend with nothing pending.
//! - The way back restores the file first, then the old workers, and only then retires the new master.
//!
//! # Source
//! `ngx_process_cycle.c` and `ngx_process.c`, nginx 1.14 to 1.31.
//!
//! # Units
//! Durations and times are milliseconds and end in `_ms`; times count from an arbitrary instant of this boot.

mod action;
mod back;
mod checks;
mod commit;
mod deadlines;
mod decide;
mod defects;
mod forward;
mod intent;
mod ladder;
mod memory;
mod observation;
mod outcome;
mod watch;

pub use action::{Action, Decision, Side, Signal, Waiting};
pub use checks::{Answers, Baseline, Depth, Drops, LogMark};
pub use deadlines::*;
pub use decide::{Looks, decide, failed, looks};
pub use defects::{Defect, Defects};
pub use intent::{Goal, Intent, Options, Plan};
pub use memory::{Memory, Missing, Phase, Retire, Retirement};
pub use observation::{
    FileId, Generation, Identity, Observation, PidFile, Process, Title, find_new_master,
    find_new_master_alone,
};
pub use outcome::{Outcome, Reason, StuckState};
