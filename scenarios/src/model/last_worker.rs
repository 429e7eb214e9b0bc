//! Did the script itself kill the last one who accepted?
//!
//! A test that kills processes must not call the gap that it made itself an error of the orchestrator, and it
//! must not excuse any other. So it is computed: whoever was killed while accepting, and has not been replaced,
//! would accept now. "Replaced" is judged when the world is at rest: once somebody accepts and nobody has
//! anything left to do, those who were killed are history.

use fake_nginx::machine::Pid;
use smallvec::SmallVec;

use super::kernel::Proc;

/// Those whom the script killed while they accepted, and who would still.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LastWorker {
    killed: SmallVec<[Pid; 4]>,
}

impl LastWorker {
    /// The script kills somebody.
    pub(super) fn is_about_to_be_killed(&mut self, process: &Proc) {
        if process.is_accepting() {
            self.killed.push(process.pid);
        }
    }

    /// Somebody accepts.
    pub(super) fn somebody_accepts(&mut self, is_quiet: bool) {
        if is_quiet {
            self.killed.clear();
        }
    }

    /// True if somebody whom the script killed would accept now.
    pub(super) fn is_killed(&self) -> bool {
        !self.killed.is_empty()
    }
}
