//! Channels: the socket pairs through which a master tells its workers.
//!
//! A master holds both ends of every channel, so telling never fails; whoever it forks holds them too, a new binary
//! until exec, a worker until it has entered its life. When the last worker's end of a channel is closed and
//! another worker still holds the master's end, that end loses its other side, and the kernel sends SIGIO to
//! the end's owner: the master. Once nobody holds the master's end any more (it has died, and no other worker has
//! a copy), the worker reads the end of its channel.
//!
//! # Source
//! `ngx_spawn_process` (FIOASYNC, F_SETOWN) and `ngx_close_channel` in nginx; `unix_release_sock` in
//! `net/unix/af_unix.c`, Linux 6.1.

use fake_nginx::machine::{Arrival, Command, Pid, Signal, Slot};
use smallvec::SmallVec;

use super::{Around, Kernel, Proc};

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

/// What a process holds of somebody's channel: the master's end, and perhaps the worker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// The slot that it is for.
    pub slot: Slot,
    /// The channel.
    pub id: ChannelId,
    /// Of a master, and of whoever has just been forked.
    pub has_workers_end: bool,
}

/// Which of the two ends of a channel is closed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// By close(2), as nginx does it.
    MastersFirst,
    /// By exec and by death: what was put off last is closed first (`task_work_run` in `kernel/task_work.c`).
    WorkersFirst,
}

/// A channel with what was not read from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Channel {
    pub(super) id: ChannelId,
    messages: SmallVec<[Message; 4]>,
}

/// A command, and the master's end that is passed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Message {
    command: Command,
    passed: Option<ChannelId>,
}

impl Kernel {
    /// socketpair(2).
    pub(super) fn open_channel(&mut self, master: Pid, slot: Slot) {
        let id = self.free_channel(master, slot);
        let at = self.channels.partition_point(|other| other.id.order() < id.order());
        self.channels.insert(at, Channel { id, messages: SmallVec::new() });
        let channels = &mut self.of(master).channels;
        channels.retain(|held| held.slot != slot);
        channels.push(Held { slot, id, has_workers_end: true });
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
        let Some(at) = process.channels.iter().position(|held| held.slot == slot) else { return };
        let closed = process.channels.remove(at);
        self.drop_ends(&[closed], Order::MastersFirst, around);
    }

    /// Somebody has closed these ends.
    pub(super) fn drop_ends(&mut self, ends: &[Held], order: Order, around: &mut Around<'_>) {
        for Held { id, .. } in ends.iter().filter(|end| end.has_workers_end) {
            let loses_its_other_side = order == Order::WorkersFirst || self.is_written_to(*id);
            let is_lost = loses_its_other_side && !self.is_read_from(*id);
            if is_lost && self.process(id.master).is_some_and(Proc::is_alive) {
                self.deliver(id.master, Arrival { signal: Signal::Io, sender: None }, around);
            }
        }
        self.forget_channels();
    }

    /// Writes a command. What is passed with it is nobody's until it is read, and open all the same.
    pub(super) fn tell(&mut self, master: Pid, to: Slot, command: Command) {
        let process = self.of(master);
        let channel_of = |slot| process.channels.iter().find(|held| held.slot == slot).map(|held| held.id);
        let Some(id) = channel_of(to) else { return };
        let passed = match command {
            Command::OpenChannel(slot) => channel_of(slot),
            Command::CloseChannel(_) | Command::Quit | Command::Terminate | Command::Reopen => None,
        };
        if let Some(channel) = self.channels.iter_mut().find(|channel| channel.id == id) {
            channel.messages.push(Message { command, passed });
        }
    }

    /// Reads a command.
    pub(super) fn read_channel(&mut self, worker: Pid) -> Option<Command> {
        let own = self.of(worker).own_channel?;
        let channel = self.channels.iter_mut().find(|channel| channel.id == own)?;
        if channel.messages.is_empty() {
            if !self.is_written_to(own) {
                // recvmsg(2) says that this is the end, and nginx closes its own.
                self.of(worker).own_channel = None;
                self.forget_channels();
            }
            return None;
        }
        let Message { command, passed } = channel.messages.remove(0);
        let channels = &mut self.of(worker).channels;
        if let Command::OpenChannel(slot) | Command::CloseChannel(slot) = command {
            channels.retain(|held| held.slot != slot);
            channels.extend(passed.map(|id| Held { slot, id, has_workers_end: false }));
        }
        Some(command)
    }

    /// True if all that waits in this channel is news of other workers' channels, and there is some.
    pub(super) fn brings_only_news(&self, id: Option<ChannelId>) -> bool {
        let channel = self.channels.iter().find(|channel| Some(channel.id) == id);
        channel.is_some_and(|Channel { messages, .. }| {
            !messages.is_empty() && messages.iter().all(|message| is_news(message.command))
        })
    }

    /// There is a command, or the end.
    pub(super) fn is_channel_readable(&self, id: Option<ChannelId>) -> bool {
        let has_messages =
            |id| self.channels.iter().any(|channel| channel.id == id && !channel.messages.is_empty());
        id.is_some_and(|id| has_messages(id) || !self.is_written_to(id))
    }

    /// True while the master's end is open: in the master, in a worker that was forked since or was told of the
    /// channel, or in a message that somebody can still read.
    fn is_written_to(&self, id: ChannelId) -> bool {
        let is_passed = |channel: &Channel| {
            channel.messages.iter().any(|message| message.passed == Some(id)) && self.is_read_from(channel.id)
        };
        self.living().any(|process| process.channels.iter().any(|held| held.id == id))
            || self.channels.iter().any(is_passed)
    }

    /// True while the worker's end is open.
    fn is_read_from(&self, id: ChannelId) -> bool {
        let has_end = |held: &Held| held.id == id && held.has_workers_end;
        self.living().any(|process| process.own_channel == Some(id) || process.channels.iter().any(has_end))
    }

    /// Drops channels that nobody can read or write any more, not even with what a message brings.
    pub(super) fn forget_channels(&mut self) {
        let can_be_read = self.channels.iter().filter(|channel| self.is_read_from(channel.id));
        let messages = can_be_read.flat_map(|channel| &channel.messages);
        let passed: SmallVec<[ChannelId; 4]> = messages.filter_map(|message| message.passed).collect();
        let Self { channels, processes, .. } = self;
        channels.retain(|channel| {
            passed.contains(&channel.id)
                || processes.iter().any(|process| {
                    process.is_alive()
                        && (process.own_channel == Some(channel.id)
                            || process.channels.iter().any(|held| held.id == channel.id))
                })
        });
    }
}

/// Word of another worker's channel, which a worker keeps and never uses.
pub(super) const fn is_news(command: Command) -> bool {
    matches!(command, Command::OpenChannel(_) | Command::CloseChannel(_))
}
