//! What the script itself took away, and what must therefore not be called an error of the orchestrator.
//!
//! A test that kills processes must not blame others for the gap that it made itself, and it must not excuse
//! any other. So it is computed, from the blows that were dealt:
//!
//! - A gap is excused while somebody would accept who was taken away (with a master that was told to end: its
//!   workers). That is over once somebody accepts, nobody has anything left to do, every blow shows, and a
//!   running command has looked since: whatever it does from then on, it does with its eyes open.
//! - A lost request is excused if its worker was ended by force.
//! - A claim is excused if a blow had not shown when the command looked last. A master in reserve may go that
//!   was told to, and a worker that was told to drains before nginx forks another in its place.

use fake_nginx::machine::Pid;
use smallvec::SmallVec;

use super::choice::Who;
use super::fault::Blow;
use super::kernel::{Kernel, Proc, Shown};

/// The blows of a script, as far as they matter still.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Excuses {
    /// Workers that would accept.
    workers: SmallVec<[Pid; 4]>,
    /// Masters that were told to end; whoever they fork still is told too.
    told: SmallVec<[Pid; 4]>,
    /// Those whose requests are cut, and the masters whose workers' are.
    cut: SmallVec<[Pid; 8]>,
    /// Everybody who was struck and may not show it yet.
    struck: SmallVec<[Pid; 4]>,
    /// Masters that were told something else, and have not slept since.
    busy: SmallVec<[Pid; 2]>,
    /// Those of them that were told to let their workers go; whoever they fork until then goes too.
    winched: SmallVec<[Pid; 2]>,
}

impl Excuses {
    /// A binary was started that does not serve, which is its own doing.
    pub(super) fn of_a_start_in_vain() -> Self {
        Self { workers: SmallVec::from_slice(&[Pid(0)]), ..Self::default() }
    }

    /// The script takes this process away.
    pub(super) fn is_about_to_be_struck(&mut self, process: &Proc, blow: Blow, kernel: &Kernel) {
        let pid = process.pid;
        let workers = || kernel.living().filter(move |worker| worker.parent == pid && would_accept(worker));
        if blow == Blow::Winch {
            self.winched.push(pid);
            self.busy.push(pid);
            self.workers.extend(workers().map(|worker| worker.pid));
            self.struck.extend(workers().map(|worker| worker.pid));
            return;
        }
        self.struck.push(pid);
        let is_ordered = process.actor.who == Who::Master && matches!(blow, Blow::Term | Blow::Quit);
        if would_accept(process) {
            self.workers.push(pid);
        }
        if is_ordered {
            self.told.push(pid);
            self.workers.extend(workers().map(|worker| worker.pid));
        }
        if blow != Blow::Quit {
            self.cut.push(pid);
        }
        if is_ordered && blow == Blow::Term {
            let all = kernel.living().filter(|worker| worker.parent == pid);
            self.cut.extend(all.map(|worker| worker.pid));
        }
    }

    /// The script tells this master something that takes nobody away.
    pub(super) fn is_about_to_be_told(&mut self, master: Pid) {
        self.busy.push(master);
    }

    /// A master that sleeps has done whatever it was told.
    pub(super) fn forget_done(&mut self, kernel: &Kernel) {
        let is_busy = |&mut pid: &mut Pid| {
            kernel.process(pid).is_some_and(|master| master.is_alive() && !master.is_asleep())
        };
        self.busy.retain(is_busy);
        self.winched.retain(is_busy);
    }

    /// A worker is born: its master may have been told to end already.
    pub(super) fn is_born(&mut self, pid: Pid, parent: Pid) {
        if self.told.contains(&parent) {
            self.workers.push(pid);
        }
        if self.winched.contains(&parent) {
            self.workers.push(pid);
            self.struck.push(pid);
        }
        if self.cut.contains(&parent) {
            self.cut.push(pid);
        }
    }

    /// Somebody accepts, and nothing that was done before is still on its way.
    pub(super) fn is_over(&mut self) {
        self.workers.clear();
    }

    /// True if somebody who was taken away would accept now.
    pub(super) fn covers_gap(&self) -> bool {
        !self.workers.is_empty()
    }

    /// True if this process's requests were cut by the script.
    pub(super) fn covers_loss_by(&self, pid: Pid) -> bool {
        self.cut.contains(&pid)
    }

    /// True if this process was struck by the script.
    pub(super) fn has_struck(&self, pid: Pid) -> bool {
        self.struck.contains(&pid)
    }

    /// Without what nobody will ask for again: the dead who were no masters, and the order of blows.
    pub(super) fn as_far_as_they_matter(&self, kernel: &Kernel) -> Self {
        let is_alive = |pid: &Pid| kernel.process(*pid).is_some_and(Proc::is_alive);
        let sorted = |pids: &[Pid], keeps: &dyn Fn(&Pid) -> bool| {
            let mut kept: SmallVec<[Pid; 4]> = pids.iter().copied().filter(keeps).collect();
            kept.sort_unstable();
            kept.dedup();
            kept
        };
        // It matters that there is one, not which.
        let workers = self.workers.iter().copied().take(1).map(|_| Pid(0)).collect();
        let is_master = |pid: &Pid| kernel.generation_of(*pid).is_some();
        Self {
            workers,
            told: sorted(&self.told, &is_alive),
            cut: sorted(&self.cut, &is_alive).into_iter().collect(),
            struck: sorted(&self.struck, &|pid| is_alive(pid) || is_master(pid)),
            busy: sorted(&self.busy, &is_alive).into_iter().collect(),
            winched: sorted(&self.winched, &is_alive).into_iter().collect(),
        }
    }

    /// True if somebody who was struck does not show it.
    pub(super) fn is_any_hidden(&self, kernel: &Kernel) -> bool {
        let is_hidden = |process: &Proc| {
            would_accept(process)
                || process.actor.who == Who::Master
                    && (!process.is_asleep()
                        || kernel.living().any(|worker| worker.parent == process.pid && would_accept(worker)))
        };
        let mut struck = self.struck.iter().filter_map(|&pid| kernel.process(pid));
        !self.busy.is_empty() || struck.any(|process| process.is_alive() && is_hidden(process))
    }
}

/// A worker that was not told to shut down, whether it has its sockets already or not.
fn would_accept(process: &Proc) -> bool {
    process.actor.who == Who::Worker && process.shown != Shown::SHUTTING_DOWN
}
