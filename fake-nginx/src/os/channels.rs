//! The channels between a master and its workers: a socket pair for each slot.
//!
//! Both ends stay open in the master, and workers hold ends of each other, as in nginx: so the closing of a
//! dead worker's channel gives the master its SIGIO exactly when nginx's would.
//!
//! # Source
//! `src/os/unix/ngx_channel.c`; `ngx_spawn_process` in `src/os/unix/ngx_process.c`, nginx 1.14 to 1.30.
#![expect(unsafe_code, reason = "FIOASYNC and F_SETOWN have no safe form")]

use std::collections::BTreeMap;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use nix::libc;
use rustix::io::Errno;
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use crate::machine::{Command, Pid, Slot};

/// A command's number and a slot.
const MESSAGE_LENGTH: usize = 3;

#[derive(Debug)]
struct Channel {
    /// What the master writes to.
    master: Option<OwnedFd>,
    /// What the worker reads from.
    worker: Option<OwnedFd>,
}

/// All channels that the process knows, by slot.
#[derive(Debug, Default)]
pub(super) struct Channels {
    channels: BTreeMap<Slot, Channel>,
}

impl Channels {
    /// Makes the channel of a slot. `master` gets SIGIO for it.
    pub(super) fn open(&mut self, slot: Slot, master: Pid) -> Result<(), Errno> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (ours, theirs) = net::socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let on: libc::c_int = 1;
        let owner = libc::c_int::try_from(master.0).unwrap_or(0);
        // SAFETY: both calls take an open descriptor; the first reads one int that outlives it.
        unsafe {
            libc::ioctl(ours.as_raw_fd(), libc::FIOASYNC, &raw const on);
            libc::fcntl(ours.as_raw_fd(), libc::F_SETOWN, owner);
        }
        self.channels.insert(slot, Channel { master: Some(ours), worker: Some(theirs) });
        Ok(())
    }

    /// Closes both ends, the master's first.
    pub(super) fn close(&mut self, slot: Slot) {
        if let Some(channel) = self.channels.remove(&slot) {
            drop(channel.master);
            drop(channel.worker);
        }
    }

    /// Writes a command to a slot's channel.
    pub(super) fn tell(&self, to: Slot, command: Command) -> Result<(), Errno> {
        let channel =
            self.channels.get(&to).and_then(|channel| channel.master.as_ref()).ok_or(Errno::BADF)?;
        let message = encode(command);
        let passed: Vec<BorrowedFd<'_>> = match command {
            Command::OpenChannel(slot) => self.channels.get(&slot).and_then(|it| it.master.as_ref()),
            Command::CloseChannel(_) | Command::Quit | Command::Terminate | Command::Reopen => None,
        }
        .map(|fd| fd.as_fd())
        .into_iter()
        .collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !passed.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(&passed));
        }
        net::sendmsg(channel, &[IoSlice::new(&message)], &mut control, SendFlags::NOSIGNAL).map(drop)
    }

    /// In a worker: closes what belongs to others, and says the own end.
    pub(super) fn keep_own(&mut self, own: Slot) -> Option<BorrowedFd<'_>> {
        for (&slot, channel) in &mut self.channels {
            if slot == own {
                channel.master = None;
            } else {
                channel.worker = None;
            }
        }
        self.own(own)
    }

    fn own(&self, own: Slot) -> Option<BorrowedFd<'_>> {
        self.channels.get(&own)?.worker.as_ref().map(|fd| fd.as_fd())
    }

    /// In a worker: reads one command. `Err` means that the channel is of no more use.
    pub(super) fn read(&mut self, own: Slot) -> Result<Option<Command>, Errno> {
        let mut message = [0; MESSAGE_LENGTH];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let channel = self.own(own).ok_or(Errno::BADF)?;
        let received = net::recvmsg(
            channel,
            &mut [IoSliceMut::new(&mut message)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        );
        let count = match received {
            Ok(received) => received.bytes,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        if count != MESSAGE_LENGTH {
            return Err(Errno::PIPE);
        }
        let mut passed = None;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(mut fds) = message {
                passed = fds.next();
            }
        }
        let command = decode(message);
        match command {
            Some(Command::OpenChannel(slot)) => {
                self.channels.insert(slot, Channel { master: passed, worker: None });
            }
            Some(Command::CloseChannel(slot)) => self.close(slot),
            Some(Command::Quit | Command::Terminate | Command::Reopen) | None => {}
        }
        Ok(command)
    }
}

fn encode(command: Command) -> [u8; MESSAGE_LENGTH] {
    let (number, Slot(slot)) = match command {
        Command::OpenChannel(slot) => (1, slot),
        Command::CloseChannel(slot) => (2, slot),
        Command::Quit => (3, Slot(0)),
        Command::Terminate => (4, Slot(0)),
        Command::Reopen => (5, Slot(0)),
    };
    let [low, high] = slot.to_le_bytes();
    [number, low, high]
}

fn decode([number, low, high]: [u8; MESSAGE_LENGTH]) -> Option<Command> {
    let slot = Slot(u16::from_le_bytes([low, high]));
    Some(match number {
        1 => Command::OpenChannel(slot),
        2 => Command::CloseChannel(slot),
        3 => Command::Quit,
        4 => Command::Terminate,
        5 => Command::Reopen,
        _ => return None,
    })
}
