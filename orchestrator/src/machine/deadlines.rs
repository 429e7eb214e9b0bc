//! How long anything may take, and why that long.

/// How long the new master may take from USR2 until its workers accept, unless the operator says otherwise.
///
/// Covers exec, configuration parse, socket adoption and nginx's own 2.5 s of bind retries. Too short turns
/// a slow but sound start into a rollback; too long only delays a rollback while the old workers still
/// serve. The second mistake is cheap, so this errs that way.
pub const READY_MS: u64 = 60_000;

/// How long the new binary serves before the old master is let go, unless the operator says otherwise.
///
/// Long enough for a crash on the first odd request, short enough for a person to stay.
pub const SOAK_MS: u64 = 30_000;

/// How long a busy master may stay away from sigsuspend before it is judged too busy for an upgrade.
///
/// nginx blocks for at most 2.5 s (bind retries of a reload) plus the parse of its configuration.
pub const ASLEEP_MS_MAX: u64 = 10_000;

/// How long a worker may take from its master's command until its title says that it shuts down.
///
/// A worker reads its channel at the next turn of its loop, within milliseconds; a synchronous read from
/// a slow disk can hold it longer. Only after this is a WINCH judged lost.
pub const TITLE_MS_MAX: u64 = 1_000;

/// How long old workers may go on accepting after WINCH, repeated WINCHes included.
pub const STOP_ACCEPTING_MS_MAX: u64 = 10_000;

/// How long a worker that is missing, a listening socket that nobody accepts from, or a pid file that names somebody else,
/// is looked at again once the new generation serves alone.
///
/// Clients see it too, so this is short: the time of a fork, not of a repair.
pub const DOUBT_MS_MAX: u64 = 2_000;

/// How often the new generation is asked, and how long after a failure it is asked again.
///
/// Clients see what a probe sees, so this is short: one retry after a dropped packet, not a repair.
pub const ASK_AGAIN_MS: u64 = 1_000;

/// How many times as long as with the old binary a probe may take, unless the operator says otherwise.
///
/// A new binary starts with cold caches, so its first answers are slow; ten times is no cold cache any more.
pub const SLOWER_MAX: u32 = 10;

/// The watch behind the commit point is so many times shorter than the soak, unless the operator says otherwise: who
/// trusts a short soak wants to go home.
pub const WATCH_PARTS: u64 = 10;

/// A probe that takes this much longer than before is not slow yet, however short it was: two busy cores can hold
/// any answer for so long.
pub const SLOWER_MS_MIN: u64 = 100;

/// How long the old master may take to bring its workers back after HUP: a few forks.
pub const REVIVE_MS_MAX: u64 = 5_000;

/// How long a new master that still loads gets between QUIT and KILL.
///
/// It blocks every signal but KILL until its loop begins (so QUIT waits there), and it serves nobody yet, so
/// nothing is lost by KILL. The grace is for one that is about to enter its loop and leave by itself.
pub const LOADING_GRACE_MS: u64 = 1_000;

/// How long a retired new master may drain on the way back before its requests are cut, if the operator
/// set no limit. The old workers serve meanwhile, so waiting costs memory only.
pub const RETIRE_DRAIN_MS: u64 = 60_000;

/// How long a master that was told to quit and has no worker left may stay. Nothing is in flight any more, and
/// nginx ends in the turn of its loop in which it reaps the last worker: one that stays has lost the signal.
pub const IDLE_MASTER_MS_MAX: u64 = 5_000;

/// How long TERM may take: nginx itself kills its workers 3.15 s after TERM.
pub const TERM_MS_MAX: u64 = 5_000;

/// How long a KILL may take to be seen: longer means a process stuck in the kernel.
pub const KILL_MS_MAX: u64 = 5_000;

/// How long a master may take to put its pid file right after another master's end: one SIGCHLD.
pub const PID_FILE_MS_MAX: u64 = 3_000;

/// How often an idempotent signal or a file replacement is tried again before it counts as impossible.
pub const TRIES_MAX: u8 = 3;

/// The latest time that a wait without a deadline of its own is looked at again.
pub const LOOK_AGAIN_MS: u64 = 1_000;
