//! One turn of the master's loop: reap, terminate, quit, reconfigure, restart, reopen, change binary,
//! no-accept, in this order, with nginx's early ways back to sleep.
//!
//! # Source
//! `ngx_master_process_cycle` in `src/os/unix/ngx_process_cycle.c`, `ngx_exec_new_binary` in
//! `src/core/nginx.c`, nginx 1.18 to 1.30.

use super::children::Order;
use super::spawn::Then;
use super::{Master, NewBinary, Point, Step, exit};
use crate::machine::effect::Effect;
use crate::machine::init_cycle::{InitCycle, Progress};
use crate::machine::line::{Kind, Line};
use crate::machine::reply::Reply;
use crate::machine::{Defect, Turn};

/// The escalation's first delay; it doubles with every SIGALRM.
const FIRST_DELAY_MS: u32 = 50;

/// Beyond this delay TERM becomes KILL.
const KILL_DELAY_MS: u32 = 1000;

/// What a reload waits before it tells the old workers to go, so that new ones are there.
const NEW_WORKERS_MS: u64 = 100;

/// nginx counts its two cache processes whether they run or not.
const CACHE_PROCESSES: u32 = 2;

impl Master {
    pub(super) fn at(&mut self, point: Point) -> Option<Turn> {
        match point {
            Point::Title => self.set_title(),
            Point::Entered => self.start_workers(false, Point::Loop),
            Point::Loop => self.arm_timer(),
            Point::Sleep => self.go(Step::Slept, Effect::Sleep),
            Point::Awake => self.awake(),
            Point::AfterReap => self.after_reap(),
            Point::Terminate => self.terminate(),
            Point::Quit => self.quit(),
            Point::Reconfigure => self.reconfigure(),
            Point::ReloadPause => {
                self.go(Step::At(Point::ReloadQuit), Effect::Pause { for_ms: NEW_WORKERS_MS })
            }
            Point::ReloadQuit => {
                self.is_live = true;
                self.tell_all(Order::Shutdown, Point::Restart)
            }
            Point::Restart => self.restart(),
            Point::Restarted => {
                self.is_live = true;
                self.to(Step::At(Point::Reopen))
            }
            Point::Reopen => self.reopen(),
            Point::ReopenTell => self.tell_all(Order::Reopen, Point::ChangeBinary),
            Point::ChangeBinary => self.change_binary(),
            Point::Noaccept => self.noaccept(),
            Point::CloseListeners => self.to(Step::Close(exit::Close::after_quit(self))),
            Point::Exit => self.to(Step::Exit(exit::Step::DeletePid)),
            Point::ServeFlags => self.flags_of_single(),
            Point::ServeReopen if self.flags.reopen => self.reopen(),
            Point::Serve | Point::ServeReopen => self.to(Step::At(Point::Serve)),
        }
    }

    fn arm_timer(&mut self) -> Option<Turn> {
        if self.delay_ms == 0 {
            return self.to(Step::At(Point::Sleep));
        }
        if self.flags.sigalrm {
            self.flags.sigalrm = false;
            self.sigio = 0;
            self.delay_ms = self.delay_ms.saturating_mul(2);
        }
        self.go(Step::At(Point::Sleep), Effect::StartTimer { after_ms: self.delay_ms })
    }

    fn awake(&mut self) -> Option<Turn> {
        if self.flags.reap {
            self.flags.reap = false;
            return self.reap_children();
        }
        self.to(Step::At(Point::AfterReap))
    }

    fn after_reap(&mut self) -> Option<Turn> {
        let is_over = !self.is_live && (self.flags.terminate || self.flags.quit);
        self.to(Step::At(if is_over { Point::Exit } else { Point::Terminate }))
    }

    fn terminate(&mut self) -> Option<Turn> {
        if !self.flags.terminate {
            return self.to(Step::At(Point::Quit));
        }
        if self.delay_ms == 0 {
            self.delay_ms = FIRST_DELAY_MS;
        }
        if self.sigio > 0 {
            self.sigio -= 1;
            return self.to(Step::At(Point::Loop));
        }
        self.sigio = u32::from(self.cycle.workers) + CACHE_PROCESSES;
        let order = if self.delay_ms > KILL_DELAY_MS { Order::Kill } else { Order::Terminate };
        self.tell_all(order, Point::Loop)
    }

    fn quit(&mut self) -> Option<Turn> {
        if !self.flags.quit {
            return self.to(Step::At(Point::Reconfigure));
        }
        self.flags.quit = !self.defects.has(Defect::ForgetsQuit);
        self.tell_all(Order::Shutdown, Point::CloseListeners)
    }

    /// With a new binary (or after a failed start of one) HUP does not reload: it starts workers.
    fn reconfigure(&mut self) -> Option<Turn> {
        if !self.flags.reconfigure {
            return self.to(Step::At(Point::Restart));
        }
        self.flags.reconfigure = false;
        if self.new_binary != NewBinary::None {
            let has_workers = self.children.iter().any(|child| child.respawn && !child.is_exiting);
            if self.defects.has(Defect::AddsNoSecondSet) && has_workers {
                return self.to(Step::At(Point::Loop));
            }
            self.is_noaccepting = false;
            let goes_on = self.defects.has(Defect::GoesOnBehindReconfigure);
            return self.start_workers(false, if goes_on { Point::Restart } else { Point::Loop });
        }
        self.reload()
    }

    fn reload(&mut self) -> Option<Turn> {
        self.reload = Some(InitCycle::reload(&self.cycle, self.own, self.serving, self.defects));
        self.log(Step::Reload, Line::Reconfiguring)
    }

    /// What a process that is its own worker looks at, see [`Single`](crate::machine::Single).
    fn flags_of_single(&mut self) -> Option<Turn> {
        if self.flags.terminate || self.flags.quit {
            return self.to(Step::At(Point::Exit));
        }
        if std::mem::take(&mut self.flags.reconfigure) {
            return self.reload();
        }
        self.to(Step::At(Point::ServeReopen))
    }

    pub(super) fn reloading(&mut self, reply: Reply) -> Option<Turn> {
        let Some(reload) = &mut self.reload else { return self.to(Step::At(Point::Loop)) };
        match reload.next(reply) {
            Progress::Do(effect) => self.go(Step::Reload, effect),
            Progress::Failed => {
                self.reload = None;
                self.to(Step::At(if self.serving.is_some() { Point::Serve } else { Point::Loop }))
            }
            Progress::Done(cycle) => {
                self.reload = None;
                self.cycle = cycle;
                if self.serving.is_some() {
                    return self.to(Step::At(Point::ServeReopen));
                }
                self.start_workers(true, Point::ReloadPause)
            }
        }
    }

    fn restart(&mut self) -> Option<Turn> {
        if !self.is_restarting {
            return self.to(Step::At(Point::Reopen));
        }
        self.is_restarting = false;
        self.start_workers(false, Point::Restarted)
    }

    fn reopen(&mut self) -> Option<Turn> {
        if !self.flags.reopen {
            return self.to(Step::At(Point::ChangeBinary));
        }
        self.flags.reopen = false;
        self.log(Step::ReopenLogs, Line::ReopeningLogs)
    }

    pub(super) fn reopen_logs(&mut self) -> Option<Turn> {
        let give_to_user = self.serving.is_none();
        self.go(Step::Reopened, Effect::ReopenLogs { conf: self.cycle.conf, give_to_user })
    }

    pub(super) fn reopened(&mut self, reply: &Reply) -> Option<Turn> {
        let next = Step::At(if self.serving.is_some() { Point::Serve } else { Point::ReopenTell });
        match reply.failure() {
            Some((path, errno)) => self.log(next, Line::OpenFailed { path, errno }),
            None => self.to(next),
        }
    }

    fn change_binary(&mut self) -> Option<Turn> {
        if !self.flags.change_binary {
            return self.to(Step::At(Point::Noaccept));
        }
        self.flags.change_binary = false;
        self.log(Step::Upgrade(Upgrade::Rename), Line::ChangingBinary)
    }

    pub(super) fn upgrade(&mut self, step: Upgrade, reply: &Reply) -> Option<Turn> {
        let path = self.cycle.pid;
        let failed = Step::Upgrade(Upgrade::Failed);
        match (step, reply) {
            (Upgrade::Rename, _) => self.go(Step::Upgrade(Upgrade::Renamed), Effect::RenameToOldbin(path)),
            (Upgrade::Renamed, &Reply::Failed(errno)) => {
                self.log(failed, Line::RenameBeforeExecFailed { path, errno })
            }
            (Upgrade::Renamed, _) => self.spawn_child(Kind::NewBinary, Then::NewBinary),
            (Upgrade::RenamedBack, &Reply::Failed(errno)) => {
                self.log(failed, Line::RenameBackFailed { path, errno })
            }
            (Upgrade::RenamedBack | Upgrade::Failed, _) => {
                if !self.defects.has(Defect::ShrugsOffAMissingPidFile) {
                    self.new_binary = NewBinary::Failed;
                }
                self.to(Step::At(Point::Noaccept))
            }
        }
    }

    /// There was no process: the pid file gets its name back.
    pub(super) fn not_started(&mut self) -> Option<Turn> {
        self.go(Step::Upgrade(Upgrade::RenamedBack), Effect::RenameBack(self.cycle.pid))
    }

    fn noaccept(&mut self) -> Option<Turn> {
        if !self.flags.noaccept {
            return self.to(Step::At(Point::Loop));
        }
        self.flags.noaccept = false;
        self.is_noaccepting = true;
        let closes = self.defects.has(Defect::ClosesListenersOnNoaccept);
        self.tell_all(Order::Shutdown, if closes { Point::CloseListeners } else { Point::Loop })
    }
}

/// Where an upgrade is, up to the fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Upgrade {
    /// Rename the pid file.
    Rename,
    /// That was tried.
    Renamed,
    /// There was no fork, and the file was renamed back.
    RenamedBack,
    /// It failed, and that was told.
    Failed,
}
