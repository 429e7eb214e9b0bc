//! The named moments of a process: every act that somebody else can see.
//!
//! This is the one table of their words. The model names its steps by it, a stamped fake with a control socket
//! reports by it, and scenario files say it behind an actor: `old-master.rename-to-oldbin`. An effect without a
//! moment is seen by nobody else, so where in time it happens makes no difference.

use super::effect::Effect;

macro_rules! moments {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)+) => {
        /// A named moment: the process is about to do this, or (of the three waits) has just been woken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Moment {
            $($(#[$doc])* $variant,)+
        }

        impl Moment {
            /// Every moment.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its word; stable for ever.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}

moments! {
    /// getppid(2), the first that a new process does.
    ParentPid = "look-at-parent",
    /// socket(2), bind(2), listen(2)
    OpenListener = "listen",
    /// close(2) of a listening socket.
    CloseListener = "close-listener",
    /// unlink(2) of a unix socket's path.
    UnlinkSocket = "unlink-socket",
    /// Creates or truncates a pid file.
    CreatePid = "create-pid-file",
    /// Writes the number into it.
    WritePid = "write-pid-file",
    /// Reads one.
    ReadPid = "read-pid-file",
    /// `nginx.pid` to `nginx.pid.oldbin`.
    RenameToOldbin = "rename-to-oldbin",
    /// And back.
    RenameBack = "rename-back",
    /// unlink(2) of a pid file.
    UnlinkPid = "unlink-pid-file",
    /// Handlers are there.
    InstallHandlers = "install-handlers",
    /// Signals are blocked.
    BlockSignals = "block-signals",
    /// sigsuspend(2) returns.
    Wake = "wake",
    /// A pause is over.
    EndPause = "end-pause",
    /// fork(2)
    Fork = "fork",
    /// execve(2)
    Exec = "exec",
    /// _exit(2)
    Exit = "exit",
    /// Another process title.
    SetTitle = "set-title",
    /// Closes a worker's channel.
    CloseChannel = "close-channel",
    /// Tells a worker.
    Tell = "tell-worker",
    /// kill(2)
    Kill = "kill",
    /// waitpid(2)
    Wait = "wait-for-child",
    /// An epoll, and signals are unblocked.
    EnterWorker = "enter-worker",
    /// epoll_ctl(2), add.
    Watch = "watch-listener",
    /// epoll_ctl(2), delete.
    Unwatch = "unwatch-listener",
    /// epoll_wait(2) returns.
    TakeEvents = "take-events",
    /// accept(2)
    Accept = "accept",
    /// sendto(2)
    AnswerDatagram = "answer-datagram",
    /// send(2)
    Send = "send",
    /// shutdown(2)
    ShutdownWrite = "shutdown-write",
    /// close(2) of a connection.
    Close = "close",
}

impl Moment {
    /// The moment with that word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|moment| moment.word() == word)
    }

    /// True if it is reached when a wait ends, not before an act.
    #[must_use]
    pub const fn is_wake_up(self) -> bool {
        matches!(self, Self::Wake | Self::EndPause | Self::TakeEvents)
    }

    /// True if it belongs to a worker's daily work, which happens at the pace of its clients.
    #[must_use]
    pub const fn is_service(self) -> bool {
        matches!(
            self,
            Self::TakeEvents
                | Self::Accept
                | Self::AnswerDatagram
                | Self::Send
                | Self::ShutdownWrite
                | Self::Close
        )
    }
}

impl Effect {
    /// The moment that it is carried out at; `None`: nobody else can see it.
    ///
    /// A pid file with a number in it has a second one, [`Moment::WritePid`], between its creation and its content.
    #[must_use]
    pub const fn moment(&self) -> Option<Moment> {
        Some(match self {
            Self::ParentPid => Moment::ParentPid,
            Self::OpenListener { .. } => Moment::OpenListener,
            Self::CloseListener(_) => Moment::CloseListener,
            Self::UnlinkSocket(_) => Moment::UnlinkSocket,
            Self::WritePid { .. } => Moment::CreatePid,
            Self::ReadPid(_) => Moment::ReadPid,
            Self::RenameToOldbin(_) => Moment::RenameToOldbin,
            Self::RenameBack(_) => Moment::RenameBack,
            Self::UnlinkPid(_) => Moment::UnlinkPid,
            Self::InstallHandlers => Moment::InstallHandlers,
            Self::BlockSignals => Moment::BlockSignals,
            Self::Sleep => Moment::Wake,
            Self::Pause { .. } => Moment::EndPause,
            Self::Fork(_) => Moment::Fork,
            Self::Exec { .. } => Moment::Exec,
            Self::Exit(_) | Self::Crash => Moment::Exit,
            Self::SetTitle(_) => Moment::SetTitle,
            Self::CloseChannel(_) => Moment::CloseChannel,
            Self::Tell { .. } => Moment::Tell,
            Self::Kill { .. } => Moment::Kill,
            Self::Wait => Moment::Wait,
            Self::EnterWorker(_) => Moment::EnterWorker,
            Self::Watch { .. } => Moment::Watch,
            Self::Unwatch(_) => Moment::Unwatch,
            Self::WaitEvents { .. } => Moment::TakeEvents,
            Self::Accept { .. } => Moment::Accept,
            Self::AnswerDatagram { .. } => Moment::AnswerDatagram,
            Self::Send { .. } => Moment::Send,
            Self::ShutdownWrite(_) => Moment::ShutdownWrite,
            Self::Close(_) => Moment::Close,
            Self::Log(_)
            | Self::Say(_)
            | Self::Print(_)
            | Self::OwnPid
            | Self::OpenBuiltInLog
            | Self::CloseBuiltInLog
            | Self::ReadInherited
            | Self::NameOfSocket(_)
            | Self::ReadConf
            | Self::OpenLogs(_)
            | Self::CloseLogs(_)
            | Self::ReopenLogs { .. }
            | Self::RedirectStderr(_)
            | Self::AdjustListener { .. }
            | Self::LookAtSystem
            | Self::StartTimer { .. }
            | Self::Detach
            | Self::OpenChannel(_)
            | Self::BecomeUser(_)
            | Self::ReadChannel
            | Self::Receive(_)
            | Self::Peek(_)
            | Self::Discard(_)
            | Self::Parse(_)
            | Self::Respond { .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_word_names_one_moment() {
        let words: BTreeSet<_> = Moment::ALL.iter().map(|moment| moment.word()).collect();
        assert_eq!(words.len(), Moment::ALL.len());
        for &moment in Moment::ALL {
            assert_eq!(Moment::named(moment.word()), Some(moment));
        }
    }
}
