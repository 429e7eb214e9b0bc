//! From open sockets to a daemon with a pid file.
//!
//! # Source
//! `main` in `src/core/nginx.c`, `ngx_daemon` in `src/os/unix/ngx_daemon.c`, `ngx_create_pidfile` in
//! `src/core/ngx_cycle.c`, nginx 1.18 to 1.30; Debian's change to the first.

use super::{StartUp, Step};
use crate::machine::Defect;
use crate::machine::cycle::PidFile;
use crate::machine::effect::{Effect, Offspring};
use crate::machine::line::Line;
use crate::machine::reply::Reply;

impl StartUp {
    pub(super) fn daemonise(&mut self) -> Option<Effect> {
        let is_new_binary =
            self.inherited.is_some() && !self.plan.defects.has(Defect::DaemonisesTheNewBinary);
        if !is_new_binary && self.cycle().daemon {
            return self.go(Step::Forked, Effect::Fork(Offspring::Master));
        }
        self.to(Step::WritePid)
    }

    pub(super) fn forked(&mut self, reply: &Reply) -> Option<Effect> {
        let file = PidFile::Normal(self.cycle().pid);
        match (self.step, reply) {
            (Step::Forked, Reply::Child) => {
                self.has_forked = true;
                self.go(Step::ChildPid, Effect::OwnPid)
            }
            (Step::Forked, &Reply::Forked(pid)) if self.plan.profile.debian_pidfile => {
                self.go(Step::LauncherWrote, Effect::WritePid { file, pid: Some(pid) })
            }
            (Step::Forked, &Reply::Failed(errno)) => {
                self.log(Step::Exiting(1), Line::ForkFailed { kind: None, errno })
            }
            (Step::LauncherWrote, &Reply::Failed(errno)) => {
                self.log(Step::Exiting(1), Line::PidOpenFailed { file, errno })
            }
            (Step::ChildPid, &Reply::Pid(pid)) => {
                self.parent = self.own;
                self.own = pid;
                self.go(Step::Detached, Effect::Detach)
            }
            (Step::Detached, _) => self.to(Step::WritePid),
            _ => self.exit(0),
        }
    }

    pub(super) fn pid_file(&mut self, reply: &Reply) -> Option<Effect> {
        let file = PidFile::Normal(self.cycle().pid);
        match (self.step, reply) {
            (Step::WritePid, _) if self.has_forked && self.plan.profile.debian_pidfile => {
                self.to(Step::Stderr)
            }
            (Step::WritePid, _) => {
                let pid = Some(self.own);
                self.go(Step::PidWritten, Effect::WritePid { file, pid })
            }
            (_, &Reply::Failed(errno)) => self.log(Step::Exiting(1), Line::PidOpenFailed { file, errno }),
            _ => self.to(Step::Stderr),
        }
    }
}
