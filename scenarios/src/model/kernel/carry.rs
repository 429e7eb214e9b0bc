//! Each effect, carried out.
//!
//! An effect that nobody else can see is carried out at once ([`Kernel::inner`]): where in time it happens
//! makes no difference. Every other one is a step of its own.

use fake_nginx::machine::{Effect, Errno, ExitStatus, Listening, Named, Pid, Reply, TextId};
use smallvec::SmallVec;

use super::connection::Takes;
use super::setting::ADDRESS;
use super::{Around, Content, Doing, Kernel, Path, Seen, Shown};

/// The soft and the hard limit of open files.
const FILES_MAX: u64 = 1024;
/// The number of SIGSEGV.
const SEGV: u8 = 11;
/// Bad file descriptor.
const EBADF: Errno = Errno(9);

impl Kernel {
    /// The process takes its next step. It must be able to.
    pub fn step(&mut self, pid: Pid, around: &mut Around<'_>) {
        let at = self.index(pid).expect("a process that steps is there");
        let doing = std::mem::replace(&mut self.at(at).doing, Doing::Effect(Effect::OwnPid));
        let reply = match doing {
            Doing::Effect(effect) => self.carry(pid, effect, around),
            Doing::Writing(file, number) => {
                let done = self.write(file, Content::Pid(number), around);
                self.files.close_all_of(pid);
                Some(done.map_or_else(Reply::Failed, |()| Reply::Done))
            }
            Doing::Told | Doing::Dead(_) => unreachable!("such a process takes no step"),
        };
        if let Some(reply) = reply {
            self.go_on(pid, reply, around);
        }
    }

    /// The machine goes on with a reply, up to its next effect that others can see.
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other effect ends at a time")]
    pub(super) fn go_on(&mut self, pid: Pid, reply: Reply, around: &mut Around<'_>) {
        let mut reply = reply;
        loop {
            let effect = self.of(pid).machine.next(reply);
            let inner = self.inner(pid, &effect, around);
            debug_assert_eq!(inner.is_none(), effect.moment().is_some(), "{effect:?}");
            match inner {
                Some(answer) => reply = answer,
                None => {
                    let now_ms = self.now_ms;
                    let process = self.of(pid);
                    process.until_ms = match effect {
                        Effect::Pause { for_ms } => Some(now_ms + for_ms),
                        Effect::WaitEvents { until_ms } => until_ms,
                        _ => None,
                    };
                    process.doing = Doing::Effect(effect);
                    return;
                }
            }
        }
    }

    /// Carries out what nobody else can see; `None`: others can.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other effect is a step of its own")]
    fn inner(&mut self, pid: Pid, effect: &Effect, around: &mut Around<'_>) -> Option<Reply> {
        match effect {
            &Effect::Log(entry) => {
                let image = self.of(pid).image;
                around.seen.push(Seen::Logged { pid, image, entry });
                Some(Reply::Done)
            }
            Effect::OwnPid => Some(Reply::Pid(pid)),
            Effect::ReadInherited => {
                let inherited = self.of(pid).inherited.as_ref();
                Some(Reply::Inherited(inherited.map(|sockets| around.setting.inherited(sockets))))
            }
            &Effect::NameOfSocket(fd) => Some(match self.of(pid).socket(fd) {
                Some(_) => Reply::Socket(Named { address: ADDRESS, is_unix: false }),
                None => Reply::Failed(EBADF),
            }),
            Effect::ReadConf => {
                let cycle = Some(around.setting.cycle(self.conf));
                Some(Reply::Conf(fake_nginx::machine::ConfRead {
                    said: SmallVec::new(),
                    is_syntax_ok: cycle.is_some(),
                    cycle,
                }))
            }
            Effect::LookAtSystem => Some(Reply::System { os: TextId(0), soft: FILES_MAX, hard: FILES_MAX }),
            &Effect::StartTimer { after_ms } => {
                self.of(pid).alarm_ms = Some(self.now_ms + u64::from(after_ms));
                Some(Reply::Done)
            }
            &Effect::OpenChannel(slot) => {
                self.open_channel(pid, slot);
                Some(Reply::Done)
            }
            Effect::ReadChannel => Some(Reply::Command(self.read_channel(pid))),
            &Effect::Receive(conn) => Some(Reply::Received(self.receive(pid, conn, Takes::AndKeeps))),
            &Effect::Peek(conn) => Some(Reply::Received(self.receive(pid, conn, Takes::Nothing))),
            &Effect::Discard(conn) => Some(Reply::Received(self.receive(pid, conn, Takes::AndForgets))),
            &Effect::Parse(conn) => Some(Reply::Parsed(self.parse(pid, conn))),
            &Effect::Respond { conn, requests, is_draining, .. } => {
                Some(Reply::Answer(self.respond(pid, conn, requests, is_draining, around)))
            }
            Effect::Say(_)
            | Effect::Print(_)
            | Effect::OpenBuiltInLog
            | Effect::CloseBuiltInLog
            | Effect::OpenLogs(_)
            | Effect::CloseLogs(_)
            | Effect::ReopenLogs { .. }
            | Effect::RedirectStderr(_)
            | Effect::AdjustListener { .. }
            | Effect::Detach
            | Effect::BecomeUser(_) => Some(Reply::Done),
            _ => None,
        }
    }

    /// Carries out one step. `None`: the process has not to be answered, or not yet.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest concerns files")]
    fn carry(&mut self, pid: Pid, effect: Effect, around: &mut Around<'_>) -> Option<Reply> {
        Some(match effect {
            Effect::ParentPid => Reply::Pid(self.of(pid).parent),
            Effect::OpenListener { listening, is_test, .. } => self.listen(pid, &listening, is_test, around),
            Effect::CloseListener(fd) => {
                self.close_listener(pid, fd, around);
                Reply::Done
            }
            Effect::UnlinkSocket(_) => Reply::Failed(Errno::ENOENT),
            Effect::InstallHandlers => {
                self.of(pid).signals.install_handlers();
                Reply::Done
            }
            Effect::BlockSignals => Reply::Woken(self.of(pid).signals.block()),
            Effect::Sleep => Reply::Woken(self.of(pid).signals.take_pending()),
            Effect::Pause { .. } => Reply::Done,
            Effect::Fork(offspring) => Reply::Forked(self.fork(pid, offspring, around)),
            Effect::Exec { sockets, .. } => match self.exec(pid, sockets, around) {
                Ok(()) => return None,
                Err(errno) => Reply::Failed(errno),
            },
            Effect::Exit(code) => {
                self.end(pid, ExitStatus::Code(code), around);
                return None;
            }
            Effect::Crash => {
                self.end(pid, ExitStatus::Signal { number: SEGV, core: false }, around);
                return None;
            }
            Effect::SetTitle(title) => {
                let process = self.of(pid);
                process.shown = title.into();
                if process.shown == Shown::SHUTTING_DOWN {
                    around.seen.push(Seen::Draining(pid));
                }
                Reply::Done
            }
            Effect::CloseChannel(slot) => {
                self.close_channel(pid, slot, around);
                Reply::Done
            }
            Effect::Tell { to, command } => {
                self.tell(pid, to, command);
                Reply::Done
            }
            Effect::Kill { pid: to, signal } => {
                if self.kill(pid, to, signal, around) {
                    Reply::Done
                } else {
                    Reply::Failed(Errno::ESRCH)
                }
            }
            Effect::Wait => Reply::Waited(self.wait(pid)),
            Effect::EnterWorker(slot) => {
                // No configuration of the model has `master_process off`.
                slot.into_iter().for_each(|slot| self.enter_worker(pid, slot, around));
                Reply::Done
            }
            effect @ (Effect::Watch { .. }
            | Effect::Unwatch(_)
            | Effect::WaitEvents { .. }
            | Effect::Accept { .. }
            | Effect::Send { .. }
            | Effect::ShutdownWrite(_)
            | Effect::Close(_)) => self.serve(pid, effect, around),
            effect => return self.carry_on_files(pid, effect, around),
        })
    }

    fn listen(&mut self, pid: Pid, what: &Listening, is_test: bool, around: &mut Around<'_>) -> Reply {
        match self.open_listener(pid, what, around) {
            Ok(fd) => {
                if is_test {
                    self.close_listener(pid, fd, around);
                }
                Reply::Fd(fd)
            }
            Err((call, errno)) => Reply::SocketFailed(call, errno),
        }
    }

    /// What a worker does all day.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`carry` sends no other effect here")]
    fn serve(&mut self, pid: Pid, effect: Effect, around: &mut Around<'_>) -> Reply {
        match effect {
            Effect::Watch { fd, index, .. } => {
                self.of(pid).watches.push((fd, index));
                around.seen.push(Seen::Holds(pid));
                Reply::Done
            }
            Effect::Unwatch(fd) => {
                self.of(pid).watches.retain(|(held, _)| *held != fd);
                around.seen.push(Seen::Holds(pid));
                Reply::Done
            }
            Effect::WaitEvents { .. } => {
                let (arrivals, ready) = self.take_events(pid);
                Reply::Events { now_ms: self.now_ms, arrivals, ready }
            }
            Effect::Accept { fd, conn, .. } => Reply::Accepted(self.accept(pid, fd, conn)),
            Effect::Send { conn, bytes_max, .. } => Reply::Sent(self.send(pid, conn, bytes_max, around)),
            Effect::ShutdownWrite(conn) => {
                self.shutdown_write(pid, conn, around);
                Reply::Done
            }
            Effect::Close(conn) => {
                self.close(pid, conn, around);
                Reply::Done
            }
            effect => unreachable!("{effect:?} is no work of a worker"),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "every other effect was carried out before")]
    fn carry_on_files(&mut self, pid: Pid, effect: Effect, around: &mut Around<'_>) -> Option<Reply> {
        let done = match effect {
            Effect::WritePid { file, pid: None } => {
                let path = Path::of(file);
                if self.files.at(path).is_none() {
                    self.files.create(path, Content::Empty);
                    around.seen.push(Seen::File(path));
                }
                Ok(())
            }
            Effect::WritePid { file, pid: Some(number) } => {
                match self.open_for_writing(pid, Path::of(file), around) {
                    Ok(inode) => {
                        self.of(pid).doing = Doing::Writing(inode, number);
                        return None;
                    }
                    Err(errno) => Err(errno),
                }
            }
            Effect::ReadPid(_) => {
                return Some(match self.files.read(Path::PID) {
                    None => Reply::Failed(Errno::ENOENT),
                    Some(Content::Pid(pid)) => Reply::PidRead(Ok(pid)),
                    Some(Content::Empty | Content::Garbage | Content::Image(_)) => {
                        Reply::PidRead(Err(TextId(0)))
                    }
                });
            }
            Effect::RenameToOldbin(_) => self.rename(Path::PID, Path::OLDBIN, around),
            Effect::RenameBack(_) => self.rename(Path::OLDBIN, Path::PID, around),
            Effect::UnlinkPid(file) => self.unlink(Path::of(file), around),
            effect => unreachable!("{effect:?} is not carried out anywhere"),
        };
        Some(done.map_or_else(Reply::Failed, |()| Reply::Done))
    }

    /// rename(2), told.
    ///
    /// # Errors
    /// ENOENT: there is no file at `from`.
    pub fn rename(&mut self, from: Path, to: Path, around: &mut Around<'_>) -> Result<(), Errno> {
        self.files.rename(from, to)?;
        around.seen.extend([Seen::File(from), Seen::File(to)]);
        Ok(())
    }

    /// unlink(2), told.
    ///
    /// # Errors
    /// ENOENT: there is none.
    pub fn unlink(&mut self, path: Path, around: &mut Around<'_>) -> Result<(), Errno> {
        self.files.unlink(path)?;
        around.seen.push(Seen::File(path));
        Ok(())
    }
}
