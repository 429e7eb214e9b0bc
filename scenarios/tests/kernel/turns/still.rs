//! Timers that never strike by themselves: in a schedule, when time passes is a turn.
//!
//! A filter of system calls answers setitimer(2) and nanosleep(2) with success, and nothing else happens; every
//! process that is started from here on inherits it. An alarm is sent by whoever plays. What epoll_wait(2) waits for
//! at most is a minute, which no schedule lasts.
#![expect(unsafe_code, reason = "seccomp(2) has no safe form")]

use nix::libc;

/// From now on nobody started from here is woken by the time.
pub(super) fn stand_still() -> Result<(), String> {
    let answered = [libc::SYS_setitimer, libc::SYS_nanosleep, libc::SYS_clock_nanosleep];
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for (place, call) in answered.into_iter().enumerate() {
        let over = u8::try_from(answered.len() - place).unwrap_or(0);
        let number = u32::try_from(call).map_err(|error| error.to_string())?;
        let jump = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        program.push(libc::sock_filter { jt: over, ..statement(jump, number) });
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    program.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO));
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|error| error.to_string())?,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the filter and its program outlive both calls.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) == 0
    };
    done.then_some(())
        .ok_or_else(|| format!("no filter of system calls: {}", std::io::Error::last_os_error()))
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap_or(0), jt: 0, jf: 0, k }
}
