//! What a process of a script is told on Linux, and what it answers: one packet each, as JSON.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::retry_on_intr;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::script::Text;

/// More than any packet takes.
const PACKET_BYTES_MAX: usize = 4_096;

/// What a process is told. Descriptors are its own numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    Fork,
    Exec(String),
    Exit(u8),
    Kill(u32, u8),
    Wait,
    Handle,
    Block,
    Unblock,
    Sleep,
    Timer(u32),
    Open(String),
    Write(Text),
    Close,
    Listen {
        port: u16,
        reuseport: bool,
        backlog: i32,
    },
    CloseListener(i32),
    Watch(i32, u64),
    Unwatch(i32),
    WaitEvents,
    /// Accept a connection, and watch it under its client's port.
    Accept(i32),
    Receive(i32),
    Send(i32, u64),
    Shutdown(i32),
    CloseConnection(i32),
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The first packet of a process.
    Born(u32),
    Done,
    Failed(i32),
    Forked(u32),
    Exited(u32, i32),
    Nobody,
    Met(Vec<(u8, u32)>),
    /// What a wait returned with: handlers, and epoll's numbers with their flags.
    Woken(Vec<(u8, u32)>, Vec<(u64, u32)>),
    Fd(i32),
    /// A connection, by its descriptor and the client's port.
    Accepted(i32, u16),
    Bytes(usize),
}

/// Connects to whoever plays the script.
pub(crate) fn connect(path: &str) -> io::Result<OwnedFd> {
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    retry_on_intr(|| net::connect(&socket, &SocketAddrUnix::new(path)?))?;
    Ok(socket)
}

/// Listens for processes of scripts.
pub(crate) fn listen(path: &str) -> io::Result<OwnedFd> {
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    net::listen(&socket, 16)?;
    Ok(socket)
}

/// Sends one packet.
pub(crate) fn send<T: Serialize>(socket: &OwnedFd, what: &T) -> io::Result<()> {
    let packet = serde_json::to_vec(what)?;
    retry_on_intr(|| net::send(socket, &packet, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Receives one packet; `None`: the other side is gone.
pub(crate) fn receive<T: DeserializeOwned>(socket: &OwnedFd) -> io::Result<Option<T>> {
    let mut packet = [0; PACKET_BYTES_MAX];
    let (length, _) = match retry_on_intr(|| net::recv(socket, &mut packet[..], RecvFlags::empty())) {
        Err(rustix::io::Errno::CONNRESET) => (0, 0),
        received => received?,
    };
    if length == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&packet[..length])?))
}
