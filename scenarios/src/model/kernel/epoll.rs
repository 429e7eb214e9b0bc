//! Readiness: what a worker's epoll_wait(2) would tell.
//!
//! Listening sockets and channels are told as long as they are ready, connections once per change, as nginx
//! registers them; what is told of a connection is then all that holds, not only what has changed. What a process is told is computed when it wakes: two workers may both be told of one
//! connection in the queue, and the slower one finds nobody.

use fake_nginx::machine::{Arrivals, Pid, Ready};
use smallvec::SmallVec;

use super::{Kernel, Proc};

impl Kernel {
    pub(super) fn is_ready(&self, process: &Proc) -> bool {
        self.is_channel_readable(process.own_channel)
            || process.watches.iter().any(|&(fd, _)| self.has_queue(process.socket(fd)))
            || self.has_changed_connection(process)
    }

    pub(super) fn has_changed_connection(&self, process: &Proc) -> bool {
        process.connections.iter().any(|&(_, id)| self.is_changed(id))
    }

    /// True if epoll_wait(2) would tell of several things at once: of these, Linux tells first what was ready first.
    #[must_use]
    pub fn has_several_ready(&self, process: &Proc) -> bool {
        let listeners = process.watches.iter().filter(|&&(fd, _)| self.has_queue(process.socket(fd))).count();
        let connections = process.connections.iter().filter(|&&(_, id)| self.is_changed(id)).count();
        usize::from(self.is_channel_readable(process.own_channel)) + listeners + connections > 1
    }

    fn is_changed(&self, id: u32) -> bool {
        self.connections.iter().any(|connection| connection.id == id && connection.is_changed)
    }

    fn has_queue(&self, socket: Option<u16>) -> bool {
        self.waiting_at(socket) > 0
    }

    /// How many connections nobody has accepted from this socket.
    pub(super) fn waiting_at(&self, socket: Option<u16>) -> usize {
        let found = self.sockets.iter().find(|known| Some(known.id) == socket);
        found.map_or(0, |found| found.queue.len())
    }

    /// What epoll_wait(2) returns with: what handlers have met, and what is ready unless one of them ran meanwhile.
    pub(super) fn take_events(&mut self, pid: Pid) -> (Arrivals, SmallVec<[Ready; 4]>) {
        let at = self.index(pid).expect("a process that waits is there");
        let is_interrupted = self.processes[at].signals.is_interrupted();
        let ready = if is_interrupted { SmallVec::new() } else { self.take_ready(at) };
        (self.at(at).signals.take_met(), ready)
    }

    /// What is ready now; edges are told and forgotten.
    fn take_ready(&mut self, at: usize) -> SmallVec<[Ready; 4]> {
        let process = &self.processes[at];
        let mut ready = SmallVec::new();
        if self.is_channel_readable(process.own_channel) {
            ready.push(Ready::Channel);
        }
        for &(fd, index) in &process.watches {
            if self.has_queue(process.socket(fd)) {
                ready.push(Ready::Listener(index));
            }
        }
        let own = process.connections.clone();
        for (conn, id) in own {
            let Some(connection) = self.connection_mut(id) else { continue };
            if std::mem::take(&mut connection.is_changed) {
                let (readable, finished) = (connection.is_readable(), connection.has_left());
                ready.push(Ready::Connection { conn, readable, writable: true, finished });
            }
        }
        ready
    }
}
