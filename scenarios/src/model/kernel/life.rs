//! Births and deaths: fork, exec, exit, orphans, wait.
//!
//! # Source
//! `copy_process` in `kernel/fork.c`, `begin_new_exec` in `fs/exec.c`, `exit_notify` and `do_wait` in
//! `kernel/exit.c`, Linux 6.1.

use fake_nginx::machine::{
    Arrival, Errno, ExitStatus, Fd, Offspring, Pid, Plan, Process, Reply, Signal, Slot, Waited,
};
use smallvec::SmallVec;

use super::channel::Order;
use super::{Around, Content, Defect, Doing, INIT, Inode, Kernel, Path, Proc, Seen, Shown, Signals};
use crate::model::choice::{Actor, Who};
use crate::model::shared::Shared;

/// Exec format error.
const ENOEXEC: Errno = Errno(8);
/// Text file busy.
pub(super) const ETXTBSY: Errno = Errno(26);

/// More than the workers of a generation that have a name.
const PIDS_PER_GENERATION: u32 = 1_000;

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
        let pid = self.nameless_pid();
        self.spawn(pid, (exe, image), plan);
        self.go_on(pid, Reply::Begin, around);
        Some(pid)
    }

    /// A new child of pid 1 that has not taken its first step.
    pub(super) fn spawn(&mut self, pid: Pid, (exe, image): (Inode, u8), plan: Plan) {
        self.admit(Shared::new(Proc {
            pid,
            born: pid.0,
            parent: INIT,
            actor: Actor { who: Who::Launcher, generation: self.generations + 1, nth: 0 },
            machine: Process::new(plan),
            doing: Doing::Told,
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
            alarm_ms: None,
        }));
    }

    /// The numbers that masters and workers had who are dead and were waited for, by age, and that nobody has now.
    pub fn free_pids(&self) -> impl Iterator<Item = Pid> + '_ {
        let all =
            self.masters_born.iter().zip(&self.workers_born).flat_map(|(&Pid(master), &workers)| {
                (0..=u32::from(workers)).map(move |nth| Pid(master + nth))
            });
        all.filter(|&pid| self.index(pid).is_none())
    }

    /// A number that nobody has any more is given to somebody who is no nginx.
    ///
    /// # Panics
    /// Somebody has it.
    pub fn reuse(&mut self, pid: Pid, around: &Around<'_>) {
        assert!(self.index(pid).is_none(), "{pid:?} is not free");
        self.spawn(pid, (Inode::ELSEWHERE, 0), around.setting.images[0].plan);
        let born = self.nameless_pid();
        let process = self.of(pid);
        process.born = born.0;
        process.actor = Actor { who: Who::Launcher, generation: 0, nth: 0 };
    }

    /// fork(2), and the child's way to its first act that others see.
    pub(super) fn fork(&mut self, parent: Pid, offspring: Offspring, around: &mut Around<'_>) -> Pid {
        let forking = self.process(parent).expect("a process that forks is there");
        let actor = self.actor_of(forking.actor, offspring);
        let pid = self.pid_of(actor);
        self.copy_process(parent, pid);
        if around.has(Defect::PassesOnWhatIsPending) {
            self.of(pid).signals = self.of(parent).signals.clone();
        }
        let before = around.seen.len();
        self.go_on(pid, Reply::Child, around);
        let image = match offspring {
            Offspring::NewBinary => match self.files.read(Path::BINARY) {
                Some(Content::Image(image)) => Some(image),
                _ => None,
            },
            Offspring::Master | Offspring::Worker => self.process(pid).map(|process| process.image),
        };
        if actor.who == Who::Worker {
            self.workers_born[usize::from(actor.generation) - 1] = actor.nth;
        } else {
            self.generations = actor.generation;
            self.masters_born.push(pid);
            self.workers_born.push(0);
        }
        self.of(pid).actor = actor;
        around.seen.insert(before, Seen::Born { pid, parent, actor, image });
        if self.process(pid).is_some_and(|process| !process.fds.is_empty()) {
            around.seen.push(Seen::Holds(pid));
        }
        pid
    }

    /// What a child of this actor will be.
    fn actor_of(&self, by: Actor, offspring: Offspring) -> Actor {
        if offspring == Offspring::Worker {
            let born = self.workers_born[usize::from(by.generation) - 1];
            Actor { who: Who::Worker, generation: by.generation, nth: born.saturating_add(1) }
        } else {
            Actor { who: Who::Master, generation: self.generations + 1, nth: 0 }
        }
    }

    /// A pid says which process of nginx it is, and not how many others were forked before: so two orders of forks
    /// lead to one state.
    fn pid_of(&mut self, actor: Actor) -> Pid {
        if actor.nth == u8::MAX {
            return self.nameless_pid();
        }
        Pid(u32::from(actor.generation) * PIDS_PER_GENERATION + u32::from(actor.nth))
    }

    /// The pid of a process that has no place in a generation.
    pub(super) const fn nameless_pid(&mut self) -> Pid {
        self.last_pid += 1;
        Pid(self.last_pid)
    }

    /// Processes are in the order of their pids, which is that of their births within a generation.
    fn admit(&mut self, process: Shared<Proc>) {
        let at = self.processes.partition_point(|other| other.pid < process.pid);
        self.processes.insert(at, process);
    }

    /// fork(2): the child has what its parent has open, and no signal of its parent's waits for it.
    pub(super) fn copy_process(&mut self, parent: Pid, pid: Pid) {
        let forking = self.process(parent).expect("a process that forks is there");
        let child = Proc {
            pid,
            born: pid.0,
            parent,
            signals: forking.signals.after_fork(),
            watches: SmallVec::new(),
            own_channel: None,
            connections: SmallVec::new(),
            alarm_ms: None,
            ..forking.clone()
        };
        self.admit(Shared::new(child));
        self.files.copy_writers(parent, pid);
    }

    /// execve(2) of the binary's path, and the new program's way to its first act that others see.
    pub(super) fn exec(
        &mut self,
        pid: Pid,
        sockets: SmallVec<[Fd; 4]>,
        around: &mut Around<'_>,
    ) -> Result<(), Errno> {
        self.execute(pid, Path::BINARY, around)?;
        self.of(pid).inherited = Some(sockets);
        self.go_on(pid, Reply::Begin, around);
        Ok(())
    }

    /// execve(2). Listening sockets stay open, everything else of the old life ends.
    ///
    /// # Errors
    /// ENOENT: there is no such file. ETXTBSY: somebody has it open for writing. ENOEXEC: it is no binary.
    pub(super) fn execute(&mut self, pid: Pid, path: Path, around: &mut Around<'_>) -> Result<(), Errno> {
        let exe = self.files.at(path).ok_or(Errno::ENOENT)?;
        if self.files.is_open_for_writing(exe) {
            return Err(ETXTBSY);
        }
        let Content::Image(image) = self.files.content(exe) else { return Err(ENOEXEC) };
        let plan = around.setting.images[usize::from(image)].plan;
        let process = self.of(pid);
        process.machine = Process::new(plan);
        process.signals = process.signals.after_exec();
        if around.has(Defect::ForgetsWhatIsPendingAtExec) {
            process.signals.take_pending();
        }
        process.exe = exe;
        process.image = image;
        process.shown = Shown::CommandLine;
        process.watches.clear();
        let channels = std::mem::take(&mut process.channels);
        for (_, id) in std::mem::take(&mut process.connections) {
            self.close_id(id, around);
        }
        self.files.close_all_of(pid);
        self.drop_ends(&channels, Order::WorkersFirst, around);
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
        process.own_channel = None;
        let channels = std::mem::take(&mut process.channels);
        let parent = process.parent;
        for (_, id) in std::mem::take(&mut process.connections) {
            self.close_id(id, around);
        }
        self.close_unheld(around);
        self.files.close_all_of(pid);
        self.drop_ends(&channels, Order::WorkersFirst, around);
        if !around.has(Defect::AdoptsNobody) {
            self.adopt_children_of(pid);
        }
        if self.process(parent).is_some_and(Proc::is_alive) {
            self.deliver(parent, Arrival { signal: Signal::Chld, sender: Some(pid) }, around);
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

    /// The worker keeps its own end of the channel for its slot, and the master's ends of the others.
    pub(super) fn enter_worker(&mut self, pid: Pid, slot: Slot, around: &mut Around<'_>) {
        let process = self.of(pid);
        process.signals.unblock();
        let inherited = process.channels.clone();
        let own = process.channels.iter().position(|held| held.slot == slot);
        process.own_channel = own.map(|at| process.channels.remove(at).id);
        process.channels.iter_mut().for_each(|held| held.has_workers_end = false);
        self.drop_ends(&inherited, Order::MastersFirst, around);
    }
}
