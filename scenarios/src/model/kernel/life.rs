//! Births and deaths: fork, exec, exit, orphans, wait.
//!
//! # Source
//! `copy_process` in `kernel/fork.c`, `begin_new_exec` in `fs/exec.c`, `exit_notify` and `do_wait` in
//! `kernel/exit.c`, Linux 6.1.

use fake_nginx::machine::{
    Arrival, Effect, Errno, ExitStatus, Fd, Offspring, Pid, Plan, Process, Reply, Signal, Slot, Waited,
};
use smallvec::SmallVec;
use std::sync::Arc;

use super::{Around, Content, Doing, INIT, Kernel, Path, Proc, Seen, Shown, Signals};
use crate::model::choice::{Actor, Who};

/// Exec format error.
const ENOEXEC: Errno = Errno(8);

impl Kernel {
    /// Somebody starts the binary at its path, as an init script does.
    pub fn start(&mut self, around: &mut Around<'_>) -> Option<Pid> {
        let Some(Content::Image(image)) = self.files.read(Path::BINARY) else { return None };
        self.run(Path::BINARY, around.setting.images[usize::from(image)].plan, around)
    }

    /// Somebody runs a binary with a plan of their own, such as `-t`.
    pub fn run(&mut self, program: Path, plan: Plan, around: &mut Around<'_>) -> Option<Pid> {
        let exe = self.files.at(program)?;
        let Content::Image(image) = self.files.content(exe) else { return None };
        self.last_pid += 1;
        let pid = Pid(self.last_pid);
        self.processes.push(Arc::new(Proc {
            pid,
            parent: INIT,
            actor: Actor { who: Who::Launcher, generation: self.generations + 1, nth: 0 },
            machine: Process::new(plan),
            doing: Doing::Effect(Effect::OwnPid),
            until_ms: None,
            signals: Signals::default(),
            exe,
            image,
            shown: Shown::CommandLine,
            fds: SmallVec::new(),
            watches: SmallVec::new(),
            inherited: None,
            channels: SmallVec::new(),
            own_channel: None,
            connections: SmallVec::new(),
            accepted: 0,
            alarm_ms: None,
        }));
        self.go_on(pid, Reply::Begin, around);
        Some(pid)
    }

    /// fork(2), and the child's way to its first act that others see.
    pub(super) fn fork(&mut self, parent: Pid, offspring: Offspring, around: &mut Around<'_>) -> Pid {
        self.last_pid += 1;
        let pid = Pid(self.last_pid);
        let forking = self.process(parent).expect("a process that forks is there");
        let child = Proc {
            pid,
            parent,
            signals: forking.signals.after_fork(),
            watches: SmallVec::new(),
            own_channel: None,
            connections: SmallVec::new(),
            alarm_ms: None,
            accepted: 0,
            ..forking.clone()
        };
        let by = forking.actor;
        self.processes.push(Arc::new(child));
        let before = around.seen.len();
        self.go_on(pid, Reply::Child, around);
        let process = self.process(pid).expect("it was just born");
        let image = process.image;
        let (actor, image) = if offspring != Offspring::Worker {
            self.generations += 1;
            self.masters_born.push(pid);
            self.workers_born.push(0);
            let staged = match self.files.read(Path::BINARY) {
                Some(Content::Image(image)) => Some(image),
                _ => None,
            };
            let image = if offspring == Offspring::NewBinary { staged } else { Some(image) };
            (Actor { who: Who::Master, generation: self.generations, nth: 0 }, image)
        } else {
            let born = &mut self.workers_born[usize::from(by.generation) - 1];
            *born = born.saturating_add(1);
            (Actor { who: Who::Worker, generation: by.generation, nth: *born }, Some(image))
        };
        self.of(pid).actor = actor;
        around.seen.insert(before, Seen::Born { pid, parent, actor, image });
        if self.process(pid).is_some_and(|process| !process.fds.is_empty()) {
            around.seen.push(Seen::Holds(pid));
        }
        pid
    }

    /// execve(2) of the binary's path. Listening sockets stay open, everything else of the old life ends.
    pub(super) fn exec(
        &mut self,
        pid: Pid,
        sockets: SmallVec<[Fd; 4]>,
        around: &mut Around<'_>,
    ) -> Result<(), Errno> {
        let exe = self.files.at(Path::BINARY).ok_or(Errno::ENOENT)?;
        let Content::Image(image) = self.files.content(exe) else { return Err(ENOEXEC) };
        let plan = around.setting.images[usize::from(image)].plan;
        let process = self.of(pid);
        process.machine = Process::new(plan);
        process.signals = process.signals.after_exec();
        process.exe = exe;
        process.image = image;
        process.shown = Shown::CommandLine;
        process.inherited = Some(sockets);
        process.channels.clear();
        self.forget_channels();
        self.go_on(pid, Reply::Begin, around);
        Ok(())
    }

    /// A process ends: what it held is closed, its children are adopted, its parent is told.
    pub(super) fn end(&mut self, pid: Pid, status: ExitStatus, around: &mut Around<'_>) {
        around.seen.push(Seen::Died { pid, status });
        let process = self.of(pid);
        process.doing = Doing::Dead(status);
        process.until_ms = None;
        process.alarm_ms = None;
        process.watches.clear();
        process.fds.clear();
        process.channels.clear();
        process.own_channel = None;
        let parent = process.parent;
        for (_, id) in std::mem::take(&mut process.connections) {
            self.close_id(id, around);
        }
        self.close_unheld(around);
        self.forget_channels();
        self.adopt_children_of(pid);
        if self.process(parent).is_some_and(Proc::is_alive) {
            self.deliver(parent, Arrival { signal: Signal::Chld, sender: None }, around);
        } else {
            self.processes.retain(|process| process.pid != pid);
        }
    }

    /// Pid 1 adopts the living and reaps the dead.
    fn adopt_children_of(&mut self, pid: Pid) {
        for at in 0..self.processes.len() {
            if self.processes[at].parent == pid {
                self.at(at).parent = INIT;
            }
        }
        self.processes.retain(|process| process.parent != INIT || process.is_alive() || process.pid == pid);
    }

    /// waitpid(2) for any child.
    pub(super) fn wait(&mut self, parent: Pid) -> Waited {
        let mut has_children = false;
        for process in self.processes.iter().filter(|process| process.parent == parent) {
            has_children = true;
            if let Doing::Dead(status) = process.doing {
                let pid = process.pid;
                self.processes.retain(|process| process.pid != pid);
                return Waited::Exited { pid, status };
            }
        }
        if has_children { Waited::Nobody } else { Waited::NoChildren }
    }

    /// The worker keeps its own end of the channel for its slot.
    pub(super) fn enter_worker(&mut self, pid: Pid, slot: Slot) {
        let process = self.of(pid);
        let own = process.channels.iter().position(|(held, _)| *held == slot);
        process.own_channel = own.map(|at| process.channels.remove(at).1);
        process.signals.unblock();
    }
}
