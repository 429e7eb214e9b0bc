//! `master_process off`: one process that takes a master's signals and does a worker's work.
//!
//! It handles signals as a master does, and looks at fewer of the flags: QUIT ends it as fast as TERM, USR2 and WINCH
//! are told and forgotten. After a reload it can take no connection any more, because only the process that starts
//! makes room for them; and as a new binary it never hears a signal but KILL, because it comes with its parent's mask
//! and never sleeps in sigsuspend.
//!
//! # Source
//! `ngx_single_process_cycle` in `src/os/unix/ngx_process_cycle.c`, `ngx_event_process_init` in
//! `src/event/ngx_event.c`, `ngx_get_connection` in `src/core/ngx_connection.c`, nginx 1.18 to 1.30; runs of
//! 1.18.0, 1.22.1, 1.26.3 and 1.30.6.
//!
//! # Not modelled
//! The alert of a process without room for connections: nginx writes it to the number that its closed log had, which
//! is the connection's by then.

use super::Turn;
use super::effect::Effect;
use super::master::{Birth, Master};
use super::reply::Reply;
use super::worker::Worker;

/// Which part goes on with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Master,
    Worker,
    Crash,
}

/// A process that is master and worker at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Single {
    master: Master,
    worker: Worker,
    part: Part,
}

impl Single {
    pub(super) fn new(birth: Birth) -> Self {
        // nginx takes the events of inherited sockets for those of a cycle before, of which there is none.
        let crashes = birth.profile.single_crashes_on_inherited
            && birth.cycle.listening.iter().any(|listening| listening.is_inherited);
        let worker = Worker::single(birth.cycle.clone(), birth.profile, birth.defects);
        let part = if crashes { Part::Crash } else { Part::Master };
        Self { master: Master::single(birth), worker, part }
    }

    pub(super) fn next(&mut self, reply: Reply) -> Turn {
        let mut reply = reply;
        loop {
            let effect = match self.part {
                Part::Crash => return Turn::Do(Effect::Crash),
                Part::Master => self.as_master(reply),
                Part::Worker => self.as_worker(reply),
            };
            if let Some(turn) = effect {
                return turn;
            }
            reply = Reply::Done;
        }
    }

    fn as_master(&mut self, reply: Reply) -> Option<Turn> {
        if !self.master.lets_serve() {
            return self.master.advance(reply);
        }
        if self.master.has_reloaded() {
            self.worker.has_no_room();
        }
        self.part = Part::Worker;
        None
    }

    fn as_worker(&mut self, reply: Reply) -> Option<Turn> {
        if let Some(arrivals) = self.worker.take_arrivals() {
            self.part = Part::Master;
            self.master.handle_arrivals(arrivals);
            return None;
        }
        if self.worker.has_turned() {
            self.part = Part::Master;
            self.master.look_at_flags_of_single();
            return None;
        }
        self.worker.advance(reply).map(Turn::Do)
    }
}
