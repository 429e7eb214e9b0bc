//! Is a claim true, now, in this world? Looked up in the state, for property tests that record no trace.

use fake_nginx::machine::Pid;
use orchestrator::machine::{Memory, Plan};

use super::choice::Who;
use super::kernel::{Content, Inode, Path, Proc};
use super::world::World;
use crate::scenario::Claim;

/// What is wrong with a claim; `None`: it is true, or promises nothing.
pub(super) fn lie(world: &World<'_>, claim: Claim) -> Option<String> {
    let entry = world.state.journal.as_deref()?;
    let kernel = &world.state.kernel;
    let masters: Vec<&Proc> = kernel.living().filter(|process| process.actor.who == Who::Master).collect();
    let (plan, _): &(Plan, Memory) = entry;
    let image = |file: orchestrator::machine::FileId| {
        kernel.files().content(Inode(u16::try_from(file.inode).unwrap_or(0)))
    };
    let (old, new) = (image(plan.old_file), image(plan.new_file));
    // What the configuration says, whatever was counted: every generation reads the same one here.
    let workers_of_conf = usize::from(world.setting.confs[usize::from(kernel.conf())].workers);
    let (old_workers, new_workers) = (workers_of_conf, workers_of_conf);
    // Workers of a master that was killed before this upgrade began are none of its business.
    let since = kernel.generation_of(Pid(plan.old.pid)).unwrap_or(1);
    let orphan =
        kernel.living().find(|process| process.actor.generation >= since && is_orphan(world, process));
    if let (Claim::Upgraded | Claim::RolledBack, Some(orphan)) = (claim, orphan) {
        return Some(format!("{} has no master", orphan.actor));
    }
    match (claim, masters.as_slice()) {
        (Claim::Upgraded | Claim::RolledBack | Claim::Held, []) => Some("no master runs".into()),
        (Claim::Upgraded, [one]) => serves_alone(world, one, new, new_workers),
        (Claim::RolledBack, [one]) if plan.options.is_way_back => serves_alone(world, one, new, new_workers),
        (Claim::RolledBack, [one]) => serves_alone(world, one, old, old_workers),
        (Claim::Held, [one]) => Some(format!("only {} runs", one.actor)),
        (Claim::Held, [reserve, one]) => {
            let idle = || workers(world, reserve).count();
            if workers(world, reserve).any(Proc::is_accepting) {
                return Some(format!("{} workers of the master in reserve are left", idle()));
            }
            let serving = workers(world, one).filter(|worker| worker.is_accepting()).count();
            (serving < new_workers).then(|| format!("{serving} of {new_workers} new workers accept"))
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
    let serving = workers(world, master).filter(|worker| worker.is_accepting()).count();
    (serving < expected).then(|| format!("{serving} of {expected} workers of {} accept", master.actor))
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
