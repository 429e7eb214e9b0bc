//! The simulated kernel with the fake's own machines on it, and what makes sense on it next.

use std::collections::{BTreeMap, BTreeSet};

use fake_nginx::machine::{Defects, Effect, Moment, Pid, Signal};
use fake_nginx::release::Version;
use scenarios::model::choice::{Act, Actor, Name, Who};
use scenarios::model::kernel::{
    ADDRESS, Around, Conf, Content as FileContent, Defect, Doing, Ending, INIT, Image, Kernel, LABORATORY,
    Path, Place, Proc, Seen, Setting, Shown,
};
use scenarios::trace::Kind;

use super::sight::{Client, Content, End, Process, Sight, Stands, Title};
use super::turn::Turn;

/// The two releases; the new one closes idle connections while it drains, the old one does not.
pub(super) const RELEASES: [Version; 2] = [Version::new(1, 18, 0), Version::new(1, 26, 3)];
/// More processes than this are never born.
const BIRTHS_MAX: usize = 40;
/// No wait ends by its own time before this.
const TIME_MS_MAX: u64 = 50_000;

/// A model world that is told every turn.
pub(super) struct Simulated {
    kernel: Kernel,
    setting: Setting,
    workers: u16,
    /// Who has or had each number.
    actors: BTreeMap<Pid, Actor>,
    /// Listening sockets, by the order in which they were opened.
    sockets: Vec<u16>,
    clients: Vec<Asking>,
    is_replaced: bool,
    touches_sockets: bool,
    is_undecided: bool,
}

/// A client.
struct Asking {
    /// `None`: it was refused, or has closed.
    connection: Option<u32>,
    is_kept: bool,
    seen: Client,
}

impl Simulated {
    /// Somebody has started nginx; nobody has taken a turn.
    pub(super) fn new(workers: u16, defect: Option<Defect>) -> Self {
        let images = RELEASES.map(|version| Image::new(version, None, Defects::default())).to_vec();
        let setting = Setting { defect, ..Setting::new(images, vec![Conf { workers, reuseport: false }], 0) };
        let mut simulated = Self {
            kernel: Kernel::new(),
            setting,
            workers,
            actors: BTreeMap::new(),
            sockets: Vec::new(),
            clients: Vec::new(),
            is_replaced: false,
            touches_sockets: false,
            is_undecided: false,
        };
        simulated.with(|kernel, around| kernel.start(around));
        simulated
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Kernel, &mut Around<'_>) -> T) -> T {
        let mut seen = Vec::new();
        let done = act(&mut self.kernel, &mut Around { setting: &self.setting, seen: &mut seen });
        for process in self.kernel.processes() {
            self.actors.insert(process.pid, process.actor);
        }
        for socket in self.kernel.sockets() {
            if !self.sockets.contains(&socket.id) {
                self.sockets.push(socket.id);
            }
        }
        for seen in seen {
            self.tell_client(&seen);
        }
        done
    }

    fn tell_client(&mut self, seen: &Seen) {
        let asking = |connection| {
            move |asking: &&mut Asking| asking.connection == Some(connection) && asking.seen.end == End::Open
        };
        if let Seen::Answered { connection, pid, image } = *seen
            && let Some(asking) = self.clients.iter_mut().find(asking(connection))
        {
            asking.seen.answers.push((self.actors[&pid], image));
        }
        if let Seen::Ended { connection, how, .. } = *seen
            && let Some(asking) = self.clients.iter_mut().find(asking(connection))
        {
            asking.seen.end = if how == Ending::Fin { End::Finished } else { End::Reset };
        }
    }

    /// Everybody who lives.
    pub(super) fn living(&self) -> impl Iterator<Item = Actor> {
        self.kernel.living().map(|process| process.actor)
    }

    /// How many clients have come.
    pub(super) const fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Whether the last turn may have opened or closed a socket, or sent a packet.
    pub(super) const fn touches_sockets(&self) -> bool {
        self.touches_sockets
    }

    /// Whether the last turn brought something about that Linux decides and the model leaves open: which of several
    /// things epoll tells first, or which of several dead children of different generations is waited for first.
    pub(super) const fn is_undecided(&self) -> bool {
        self.is_undecided
    }

    fn process(&self, actor: Actor) -> Option<&Proc> {
        self.kernel.living().find(|process| process.actor == actor)
    }

    /// Every process that is held at a moment, with it; and time, if somebody has set an alarm.
    pub(super) fn ways(&self) -> impl Iterator<Item = Turn> {
        let held = self.kernel.living().filter(|process| !is_waiting(process));
        let pass = self.alarm_ms().map(|_| Turn::Pass);
        held.map(|process| Turn::Step(process.next_step())).chain(pass)
    }

    fn alarm_ms(&self) -> Option<u64> {
        let alarms = self.kernel.living().filter_map(|process| process.alarm_ms);
        alarms.min().filter(|&at_ms| at_ms < TIME_MS_MAX)
    }

    /// The turn, if it makes sense now, by the name that it has now.
    pub(super) fn sense_of(&self, turn: Turn) -> Option<Turn> {
        let connection = |client: usize| self.clients.get(client)?.connection;
        let makes_sense = match turn {
            Turn::Step(name) => {
                let held = self.process(name.actor).filter(|process| !is_waiting(process))?;
                let (is_birth, births) =
                    (held.next_step().act == Act::Nginx(Moment::Fork), self.actors.len());
                return (!is_birth || births < BIRTHS_MAX).then(|| Turn::Step(held.next_step()));
            }
            Turn::Kill(to, _) => self.process(to).is_some(),
            Turn::Replace => !self.is_replaced,
            // Which of several workers is woken, the model does not say.
            Turn::Connect { .. } => {
                self.workers == 1 || self.kernel.living().all(|process| process.watches.is_empty())
            }
            Turn::Ask(client) => {
                let connections = self.kernel.connections();
                connection(client).is_some_and(|id| {
                    self.clients[client].is_kept
                        && connections.iter().any(|known| known.id == id && known.place != Place::Closed)
                })
            }
            Turn::HangUp(client) => connection(client).is_some(),
            Turn::Pass => self.alarm_ms().is_some(),
        };
        makes_sense.then_some(turn)
    }

    /// Takes a turn, and lets everybody go on who waits for what it has brought about. Whoever was struck by an
    /// alarm is told.
    pub(super) fn take(&mut self, turn: Turn) -> Vec<Actor> {
        self.touches_sockets = touches_sockets(turn);
        let struck = match turn {
            Turn::Step(name) => {
                let process = self.process(name.actor).expect("it makes sense");
                let (pid, until_ms) = (process.pid, process.until_ms);
                self.is_undecided |= self.has_dead_of_several_generations(name, pid);
                let struck = until_ms.map_or_else(Vec::new, |at_ms| self.pass_until(at_ms));
                self.with(|kernel, around| kernel.step(pid, around));
                struck
            }
            Turn::Kill(to, signal) => {
                let pid = self.process(to).expect("it makes sense").pid;
                self.with(|kernel, around| kernel.kill(LABORATORY, pid, signal, around));
                Vec::new()
            }
            Turn::Replace => {
                self.is_replaced = true;
                let renamed = self.with(|kernel, around| kernel.rename(Path::NEW, Path::BINARY, around));
                renamed.expect("the new binary is there once");
                Vec::new()
            }
            Turn::Connect { is_kept } => {
                self.connect(is_kept);
                Vec::new()
            }
            Turn::Ask(client) => {
                let id = self.clients[client].connection.expect("it makes sense");
                self.with(|kernel, _| kernel.ask(id));
                Vec::new()
            }
            Turn::HangUp(client) => {
                let id = self.clients[client].connection.take().expect("it makes sense");
                self.with(|kernel, _| kernel.hang_up(id));
                Vec::new()
            }
            Turn::Pass => self.alarm_ms().map_or_else(Vec::new, |at_ms| self.pass_until(at_ms)),
        };
        self.wake();
        struck
    }

    fn has_dead_of_several_generations(&self, step: Name, pid: Pid) -> bool {
        let dead = self.kernel.processes().filter(|process| process.parent == pid && !process.is_alive());
        let generations: BTreeSet<u8> = dead.map(|process| process.actor.generation).collect();
        step.act == Act::Nginx(Moment::Wait) && generations.len() > 1
    }

    /// Who is struck by an alarm until then.
    fn pass_until(&mut self, at_ms: u64) -> Vec<Actor> {
        let is_due = |process: &&Proc| process.alarm_ms.is_some_and(|alarm_ms| alarm_ms <= at_ms);
        let struck = self.kernel.living().filter(is_due).map(|process| process.actor).collect();
        self.with(|kernel, around| kernel.advance_to(at_ms, around));
        struck
    }

    fn connect(&mut self, is_kept: bool) {
        let socket = self.kernel.listening(ADDRESS).first().copied();
        let kind = if is_kept { Kind::Kept } else { Kind::Fresh };
        let connection = socket.map(|socket| self.with(|kernel, _| kernel.connect(socket, kind)));
        self.clients.push(Asking { connection, is_kept, seen: Client::default() });
    }

    /// Whoever has a reason to wake does so.
    fn wake(&mut self) {
        loop {
            let Some(woken) = self.kernel.runnable().find(|process| is_waiting(process)) else { return };
            self.is_undecided |= self.kernel.has_several_ready(woken);
            let pid = woken.pid;
            self.with(|kernel, around| kernel.step(pid, around));
        }
    }

    /// All that can be seen now.
    pub(super) fn sight(&self) -> Sight {
        let processes = self.kernel.processes().map(|process| (process.actor, self.see(process))).collect();
        let pid_file = |path| {
            Some(match self.kernel.files().read(path)? {
                FileContent::Empty => Content::Empty,
                FileContent::Pid(pid) => Content::Pid(self.actors[&pid]),
                other @ (FileContent::Image(_) | FileContent::Garbage) => {
                    Content::Words(format!("{other:?}"))
                }
            })
        };
        let queue = |socket: &scenarios::model::kernel::Socket| (self.name_of(socket.id), socket.queue.len());
        let open = self.clients.iter().enumerate().filter(|(_, asking)| asking.connection.is_some());
        Sight {
            processes,
            pid_files: [pid_file(Path::PID), pid_file(Path::OLDBIN)],
            queues: self.kernel.sockets().iter().map(queue).collect(),
            clients: open.map(|(client, asking)| (client, asking.seen.clone())).collect(),
        }
    }

    fn name_of(&self, socket: u16) -> usize {
        self.sockets.iter().position(|&known| known == socket).expect("it was opened in some turn")
    }

    fn see(&self, process: &Proc) -> Process {
        let is_alive = process.is_alive();
        let watched = process.watches.iter().filter_map(|&(fd, _)| process.socket(fd));
        let is_pending = |signal: &Signal| is_alive && process.signals.is_pending(*signal);
        Process {
            parent: Some(process.parent).filter(|&parent| parent != INIT).map(|parent| self.actors[&parent]),
            stands: stands(process),
            title: match process.shown {
                _ if !is_alive => Title::None,
                Shown::CommandLine => Title::CommandLine,
                Shown::MASTER => Title::Master,
                Shown::WORKER => Title::Worker,
                Shown::SHUTTING_DOWN => Title::ShuttingDown,
            },
            binary: is_alive.then_some(process.image),
            pending: Signal::HANDLED.into_iter().filter(is_pending).map(Signal::number).collect(),
            holds: process.fds.iter().map(|&(_, socket)| self.name_of(socket)).collect(),
            watches: watched.map(|socket| self.name_of(socket)).collect::<BTreeSet<_>>(),
        }
    }
}

/// True if it waits in sigsuspend or epoll_wait.
const fn is_waiting(process: &Proc) -> bool {
    matches!(process.doing, Doing::Effect(Effect::Sleep | Effect::WaitEvents { .. }))
}

fn stands(process: &Proc) -> Stands {
    match process.doing {
        Doing::Effect(Effect::Sleep) => Stands::Sleeps,
        Doing::Effect(Effect::WaitEvents { .. }) => Stands::WaitsForEvents,
        Doing::Dead(_) => Stands::Zombie,
        Doing::Told => Stands::Runs,
        Doing::Effect(_) | Doing::Writing(..) => moment(process.next_step()).map_or(Stands::Runs, Stands::At),
    }
}

/// The moment that a process of nginx stands before.
const fn moment(step: Name) -> Option<Moment> {
    if let Act::Nginx(moment) = step.act { Some(moment) } else { None }
}

/// Whether a turn may open or close a socket, or send a packet.
fn touches_sockets(turn: Turn) -> bool {
    match turn {
        Turn::Step(name) => matches!(
            name.act,
            Act::Nginx(
                Moment::OpenListener
                    | Moment::CloseListener
                    | Moment::Exec
                    | Moment::Exit
                    | Moment::Kill
                    | Moment::Accept
                    | Moment::Send
                    | Moment::ShutdownWrite
                    | Moment::Close
            )
        ),
        Turn::Kill(to, signal) => signal == Signal::Kill || to.who == Who::Launcher,
        Turn::Replace | Turn::Pass => false,
        Turn::Connect { .. } | Turn::Ask(_) | Turn::HangUp(_) => true,
    }
}
