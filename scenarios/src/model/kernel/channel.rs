//! Channels: the socket pairs through which a master tells its workers.
//!
//! A master holds both ends of every channel, so telling never fails. When it closes a channel of which
//! another worker still holds the master's end, that end loses its other side, and the kernel sends SIGIO to
//! the end's owner: the master.
//!
//! # Source
//! `ngx_spawn_process` (FIOASYNC, F_SETOWN) and `ngx_close_channel` in nginx; `unix_release_sock` in
//! `net/unix/af_unix.c`, Linux 6.1.

use fake_nginx::machine::{Arrival, Command, Pid, Signal, Slot};
use smallvec::SmallVec;

use super::{Around, Kernel};

/// Which channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelId {
    master: Pid,
    slot: Slot,
    /// Of several that somebody still holds: which.
    nth: u16,
}

impl ChannelId {
    const fn order(self) -> (u32, u16, u16) {
        (self.master.0, self.slot.0, self.nth)
    }
}

/// A channel with what was not read from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Channel {
    pub(super) id: ChannelId,
    commands: SmallVec<[Command; 4]>,
}

impl Kernel {
    /// socketpair(2).
    pub(super) fn open_channel(&mut self, master: Pid, slot: Slot) {
        let id = self.free_channel(master, slot);
        let at = self.channels.partition_point(|other| other.id.order() < id.order());
        self.channels.insert(at, Channel { id, commands: SmallVec::new() });
        let channels = &mut self.of(master).channels;
        channels.retain(|(held, _)| *held != slot);
        channels.push((slot, id));
    }

    /// A number that says whose channel it is, and not how many others were opened before.
    fn free_channel(&self, master: Pid, slot: Slot) -> ChannelId {
        let is_used = |id: &ChannelId| self.channels.iter().any(|channel| channel.id == *id);
        let all = (0..).map(|nth| ChannelId { master, slot, nth });
        all.into_iter().find(|id| !is_used(id)).expect("there are more numbers than channels")
    }

    /// Closes both of the master's ends.
    pub(super) fn close_channel(&mut self, master: Pid, slot: Slot, around: &mut Around<'_>) {
        let process = self.of(master);
        let Some(at) = process.channels.iter().position(|(held, _)| *held == slot) else { return };
        let (_, id) = process.channels.remove(at);
        let is_held = |other: &super::Proc| other.channels.iter().any(|&(_, held)| held == id);
        if self.living().any(|other| other.pid != master && is_held(other)) {
            self.deliver(master, Arrival { signal: Signal::Io, sender: None }, around);
        }
        self.forget_channels();
    }

    /// Writes a command.
    pub(super) fn tell(&mut self, master: Pid, to: Slot, command: Command) {
        let process = self.of(master);
        let channel_of = |slot| process.channels.iter().find(|(held, _)| *held == slot).map(|&(_, id)| id);
        let Some(id) = channel_of(to) else { return };
        let passed = match command {
            Command::OpenChannel(slot) => channel_of(slot).map(|id| (slot, id)),
            Command::CloseChannel(_) | Command::Quit | Command::Terminate | Command::Reopen => None,
        };
        if let Some(channel) = self.channels.iter_mut().find(|channel| channel.id == id) {
            channel.commands.push(command);
        }
        let receiver =
            self.living().find(|process| process.own_channel == Some(id)).map(|process| process.pid);
        if let (Some(receiver), Some(end)) = (receiver, passed) {
            self.of(receiver).channels.push(end);
        }
    }

    /// Reads a command.
    pub(super) fn read_channel(&mut self, worker: Pid) -> Option<Command> {
        let own = self.of(worker).own_channel?;
        let channel = self.channels.iter_mut().find(|channel| channel.id == own)?;
        if channel.commands.is_empty() {
            return None;
        }
        let command = channel.commands.remove(0);
        if let Command::CloseChannel(slot) = command {
            self.of(worker).channels.retain(|(held, _)| *held != slot);
        }
        Some(command)
    }

    pub(super) fn has_commands(&self, id: Option<ChannelId>) -> bool {
        id.is_some_and(|id| {
            self.channels.iter().any(|channel| channel.id == id && !channel.commands.is_empty())
        })
    }

    /// Drops channels that nobody can read or write any more.
    pub(super) fn forget_channels(&mut self) {
        let Self { channels, processes, .. } = self;
        channels.retain(|channel| {
            processes.iter().any(|process| {
                process.is_alive()
                    && (process.own_channel == Some(channel.id)
                        || process.channels.iter().any(|&(_, held)| held == channel.id))
            })
        });
    }
}
