//! The effects of a worker.
//!
//! # Source
//! `ngx_worker_process_init` in `src/os/unix/ngx_process_cycle.c`, `src/event/`, nginx 1.18 to 1.30.

use std::rc::Rc;

use nix::sys::signal::SigSet;
use nix::unistd::Uid;
use rustix::io::Errno;

use super::stream::Scope;
use super::worker::WorkerSockets;
use super::world::{World, errno, own_pid, rustix_errno, rustix_reply};
use super::{arrivals, clock, process};
use crate::conf::Level;
use crate::fault::Fault;
use crate::http::Context;
use crate::machine::{ConfId, Conn, Effect, Fd, Reply, Slot};

impl World {
    /// What only workers do.
    #[expect(clippy::wildcard_enum_match_arm, reason = "`perform` carries all other effects out itself")]
    pub(super) fn serve(&mut self, effect: &Effect) -> Reply {
        let Self { worker, listeners, channels, clock, slot, counter, .. } = self;
        let worker = worker.as_mut().expect("only a process that entered a worker's life serves");
        match *effect {
            Effect::Watch { fd, index, exclusive } => {
                let watched = listeners
                    .get(fd)
                    .map_or(Err(Errno::BADF), |socket| worker.watch(socket, index, exclusive));
                self.called("epoll_ctl(1)", watched)
            }
            Effect::Unwatch(fd) => {
                rustix_reply(listeners.get(fd).map_or(Err(Errno::BADF), |socket| worker.unwatch(socket)))
            }
            Effect::WaitEvents { until_ms } => worker.wait(clock, until_ms),
            Effect::ReadChannel => Reply::Command(channels.read(*slot).unwrap_or_else(|_| {
                // The master is gone; closing the own end takes it out of the epoll.
                channels.close(*slot);
                None
            })),
            Effect::Accept { fd, listen, conn } => {
                let listener = listeners.get(fd);
                Reply::Accepted(listener.and_then(|listener| worker.accept(listener, listen, conn, *counter)))
            }
            Effect::AnswerDatagram { conf, fd, listen } => self.answer_datagram(conf, fd, listen),
            Effect::Receive(conn) => Reply::Received(worker.client(conn).receive()),
            Effect::Peek(conn) => Reply::Received(worker.client(conn).peek()),
            Effect::Discard(conn) => Reply::Received(worker.client(conn).discard()),
            Effect::Parse(conn) => Reply::Parsed(worker.client(conn).parse()),
            Effect::Respond { conf, conn, requests, is_draining } => {
                self.respond(conf, conn, requests, is_draining)
            }
            Effect::Send { conn, from, bytes_max } => Reply::Sent(worker.client(conn).send(from, bytes_max)),
            Effect::ShutdownWrite(conn) => rustix_reply(worker.shutdown_write(conn)),
            Effect::Close(conn) => {
                worker.close(conn);
                Reply::Done
            }
            _ => unreachable!("{effect:?} is no act of a worker alone"),
        }
    }

    fn respond(&mut self, id: ConfId, conn: Conn, requests: u32, is_draining: bool) -> Reply {
        let conf = Rc::clone(self.reader.conf(id));
        let worker = self.worker.as_mut().expect("a worker");
        let client = worker.client(conn);
        let context = Context {
            pid: own_pid().0,
            profile: self.profile,
            now_unix_s: clock::unix_s(),
            is_draining,
            requests_on_connection: u64::from(requests),
            connection: client.number,
            remote: client.remote,
            local: client.local,
        };
        let listen = &conf.listens[client.listen];
        if listen.is_stream {
            let scope = Scope { conf: &conf, listen, context: &context };
            return Reply::Answer(client.say(scope.text()));
        }
        let forced = match self.stamp.fault {
            Some(Fault::Answers { code }) => Some(code),
            _ => None,
        };
        let number = client.number;
        let (answer, said) = client.respond(&conf, &context, forced);
        for message in said {
            self.tell_log(Some(id), message.level, &format!("*{number} {}", message.text));
        }
        Reply::Answer(answer)
    }

    /// Others hold the socket too, so its close does not take it out of this epoll: every connection that woke
    /// only this worker would wait for the next one. See `ngx_close_listening_sockets`.
    pub(super) fn forget_listener(&self, fd: Fd) {
        if let (Some(worker), Some(socket)) = (&self.worker, self.listeners.get(fd)) {
            // One that was never watched is not there.
            let _ = worker.unwatch(socket);
        }
    }

    pub(super) fn become_user(&mut self, conf: ConfId) -> Reply {
        let conf = self.reader.conf(conf).clone();
        let user = conf.user.as_ref().filter(|_| Uid::effective().is_root());
        if let Err((call, error)) = user.map_or(Ok(()), process::become_user) {
            return Reply::CallFailed(Level::Emerg, self.names.text(&call), errno(error as i32));
        }
        let Some(folder) = &conf.working_directory else { return Reply::Done };
        match nix::unistd::chdir(folder) {
            Ok(()) => Reply::Done,
            Err(error) => {
                let call = format!("chdir(\"{}\")", folder.display());
                Reply::CallFailed(Level::Alert, self.names.text(&call), errno(error as i32))
            }
        }
    }

    pub(super) fn enter_worker(&mut self, slot: Option<Slot>) -> Reply {
        let mask = if slot.is_some() { SigSet::empty() } else { self.first_mask };
        let worker = match WorkerSockets::new(mask) {
            Ok(worker) => worker,
            Err(error) => return self.called("epoll_create()", Err(error)),
        };
        let channel = slot.and_then(|slot| {
            self.slot = slot;
            self.channels.keep_own(slot)
        });
        let watched = channel.map_or(Ok(()), |channel| worker.watch_channel(channel));
        self.worker = Some(worker);
        if slot.is_some() {
            arrivals::unblock();
        }
        self.called("epoll_ctl(1)", watched)
    }

    fn called(&mut self, call: &str, outcome: rustix::io::Result<()>) -> Reply {
        match outcome {
            Ok(()) => Reply::Done,
            Err(error) => Reply::CallFailed(Level::Emerg, self.names.text(call), rustix_errno(error)),
        }
    }
}
