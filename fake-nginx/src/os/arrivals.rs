//! Signals: handlers that only store what arrived, and the two ways to sleep until something does.
//!
//! The handlers' mask is empty, as in nginx: of several pending signals the one with the highest number runs
//! first, because the kernel stacks the frames. A fixed array of atomics takes what they store.
//!
//! # Source
//! `ngx_init_signals` and `ngx_signal_handler` in `src/os/unix/ngx_process.c`, nginx 1.14 to 1.30.
#![expect(unsafe_code, reason = "sigaction and epoll_pwait have no safe form that fits")]

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal as NixSignal};

use crate::machine::{Arrival, Arrivals, Pid, Signal};

/// More than can arrive between two looks: every signal once, and then some that came again.
const STORED_MAX: usize = 64;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static STORED: [AtomicU64; STORED_MAX] = [const { AtomicU64::new(0) }; STORED_MAX];

extern "C" fn store(number: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo_t; its sender field may always be read.
    let sender = if info.is_null() { 0 } else { unsafe { (*info).si_pid() } };
    let place = COUNT.fetch_add(1, Ordering::SeqCst);
    if let Some(stored) = STORED.get(place) {
        stored.store(
            (u64::from(sender.unsigned_abs()) << 8) | u64::from(number.unsigned_abs()),
            Ordering::SeqCst,
        );
    }
}

/// Installs the handlers of all signals of [`Signal::HANDLED`]; PIPE and SYS are ignored.
pub(super) fn install_handlers() {
    let store = SigAction::new(SigHandler::SigAction(store), SaFlags::empty(), SigSet::empty());
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    for (signal, action) in handled()
        .map(|signal| (signal, &store))
        .chain([(NixSignal::SIGPIPE, &ignore), (NixSignal::SIGSYS, &ignore)])
    {
        // SAFETY: the handler touches nothing but atomics.
        unsafe { nix::sys::signal::sigaction(signal, action) }.expect("these signals can be handled");
    }
}

/// Undoes what Rust's runtime does to signals before `main`: it ignores PIPE, and catches SEGV and BUS.
pub(super) fn undo_runtime() {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in [NixSignal::SIGPIPE, NixSignal::SIGSEGV, NixSignal::SIGBUS] {
        // SAFETY: the default action runs no code of ours.
        unsafe { nix::sys::signal::sigaction(signal, &default) }.expect("these signals can be reset");
    }
}

fn handled() -> impl Iterator<Item = NixSignal> {
    Signal::HANDLED
        .into_iter()
        .map(|signal| NixSignal::try_from(i32::from(signal.number())).expect("Linux knows these signals"))
}

/// Blocks all signals that have handlers, and takes what arrived before.
pub(super) fn block() -> Arrivals {
    let set: SigSet = handled().collect();
    nix::sys::signal::sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), None).expect("a mask can be set");
    take()
}

/// The signals that are blocked now.
pub(super) fn mask() -> SigSet {
    SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty())
}

/// Sleeps until a handler has run.
pub(super) fn suspend() -> Arrivals {
    SigSet::empty().suspend().expect("sigsuspend ends with EINTR");
    take()
}

/// From here on handlers run whenever a signal comes, as in a worker of nginx.
pub(super) fn unblock() {
    let none = SigSet::empty();
    nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&none), None).expect("a mask can be set");
}

/// What handlers have stored since the last look, in their order. None runs meanwhile.
pub(super) fn take() -> Arrivals {
    let (all, mut before) = (handled().collect::<SigSet>(), SigSet::empty());
    nix::sys::signal::sigprocmask(SigmaskHow::SIG_BLOCK, Some(&all), Some(&mut before))
        .expect("a mask can be set");
    let arrivals = stored();
    nix::sys::signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None).expect("a mask can be set");
    arrivals
}

fn stored() -> Arrivals {
    let count = COUNT.swap(0, Ordering::SeqCst).min(STORED_MAX);
    STORED[..count].iter().filter_map(|stored| arrival(stored.load(Ordering::SeqCst))).collect()
}

fn arrival(stored: u64) -> Option<Arrival> {
    let signal = Signal::handled(u8::try_from(stored & 0xff).ok()?)?;
    let sender = u32::try_from(stored >> 8).ok().filter(|&pid| pid != 0).map(Pid);
    Some(Arrival { signal, sender })
}

/// epoll_wait(2) with only these signals held back: none in a worker, which blocks none at any time. A process that is
/// its own master blocks them outside of it.
pub(super) fn wait_events(
    epoll: BorrowedFd<'_>,
    events: &mut [libc::epoll_event],
    timeout_ms: i32,
    mask: &SigSet,
) -> usize {
    let length = i32::try_from(events.len()).unwrap_or(i32::MAX);
    // SAFETY: the array is writable for `length` events and the mask outlives the call.
    let count = unsafe {
        libc::epoll_pwait(epoll.as_raw_fd(), events.as_mut_ptr(), length, timeout_ms, mask.as_ref())
    };
    usize::try_from(count).unwrap_or(0)
}
