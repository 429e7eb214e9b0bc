//! The old master of an earlier upgrade, which was told to quit and still serves its last connections: as long as it
//! lives, nginx ignores USR2 to the new one (`ngx_signal_handler`), and a script that does not know quits the wrong one.

use std::io;

use crate::discover::Running;
use crate::host::linux::{Handles, children, connections, ends_within, listeners, look, stat, title};
use crate::machine::{Process, Title};

/// A master that has only connections left to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predecessor {
    /// Which.
    pub master: Process,
    /// How many connections its workers hold, to clients and to other servers.
    pub connections: usize,
}

/// Looks for one: `running` itself, or the master that has started it.
#[must_use]
pub fn predecessor(running: &Running) -> Option<Predecessor> {
    let master = &running.master;
    let parent = stat(master.identity.pid).and_then(|stat| look(stat.parent));
    let is_leaving = |master: &Process| {
        let pid = master.identity.pid;
        let has_successor = || children(pid).into_iter().any(|child| title(child) == Title::Master);
        master.title == Title::Master && has_successor() && listeners(pid).is_empty()
    };
    let master = [Some(master.clone()), parent].into_iter().flatten().find(is_leaving)?;
    let workers = children(master.identity.pid).into_iter().filter(|&pid| title(pid) == Title::ShuttingDown);
    let connections = workers.map(connections).sum();
    Some(Predecessor { master, connections })
}

impl Predecessor {
    /// Waits for its end. True if it has come.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(&self, within_ms: u64) -> io::Result<bool> {
        let mut handles = Handles::default();
        handles.hold(&self.master.identity).map_or(Ok(true), |handle| ends_within(handle, within_ms))
    }
}
