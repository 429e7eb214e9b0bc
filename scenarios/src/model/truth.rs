//! Is a claim true, now, in this world? Looked up in the state, for property tests that record no trace.

use fake_nginx::machine::Pid;
use orchestrator::machine::{PidFile, Plan};

use super::binaries::PACKAGED;
use super::choice::Who;
use super::host::pid_file;
use super::kernel::{Content, Inode, Path, Proc};
use super::world::World;
use crate::scenario::Claim;

/// What a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promise {
    /// The binaries before and behind it.
    old: Content,
    new: Content,
    /// The master before it.
    master: Pid,
    /// It is a way back by an upgrade to the older binary.
    is_way_back: bool,
    /// What the oldbin file held before it.
    oldbin: PidFile,
}

impl Promise {
    /// Of a command with this plan.
    pub(super) fn of_plan(world: &World<'_>, plan: &Plan) -> Self {
        let files = world.state.kernel.files();
        let image = |file: orchestrator::machine::FileId| {
            files.content(Inode(u16::try_from(file.inode).unwrap_or(0)))
        };
        Self {
            old: image(plan.old_file),
            new: image(plan.new_file),
            master: Pid(plan.old.pid),
            is_way_back: plan.options.is_way_back,
            oldbin: plan.oldbin_before,
        }
    }

    /// Of a runbook from the world's first binary to its second.
    pub(super) fn of_runbook(world: &World<'_>) -> Self {
        let master = world.state.kernel.master_of(1).unwrap_or(Pid(0));
        Self {
            old: Content::Image(0),
            new: Content::Image(1),
            master,
            is_way_back: false,
            oldbin: PidFile::Absent,
        }
    }
}

/// What is wrong with a claim; `None`: it is true, or promises nothing.
pub(super) fn lie(world: &World<'_>, promise: &Promise, claim: Claim) -> Option<String> {
    let &Promise { old, new, master: old_master, is_way_back, oldbin: oldbin_before } = promise;
    let kernel = &world.state.kernel;
    let masters: Vec<&Proc> = kernel.living().filter(|process| process.actor.who == Who::Master).collect();
    // Not what the plan has counted: what the configuration promises.
    let workers_promised = usize::from(world.setting.confs[usize::from(kernel.conf())].workers);
    // Workers of a master that was killed before this upgrade began are none of its business.
    let since = kernel.generation_of(old_master).unwrap_or(1);
    let orphan =
        kernel.living().find(|process| process.actor.generation >= since && is_orphan(world, process));
    if let (Claim::Upgraded | Claim::Draining | Claim::RolledBack, Some(orphan)) = (claim, orphan) {
        return Some(format!("{} has no master", orphan.actor));
    }
    let oldbin = Some(Content::Pid(old_master));
    let is_gone = !masters.iter().any(|master| master.pid == old_master);
    if matches!(claim, Claim::Upgraded | Claim::RolledBack)
        && is_gone
        && kernel.files().read(Path::OLDBIN) == oldbin
    {
        return Some("the oldbin file names a master that has gone".into());
    }
    // One that outlived a restart may have named it before.
    let named = pid_file(kernel.files().read(Path::OLDBIN));
    if let (Claim::Upgraded | Claim::Draining | Claim::RolledBack, [.., one]) = (claim, masters.as_slice())
        && named == PidFile::Pid(one.pid.0)
        && named != oldbin_before
    {
        return Some("the oldbin file names the master that serves".into());
    }
    match (claim, masters.as_slice()) {
        (Claim::Upgraded | Claim::Draining | Claim::RolledBack | Claim::Held, []) => {
            Some("no master runs".into())
        }
        (Claim::Upgraded | Claim::Draining, [one]) | (Claim::Draining, [_, one]) => {
            serves_alone(world, one, new, workers_promised)
        }
        (Claim::RolledBack, [one]) if is_way_back => serves_alone(world, one, new, workers_promised),
        (Claim::RolledBack, [one]) => serves_alone(world, one, old, workers_promised),
        (Claim::Held, [_]) if world.was_struck(old_master) => None,
        (Claim::Held, [one]) => Some(format!("only {} runs", one.actor)),
        (Claim::Held, [reserve, one]) => {
            let idle = || workers(world, reserve).count();
            if workers(world, reserve).any(Proc::is_accepting) {
                return Some(format!("{} workers of the master in reserve are left", idle()));
            }
            let serving = Serving::of(world, one);
            (serving.at_most() < workers_promised)
                .then(|| format!("{} of {workers_promised} new workers accept", serving.accepting))
        }
        (Claim::Upgraded | Claim::Draining | Claim::RolledBack | Claim::Held, many) => {
            Some(format!("{} masters run", many.len()))
        }
        (Claim::Refused | Claim::Stuck | Claim::Failed, _) => None,
    }
}

/// What keeps this master from being the only one, with all its workers, its file and its name.
fn serves_alone(world: &World<'_>, master: &Proc, image: Content, expected: usize) -> Option<String> {
    let kernel = &world.state.kernel;
    let files = kernel.files();
    if Content::Image(master.image) != image {
        return Some(format!("{} runs another binary", master.actor));
    }
    if files.read(Path::PID) != Some(Content::Pid(master.pid)) {
        return Some(format!("the pid file does not name {}", master.actor));
    }
    // A package manager may come last. Whoever finds its file there leaves it or replaces it.
    let is_packaged = files.read(Path::BINARY) == Some(Content::Image(PACKAGED));
    if files.read(Path::BINARY) != Some(image) && !is_packaged {
        return Some("another binary is at the path".into());
    }
    let serving = Serving::of(world, master);
    let is_wrong = serving.at_most() < expected || serving.accepting > expected;
    is_wrong.then(|| format!("{} of {expected} workers of {} accept", serving.accepting, master.actor))
}

/// Workers of one master.
struct Serving {
    accepting: usize,
    /// That the script told to go and that drain: nginx forks another in the place of each, if it is one's place.
    told: usize,
}

impl Serving {
    fn of(world: &World<'_>, master: &Proc) -> Self {
        let count = |is_it: &dyn Fn(&Proc) -> bool| workers(world, master).filter(|one| is_it(one)).count();
        let accepting = count(&Proc::is_accepting);
        Self { accepting, told: count(&|one| !one.is_accepting() && world.was_struck(one.pid)) }
    }

    const fn at_most(&self) -> usize {
        self.accepting + self.told
    }
}

fn workers<'w>(world: &'w World<'_>, master: &'w Proc) -> impl Iterator<Item = &'w Proc> {
    let is_its = |process: &&Proc| process.parent == master.pid && process.actor.who == Who::Worker;
    world.state.kernel.living().filter(is_its)
}

/// A worker whose master is gone, and that would go on for ever.
pub(super) fn is_orphan(world: &World<'_>, process: &Proc) -> bool {
    process.actor.who == Who::Worker
        && process.is_accepting()
        && world.state.kernel.process(process.parent).is_none_or(|parent| !parent.is_alive())
}
