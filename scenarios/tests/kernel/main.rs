//! The simulated kernel beside Linux: one script on both, and what is seen after each operation compared.
//!
//! What the model says is worth as much as its kernel is like Linux. Each script of [`scripts`] pins a sentence of
//! the kernel's documentation; [`draw`] makes up others. A script is played by the first process of namespaces of
//! its own, which ends everybody that it has started.
#![expect(clippy::unwrap_used, reason = "a test with a main of its own is a test too")]

mod draw;
mod linux;
mod model;
mod proc;
mod puppet;
mod script;
mod scripts;
mod sight;
mod turns;
mod wire;

use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use nix::mount::{MsFlags, mount};
use scenarios::live;

use linux::{FOLDER_BYTES_MAX, Linux, Room};
use model::Model;
use script::Op;
use sight::Reply;

/// First argument of whoever plays; then follow the script's name and the folder.
const PLAYER: &str = "__player";
/// Says nothing: whether it is heard at all tells whether namespaces can be had.
const NOBODY: &str = "__nobody";
/// The name of the trial that makes scripts up.
const RANDOM: &str = "random_scripts_go_the_same_way_on_linux_and_in_the_simulated_kernel";

fn main() -> ExitCode {
    fake_nginx::run_if_stamped();
    if let Some(code) = live::run_if_agent() {
        return code;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [puppet::PUPPET, control] => puppet::main(control),
        [NOBODY] => return ExitCode::SUCCESS,
        [PLAYER, name, folder] => return player(name, Path::new(folder)),
        _ => {}
    }
    let arguments = Arguments::from_args();
    let has_namespaces = live::apart(&[NOBODY]).output().unwrap().stdout.is_empty();
    if !has_namespaces {
        eprintln!("namespaces cannot be had here: no script is played");
    }
    let names = scripts::SCRIPTS.iter().map(|script| script.name).chain([RANDOM]);
    let trial = |name: &str| {
        let own = name.to_owned();
        Trial::test(name, move || in_namespaces(&own)).with_ignored_flag(!has_namespaces)
    };
    let schedules =
        turns::names().map(|(name, is_slow)| trial(&name).with_ignored_flag(is_slow || !has_namespaces));
    let trials = names.map(trial).chain(schedules).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Lets a script be played, and reads what came of it.
fn in_namespaces(name: &str) -> Result<(), Failed> {
    let folder = tempfile::tempdir().unwrap();
    let output = live::apart(&[PLAYER, name, folder.path().to_str().unwrap()]).output().unwrap();
    if output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Ok(());
    }
    Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// Plays in an empty file system that can be filled.
fn player(name: &str, folder: &Path) -> ExitCode {
    let options = format!("mode=0755,size={FOLDER_BYTES_MAX}");
    mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), Some(options.as_str())).unwrap();
    // A connection that has ended leaves nothing behind, or thousands of them would have to be read at each look.
    fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0").unwrap();
    let outcome = match scripts::SCRIPTS.iter().find(|script| script.name == name) {
        Some(script) => compare(script.ops, Nonsense::IsAMistake, folder).and_then(|last| {
            let is_expected = last == script.last;
            is_expected.then_some(()).ok_or_else(|| format!("both say {last:?} and not {:?}", script.last))
        }),
        None if name == RANDOM => draw::play(folder),
        None => turns::trial(name, folder),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// What becomes of an operation that makes no sense where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nonsense {
    /// Whoever wrote it has made a mistake.
    IsAMistake,
    /// It is left out: nobody wrote it.
    LeftOut,
}

/// Plays a script on both; the last reply, or the first operation that went two ways.
fn compare(ops: &[Op], nonsense: Nonsense, folder: &Path) -> Result<Reply, String> {
    let room = if ops.iter().any(|op| matches!(op, Op::Fill(_))) { Room::IsScarce } else { Room::IsPlenty };
    let mut linux = Linux::new(folder, room)?;
    let last = play(ops, nonsense, &mut linux);
    linux.end()?;
    last
}

fn play(ops: &[Op], nonsense: Nonsense, linux: &mut Linux) -> Result<Reply, String> {
    let mut model = Model::new();
    let mut last = Reply::Done;
    let mut played = Vec::new();
    for &op in ops {
        if !model.makes_sense(op) {
            match nonsense {
                Nonsense::LeftOut => continue,
                Nonsense::IsAMistake => return Err(format!("{op:?} makes no sense after {played:?}")),
            }
        }
        let before = played.clone();
        let differs = |linux: &dyn Debug, model: &dyn Debug| {
            format!("after   {before:?}\nthen    {op:?}\nlinux   {linux:?}\nmodel   {model:?}")
        };
        let on_linux = linux.play(op).map_err(|why| differs(&why, &"goes on"))?;
        let chosen = if let Reply::Queued(socket) = on_linux { Some(socket) } else { None };
        last = model.play(op, chosen);
        if on_linux != last {
            return Err(differs(&on_linux, &last));
        }
        played.push(op);
        if let Op::Timer(..) = op {
            // Real time does not wait for the next operation: the timer may have struck already.
            continue;
        }
        let expected = model.look();
        let seen = linux.look(op, &expected).map_err(|why| differs(&why, &expected))?;
        if seen != expected {
            return Err(differs(&seen, &expected));
        }
    }
    Ok(last)
}
