//! What can be seen of a world at rest, as a snapshot in which no pid and no path is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use super::connection::Connection;
use super::listener::held_by;
use super::pid_file;
use super::proc;
use super::site::{pid_path, socket_path};
use super::world::World;
use crate::conformance::wording::Wording;
use crate::conformance::{PidPath, Snapshot};
use crate::trace::{Content, Exit, Role, What};

/// Knows everybody by name, and what was told already.
#[derive(Default)]
pub(super) struct Sight {
    names: BTreeMap<u32, String>,
    workers: BTreeMap<u32, u32>,
    /// Programs that the sequence started.
    pub(super) commands: BTreeSet<u32>,
    /// How far the events have been told.
    told: usize,
    gone: BTreeSet<u32>,
}

impl Sight {
    /// Gives names to those who were born since the last call: by their pids, which is the order of their forks.
    pub(super) fn name_the_new(&mut self, world: &World) {
        for (&pid, process) in &world.observer.processes {
            if self.names.contains_key(&pid) {
                continue;
            }
            let generation = process.generation;
            let name = match process.role {
                Role::Master => format!("master {generation}"),
                Role::Worker => {
                    let nth = self.workers.entry(generation).or_default();
                    *nth += 1;
                    format!("worker {generation}.{nth}")
                }
            };
            self.names.insert(pid, name);
        }
    }

    /// Looks, and tells what is new since the last time and what is there.
    pub(super) fn look(&mut self, world: &mut World, port: u16, connections: &mut [Connection]) -> Snapshot {
        world.observer.look();
        self.name_the_new(world);
        let prefix = world.paths.prefix.to_string_lossy().into_owned();
        let own = world.observer.own();
        let name = |pid| self.name(own, pid);
        let wording = Wording { name: &name, prefix: &prefix, port };
        let mut seen = Snapshot::default();
        self.tell_log(world, &wording, &mut seen);
        self.tell_processes(world, &wording, &mut seen);
        tell_files(world, &wording, &mut seen);
        tell_connections(world, connections, &mut seen);
        self.told = world.observer.events.len();
        let dead = world.observer.processes.iter().filter(|(_, process)| !process.is_alive());
        self.gone.extend(dead.map(|(&pid, _)| pid));
        seen
    }

    /// Output of a command, as it is compared.
    pub(super) fn output(&self, world: &World, port: u16, bytes: &[u8]) -> Vec<String> {
        let prefix = world.paths.prefix.to_string_lossy().into_owned();
        let own = world.observer.own();
        let name = |pid| self.name(own, pid);
        let wording = Wording { name: &name, prefix: &prefix, port };
        wording.lines(String::from_utf8_lossy(bytes).lines())
    }

    fn name(&self, own: u32, pid: u32) -> Option<String> {
        if pid == own {
            return Some("the laboratory".into());
        }
        if self.commands.contains(&pid) {
            return Some("the command".into());
        }
        self.names.get(&pid).cloned()
    }

    fn tell_log(&self, world: &World, wording: &Wording<'_>, seen: &mut Snapshot) {
        let mut logs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut emergencies = BTreeSet::new();
        for event in world.observer.events.get(self.told..).unwrap_or_default() {
            if let What::Log { pid, level, text } = &event.what {
                // What a command says of importance, it says on standard error too.
                if self.commands.contains(pid) {
                    continue;
                }
                // A starting nginx says it where its builder said, or on standard error, or both.
                if level == "emerg" {
                    emergencies.insert(wording.line(text));
                    continue;
                }
                let who = (wording.name)(*pid).unwrap_or_else(|| "somebody".into());
                logs.entry(format!("log of {who}")).or_default().push(format!("[{level}] {text}"));
            }
        }
        emergencies.into_iter().for_each(|text| seen.say("emergencies", text));
        for (who, lines) in logs {
            for line in wording.lines(lines.iter().map(String::as_str)) {
                seen.say(&who, line);
            }
        }
    }

    fn tell_processes(&self, world: &World, wording: &Wording<'_>, seen: &mut Snapshot) {
        let sockets = world.observer.sockets();
        for (pid, process) in &world.observer.processes {
            let Some(name) = self.names.get(pid) else { continue };
            if !process.is_alive() {
                if !self.gone.contains(pid) {
                    seen.say(name, gone(world, process.died));
                }
                continue;
            }
            let title = proc::title(*pid).unwrap_or_default();
            let parent = proc::parent(*pid).and_then(|parent| (wording.name)(parent));
            seen.say(name, wording.line(&title));
            seen.say(name, format!("runs {}", executable(world, *pid)));
            seen.say(name, format!("child of {}", parent.as_deref().unwrap_or("somebody")));
            for (address, held) in held_by(*pid, &sockets) {
                let several =
                    if held.sockets == 1 { String::new() } else { format!("{} sockets of ", held.sockets) };
                let accepts =
                    if held.watched == held.sockets { "all".into() } else { held.watched.to_string() };
                let said = match (held.watched, held.sockets) {
                    (0, _) => format!("holds {several}{address}"),
                    (1, 1) => format!("accepts from {address}"),
                    _ => format!("holds {several}{address}, and accepts from {accepts}"),
                };
                seen.say(name, wording.line(&said));
            }
        }
    }
}

fn gone(world: &World, died: Option<usize>) -> String {
    let event = died.and_then(|at| world.observer.events.get(at));
    match event.map(|event| &event.what) {
        Some(What::Died { exit: Some(Exit::Code(code)), .. }) => format!("gone, with code {code}"),
        Some(What::Died { exit: Some(Exit::Signal(signal)), .. }) => format!("gone, by signal {signal}"),
        _ => "gone".into(),
    }
}

/// `old`, `new`, or nothing that the world knows.
fn executable(world: &World, pid: u32) -> &'static str {
    let binaries = &world.observer.binaries;
    let version = binaries.version_of_looks(format!("/proc/{pid}/exe").as_ref());
    match version {
        Some(version) if version == binaries.old => "the old binary",
        Some(version) if version == binaries.new => "the new binary",
        _ => "another file",
    }
}

fn tell_files(world: &World, wording: &Wording<'_>, seen: &mut Snapshot) {
    for (path, [subject, oldbin_subject]) in [
        (PidPath::Usual, ["pid file", "oldbin file"]),
        (PidPath::Other, ["other pid file", "other oldbin file"]),
    ] {
        let path = pid_path(&world.paths, path);
        let mut oldbin = path.clone().into_os_string();
        oldbin.push(".oldbin");
        for (subject, path) in [(subject, path.as_path()), (oldbin_subject, oldbin.as_ref())] {
            seen.say(subject, held_in(world, wording, path));
        }
    }
    let socket = if socket_path(&world.paths).exists() { "present" } else { "absent" };
    seen.say("socket's path", socket);
}

fn held_in(world: &World, wording: &Wording<'_>, path: &Path) -> String {
    match pid_file::read(path) {
        Content::Absent => "absent".into(),
        Content::Empty => "empty".into(),
        Content::Garbage(text) => format!("holds {text:?}"),
        Content::Pid(pid) => {
            let name = (wording.name)(pid).unwrap_or_else(|| "somebody".into());
            let is_alive = world.observer.processes.get(&pid).is_some_and(|of| of.is_alive());
            format!("names {name}{}", if is_alive { "" } else { ", who is gone" })
        }
    }
}

/// A worker's answer is known by its generation only: which of several workers accepts, nobody decides. Where several
/// generations accept, not even that is said.
fn tell_connections(world: &World, connections: &mut [Connection], seen: &mut Snapshot) {
    let accepting: BTreeSet<u32> = accepting(world).into_iter().map(|(_, generation)| generation).collect();
    for (connection, number) in connections.iter_mut().zip(1..) {
        if !connection.is_open() {
            continue;
        }
        connection.read();
        let connection = &*connection;
        let name = |pid| match world.observer.processes.get(&pid) {
            Some(_) if accepting.len() > 1 && !connection.is_placed => "a worker".to_owned(),
            Some(process) => {
                let mut name = "generation ".to_owned();
                let _ = write!(name, "{}", process.generation);
                name
            }
            None => "somebody".to_owned(),
        };
        seen.say(&format!("connection {number}"), connection.fate(name));
    }
}

/// The workers that accept, each with its generation.
pub(super) fn accepting(world: &World) -> Vec<(u32, u32)> {
    let processes = world.observer.processes.iter();
    processes
        .filter(|(_, process)| process.is_alive() && process.listening.values().any(|&accepts| accepts))
        .map(|(&pid, process)| (pid, process.generation))
        .collect()
}
