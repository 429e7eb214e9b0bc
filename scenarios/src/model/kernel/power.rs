//! The end of everything that runs. What is on disk is told by whoever takes the power away.

use fake_nginx::machine::{ExitStatus, Signal};

use super::{Around, Kernel, NAMELESS_PIDS, Seen};

/// How a process ends that has no time to.
const KILLED: ExitStatus = ExitStatus::Signal { number: Signal::Kill.number(), core: false };

impl Kernel {
    /// No process is left, no socket and no connection; files are as they were.
    pub fn lose_power(&mut self, around: &mut Around<'_>) {
        for process in self.living() {
            around.seen.push(Seen::Died { pid: process.pid, status: KILLED });
        }
        for process in &self.processes {
            self.files.close_all_of(process.pid);
        }
        self.processes.clear();
        self.sockets.clear();
        self.channels.clear();
        self.connections.clear();
    }

    /// Pids and inodes of sockets are those of the last boot again.
    pub fn count_from_the_first(&mut self) {
        self.last_pid = NAMELESS_PIDS;
        self.last_socket = 0;
        self.generations = 0;
        self.masters_born.clear();
        self.workers_born.clear();
    }

    /// Every number that a master or a worker had is given to somebody who is no nginx.
    pub fn give_numbers_away(&mut self, around: &Around<'_>) {
        let all: Vec<_> = self.free_pids().collect();
        all.into_iter().for_each(|pid| self.reuse(pid, around));
    }
}
