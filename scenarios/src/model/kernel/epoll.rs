//! Readiness: what a worker's epoll_wait(2) would tell.
//!
//! Listening sockets and channels are told as long as they are ready, connections once per change, as nginx
//! registers them. What a process is told is computed when it wakes: two workers may both be told of one
//! connection in the queue, and the slower one finds nobody.

use fake_nginx::machine::Ready;
use smallvec::SmallVec;

use super::connection::Edges;
use super::{Kernel, Proc};

impl Kernel {
    pub(super) fn is_ready(&self, process: &Proc) -> bool {
        self.has_commands(process.own_channel)
            || process.watches.iter().any(|&(fd, _)| self.has_queue(process.socket(fd)))
            || process.connections.iter().any(|&(_, id)| {
                self.connections.iter().any(|connection| connection.id == id && connection.edges.is_any())
            })
    }

    fn has_queue(&self, socket: Option<u16>) -> bool {
        socket.is_some_and(|socket| {
            self.sockets.iter().any(|known| known.id == socket && !known.queue.is_empty())
        })
    }

    /// What is ready now; edges are told and forgotten.
    pub(super) fn take_ready(&mut self, at: usize) -> SmallVec<[Ready; 4]> {
        let process = &self.processes[at];
        let mut ready = SmallVec::new();
        if self.has_commands(process.own_channel) {
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
            let Edges { readable, writable, finished } = std::mem::take(&mut connection.edges);
            if readable || writable || finished {
                ready.push(Ready::Connection { conn, readable, writable, finished });
            }
        }
        ready
    }
}
