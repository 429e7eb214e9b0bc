//! QUIT, then TERM, then KILL: how a process is made to go.

use super::{KILL_MS_MAX, LOADING_GRACE_MS, Retire, Retirement, Signal, TERM_MS_MAX, TITLE_MS_MAX};

/// What the ladder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rung {
    /// Send this, and remember that.
    Send(Signal, Retirement),
    /// Give it time.
    Wait(u64),
    /// Even KILL did not help.
    GiveUp,
}

/// Who is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Climber {
    /// How long it may take over QUIT.
    pub(super) drain_ms: u64,
    /// A new master that still loads blocks QUIT and TERM: only KILL reaches it.
    pub(super) is_loading: bool,
    /// It sleeps as if it had been told nothing: the announced signal was perhaps never sent.
    pub(super) seems_untold: bool,
}

/// The next rung.
pub(super) fn next(told: Retirement, who: Climber, now_ms: u64) -> Rung {
    let send = |how, signal| Rung::Send(signal, Retirement { how, since_ms: now_ms, is_repeated: false });
    let wait = |for_ms: u64| Rung::Wait(told.since_ms.saturating_add(for_ms));
    let is_over = |for_ms: u64| now_ms >= told.since_ms.saturating_add(for_ms);
    match told.how {
        Retire::No => send(Retire::Quit, Signal::Quit),
        Retire::Quit if who.is_loading && is_over(LOADING_GRACE_MS) => send(Retire::Kill, Signal::Kill),
        Retire::Quit if who.is_loading => wait(LOADING_GRACE_MS),
        Retire::Quit if is_over(who.drain_ms) => send(Retire::Term, Signal::Term),
        Retire::Quit if who.seems_untold && !told.is_repeated && is_over(TITLE_MS_MAX) => {
            Rung::Send(Signal::Quit, Retirement { is_repeated: true, ..told })
        }
        Retire::Quit if who.seems_untold && !told.is_repeated => wait(TITLE_MS_MAX.min(who.drain_ms)),
        Retire::Quit => wait(who.drain_ms),
        Retire::Term if is_over(TERM_MS_MAX) => send(Retire::Kill, Signal::Kill),
        Retire::Term => wait(TERM_MS_MAX),
        Retire::Kill if is_over(KILL_MS_MAX) => Rung::GiveUp,
        Retire::Kill => wait(KILL_MS_MAX),
    }
}
