//! Processes: fork, exec, wait, kill, exit, users and the timer of the escalation.
//!
//! # Source
//! `src/os/unix/ngx_process.c`, `ngx_daemon` in `src/os/unix/ngx_daemon.c`, `ngx_worker_process_init` in
//! `src/os/unix/ngx_process_cycle.c`, nginx 1.14 to 1.30.
#![expect(unsafe_code, reason = "fork, _exit and setitimer have no safe form")]

use std::ffi::{CStr, CString};
use std::fs::OpenOptions;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal as NixSignal;
use nix::unistd::{self, ForkResult, Gid, Uid};
use rustix::process::WaitOptions;

use crate::conf::User;
use crate::machine::{ExitStatus, Pid, Signal, Waited};

/// fork(2): the child's pid in the parent, `None` in the child.
pub(super) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: the process has one thread, so the child may do whatever the parent may.
    match unsafe { unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Some(Pid(child.as_raw().unsigned_abs()))),
        ForkResult::Child => Ok(None),
    }
}

/// _exit(2): no destructor and no atexit of the parent runs in a child.
pub(super) fn exit(code: u8) -> ! {
    // SAFETY: the call does not return, and leaves nothing that the kernel does not clean up.
    unsafe { libc::_exit(i32::from(code)) }
}

/// Dies of a signal that nothing holds back.
pub(super) fn crash(signal: NixSignal) -> ! {
    let _ = nix::sys::signal::kill(unistd::getpid(), signal);
    // Not reached.
    exit(1)
}

/// execve(2) of `argv[0]` as it is. Returns only on failure.
pub(super) fn exec(argv: &[CString], environment: &[CString]) -> Errno {
    let program: &CStr = argv.first().map_or(c"", CString::as_c_str);
    match unistd::execve(program, argv, environment) {
        Ok(never) => match never {},
        Err(errno) => errno,
    }
}

/// setsid(2), umask 0, standard input and output to /dev/null.
pub(super) fn detach() {
    // These fail only for a group leader and without /dev; a fresh child of fork goes on as it is.
    let _ = unistd::setsid();
    nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    if let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdin(&null);
        let _ = nix::unistd::dup2_stdout(&null);
    }
}

/// waitpid(2) for any child, without blocking.
pub(super) fn wait() -> Result<Waited, Errno> {
    match rustix::process::waitpid(None, WaitOptions::NOHANG) {
        Ok(None) => Ok(Waited::Nobody),
        Ok(Some((pid, status))) => Ok(Waited::Exited {
            pid: Pid(pid.as_raw_nonzero().get().unsigned_abs()),
            status: exit_status(status.as_raw()),
        }),
        Err(rustix::io::Errno::CHILD) => Ok(Waited::NoChildren),
        Err(error) => Err(Errno::from_raw(error.raw_os_error())),
    }
}

fn exit_status(raw: i32) -> ExitStatus {
    match u8::try_from(raw & 0x7f).unwrap_or(0) {
        0 => ExitStatus::Code(u8::try_from((raw >> 8) & 0xff).unwrap_or(0)),
        number => ExitStatus::Signal { number, core: raw & 0x80 != 0 },
    }
}

/// kill(2).
pub(super) fn kill(pid: Pid, signal: Signal) -> Result<(), Errno> {
    let pid = i32::try_from(pid.0).map_err(|_| Errno::ESRCH)?;
    let signal = NixSignal::try_from(i32::from(signal.number()))?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal)
}

/// One SIGALRM after so long.
pub(super) fn start_timer(after_ms: u32) {
    let value = libc::timeval {
        tv_sec: libc::time_t::from(after_ms / 1000),
        tv_usec: libc::suseconds_t::from(after_ms % 1000 * 1000),
    };
    let timer = libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: value };
    // SAFETY: the struct outlives the call; the old value is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
}

/// Becomes an unprivileged user. On failure: what failed.
pub(super) fn become_user(user: &User) -> Result<(), (String, Errno)> {
    let name = CString::new(user.name.as_str()).unwrap_or_default();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    unistd::setgid(gid).map_err(|errno| (format!("setgid({gid})"), errno))?;
    unistd::initgroups(&name, gid).map_err(|errno| (format!("initgroups({}, {gid})", user.name), errno))?;
    unistd::setuid(uid).map_err(|errno| (format!("setuid({uid})"), errno))
}
