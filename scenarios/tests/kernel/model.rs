//! Plays a script on the simulated kernel, and knows which operation makes sense next.

use std::collections::{BTreeMap, BTreeSet};

use fake_nginx::machine::{Conn, Errno, Fd, Pid, Received, Signal, Waited};
use fake_nginx::machine::{Ready as KernelReady, Sent};
use scenarios::model::kernel::{
    ADDRESS, BINARY_BLOCKS, Content as KernelContent, Doing, Ending, INIT, Inode as KernelInode, LABORATORY,
    Path, Proc, Puppets, Seen,
};

use crate::script::{A, Client, Op, Socket, Text, Who};
use crate::sight::{Arrival, Content, Numbers, Process, Ready, Reply, Sender, Sight, View, Woken};

/// How many bytes an answer has.
pub(crate) const ANSWER_BYTES: u64 = 100;

/// The simulated kernel with a script's names on it.
#[derive(Debug)]
pub(crate) struct Model {
    puppets: Puppets,
    pids: Vec<Pid>,
    /// What each process was told about signals.
    mind: BTreeMap<Who, Mind>,
    sockets: Vec<(u16, Fd)>,
    clients: Vec<Option<u32>>,
    views: BTreeMap<Client, View>,
    connections: BTreeMap<(Who, Client), Conn>,
    /// The file that a process has opened last.
    written: BTreeMap<Who, KernelInode>,
    inodes: Numbers<KernelInode>,
}

/// What a process was told about signals, and whether it waits.
#[derive(Debug, Clone, Copy, Default)]
struct Mind {
    handles: bool,
    blocks: bool,
    waits: bool,
    is_stranger: bool,
}

impl Model {
    pub(crate) fn new() -> Self {
        let mut puppets = Puppets::new();
        let first = puppets.start().expect("the binary is there");
        Self {
            puppets,
            pids: vec![first],
            mind: BTreeMap::from([(A, Mind::default())]),
            sockets: Vec::new(),
            clients: Vec::new(),
            views: BTreeMap::new(),
            connections: BTreeMap::new(),
            written: BTreeMap::new(),
            inodes: Numbers::new(),
        }
    }

    fn pid(&self, who: Who) -> Pid {
        self.pids[usize::from(who.0)]
    }

    /// Who has that number now; the youngest, if several have had it.
    fn who(&self, pid: Pid) -> Option<Who> {
        let at = self.pids.iter().rposition(|&known| known == pid)?;
        u8::try_from(at).ok().map(Who)
    }

    fn process(&self, who: Who) -> Option<&Proc> {
        let pid = *self.pids.get(usize::from(who.0))?;
        self.puppets.kernel().process(pid).filter(|_| self.who(pid) == Some(who))
    }

    fn is_alive(&self, who: Who) -> bool {
        self.process(who).is_some_and(Proc::is_alive)
    }

    /// The process can be told something.
    fn listens(&self, who: Who) -> Option<(&Proc, Mind)> {
        let process = self.process(who).filter(|process| process.is_alive())?;
        let mind = self.mind.get(&who).copied().filter(|mind| !mind.waits && !mind.is_stranger)?;
        Some((process, mind))
    }

    fn holds(&self, who: Who, socket: Socket) -> bool {
        let known = self.sockets.get(usize::from(socket.0));
        known.is_some_and(|&(_, fd)| {
            self.listens(who).is_some_and(|(process, _)| process.socket(fd).is_some())
        }) && self.process(who).is_some_and(|process| {
            process.fds.iter().any(|&(_, held)| known.is_some_and(|&(id, _)| id == held))
        })
    }

    fn watches(&self, who: Who, socket: Socket) -> bool {
        let fd = self.sockets[usize::from(socket.0)].1;
        self.process(who).is_some_and(|process| process.watches.iter().any(|&(watched, _)| watched == fd))
    }

    fn has_connections(&self, who: Who) -> bool {
        self.process(who)
            .is_some_and(|process| !process.connections.is_empty() || !process.watches.is_empty())
    }

    /// Whether the operation makes sense now: what nginx never does is not compared.
    pub(crate) fn makes_sense(&self, op: Op) -> bool {
        let can = |who| self.listens(who).is_some();
        let mind = |who| self.listens(who).map(|(_, mind)| mind);
        match op {
            // Workers do not fork: a child would hold their connections too.
            Op::Fork(who) => can(who) && !self.has_connections(who) && self.pids.len() < 7,
            Op::Kill(to, _) => usize::from(to.0) < self.pids.len(),
            Op::Send(from, to, _) => can(from) && from != to && usize::from(to.0) < self.pids.len(),
            Op::Reuse(who) => {
                usize::from(who.0) < self.pids.len()
                    && self.puppets.kernel().process(self.pid(who)).is_none()
                    && self.pids.len() < 7
            }
            // Behind a mask, a signal without a handler would still end the process.
            Op::Block(who) => mind(who).is_some_and(|mind| mind.handles),
            Op::Unblock(who) => mind(who).is_some_and(|mind| mind.handles && mind.blocks),
            Op::Sleep(who) => mind(who).is_some_and(|mind| mind.handles && mind.blocks),
            Op::Pass => self.puppets.kernel().next_timer_ms().is_some(),
            Op::Exec(who, _)
            | Op::Exit(who, _)
            | Op::Wait(who)
            | Op::Handle(who)
            | Op::Timer(who, _)
            | Op::WaitEvents(who) => can(who),
            Op::Listen(who, ..) => can(who) && self.sockets.len() < 5,
            Op::Open(who, _) => can(who) && !self.written.contains_key(&who),
            // Whether a binary of which a part was written can be executed lies in the part.
            Op::Write(who, Text::Binary(_)) => {
                let is_all_or_nothing = |free| free == 0 || free >= BINARY_BLOCKS;
                can(who)
                    && self.written.contains_key(&who)
                    && self.puppets.kernel().free_blocks().is_none_or(is_all_or_nothing)
            }
            Op::Write(who, _) => can(who) && self.written.contains_key(&who),
            Op::Close(who) => can(who),
            Op::Rename(..) | Op::Link(..) | Op::Unlink(_) | Op::Fill(_) | Op::Free => true,
            Op::CloseListener(who, socket) | Op::Accept(who, socket) => self.holds(who, socket),
            Op::Watch(who, socket) => self.holds(who, socket) && !self.watches(who, socket),
            Op::Unwatch(who, socket) => self.holds(who, socket) && self.watches(who, socket),
            Op::Connect => self.clients.len() < 8,
            Op::Ask(client) => {
                self.views.get(&client) != Some(&View::Reset)
                    && self
                        .connection(client)
                        .is_some_and(|connection| connection.place != scenarios::model::kernel::Place::Closed)
                    && self.views.contains_key(&client)
            }
            // Of a connection that is no more, nginx does not look at the failure.
            Op::Shutdown(who, client) => {
                can(who)
                    && self.connections.contains_key(&(who, client))
                    && self.views.get(&client) == Some(&View::Open)
            }
            Op::HangUp(client) => self.views.contains_key(&client),
            Op::Receive(who, client) | Op::Answer(who, client) | Op::CloseConnection(who, client) => {
                can(who) && self.connections.contains_key(&(who, client))
            }
        }
    }

    fn connection(&self, client: Client) -> Option<&scenarios::model::kernel::Connection> {
        let id = (*self.clients.get(usize::from(client.0))?)?;
        self.puppets.kernel().connections().iter().find(|connection| connection.id == id)
    }

    /// Carries an operation out. Where Linux chooses, it has chosen.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest concerns no process")]
    pub(crate) fn play(&mut self, op: Op, chosen: Option<Socket>) -> Reply {
        match op {
            Op::Fork(who) => {
                let child = self.puppets.fork(self.pid(who));
                let mind = self.mind[&who];
                let name = self.name(child, mind);
                if let Some(&inode) = self.written.get(&who) {
                    self.written.insert(name, inode);
                }
                Reply::Done
            }
            Op::Exec(who, path) => {
                let done = self.puppets.exec(self.pid(who), path);
                if done.is_ok() {
                    let mind = self.mind.entry(who).or_default();
                    mind.handles = false;
                    self.written.remove(&who);
                    self.connections.retain(|&(holder, _), _| holder != who);
                }
                reply(done)
            }
            Op::Exit(who, code) => {
                self.puppets.exit(self.pid(who), code);
                Reply::Done
            }
            Op::Kill(to, signal) => self.kill(None, to, signal),
            Op::Send(from, to, signal) => self.kill(Some(self.pid(from)), to, signal),
            Op::Wait(who) => match self.puppets.wait(self.pid(who)) {
                Waited::Exited { pid, status } => {
                    Reply::Exited(self.who(pid).expect("a child has a name"), status)
                }
                Waited::Nobody => Reply::Nobody,
                Waited::NoChildren => Reply::NoChildren,
            },
            Op::Reuse(who) => {
                let pid = self.pid(who);
                self.puppets.reuse(pid);
                self.name(pid, Mind { is_stranger: true, ..Mind::default() });
                Reply::Done
            }
            op => self
                .play_signals(op)
                .or_else(|| self.play_files(op))
                .or_else(|| self.play_sockets(op, chosen))
                .expect("every operation is played"),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest concerns no signal")]
    fn play_signals(&mut self, op: Op) -> Option<Reply> {
        Some(match op {
            Op::Handle(who) => {
                self.puppets.install_handlers(self.pid(who));
                self.mind.entry(who).or_default().handles = true;
                Reply::Done
            }
            Op::Block(who) => {
                self.mind.entry(who).or_default().blocks = true;
                let met = self.puppets.block(self.pid(who));
                Reply::Met(self.met(&met))
            }
            Op::Unblock(who) => {
                self.puppets.unblock(self.pid(who));
                self.mind.entry(who).or_default().blocks = false;
                Reply::Done
            }
            Op::Sleep(who) => {
                self.puppets.sleep(self.pid(who));
                self.mind.entry(who).or_default().waits = true;
                Reply::Done
            }
            Op::WaitEvents(who) => {
                self.puppets.wait_events(self.pid(who), None);
                self.mind.entry(who).or_default().waits = true;
                Reply::Done
            }
            Op::Timer(who, after_ms) => {
                self.puppets.start_timer(self.pid(who), after_ms);
                Reply::Done
            }
            Op::Pass => {
                self.puppets.pass();
                Reply::Done
            }
            _ => return None,
        })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest concerns no file")]
    fn play_files(&mut self, op: Op) -> Option<Reply> {
        Some(match op {
            Op::Open(who, path) => match self.puppets.open(self.pid(who), path) {
                Ok(inode) => {
                    self.written.insert(who, inode);
                    Reply::Done
                }
                Err(errno) => Reply::Failed(errno),
            },
            Op::Write(who, text) => {
                let content = match text {
                    Text::OwnPid => KernelContent::Pid(self.pid(who)),
                    Text::Words => KernelContent::Garbage,
                    Text::Binary(image) => KernelContent::Image(image),
                };
                reply(self.puppets.write(self.written[&who], content))
            }
            Op::Close(who) => {
                self.puppets.close_written(self.pid(who));
                self.written.remove(&who);
                Reply::Done
            }
            Op::Rename(from, to) => reply(self.puppets.rename(from, to)),
            Op::Link(from, to) => reply(self.puppets.link(from, to)),
            Op::Unlink(path) => reply(self.puppets.unlink(path)),
            Op::Fill(blocks) => {
                self.puppets.leave_room(Some(blocks));
                Reply::Done
            }
            Op::Free => {
                self.puppets.leave_room(None);
                Reply::Done
            }
            _ => return None,
        })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest was played before")]
    fn play_sockets(&mut self, op: Op, chosen: Option<Socket>) -> Option<Reply> {
        Some(match op {
            Op::Listen(who, reuseport, backlog) => {
                match self.puppets.listen(self.pid(who), reuseport, backlog) {
                    Ok(fd) => {
                        let id = self.process(who)?.socket(fd)?;
                        self.sockets.push((id, fd));
                        Reply::Done
                    }
                    Err(errno) => Reply::Failed(errno),
                }
            }
            Op::CloseListener(who, socket) => {
                self.puppets.close_listener(self.pid(who), self.sockets[usize::from(socket.0)].1);
                Reply::Done
            }
            Op::Watch(who, socket) => {
                self.puppets.watch(self.pid(who), self.sockets[usize::from(socket.0)].1, Some(socket.0));
                Reply::Done
            }
            Op::Unwatch(who, socket) => {
                self.puppets.watch(self.pid(who), self.sockets[usize::from(socket.0)].1, None);
                Reply::Done
            }
            Op::Connect => self.connect(chosen),
            Op::Ask(client) => {
                self.puppets.ask(self.clients[usize::from(client.0)]?);
                Reply::Done
            }
            Op::HangUp(client) => {
                self.puppets.hang_up(self.clients[usize::from(client.0)]?);
                self.views.remove(&client);
                Reply::Done
            }
            Op::Accept(who, socket) => {
                let accepted = self.puppets.accept(self.pid(who), self.sockets[usize::from(socket.0)].1);
                Reply::Accepted(accepted.map(|(id, conn)| {
                    let at = self.clients.iter().position(|&known| known == Some(id)).expect("a client");
                    let client = Client(u8::try_from(at).expect("few clients"));
                    self.connections.insert((who, client), conn);
                    client
                }))
            }
            Op::Receive(who, client) => {
                match self.puppets.receive(self.pid(who), self.connections[&(who, client)]) {
                    Received::Bytes { .. } => Reply::Bytes,
                    Received::Nothing => Reply::Nothing,
                    Received::End => Reply::End,
                    Received::Reset => Reply::Failed(Errno(104)),
                }
            }
            Op::Answer(who, client) => {
                let conn = self.connections[&(who, client)];
                match self.puppets.send(self.pid(who), conn, ANSWER_BYTES) {
                    Sent::Bytes(_) => Reply::Done,
                    Sent::Failed => Reply::Failed(Errno(32)),
                }
            }
            Op::Shutdown(who, client) => {
                self.puppets.shutdown_write(self.pid(who), self.connections[&(who, client)]);
                Reply::Done
            }
            Op::CloseConnection(who, client) => {
                let conn = self.connections.remove(&(who, client))?;
                self.puppets.close(self.pid(who), conn);
                Reply::Done
            }
            _ => return None,
        })
    }

    /// A client comes to the queue that Linux has put it into, which must be one that it could come to.
    fn connect(&mut self, chosen: Option<Socket>) -> Reply {
        let possible = self.puppets.kernel().listening(ADDRESS);
        let chosen = chosen.map(|socket| self.sockets[usize::from(socket.0)].0);
        let socket = chosen.filter(|id| possible.contains(id)).or_else(|| possible.first().copied());
        let Some(id) = socket else {
            self.clients.push(None);
            return Reply::Refused;
        };
        let connection = self.puppets.connect(id);
        self.clients.push(connection);
        if connection.is_none() {
            return Reply::Waits;
        }
        let client = Client(u8::try_from(self.clients.len() - 1).expect("few clients"));
        self.views.insert(client, View::Open);
        let at = self.sockets.iter().position(|&(known, _)| known == id).expect("it was opened here");
        Reply::Queued(Socket(u8::try_from(at).expect("few sockets")))
    }

    fn name(&mut self, pid: Pid, mind: Mind) -> Who {
        let name = Who(u8::try_from(self.pids.len()).expect("few processes"));
        self.pids.push(pid);
        self.mind.insert(name, Mind { waits: false, ..mind });
        name
    }

    fn kill(&mut self, from: Option<Pid>, to: Who, signal: Signal) -> Reply {
        if self.puppets.kill(from, self.pid(to), signal) { Reply::Done } else { Reply::Failed(Errno::ESRCH) }
    }

    fn met(&self, arrivals: &[fake_nginx::machine::Arrival]) -> Vec<Arrival> {
        let sender = |pid| match pid {
            None => Sender::Kernel,
            Some(LABORATORY) => Sender::Player,
            Some(pid) => self.who(pid).map_or(Sender::Kernel, Sender::Process),
        };
        arrivals.iter().map(|arrival| Arrival(arrival.signal, sender(arrival.sender))).collect()
    }

    /// All that can be seen now.
    pub(crate) fn look(&mut self) -> Sight {
        for seen in self.puppets.take_seen() {
            let Seen::Ended { connection, how, .. } = seen else { continue };
            let Some(at) = self.clients.iter().position(|&known| known == Some(connection)) else { continue };
            let client = Client(u8::try_from(at).expect("few clients"));
            if let Some(view) = self.views.get_mut(&client).filter(|view| **view == View::Open) {
                *view = match how {
                    Ending::Fin => View::Finished,
                    Ending::Rst => View::Reset,
                };
            }
        }
        let names: Vec<Who> = (0..self.pids.len()).map(|at| Who(u8::try_from(at).expect("few"))).collect();
        for &gone in &names {
            if !self.is_alive(gone) {
                self.written.remove(&gone);
                self.connections.retain(|&(holder, _), _| holder != gone);
            }
        }
        let woken: BTreeMap<Who, Woken> =
            names.iter().filter_map(|&who| self.woken(who).map(|woken| (who, woken))).collect();
        let mut files = BTreeMap::new();
        for path in (0..=crate::linux::PATH_MAX).map(Path).filter(|path| *path != Path::CONF) {
            let Some(inode) = self.puppets.kernel().files().at(path) else { continue };
            let content = match self.puppets.kernel().files().content(inode) {
                KernelContent::Empty => Content::Empty,
                KernelContent::Pid(pid) => Content::Pid(self.first_of(pid)),
                KernelContent::Image(image) => Content::Binary(image),
                KernelContent::Garbage => Content::Words,
            };
            files.insert(path.0, (self.inodes.of(inode), content));
        }
        let mut processes = BTreeMap::new();
        for &who in &names {
            let Some(process) = self.process(who).cloned() else { continue };
            let is_stranger = self.mind[&who].is_stranger;
            let is_alive = process.is_alive();
            let seen = Process {
                parent: Some(process.parent).filter(|&parent| parent != INIT).and_then(|pid| self.who(pid)),
                is_zombie: !is_alive,
                runs: (is_alive && !is_stranger).then(|| self.inodes.of(process.exe)),
                pending: Signal::HANDLED
                    .into_iter()
                    .filter(|&signal| is_alive && process.signals.is_pending(signal))
                    .map(Signal::number)
                    .collect(),
                holds: self.held(&process),
            };
            debug_assert!(is_alive || matches!(process.doing, Doing::Dead(_)));
            processes.insert(who, seen);
        }
        let queues = self.queues();
        Sight { processes, queues, files, clients: self.views.clone(), woken }
    }

    fn held(&self, process: &Proc) -> BTreeSet<Socket> {
        let named = |id: u16| self.sockets.iter().position(|&(known, _)| known == id);
        let socket = |at: usize| Socket(u8::try_from(at).expect("few sockets"));
        process.fds.iter().filter_map(|&(_, id)| named(id)).map(socket).collect()
    }

    fn queues(&self) -> BTreeMap<Socket, usize> {
        let length = |id| {
            self.puppets
                .kernel()
                .sockets()
                .iter()
                .find(|known| known.id == id)
                .map(|socket| socket.queue.len())
        };
        (0..).zip(&self.sockets).filter_map(|(name, &(id, _))| Some((Socket(name), length(id)?))).collect()
    }

    /// Whose number it was first: what a file holds does not change when the number is given away.
    fn first_of(&self, pid: Pid) -> Who {
        let at = self.pids.iter().position(|&known| known == pid).expect("only own numbers are written");
        Who(u8::try_from(at).expect("few processes"))
    }

    fn woken(&mut self, who: Who) -> Option<Woken> {
        if !self.mind.get(&who)?.waits || !self.is_alive(who) {
            return None;
        }
        let woken = self.puppets.woken(self.pid(who))?;
        self.mind.entry(who).or_default().waits = false;
        let own = |conn| {
            let found =
                self.connections.iter().find(|&(&(holder, _), &known)| holder == who && known == conn);
            found.map(|(&(_, client), _)| client)
        };
        let ready = woken.ready.iter().filter_map(|ready| match *ready {
            KernelReady::Listener(index) => Some(Ready::Listener(Socket(index))),
            KernelReady::Channel => None,
            KernelReady::Connection { conn, readable, writable, finished } => {
                Some(Ready::Connection { client: own(conn)?, readable, writable, finished })
            }
        });
        Some(Woken::new(self.met(&woken.arrivals), ready))
    }
}

fn reply(done: Result<(), Errno>) -> Reply {
    done.map_or_else(Reply::Failed, |()| Reply::Done)
}
