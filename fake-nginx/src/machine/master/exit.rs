//! The end of a master, and the closing of its listening sockets.
//!
//! Which master removes the path of a unix socket depends on the release: see
//! [`unlinks_unix_by_generation`](crate::release::Profile::unlinks_unix_by_generation).
//!
//! # Source
//! `ngx_master_process_exit` in `src/os/unix/ngx_process_cycle.c`, `ngx_delete_pidfile` in
//! `src/core/ngx_cycle.c`, `ngx_close_listening_sockets` in `src/core/ngx_connection.c`, nginx 1.18 to 1.30.

use super::{Master, NewBinary, Point, Step as MasterStep};
use crate::machine::cycle::PidFile;
use crate::machine::effect::Effect;
use crate::machine::line::Line;
use crate::machine::reply::Reply;
use crate::machine::{Defect, Turn};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// Delete the pid file.
    DeletePid,
    /// That was tried.
    Deleted,
    /// Say so.
    Told,
    /// Close the sockets.
    Sockets,
}

/// The closing of the listening sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Close {
    at: u8,
    act: Act,
    /// Whether the paths of unix sockets go too.
    unlinks: bool,
    /// Whether the process ends afterwards.
    ends: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    Look,
    Parent,
    Closed,
    Unlinked,
}

impl Close {
    /// QUIT: before 1.19.1 the paths of unix sockets stay.
    pub(super) const fn after_quit(master: &Master) -> Self {
        Self { at: 0, act: Act::Look, unlinks: master.profile.unlinks_unix_by_generation, ends: false }
    }

    const fn at_exit() -> Self {
        Self { at: 0, act: Act::Look, unlinks: true, ends: true }
    }
}

impl Master {
    pub(super) fn exit(&mut self, step: Step, reply: &Reply) -> Option<Turn> {
        let file = match self.new_binary {
            _ if self.defects.has(Defect::DeletesTheWrongPidFile) => PidFile::Normal(self.cycle.pid),
            NewBinary::None => PidFile::Normal(self.cycle.pid),
            NewBinary::Runs(_) | NewBinary::Failed => PidFile::Oldbin(self.cycle.pid),
        };
        match (step, reply) {
            (Step::DeletePid, _) => self.go(MasterStep::Exit(Step::Deleted), Effect::UnlinkPid(file)),
            (Step::Deleted, &Reply::Failed(errno)) => {
                self.log(MasterStep::Exit(Step::Told), Line::UnlinkPidFailed { file, errno })
            }
            (Step::Deleted | Step::Told, _) => self.log(MasterStep::Exit(Step::Sockets), Line::Exit),
            (Step::Sockets, _) => self.to(MasterStep::Close(Close::at_exit())),
        }
    }

    pub(super) fn close(&mut self, step: Close, reply: &Reply) -> Option<Turn> {
        let Some(&listening) = self.cycle.listening.get(usize::from(step.at)) else {
            return self.closed_all(step);
        };
        let next = Close { at: step.at + 1, act: Act::Look, ..step };
        match (step.act, listening.fd) {
            (_, None) => self.to(MasterStep::Close(next)),
            (Act::Look, Some(fd)) => {
                let unlinks = step.unlinks
                    && listening.is_unix
                    && self.new_binary == NewBinary::None
                    && !self.defects.has(Defect::LeavesUnixSockets);
                let asks = unlinks && listening.is_inherited && self.profile.unlinks_unix_by_generation;
                let act = if asks {
                    Act::Parent
                } else if unlinks {
                    Act::Closed
                } else {
                    return self.go(MasterStep::Close(next), Effect::CloseListener(fd));
                };
                self.go(MasterStep::Close(Close { act, ..step }), Effect::CloseListener(fd))
            }
            (Act::Parent, Some(_)) => {
                let &Reply::Pid(parent) = reply else {
                    return self.go(MasterStep::Close(step), Effect::ParentPid);
                };
                // An inherited path stays while the old master, its owner, lives.
                let owner_lives = parent == self.parent;
                self.to(MasterStep::Close(if owner_lives {
                    next
                } else {
                    Close { act: Act::Closed, ..step }
                }))
            }
            (Act::Closed, Some(_)) => self.go(
                MasterStep::Close(Close { act: Act::Unlinked, ..step }),
                Effect::UnlinkSocket(listening.address),
            ),
            (Act::Unlinked, Some(_)) => match reply.outcome() {
                Err(errno) => {
                    let line = Line::UnlinkSocketFailed { address: listening.address, errno };
                    self.log(MasterStep::Close(next), line)
                }
                Ok(()) => self.to(MasterStep::Close(next)),
            },
        }
    }

    fn closed_all(&mut self, step: Close) -> Option<Turn> {
        for listening in &mut self.cycle.listening {
            listening.fd = None;
        }
        self.to(if step.ends { MasterStep::Over } else { MasterStep::At(Point::Loop) })
    }
}
