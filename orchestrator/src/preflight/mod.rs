//! Everything that can be known before the first signal, and the one reason to stop that it finds.
//!
//! Preflight looks, runs the new binary with `-v` and `-T`, and lays two hidden links beside the binary; it
//! sends no signal. What it leaves is a [`Plan`].

use std::cell::LazyCell;
use std::path::{Path, PathBuf};

use crate::compiled::Compiled;
use crate::discover::{Running, configuration, directive, whole};
use crate::host::linux::{
    children, file_at, in_real_folder, listeners, look, oldbin_path, read_pid_file, stat, title,
};
use crate::machine::{Identity, Options, PidFile, Plan, Title};
use crate::refusal::Refusal;

mod adopt;
mod attributes;
mod baseline;
mod predecessor;
mod program;
mod run;
mod spoilt;
mod stage;
mod swap;

pub use adopt::{Adopted, adopt};
pub use predecessor::{Predecessor, predecessor};
pub use program::program;
pub(crate) use run::running_version;
pub use stage::{executes, sweep, unstage};
pub use swap::Swap;

/// How long `-v` may take: it prints one line.
const VERSION_MS_MAX: u64 = 10_000;

/// How long `-T` may take. It opens every certificate and resolves every name; large sites under load were
/// seen to need more than 15 s.
const TEST_MS_MAX: u64 = 60_000;

/// What an upgrade is asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The binary to change to.
    pub new: PathBuf,
    /// The path that nginx executes, if the operator says it.
    pub binary: Option<PathBuf>,
    /// The operator's choices.
    pub options: Options,
    /// No connection is made to the listening sockets to see who takes it.
    pub is_quiet: bool,
    /// Only look.
    pub is_dry: bool,
}

/// What lies ready before the first signal.
#[derive(Debug)]
pub struct Prepared {
    /// The facts.
    pub plan: Plan,
    /// How the new binary will come to its path.
    pub swap: Swap,
    /// What the operator should know, though it stops nothing.
    pub warnings: Vec<String>,
}

/// The facts of an upgrade of `running`, or why there can be none.
///
/// # Errors
/// A refusal; nothing was touched.
pub fn prepare(running: &Running, pid_file: &Path, request: &Request) -> Result<Prepared, Refusal> {
    let master = &running.master.identity;
    permitted(master.pid)?;
    let oldbin_before = not_in_flight(running, pid_file)?;
    let binary = program(running, request.binary.as_deref())?;
    let old_version = run::running_version(master.pid)
        .map_err(|why| Refusal::BadBinary { path: binary.clone(), why: format!("the running one: {why}") })?;
    let new_version = new_binary(&request.new, &running.cwd)?;
    if file_at(&request.new) == file_at(&binary) && file_at(&binary) == master.exe {
        let why = "the running nginx executes this very file".to_owned();
        return Err(Refusal::BadBinary { path: request.new.clone(), why });
    }
    let dump = run::test(&request.new, running)?;
    upgradable(running, &dump)?;
    let asked = LazyCell::new(|| Compiled::of_file(&request.new));
    let compiled = || asked.as_ref();
    follows(running, pid_file, (&dump, compiled))?;
    let listeners = listeners(master.pid);
    let may_knock = !request.is_dry && !request.is_quiet;
    let baseline = baseline::baseline(running, (&dump, compiled), &listeners, &request.options, may_knock)?;
    let old_workers = count_workers(master.pid);
    let new_workers = promised_workers(&dump).unwrap_or(old_workers).max(1);
    let staged = stage::stage(master.pid, &binary, &request.new, request.is_dry)?;
    let mut warnings = staged.warnings;
    warnings.extend(spoilt::warning(master.pid, &baseline));
    let plan = Plan {
        pid_file: pid_file.to_owned(),
        binary,
        old_link: staged.old_link,
        new_link: staged.new_link,
        binary_before: staged.before,
        old_file: staged.old_file,
        new_file: staged.new_file,
        old: master.clone(),
        old_workers,
        new_workers,
        listeners,
        oldbin_before,
        baseline,
        old_version,
        new_version,
        options: request.options.clone(),
    };
    Ok(Prepared { plan, swap: staged.swap, warnings })
}

/// May this user signal the master?
fn permitted(master: u32) -> Result<(), Refusal> {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(format!("/proc/{master}")).map_or(0, |meta| meta.uid());
    let me = rustix::process::geteuid();
    if me.is_root() || me.as_raw() == owner { Ok(()) } else { Err(Refusal::NotPermitted { master, owner }) }
}

/// No second master, young or old. Gives what a stale oldbin file holds.
fn not_in_flight(running: &Running, pid_file: &Path) -> Result<PidFile, Refusal> {
    let pid = running.master.identity.pid;
    let in_flight = |what: String| Err(Refusal::UpgradeInFlight { what });
    if let Some(parent) = stat(pid).map(|stat| stat.parent).filter(|&parent| title(parent) == Title::Master) {
        return in_flight(format!("master {pid} was started by master {parent}, which still runs"));
    }
    for child in children(pid).into_iter().filter_map(look) {
        let is_another = child.identity.exe.is_some() && child.identity.exe != running.master.identity.exe;
        if is_another {
            return in_flight(format!("master {pid} has started {} with another binary", child.identity.pid));
        }
    }
    let path = oldbin_path(pid_file);
    let content = read_pid_file(&path)
        .map_err(|error| Refusal::BadPidFile { path: path.clone(), why: error.to_string() })?;
    // A file that outlived a restart may name the number that this very master has got since.
    if let PidFile::Pid(old) = content
        && old != pid
        && title(old) == Title::Master
    {
        return in_flight(format!("{} names master {old}, which runs", path.display()));
    }
    match adopt::orphans(&running.master).as_slice() {
        [] => Ok(content),
        orphans => {
            in_flight(format!("{} workers serve beside master {pid} and have no master", orphans.len()))
        }
    }
}

/// nginx ignores USR2 while the parent that it saw at its start lives. That is certain only for the first
/// process of a container, and as good as certain without a daemon in the session of its parent; whatever
/// slips through is seen when USR2 has no effect.
fn upgradable(running: &Running, dump: &str) -> Result<(), Refusal> {
    let Some(now) = stat(running.master.identity.pid) else { return Err(Refusal::NoNginx) };
    let refuse = |why: &str| Err(Refusal::NotUpgradable { why: why.to_owned() });
    if now.parent == 0 {
        return refuse("its parent is outside of this container");
    }
    let is_foreground = directive(dump, "daemon").as_deref() == Some("off");
    let in_parents_session = stat(now.parent).is_some_and(|parent| parent.session == now.session);
    if is_foreground && now.parent != 1 && in_parents_session {
        return refuse("it runs with `daemon off;` under a living parent");
    }
    if directive(dump, "master_process").as_deref() == Some("off") {
        return refuse("the configuration says `master_process off;`");
    }
    Ok(())
}

/// A file that can be executed and says that it is nginx.
fn new_binary(path: &Path, cwd: &Path) -> Result<String, Refusal> {
    use std::os::unix::fs::PermissionsExt;
    let bad = |why: String| Refusal::BadBinary { path: path.to_owned(), why };
    let meta = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?;
    if !meta.is_file() {
        return Err(bad("it is no regular file".to_owned()));
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err(bad("it is not executable".to_owned()));
    }
    run::version(path, cwd).map_err(bad)
}

/// What the new binary's own reading of the configuration says about things that must not change.
fn follows<'a>(
    running: &Running,
    pid_file: &Path,
    (dump, compiled): (&str, impl Fn() -> Option<&'a Compiled> + Copy),
) -> Result<(), Refusal> {
    let master = running.master.identity.pid;
    let asked = LazyCell::new(|| Compiled::of_running(master));
    if let Some(new) = configuration(running, compiled)
        && let Some(old) = configuration(running, || asked.as_ref()).filter(|old| *old != new)
    {
        return Err(Refusal::OtherConfiguration { old, new });
    }
    let named = directive(dump, "pid").map(PathBuf::from);
    let Some(named) = named.or_else(|| Some(compiled()?.pid.clone())) else { return Ok(()) };
    // Nobody knows what a relative path hangs on if the binary does not tell.
    let Some(configured) = whole(running, &named, compiled) else { return Ok(()) };
    if in_real_folder(&configured).ok().as_deref() != Some(pid_file) {
        return Err(Refusal::OtherPidFile { master, configured, given: pid_file.to_owned() });
    }
    Ok(())
}

/// The workers that are not shutting down.
fn workers(master: u32) -> Vec<Identity> {
    let workers = children(master).into_iter().filter_map(look);
    workers.filter(|child| child.title == Title::Worker).map(|worker| worker.identity).collect()
}

fn count_workers(master: u32) -> u16 {
    let count = children(master).into_iter().filter(|&pid| title(pid) == Title::Worker).count();
    u16::try_from(count).unwrap_or(u16::MAX)
}

/// `worker_processes` of the configuration, as the new binary will read it.
fn promised_workers(dump: &str) -> Option<u16> {
    match directive(dump, "worker_processes").as_deref() {
        _ if dump.is_empty() => None,
        None => Some(1),
        Some("auto") => {
            std::thread::available_parallelism().ok().and_then(|count| u16::try_from(count.get()).ok())
        }
        Some(count) => count.parse().ok(),
    }
}
