//! Puppets: processes on this kernel that no machine drives, for those who compare the kernel with Linux.
//!
//! A puppet does what it is told, one call at a time, through the very functions that carry out the effects of
//! nginx. `scenarios/tests/kernel` tells real processes the same and compares what both see.

use fake_nginx::machine::{
    Arrivals, Conn, Defects, Effect, Errno, ExitStatus, Fd, Listening, Pid, Ready, Received, Sent, Signal,
    Waited,
};
use fake_nginx::release::Version;
use smallvec::SmallVec;

use super::connection::Takes;
use super::{ADDRESS, Around, Conf, Content, Doing, Image, Inode, Kernel, LABORATORY, Path, Seen, Setting};
use crate::trace::Kind;

/// A kernel with puppets on it.
#[derive(Debug)]
pub struct Puppets {
    kernel: Kernel,
    setting: Setting,
    seen: Vec<Seen>,
}

/// What a wait returned with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Woken {
    /// The handlers that ran, in their order.
    pub arrivals: Arrivals,
    /// What is ready, of a wait for events.
    pub ready: SmallVec<[Ready; 4]>,
}

impl Puppets {
    /// A machine on which nothing runs, with two binaries on its disk.
    #[must_use]
    pub fn new() -> Self {
        let images = [Version::new(1, 22, 1), Version::new(1, 26, 3)];
        let images = images.map(|version| Image::new(version, None, Defects::default())).to_vec();
        let setting = Setting::new(images, vec![Conf { workers: 1, reuseport: false }], 0);
        Self { kernel: Kernel::new(), setting, seen: Vec::new() }
    }

    /// All that can be seen.
    #[must_use]
    pub const fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// What happened since somebody asked.
    pub fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// Somebody starts the binary at its path; `None`: it is none.
    pub fn start(&mut self) -> Option<Pid> {
        let exe = self.kernel.files.at(Path::BINARY)?;
        let Content::Image(image) = self.kernel.files.content(exe) else { return None };
        let pid = self.kernel.nameless_pid();
        self.kernel.spawn(pid, (exe, image), self.setting.images[usize::from(image)].plan);
        Some(pid)
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Kernel, &mut Around<'_>) -> T) -> T {
        let Self { kernel, setting, seen } = self;
        act(kernel, &mut Around { setting, seen })
    }
}

impl Default for Puppets {
    fn default() -> Self {
        Self::new()
    }
}

/// Processes and signals.
impl Puppets {
    /// fork(2).
    pub fn fork(&mut self, parent: Pid) -> Pid {
        let pid = self.kernel.nameless_pid();
        self.kernel.copy_process(parent, pid);
        pid
    }

    /// execve(2).
    ///
    /// # Errors
    /// ENOENT, ETXTBSY, ENOEXEC.
    pub fn exec(&mut self, pid: Pid, path: Path) -> Result<(), Errno> {
        self.with(|kernel, around| kernel.execute(pid, path, around))
    }

    /// _exit(2).
    pub fn exit(&mut self, pid: Pid, code: u8) {
        self.with(|kernel, around| kernel.end(pid, ExitStatus::Code(code), around));
    }

    /// kill(2) by somebody, or by the laboratory. False: there is no such process.
    pub fn kill(&mut self, from: Option<Pid>, to: Pid, signal: Signal) -> bool {
        self.with(|kernel, around| kernel.kill(from.unwrap_or(LABORATORY), to, signal, around))
    }

    /// waitpid(2) for any child.
    pub fn wait(&mut self, pid: Pid) -> Waited {
        self.kernel.wait(pid)
    }

    /// Somebody who is no puppet gets a number that nobody has any more.
    pub fn reuse(&mut self, pid: Pid) {
        self.with(|kernel, around| kernel.reuse(pid, around));
    }

    /// sigaction(2) for all signals that nginx handles.
    pub fn install_handlers(&mut self, pid: Pid) {
        self.kernel.of(pid).signals.install_handlers();
    }

    /// sigprocmask(2): all of them are blocked. What handlers had met before.
    pub fn block(&mut self, pid: Pid) -> Arrivals {
        self.kernel.of(pid).signals.block()
    }

    /// sigprocmask(2): none is blocked, so that handlers meet what was pending.
    pub fn unblock(&mut self, pid: Pid) {
        self.kernel.of(pid).signals.unblock();
    }

    /// sigsuspend(2); [`woken`](Self::woken) tells when it returns.
    pub fn sleep(&mut self, pid: Pid) {
        self.kernel.of(pid).doing = Doing::Effect(Effect::Sleep);
    }

    /// epoll_wait(2), until `until_ms` if that is said; [`woken`](Self::woken) tells when it returns.
    pub fn wait_events(&mut self, pid: Pid, until_ms: Option<u64>) {
        let process = self.kernel.of(pid);
        process.doing = Doing::Effect(Effect::WaitEvents { until_ms });
        process.until_ms = until_ms;
    }

    /// What the wait of a puppet returns with, once it does.
    #[expect(clippy::wildcard_enum_match_arm, reason = "puppets wait in these two calls")]
    pub fn woken(&mut self, pid: Pid) -> Option<Woken> {
        let process = self.kernel.process(pid).filter(|process| self.kernel.can_go_on(process))?;
        let woken = match process.doing {
            Doing::Effect(Effect::Sleep) => {
                Woken { arrivals: self.kernel.of(pid).signals.take_pending(), ready: SmallVec::new() }
            }
            Doing::Effect(Effect::WaitEvents { .. }) => {
                let (arrivals, ready) = self.kernel.take_events(pid);
                Woken { arrivals, ready }
            }
            _ => return None,
        };
        let process = self.kernel.of(pid);
        process.doing = Doing::Told;
        process.until_ms = None;
        Some(woken)
    }

    /// setitimer(2).
    pub fn start_timer(&mut self, pid: Pid, after_ms: u32) {
        let at_ms = self.kernel.now_ms + u64::from(after_ms);
        self.kernel.of(pid).alarm_ms = Some(at_ms);
    }

    /// Time passes until the next timer strikes. False: there is none.
    pub fn pass(&mut self) -> bool {
        let Some(at_ms) = self.kernel.next_timer_ms() else { return false };
        self.with(|kernel, around| kernel.advance_to(at_ms, around));
        true
    }
}

/// Files.
impl Puppets {
    /// open(2) with O_CREAT and O_TRUNC.
    ///
    /// # Errors
    /// ETXTBSY.
    pub fn open(&mut self, pid: Pid, path: Path) -> Result<Inode, Errno> {
        self.with(|kernel, around| kernel.open_for_writing(pid, path, around))
    }

    /// write(2) of the whole content into an open file.
    ///
    /// # Errors
    /// ENOSPC.
    pub fn write(&mut self, inode: Inode, content: Content) -> Result<(), Errno> {
        self.with(|kernel, around| kernel.write(inode, content, around))
    }

    /// close(2) of all that it has open for writing.
    pub fn close_written(&mut self, pid: Pid) {
        self.kernel.close_written(pid);
    }

    /// rename(2).
    ///
    /// # Errors
    /// ENOENT.
    pub fn rename(&mut self, from: Path, to: Path) -> Result<(), Errno> {
        self.with(|kernel, around| kernel.rename(from, to, around))
    }

    /// link(2).
    ///
    /// # Errors
    /// ENOENT, EEXIST.
    pub fn link(&mut self, from: Path, to: Path) -> Result<(), Errno> {
        self.kernel.files.link(from, to)
    }

    /// unlink(2).
    ///
    /// # Errors
    /// ENOENT.
    pub fn unlink(&mut self, path: Path) -> Result<(), Errno> {
        self.with(|kernel, around| kernel.unlink(path, around))
    }

    /// From now on the disk has room for so many pid files more.
    pub fn leave_room(&mut self, blocks: Option<u8>) {
        self.kernel.leave_room(blocks);
    }
}

/// Sockets and connections. A puppet calls a connection by the number that clients know.
impl Puppets {
    /// socket(2), bind(2), listen(2) on the only address.
    ///
    /// # Errors
    /// EADDRINUSE.
    pub fn listen(&mut self, pid: Pid, reuseport: bool, backlog: u8) -> Result<Fd, Errno> {
        let cycle = self.setting.cycle(0);
        let worker = reuseport.then_some(0);
        let what = Listening { address: ADDRESS, worker, backlog: i32::from(backlog), ..cycle.listening[0] };
        self.with(|kernel, around| kernel.open_listener(pid, &what, around)).map_err(|(_, errno)| errno)
    }

    /// close(2) of a listening socket.
    pub fn close_listener(&mut self, pid: Pid, fd: Fd) {
        self.with(|kernel, around| kernel.close_listener(pid, fd, around));
    }

    /// Puts a listening socket into the epoll set, or takes it out.
    pub fn watch(&mut self, pid: Pid, fd: Fd, index: Option<u8>) {
        let watches = &mut self.kernel.of(pid).watches;
        watches.retain(|(held, _)| *held != fd);
        watches.extend(index.map(|index| (fd, index)));
    }

    /// connect(2), and the first request. `None`: the socket's queue is full, and the client waits.
    pub fn connect(&mut self, socket: u16) -> Option<u32> {
        self.kernel.has_room(socket).then(|| self.kernel.connect(socket, Kind::Fresh))
    }

    /// Another request. False: the client knows that the connection is closed.
    pub fn ask(&mut self, connection: u32) -> bool {
        self.kernel.ask(connection)
    }

    /// The client closes.
    pub fn hang_up(&mut self, connection: u32) {
        self.kernel.hang_up(connection);
    }

    /// accept(2): the client's connection, and the puppet's name for it.
    pub fn accept(&mut self, pid: Pid, fd: Fd) -> Option<(u32, Conn)> {
        let open = &self.kernel.process(pid)?.connections;
        let conn = (0..).map(Conn).find(|conn| open.iter().all(|(other, _)| other != conn))?;
        self.kernel.accept(pid, fd, conn)?;
        self.kernel.process(pid)?.connection(conn).map(|id| (id, conn))
    }

    /// recv(2) of all that is there.
    pub fn receive(&mut self, pid: Pid, conn: Conn) -> Received {
        self.kernel.receive(pid, conn, Takes::AndForgets)
    }

    /// send(2) of so many bytes.
    pub fn send(&mut self, pid: Pid, conn: Conn, bytes: u64) -> Sent {
        self.with(|kernel, around| kernel.send(pid, conn, bytes, around))
    }

    /// shutdown(2) for writing.
    pub fn shutdown_write(&mut self, pid: Pid, conn: Conn) {
        self.with(|kernel, around| kernel.shutdown_write(pid, conn, around));
    }

    /// close(2) of a connection.
    pub fn close(&mut self, pid: Pid, conn: Conn) {
        self.with(|kernel, around| kernel.close(pid, conn, around));
    }
}
