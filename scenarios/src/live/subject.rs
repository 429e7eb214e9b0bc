//! The subject's side of the control socket: our own orchestrator stops at its calls, as the fakes do.

use std::os::fd::OwnedFd;
use std::path::Path;

use fake_nginx::control::{Answer, PACKET_BYTES_MAX, Report, Role};
use orchestrator::host::{Call, HostError};
use orchestrator::rehearsal::{Beside, Edge};
use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};
use rustix::process::{Signal, getpid, getppid, kill_process};

use crate::model::act_of;

/// Names the control socket to an `oldbin` of the laboratory.
pub(super) const CONTROL: &str = "OLDBIN_LAB_CONTROL";

/// Somebody who reports every call at the control socket; `None`: there is none.
pub(super) fn beside() -> Option<Beside> {
    let path = std::env::var_os(CONTROL)?;
    let mut socket = join(Path::new(&path)).ok();
    Some(Box::new(move |edge, call| {
        // A wait is no step of its own: what ends it is somebody else's.
        if edge == Edge::After || matches!(call, Call::Wait { .. }) {
            return Ok(());
        }
        let Some(connection) = &socket else { return Ok(()) };
        let Some(answer) = exchange(connection, call) else {
            socket = None;
            return Ok(());
        };
        match answer {
            Answer::GoOn | Answer::Exit(_) => Ok(()),
            Answer::Crash => {
                let _ = kill_process(getpid(), Signal::KILL);
                Err(HostError::Crashed)
            }
            Answer::Fail => Err(HostError::os(what(call), "No space left on device")),
        }
    }))
}

fn join(path: &Path) -> rustix::io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

fn exchange(socket: &OwnedFd, call: &Call) -> Option<Answer> {
    let number =
        |pid: Option<rustix::process::Pid>| pid.map_or(0, |pid| pid.as_raw_nonzero().get().cast_unsigned());
    let report = Report {
        pid: number(Some(getpid())),
        parent: number(getppid()),
        role: Role::Subject,
        moment: act_of(call).word().to_owned(),
        signals: Vec::new(),
    };
    let packet = serde_json::to_vec(&report).ok()?;
    retry_on_intr(|| send(socket, &packet, SendFlags::NOSIGNAL)).ok()?;
    let mut answer = [0; PACKET_BYTES_MAX];
    let (length, _) = retry_on_intr(|| recv(socket, &mut answer[..], RecvFlags::empty())).ok()?;
    serde_json::from_slice(answer.get(..length)?).ok()
}

/// What has failed, in the words of the host.
fn what(call: &Call) -> &'static str {
    if matches!(call, Call::Save(_)) { "writing the journal" } else { "replacing the binary" }
}
