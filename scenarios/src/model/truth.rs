//! Is a claim true, now, in this world? Looked up in the state, for property tests that record no trace.

use fake_nginx::machine::Pid;
use orchestrator::machine::Plan;

use super::choice::Who;
use super::kernel::{Content, Inode, Path, Proc};
use super::world::World;
use crate::scenario::Claim;

/// What is wrong with the claim of a command with this plan; `None`: it is true, or promises nothing.
pub(super) fn lie(world: &World<'_>, plan: &Plan, claim: Claim) -> Option<String> {
    let kernel = &world.state.kernel;
    let masters: Vec<&Proc> = kernel.living().filter(|process| process.actor.who == Who::Master).collect();
    let image = |file: orchestrator::machine::FileId| {
        kernel.files().content(Inode(u16::try_from(file.inode).unwrap_or(0)))
    };
    let (old, new) = (image(plan.old_file), image(plan.new_file));
    // Not what the plan has counted: what the configuration promises.
    let workers_promised = usize::from(world.setting.confs[usize::from(kernel.conf())].workers);
    // Workers of a master that was killed before this upgrade began are none of its business.
    let since = kernel.generation_of(Pid(plan.old.pid)).unwrap_or(1);
    let orphan =
        kernel.living().find(|process| process.actor.generation >= since && is_orphan(world, process));
    if let (Claim::Upgraded | Claim::RolledBack, Some(orphan)) = (claim, orphan) {
        return Some(format!("{} has no master", orphan.actor));
    }
    match (claim, masters.as_slice()) {
        (Claim::Upgraded | Claim::RolledBack | Claim::Held, []) => Some("no master runs".into()),
        (Claim::Upgraded, [one]) => serves_alone(world, one, new, workers_promised),
        (Claim::RolledBack, [one]) if plan.options.is_way_back => {
            serves_alone(world, one, new, workers_promised)
        }
        (Claim::RolledBack, [one]) => serves_alone(world, one, old, workers_promised),
        (Claim::Held, [_]) if world.was_struck(Pid(plan.old.pid)) => None,
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
        (Claim::Upgraded | Claim::RolledBack | Claim::Held, many) => {
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
    if let Some(Content::Pid(named)) = files.read(Path::OLDBIN)
        && named == master.pid
    {
        return Some("the oldbin file names the master that serves".into());
    }
    if files.read(Path::BINARY) != Some(image) {
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
