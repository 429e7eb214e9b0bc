//! QUIT, then TERM, then KILL: how a process is made to go.
//!
//! Between QUIT and TERM a master whose workers accept as if they had heard nothing gets WINCH: with nobody accepting,
//! TERM cuts no fresh connection.

use super::{
    Defect, Defects, IDLE_MASTER_MS_MAX, KILL_MS_MAX, LOADING_GRACE_MS, Retire, Retirement, Signal,
    TERM_MS_MAX, TITLE_MS_MAX,
};

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
    /// It is a master, and its workers accept. (To a worker WINCH would be something else.)
    pub(super) has_accepting_workers: bool,
    /// It is a master without workers: nothing is in flight.
    pub(super) is_idle: bool,
    /// What is deliberately wrong with the ladder.
    pub(super) defects: Defects,
}

/// The next rung.
pub(super) fn next(told: Retirement, who: Climber, now_ms: u64) -> Rung {
    let send = |how, signal| Rung::Send(signal, Retirement { how, since_ms: now_ms, is_repeated: false });
    let wait = |for_ms: u64| Rung::Wait(told.since_ms.saturating_add(for_ms));
    let is_over = |for_ms: u64| now_ms >= told.since_ms.saturating_add(for_ms);
    let drain_ms = match who.is_idle {
        _ if who.defects.has(Defect::HurriesTheDrain) => 0,
        _ if who.defects.has(Defect::NeverEscalates) => u64::MAX,
        true => who.drain_ms.min(IDLE_MASTER_MS_MAX),
        false => who.drain_ms,
    };
    let may_be_repeated = who.seems_untold && !told.is_repeated && !who.defects.has(Defect::QuitsOnce);
    let may_be_lost =
        who.seems_untold && who.has_accepting_workers && !who.defects.has(Defect::SkipsTheLaddersWinch);
    // Long enough for an answer to the second QUIT, and before anybody is cut.
    let winch_ms = (2 * TITLE_MS_MAX).min(drain_ms / 2);
    match told.how {
        Retire::No if who.defects.has(Defect::BeginsWithTerm) => send(Retire::Term, Signal::Term),
        Retire::No => send(Retire::Quit, Signal::Quit),
        Retire::Quit if who.is_loading && is_over(LOADING_GRACE_MS) => send(Retire::Kill, Signal::Kill),
        Retire::Quit if who.is_loading => wait(LOADING_GRACE_MS),
        Retire::Quit if may_be_lost && told.is_repeated && is_over(winch_ms) => {
            Rung::Send(Signal::Winch, Retirement { how: Retire::Winch, ..told })
        }
        Retire::Quit | Retire::Winch if is_over(drain_ms) => send(Retire::Term, Signal::Term),
        Retire::Quit if may_be_repeated && is_over(TITLE_MS_MAX) => {
            Rung::Send(Signal::Quit, Retirement { is_repeated: true, ..told })
        }
        Retire::Quit if may_be_repeated => wait(TITLE_MS_MAX.min(drain_ms)),
        Retire::Quit if may_be_lost => wait(winch_ms),
        Retire::Quit | Retire::Winch => wait(drain_ms),
        Retire::Term if is_over(TERM_MS_MAX) => send(Retire::Kill, Signal::Kill),
        Retire::Term => wait(TERM_MS_MAX),
        Retire::Kill if is_over(KILL_MS_MAX) => Rung::GiveUp,
        Retire::Kill => wait(KILL_MS_MAX),
    }
}
