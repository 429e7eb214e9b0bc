//! Plays a script on Linux: real processes that obey, real sockets, and a folder that can be full.
//!
//! Whoever plays is the first process of its pid namespace, as the simulated kernel's pid 1: orphans come to it,
//! and it reaps them. Every operation is answered before the next one begins. What the kernel does behind the
//! answer (a death, a packet on its way) has happened when what is seen is what was expected, so that is waited
//! for; if it does not come, what is seen is the difference.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path as FilePath, PathBuf};
use std::process::{Command, Stdio};

use fake_nginx::machine::{Errno, ExitStatus, Signal};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal as NixSignal;
use rustix::event::epoll::EventFlags;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use rustix::process::{WaitOptions, waitpid};
use rustix::time::Timespec;
use scenarios::model::kernel::Path;

use crate::proc::{self, Doing, Network};
use crate::puppet::{self, CLIENTS, PUPPET};
use crate::script::{Client, Op, Socket, Who};
use crate::sight::{Arrival, Content, Numbers, Process, Ready, Reply, Sender, Sight, View, Woken};
use crate::wire::{self, Answer, Order};

/// The last path that scripts use.
pub(crate) const PATH_MAX: u8 = Path::BESIDE.0;
/// Where clients connect to; the network is the script's own.
const PORT: u16 = 8_080;
/// How long what was expected may take. A machine that is busy with other things is slow, and a difference that
/// lasts is one however long it is looked at: this errs on the long side.
const LOOKS_MAX: usize = 300;

/// What the folder of a script takes at most.
pub(crate) const FOLDER_BYTES_MAX: u64 = 400 << 20;

/// Whether a script looks at how much room is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// It does not.
    IsPlenty,
    /// It does.
    IsScarce,
}

/// Linux with a script's names on it.
#[derive(Debug)]
pub(crate) struct Linux {
    folder: PathBuf,
    control: OwnedFd,
    processes: Vec<Puppet>,
    sockets: Vec<Listener>,
    clients: Vec<Option<TcpStream>>,
    ports: Vec<u16>,
    views: BTreeMap<Client, View>,
    connections: BTreeMap<(Who, Client), i32>,
    inodes: Numbers<u64>,
    network: Network,
}

#[derive(Debug)]
struct Puppet {
    pid: u32,
    /// `None`: it obeys nobody.
    line: Option<OwnedFd>,
    waits: bool,
    is_written: bool,
}

#[derive(Debug, Clone, Copy)]
struct Listener {
    fd: i32,
    inode: u64,
    backlog: usize,
}

type Played<T> = Result<T, String>;

fn failed<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> String {
    move |error| format!("cannot {what}: {error}")
}

impl Linux {
    /// A machine on which one process runs; `folder` is an empty file system.
    pub(crate) fn new(folder: &FilePath, room: Room) -> Played<Self> {
        let files = folder.join("files");
        fs::create_dir_all(&files).map_err(failed("make a folder"))?;
        for (image, path) in [(0, Path::BINARY), (1, Path::NEW)] {
            lay_ready(folder, &files.join(path.0.to_string()), image, room)
                .map_err(failed("write a binary"))?;
        }
        let control = folder.join("control");
        let _ = fs::remove_file(&control);
        let control_path = control.to_string_lossy().into_owned();
        let control = wire::listen(&control_path).map_err(failed("listen"))?;
        let mut linux = Self {
            folder: folder.to_owned(),
            control,
            processes: Vec::new(),
            sockets: Vec::new(),
            clients: Vec::new(),
            ports: Vec::new(),
            views: BTreeMap::new(),
            connections: BTreeMap::new(),
            inodes: Numbers::new(),
            network: Network { is_still: true, ..Network::default() },
        };
        let first = linux.path(Path::BINARY);
        linux.start(&first)?;
        Ok(linux)
    }

    fn path(&self, path: Path) -> PathBuf {
        self.folder.join("files").join(path.0.to_string())
    }

    fn start(&mut self, program: &FilePath) -> Played<()> {
        let control = self.folder.join("control");
        // Nobody waits for the handle: whoever is no child of a puppet is reaped as an orphan.
        let child = Command::new(program)
            .arg(PUPPET)
            .arg(&control)
            .stdin(Stdio::null())
            .spawn()
            .map_err(failed("start a process"))?;
        let (pid, line) = self.greet()?;
        debug_assert_eq!(child.id(), pid);
        self.processes.push(Puppet { pid, line: Some(line), waits: false, is_written: false });
        Ok(())
    }

    /// The next process that says that it is there.
    fn greet(&self) -> Played<(u32, OwnedFd)> {
        let line = rustix::io::retry_on_intr(|| net::accept_with(&self.control, SocketFlags::CLOEXEC))
            .map_err(failed("accept a process"))?;
        match wire::receive(&line).map_err(failed("hear a process"))? {
            Some(Answer::Born(pid)) => Ok((pid, line)),
            other => Err(format!("a process began with {other:?}")),
        }
    }

    fn puppet(&mut self, who: Who) -> &mut Puppet {
        &mut self.processes[usize::from(who.0)]
    }

    fn order(&mut self, who: Who, order: &Order) -> Played<Option<Answer>> {
        let line = self.puppet(who).line.as_ref().ok_or("it obeys nobody")?;
        wire::send(line, order).map_err(failed("tell a process"))?;
        wire::receive(line).map_err(failed("hear a process"))
    }

    /// The youngest who has had that number.
    fn who(&self, pid: u32) -> Option<Who> {
        let at = self.processes.iter().rposition(|known| known.pid == pid)?;
        u8::try_from(at).ok().map(Who)
    }

    /// Carries an operation out.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest concerns sockets")]
    pub(crate) fn play(&mut self, op: Op) -> Played<Reply> {
        let file = |linux: &Self, path| linux.path(path).to_string_lossy().into_owned();
        match op {
            Op::Fork(who) => {
                self.order(who, &Order::Fork)?;
                let (pid, line) = self.greet()?;
                let parent = self.puppet(who);
                let is_written = parent.is_written;
                self.processes.push(Puppet { pid, line: Some(line), waits: false, is_written });
                Ok(Reply::Done)
            }
            Op::Exec(who, path) => {
                let order = Order::Exec(file(self, path));
                match self.order(who, &order)? {
                    None => {
                        let (pid, line) = self.greet()?;
                        debug_assert_eq!(self.puppet(who).pid, pid);
                        self.puppet(who).line = Some(line);
                        self.connections.retain(|&(holder, _), _| holder != who);
                        Ok(Reply::Done)
                    }
                    Some(answer) => self.reply(answer),
                }
            }
            Op::Exit(who, code) => {
                self.order(who, &Order::Exit(code))?;
                Ok(Reply::Done)
            }
            Op::Kill(to, signal) => {
                let pid = nix::unistd::Pid::from_raw(self.puppet(to).pid.cast_signed());
                let signal =
                    NixSignal::try_from(i32::from(signal.number())).map_err(failed("name a signal"))?;
                let sent = nix::sys::signal::kill(pid, signal);
                Ok(sent.map_or_else(|errno| Reply::Failed(number(errno as i32)), |()| Reply::Done))
            }
            Op::Send(from, to, signal) => {
                let order = Order::Kill(self.puppet(to).pid, signal.number());
                self.ask(from, &order)
            }
            Op::Reuse(who) => self.reuse(who),
            Op::Sleep(who) => self.wait(who, &Order::Sleep, proc::SIGSUSPEND),
            Op::WaitEvents(who) => self.wait(who, &Order::WaitEvents, proc::EPOLL_WAIT),
            Op::Wait(who) => self.ask(who, &Order::Wait),
            Op::Handle(who) => self.ask(who, &Order::Handle),
            Op::Block(who) => self.ask(who, &Order::Block),
            Op::Unblock(who) => self.ask(who, &Order::Unblock),
            Op::Timer(who, after_ms) => self.ask(who, &Order::Timer(after_ms)),
            Op::Pass => Ok(Reply::Done),
            Op::Open(who, path) => {
                let order = Order::Open(file(self, path));
                self.ask(who, &order)
            }
            Op::Write(who, text) => self.ask(who, &Order::Write(text)),
            Op::Close(who) => self.ask(who, &Order::Close),
            Op::Rename(from, to) => Ok(done(fs::rename(self.path(from), self.path(to)))),
            Op::Link(from, to) => Ok(done(fs::hard_link(self.path(from), self.path(to)))),
            Op::Unlink(path) => Ok(done(fs::remove_file(self.path(path)))),
            Op::Fill(blocks) => Ok(done(self.fill(u64::from(blocks)))),
            Op::Free => Ok(done(self.resize(FOLDER_BYTES_MAX))),
            op => self.play_on_sockets(op),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest was played before")]
    fn play_on_sockets(&mut self, op: Op) -> Played<Reply> {
        let fd = |linux: &Self, socket: Socket| linux.sockets[usize::from(socket.0)].fd;
        let connection = |linux: &Self, who, client| linux.connections[&(who, client)];
        match op {
            Op::Listen(who, reuseport, backlog) => {
                let order = Order::Listen { port: PORT, reuseport, backlog: i32::from(backlog) };
                match self.order(who, &order)? {
                    Some(Answer::Fd(fd)) => {
                        let inode =
                            proc::socket(self.puppet(who).pid, fd).ok_or("the socket has no inode")?;
                        self.sockets.push(Listener { fd, inode, backlog: usize::from(backlog) });
                        Ok(Reply::Done)
                    }
                    Some(answer) => self.reply(answer),
                    None => Err("it died when it should listen".into()),
                }
            }
            Op::CloseListener(who, socket) => self.ask(who, &Order::CloseListener(fd(self, socket))),
            Op::Watch(who, socket) => self.ask(who, &Order::Watch(fd(self, socket), u64::from(socket.0))),
            Op::Unwatch(who, socket) => self.ask(who, &Order::Unwatch(fd(self, socket))),
            Op::Connect => self.connect(),
            Op::Ask(client) => {
                let stream = self.clients[usize::from(client.0)].as_mut().ok_or("it has closed")?;
                stream.write_all(b"request").map_err(failed("ask"))?;
                Ok(Reply::Done)
            }
            Op::HangUp(client) => {
                self.read(client);
                self.clients[usize::from(client.0)] = None;
                self.views.remove(&client);
                Ok(Reply::Done)
            }
            Op::Accept(who, socket) => {
                let order = Order::Accept(fd(self, socket));
                match self.order(who, &order)? {
                    Some(Answer::Accepted(fd, port)) => {
                        let client = self.client_at(u64::from(port)).ok_or("a stranger connected")?;
                        self.connections.insert((who, client), fd);
                        Ok(Reply::Accepted(Some(client)))
                    }
                    Some(Answer::Nobody) => Ok(Reply::Accepted(None)),
                    other => Err(format!("accept was answered by {other:?}")),
                }
            }
            Op::Receive(who, client) => {
                let order = Order::Receive(connection(self, who, client));
                match self.order(who, &order)? {
                    Some(Answer::Bytes(0)) => Ok(Reply::End),
                    Some(Answer::Bytes(_)) => Ok(Reply::Bytes),
                    Some(Answer::Failed(11)) => Ok(Reply::Nothing),
                    Some(answer) => self.reply(answer),
                    None => Err("it died when it should receive".into()),
                }
            }
            Op::Answer(who, client) => {
                let order = Order::Send(connection(self, who, client), crate::model::ANSWER_BYTES);
                match self.order(who, &order)? {
                    Some(Answer::Bytes(_)) => Ok(Reply::Done),
                    Some(answer) => self.reply(answer),
                    None => Err("it died when it should send".into()),
                }
            }
            Op::Shutdown(who, client) => self.ask(who, &Order::Shutdown(connection(self, who, client))),
            Op::CloseConnection(who, client) => {
                let order = Order::CloseConnection(connection(self, who, client));
                self.connections.remove(&(who, client));
                self.ask(who, &order)
            }
            op => unreachable!("{op:?} was played before"),
        }
    }

    fn ask(&mut self, who: Who, order: &Order) -> Played<Reply> {
        match self.order(who, order)? {
            Some(answer) => self.reply(answer),
            // It has killed itself, or was killed: what is seen will tell.
            None => Ok(Reply::Done),
        }
    }

    fn reply(&self, answer: Answer) -> Played<Reply> {
        Ok(match answer {
            Answer::Done => Reply::Done,
            Answer::Failed(10) => Reply::NoChildren,
            Answer::Failed(errno) => Reply::Failed(number(errno)),
            Answer::Nobody => Reply::Nobody,
            Answer::Exited(pid, status) => {
                let who = self.who(pid).ok_or("a child without a name has ended")?;
                Reply::Exited(who, exit_status(status))
            }
            Answer::Met(met) => Reply::Met(self.met(&met)),
            Answer::Born(_)
            | Answer::Forked(_)
            | Answer::Woken(..)
            | Answer::Fd(_)
            | Answer::Accepted(..)
            | Answer::Bytes(_) => return Err(format!("{answer:?} answers nothing")),
        })
    }

    /// Tells a process to wait: it sits in its call, or has been answered, when this returns.
    fn wait(&mut self, who: Who, order: &Order, calls: &[u64]) -> Played<Reply> {
        let puppet = self.puppet(who);
        let line = puppet.line.as_ref().ok_or("it obeys nobody")?;
        wire::send(line, order).map_err(failed("tell a process"))?;
        puppet.waits = true;
        let pid = puppet.pid;
        for look in 0..LOOKS_MAX {
            let has_answered = is_readable(self.puppet(who).line.as_ref(), 0);
            if has_answered || proc::doing(pid).is_some_and(|doing| doing.waits_in(calls)) {
                return Ok(Reply::Done);
            }
            pause(look);
        }
        Err("it does not begin to wait".into())
    }

    fn reuse(&mut self, who: Who) -> Played<Reply> {
        let pid = self.puppet(who).pid;
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string())
            .map_err(failed("choose a number"))?;
        self.start(FilePath::new("/proc/self/exe"))?;
        let stranger = self.processes.last_mut().ok_or("nobody was started")?;
        if stranger.pid != pid {
            return Err(format!("the stranger is {} and not {pid}", stranger.pid));
        }
        Ok(Reply::Done)
    }

    /// Leaves room for so many pages.
    fn fill(&self, pages: u64) -> io::Result<()> {
        let disk = rustix::fs::statvfs(&self.folder)?;
        self.resize((disk.f_blocks - disk.f_bfree + pages) * disk.f_frsize)
    }

    fn resize(&self, bytes: u64) -> io::Result<()> {
        let none = None::<&str>;
        let options = format!("size={bytes}");
        mount(none, &self.folder, none, MsFlags::MS_REMOUNT, Some(options.as_str()))?;
        Ok(())
    }

    fn connect(&mut self) -> Played<Reply> {
        let before = proc::network().queues;
        let socket = net::socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::NONBLOCK | SocketFlags::CLOEXEC,
            None,
        )
        .map_err(failed("make a client"))?;
        let connected = net::connect(&socket, &SocketAddr::from(([127, 0, 0, 1], PORT)));
        if connected == Err(rustix::io::Errno::CONNREFUSED) {
            self.clients.push(None);
            self.ports.push(0);
            return Ok(Reply::Refused);
        }
        let mut stream = TcpStream::from(socket);
        let port = stream.local_addr().map_err(failed("name a client"))?.port();
        let is_full =
            |listener: &Listener| before.get(&listener.inode).is_none_or(|&queue| queue > listener.backlog);
        let are_full = self.sockets.iter().all(is_full);
        for look in 0..LOOKS_MAX {
            let after = proc::network().queues;
            let grown = |listener: &Listener| after.get(&listener.inode) > before.get(&listener.inode);
            if let Some(at) = self.sockets.iter().position(grown) {
                stream.write_all(b"request").map_err(failed("ask"))?;
                self.views.insert(client(self.clients.len()), View::Open);
                self.clients.push(Some(stream));
                self.ports.push(port);
                return Ok(Reply::Queued(Socket(u8::try_from(at).unwrap_or(u8::MAX))));
            }
            match stream.take_error().map_err(failed("look at a client"))? {
                Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    self.clients.push(None);
                    self.ports.push(0);
                    return Ok(Reply::Refused);
                }
                _ if are_full => break,
                _ => pause(look),
            }
        }
        self.clients.push(None);
        self.ports.push(0);
        Ok(Reply::Waits)
    }

    /// What the client of a connection sees.
    fn read(&mut self, client: Client) {
        let Some(stream) = self.clients[usize::from(client.0)].as_mut() else { return };
        let Some(view) = self.views.get_mut(&client).filter(|view| **view == View::Open) else { return };
        let mut buffer = [0; 4_096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => *view = View::Finished,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => *view = View::Reset,
            }
            return;
        }
    }

    fn met(&self, met: &[(u8, u32)]) -> Vec<Arrival> {
        let own = std::process::id();
        let sender = |pid| match pid {
            0 => Sender::Kernel,
            pid if pid == own => Sender::Player,
            pid => self.who(pid).map_or(Sender::Kernel, Sender::Process),
        };
        met.iter().filter_map(|&(signal, pid)| Some(Arrival(Signal::handled(signal)?, sender(pid)))).collect()
    }

    /// Looks until what is seen is what was expected; what was seen last, if it never is.
    pub(crate) fn look(&mut self, op: Op, expected: &Sight) -> Played<Sight> {
        let mut seen = Sight::default();
        for look in 0..LOOKS_MAX {
            self.reap();
            let woken = std::mem::take(&mut seen.woken);
            // It takes the kernel milliseconds to look through all of its sockets.
            if look > 0 || (op.sends() && !self.sockets.is_empty()) {
                self.network = proc::network();
            }
            seen = self.sight(woken)?;
            if seen == *expected && self.network.is_still {
                return Ok(seen);
            }
            pause(look);
        }
        Ok(seen)
    }

    fn sight(&mut self, mut woken: BTreeMap<Who, Woken>) -> Played<Sight> {
        let mut files = BTreeMap::new();
        for path in (0..=PATH_MAX).map(Path) {
            let name = self.path(path);
            let Ok(meta) = fs::metadata(&name) else { continue };
            let inode = meta.ino();
            files.insert(path.0, (self.inodes.of(inode), self.content(&name, meta.len())?));
        }
        let mut processes = BTreeMap::new();
        for at in 0..self.processes.len() {
            let who = Who(u8::try_from(at).unwrap_or(u8::MAX));
            let pid = self.processes[at].pid;
            if self.who(pid) != Some(who) {
                continue;
            }
            let Some(doing) = proc::doing(pid) else { continue };
            if let Some(answer) = self.answer_of(who)? {
                woken.insert(who, answer);
            }
            processes.insert(who, self.process(pid, &doing));
        }
        for at in 0..self.clients.len() {
            self.read(client(at));
        }
        let queues = (0..).zip(&self.sockets).filter_map(|(name, listener)| {
            self.network.queues.get(&listener.inode).map(|&queue| (Socket(name), queue))
        });
        Ok(Sight { processes, queues: queues.collect(), files, clients: self.views.clone(), woken })
    }

    fn process(&mut self, pid: u32, doing: &Doing) -> Process {
        let is_zombie = doing.state == 'Z';
        let exe = fs::metadata(format!("/proc/{pid}/exe")).ok().filter(|_| !is_zombie);
        let own = fs::metadata(&self.folder).ok();
        let exe = exe.filter(|exe| own.as_ref().is_some_and(|own| own.dev() == exe.dev()));
        Process {
            parent: self.who(doing.parent),
            is_zombie,
            runs: exe.map(|exe| self.inodes.of(exe.ino())),
            pending: if is_zombie { Default::default() } else { doing.pending.clone() },
            holds: (0..)
                .zip(&self.sockets)
                .filter(|(_, listener)| proc::socket(pid, listener.fd) == Some(listener.inode))
                .map(|(name, _)| Socket(name))
                .collect(),
        }
    }

    /// The answer of a process that waited, if its wait is over.
    fn answer_of(&mut self, who: Who) -> Played<Option<Woken>> {
        let puppet = self.puppet(who);
        if !puppet.waits || !is_readable(puppet.line.as_ref(), 0) {
            return Ok(None);
        }
        puppet.waits = false;
        let Some(line) = puppet.line.as_ref() else { return Ok(None) };
        match wire::receive(line) {
            Ok(Some(Answer::Woken(met, ready))) => {
                let met = self.met(&met);
                Ok(Some(Woken::new(met, ready.into_iter().filter_map(|event| self.ready(event)))))
            }
            Ok(None) => Ok(None),
            other => Err(format!("a wait was answered by {other:?}")),
        }
    }

    fn client_at(&self, port: u64) -> Option<Client> {
        self.ports.iter().position(|&known| u64::from(known) == port).map(client)
    }

    /// One event of epoll, as the fake reads it.
    fn ready(&self, (number, flags): (u64, u32)) -> Option<Ready> {
        let Some(port) = number.checked_sub(CLIENTS) else {
            return u8::try_from(number).ok().map(Socket).map(Ready::Listener);
        };
        let has = |wanted: EventFlags| flags & wanted.bits() != 0;
        let has_failed = has(EventFlags::ERR | EventFlags::HUP);
        Some(Ready::Connection {
            client: self.client_at(port)?,
            readable: has_failed || has(EventFlags::IN | EventFlags::RDHUP),
            writable: has_failed || has(EventFlags::OUT),
            finished: has(EventFlags::RDHUP),
        })
    }

    fn content(&self, path: &FilePath, length: u64) -> Played<Content> {
        if length == 0 {
            return Ok(Content::Empty);
        }
        if length > 1_000 {
            return Ok(Content::Binary(u8::from(proc::ends_with(path, b"!!"))));
        }
        let text = fs::read_to_string(path).map_err(failed("read a file"))?;
        let Ok(pid) = text.trim().parse::<u32>() else { return Ok(Content::Words) };
        let at = self.processes.iter().position(|known| known.pid == pid).ok_or("a file names a stranger")?;
        Ok(Content::Pid(Who(u8::try_from(at).unwrap_or(u8::MAX))))
    }

    /// What pid 1 does: whoever is nobody's child any more is waited for.
    fn reap(&self) {
        while let Ok(Some(_)) = waitpid(None, WaitOptions::NOHANG) {}
    }

    /// Ends whoever is left.
    pub(crate) fn end(mut self) -> Played<()> {
        self.clients.clear();
        for puppet in &self.processes {
            let pid = nix::unistd::Pid::from_raw(puppet.pid.cast_signed());
            let _ = nix::sys::signal::kill(pid, NixSignal::SIGKILL);
        }
        // Children of the dead become children of this process: ECHILD is the end of everybody.
        while waitpid(None, WaitOptions::empty()).is_ok() {}
        self.resize(FOLDER_BYTES_MAX).map_err(failed("make room"))?;
        fs::remove_dir_all(self.folder.join("files")).map_err(failed("clear the folder"))
    }
}

/// Lays a binary ready, as another name of one that an earlier script has left as it was.
fn lay_ready(folder: &FilePath, path: &FilePath, image: u8, room: Room) -> io::Result<()> {
    let kept = folder.join(format!("kept-{image}"));
    let own = puppet::loaded(&fs::File::open("/proc/self/exe")?)?;
    let is_whole = fs::metadata(&kept).is_ok_and(|meta| meta.len() == own + u64::from(image) + 1);
    if !is_whole || room == Room::IsScarce {
        let _ = fs::remove_file(&kept);
        write_binary(&kept, image)?;
    }
    match room {
        Room::IsPlenty => fs::hard_link(&kept, path),
        // A file that is removed gives its room back only if it has no other name.
        Room::IsScarce => fs::rename(&kept, path),
    }
}

fn write_binary(path: &FilePath, image: u8) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(path)?;
    file.write_all(&puppet::binary(image)?)
}

fn client(at: usize) -> Client {
    Client(u8::try_from(at).unwrap_or(u8::MAX))
}

fn done(outcome: io::Result<()>) -> Reply {
    outcome.map_or_else(|error| Reply::Failed(number(error.raw_os_error().unwrap_or(0))), |()| Reply::Done)
}

fn number(errno: i32) -> Errno {
    Errno(u16::try_from(errno).unwrap_or(0))
}

fn exit_status(raw: i32) -> ExitStatus {
    match u8::try_from(raw & 0x7f).unwrap_or(0) {
        0 => ExitStatus::Code(u8::try_from((raw >> 8) & 0xff).unwrap_or(0)),
        number => ExitStatus::Signal { number, core: raw & 0x80 != 0 },
    }
}

fn is_readable(line: Option<&OwnedFd>, within_us: i64) -> bool {
    let within = Timespec { tv_sec: 0, tv_nsec: within_us * 1_000 };
    line.is_some_and(|line| {
        poll(&mut [PollFd::new(line, PollFlags::IN)], Some(&within)).is_ok_and(|ready| ready > 0)
    })
}

/// Between two looks at what gives no event: 0.2 ms, doubling to 5 ms.
fn pause(look: usize) {
    let us = (200 << look.min(5)).min(5_000);
    let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: us * 1_000 }));
}
