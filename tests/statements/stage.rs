//! A private folder with an nginx in it, fake or real, and a guard by which nothing outlives the case.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fake_nginx::release::Version;
use fake_nginx::stamp::{Cache, Stamp};
use rustix::io::Errno;
use rustix::net::{SocketType, getsockname, sockopt};
use rustix::process::{self as kernel, Pid, PidfdFlags, PidfdGetfdFlags, Signal, pidfd_getfd, pidfd_open};
use scenarios::live::nginx::Found;

use crate::RELEASES;
use crate::process::{Process, without_time_and_pid};

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);
const PORT: u16 = 8099;

/// Executables, made before a thread starts: a file that is open for writing cannot be executed.
static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
static STAGES: AtomicU32 = AtomicU32::new(0);

/// What may lie at nginx's path.
const SCRIPTS: &[(&str, &str)] = &[
    ("exits", "#!/bin/sh\nexit 3\n"),
    // Starts when somebody opens its pipe.
    ("held", "#!/bin/sh\nread line < \"$0.hold\"\nexec \"$0.real\" \"$@\"\n"),
    (
        "tells",
        // A shell that has waited for a child has changed its mask: that is read first, without one.
        "#!/bin/sh\nwhile read line; do echo \"$line\"; done < /proc/$$/status > \"$0.status\"\n\
         /bin/cat /proc/$$/environ > \"$0.environ\"\n\
         /bin/cat /proc/$$/stat > \"$0.stat\"\n/bin/ls -l /proc/$$/fd > \"$0.fd\"\nexit 4\n",
    ),
];

/// Whose nginx it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) release: &'static str,
    pub(crate) is_real: bool,
}

impl Subject {
    /// True if `on` means it: `fake` or the number of a real release.
    pub(crate) fn is(self, on: &str) -> bool {
        if self.is_real { self.release == on } else { on == "fake" }
    }

    pub(crate) fn version(self) -> Version {
        self.release.parse().unwrap()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.is_real { "real" } else { "fake" }, self.release)
    }
}

/// The first release with QUIC.
pub(crate) const QUIC: Version = Version::new(1, 25, 0);

/// Makes the executables of all subjects.
pub(crate) fn prepare(found: &BTreeMap<String, Found>) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().join("stamps"));
    for release in RELEASES {
        // The real releases are Debian's, whose launcher writes the pid file.
        let version: Version = release.parse().unwrap();
        // And they have QUIC, since there is one.
        let with = if version >= QUIC { "--with-http_v3_module" } else { "" };
        let stock = Stamp { error_log: "stderr".into(), ..Stamp::configured(version, with) };
        let debian = Stamp { overrides: vec!["debian-pidfile".parse().unwrap()], ..stock.clone() };
        cache.place(&debian, &folder.path().join(format!("fake-{release}"))).unwrap();
        cache.place(&stock, &folder.path().join(format!("stock-{release}"))).unwrap();
        if let Some(found) = found.get(*release) {
            fs::copy(&found.path, folder.path().join(format!("real-{release}"))).unwrap();
            let module = found.stream_module();
            module.map(|module| fs::copy(module, folder.path().join(format!("stream-{release}"))).unwrap());
        }
    }
    for (name, text) in SCRIPTS {
        fs::write(folder.path().join(name), text).unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    MADE.set(folder).unwrap();
}

/// What differs from case to case in a configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conf<'a> {
    pub(crate) workers: u16,
    pub(crate) pid: &'a str,
    pub(crate) main: &'a str,
    pub(crate) server: &'a str,
    pub(crate) location: &'a str,
}

impl Default for Conf<'_> {
    fn default() -> Self {
        Self { workers: 1, pid: "nginx.pid", main: "", server: "", location: "return 200 one;" }
    }
}

pub(crate) struct Stage {
    folder: tempfile::TempDir,
    address: Ipv4Addr,
    pub(crate) subject: Subject,
}

impl Stage {
    pub(crate) fn new(subject: Subject) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Workers of root run as nobody.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        let octet = |n: u32| u8::try_from(n % 250 + 1).unwrap();
        // An address of its own: nobody else binds its port.
        let address = Ipv4Addr::new(127, octet(std::process::id()), octet(number / 250), octet(number));
        let stage = Self { folder, address, subject };
        stage.put(&stage.own());
        stage.configure(Conf::default());
        stage
    }

    /// The name of its own executable.
    pub(crate) fn own(&self) -> String {
        format!("{}-{}", if self.subject.is_real { "real" } else { "fake" }, self.subject.release)
    }

    /// True if the release is that or later.
    pub(crate) fn since(&self, major: u16, minor: u16, patch: u16) -> bool {
        self.subject.version() >= Version::new(major, minor, patch)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub(crate) fn address(&self) -> String {
        format!("{}:{PORT}", self.address)
    }

    /// Makes this executable the file that the next exec or start runs.
    pub(crate) fn put(&self, name: &str) {
        let made = MADE.get().expect("executables are made first");
        fs::hard_link(made.path().join(name), self.path("put")).unwrap();
        fs::rename(self.path("put"), self.path("nginx")).unwrap();
    }

    /// Lets nginx have `stream`, and says by which directive. To the fake, any executable is a module.
    pub(crate) fn load_stream(&self) -> &'static str {
        let Subject { release, is_real } = self.subject;
        let module = if is_real { format!("stream-{release}") } else { self.own() };
        let made = MADE.get().expect("executables are made first");
        fs::hard_link(made.path().join(module), self.path("ngx_stream_module.so")).unwrap();
        "load_module FOLDER/ngx_stream_module.so;"
    }

    /// Puts a new binary that does nothing until it is released.
    pub(crate) fn put_held(&self) {
        nix::unistd::mkfifo(&self.path("nginx.hold"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let made = MADE.get().unwrap();
        fs::hard_link(made.path().join(self.own()), self.path("nginx.real")).unwrap();
        self.put("held");
    }

    /// Lets the held binary start.
    pub(crate) fn release(&self) {
        fs::OpenOptions::new().write(true).open(self.path("nginx.hold")).unwrap().write_all(b"go\n").unwrap();
    }

    pub(crate) fn configure(&self, conf: Conf<'_>) {
        let folder = self.folder.path().display();
        let Conf { workers, pid, main, server, location } = conf;
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind}; "))
            .concat();
        let log = if main.contains("error_log") {
            String::new()
        } else {
            format!("error_log {folder}/error.log notice;")
        };
        let text = format!(
            "{log}\npid {folder}/{pid};\nworker_processes {workers};\n{main}\n\
             events {{ worker_connections 64; }}\nhttp {{ access_log off; {temporary}\n\
             server {{ listen {}; {server}\nlocation / {{ {location} }} }} }}\n",
            self.address()
        );
        self.write("nginx.conf", &text.replace("FOLDER", &folder.to_string()));
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    pub(crate) fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(self.path("nginx"));
        command.arg("-p").arg(self.folder.path()).args(["-c", "nginx.conf"]).args(options);
        // nginx writes a title over the command line and the environment: leave it room.
        command.env_clear().env("ROOM", "x".repeat(300)).stdin(Stdio::null()).current_dir("/");
        command
    }

    /// Runs it with these options to its end.
    pub(crate) fn nginx(&self, options: &[&str]) -> Ended {
        Ended::of(self.command(options).output().unwrap())
    }

    /// Starts the daemon and waits until its workers run. Says the master's pid.
    pub(crate) fn start(&self, workers: usize) -> i32 {
        let ended = self.nginx(&[]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let master = self.pid_in("nginx.pid");
        self.workers(master, workers);
        master
    }

    /// USR2, until the new master has its workers.
    pub(crate) fn upgrade(&self, old: i32, workers: usize) -> i32 {
        self.signal(old, Signal::USR2);
        wait_for("the oldbin file", || {
            (self.text("nginx.pid.oldbin").trim_end() == old.to_string()).then_some(())
        });
        let new = self.pid_in("nginx.pid");
        self.workers(new, workers);
        new
    }

    /// The pid of the new binary that the log tells of.
    pub(crate) fn new_binary(&self) -> i32 {
        wait_for("the new binary", || {
            let log = self.log();
            log.rsplit_once("start new binary process ")?.1.lines().next()?.parse().ok()
        })
    }

    /// The pid in a pid file, once there is one.
    pub(crate) fn pid_in(&self, file: &str) -> i32 {
        wait_for(file, || self.text(file).strip_suffix('\n')?.parse().ok())
    }

    /// Waits until the process has so many workers that accept, and says their pids.
    pub(crate) fn workers(&self, master: i32, count: usize) -> Vec<i32> {
        self.children(master, "nginx: worker process", count)
    }

    /// Waits until the process has so many workers that drain, and says their pids.
    pub(crate) fn draining(&self, master: i32, count: usize) -> Vec<i32> {
        self.children(master, "nginx: worker process is shutting down", count)
    }

    fn children(&self, master: i32, title: &str, count: usize) -> Vec<i32> {
        wait_for(&format!("{count} of {title:?}"), || {
            let mut found = self.processes();
            found.retain(|process| process.parent == master && process.title == title);
            (found.len() == count).then(|| found.iter().map(|worker| worker.pid).collect())
        })
    }

    /// Waits until the file is no more.
    pub(crate) fn vanished(&self, name: &str) {
        wait_for(name, || (!self.exists(name)).then_some(()));
    }

    /// Waits until the process is no more.
    pub(crate) fn gone(&self, pid: i32) {
        wait_for("its end", || (!self.lives(pid)).then_some(()));
    }

    pub(crate) fn lives(&self, pid: i32) -> bool {
        self.processes().iter().any(|process| process.pid == pid)
    }

    pub(crate) fn title(&self, pid: i32) -> String {
        self.processes().into_iter().find(|process| process.pid == pid).map_or(String::new(), |it| it.title)
    }

    pub(crate) fn signal(&self, pid: i32, signal: Signal) {
        assert!(self.lives(pid), "{pid} is none of ours");
        let pidfd = kernel::pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap();
        kernel::pidfd_send_signal(&pidfd, signal).unwrap();
    }

    /// Sends signals that the process finds at the same time.
    pub(crate) fn together(&self, pid: i32, signals: &[Signal]) {
        self.signal(pid, Signal::STOP);
        wait_for("its stop", || (self.state(pid) == "T").then_some(()));
        signals.iter().for_each(|&signal| self.signal(pid, signal));
        self.signal(pid, Signal::CONT);
    }

    fn state(&self, pid: i32) -> String {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").map_or(String::new(), |(_, behind)| behind[..1].to_owned())
    }

    /// Waits until the master has done all that it was told before: a USR1 more.
    pub(crate) fn barrier(&self, master: i32) {
        let count = || self.log_of(master).matches("reopening logs\n").count();
        let before = count();
        self.signal(master, Signal::USR1);
        wait_for("its reopening", || (count() > before).then_some(()));
    }

    /// The log without times and pids.
    pub(crate) fn log(&self) -> String {
        self.text("error.log").lines().map(without_time_and_pid).collect()
    }

    /// The log lines of one process.
    pub(crate) fn log_of(&self, pid: i32) -> String {
        let of = format!(" {pid}#{pid}: ");
        let of = [format!(" {pid}#0: "), of];
        let text = self.text("error.log");
        text.lines().filter(|line| of.iter().any(|of| line.contains(of))).map(without_time_and_pid).collect()
    }

    /// Waits until the log says that.
    pub(crate) fn logged(&self, text: &str) {
        self.logged_times(text, 1);
    }

    pub(crate) fn logged_times(&self, text: &str, times: usize) {
        wait_for(text, || (self.log().matches(text).count() >= times).then_some(()));
    }

    /// Sends a datagram.
    pub(crate) fn send(&self) -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket.connect((self.address, PORT)).unwrap();
        socket.send(b"a").unwrap();
        socket
    }

    pub(crate) fn try_connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(SocketAddr::from((self.address, PORT)))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        self.try_connect().unwrap()
    }

    /// A connection that one of these workers has accepted, and that sends nothing.
    pub(crate) fn silent(&self, workers: &[i32]) -> TcpStream {
        let count = || -> usize {
            workers.iter().map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)).sum()
        };
        let before = count();
        let stream = self.connect();
        wait_for("the accept", || (count() > before).then_some(()));
        stream
    }

    /// One request on a connection of its own: head and body.
    pub(crate) fn get(&self) -> String {
        ask(&mut self.connect())
    }

    /// The inodes of the listening sockets that the process has.
    pub(crate) fn listeners(&self, pid: i32) -> Vec<String> {
        self.sockets(pid, |socket| sockopt::socket_acceptconn(socket))
    }

    /// The same of its sockets for datagrams.
    pub(crate) fn datagram_sockets(&self, pid: i32) -> Vec<String> {
        self.sockets(pid, |socket| Ok(sockopt::socket_type(socket)? == SocketType::DGRAM))
    }

    /// Each socket is asked itself: a table of `/proc/net` may leave out lines while others open and close theirs.
    fn sockets(&self, pid: i32, is_meant: impl Fn(&OwnedFd) -> Result<bool, Errno>) -> Vec<String> {
        let own = SocketAddr::from((self.address, PORT));
        let inode = |process: &OwnedFd, fd: &str| -> Option<String> {
            let socket = pidfd_getfd(process, fd.parse().ok()?, PidfdGetfdFlags::empty()).ok()?;
            let is_own = SocketAddr::try_from(getsockname(&socket).ok()?) == Ok(own);
            let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
            (is_own && is_meant(&socket).ok()?).then(|| fs::read_link(link).unwrap().display().to_string())
        };
        let Ok(process) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) else {
            return Vec::new();
        };
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let found: BTreeSet<_> =
            fds.filter_map(|fd| inode(&process, fd.file_name().to_str().unwrap())).collect();
        found.into_iter().collect()
    }

    /// Every live process of the folder.
    pub(crate) fn processes(&self) -> Vec<Process> {
        Process::all(self.folder.path())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        Process::end_all(self.folder.path());
    }
}

/// How a call of nginx ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    /// Standard error, without what only some builds say: a built-in log that cannot be opened, and notices.
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        let is_said =
            |line: &&str| !line.contains("could not open error log file") && !line.contains("[notice]");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: err.lines().filter(is_said).map(|line| format!("{}\n", without_stamp(line))).collect(),
        }
    }
}

/// `2026/11/22 22:26:44 [emerg] 1#0: text` becomes `nginx: [emerg] text`, which it is where the log is a file.
fn without_stamp(line: &str) -> String {
    if line.starts_with("20") && line.contains("#") {
        return format!("nginx: {}", without_time_and_pid(line).trim_end());
    }
    line.to_owned()
}

/// One request, and all that comes until the connection is closed.
pub(crate) fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    rest(stream)
}

/// A request that leaves the connection open, and its answer, whose body is `body`.
pub(crate) fn ask_and_keep(stream: &mut TcpStream, body: &str) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(format!("\r\n\r\n{body}").as_bytes()) {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    String::from_utf8(answer).unwrap()
}

/// The next datagram that comes.
pub(crate) fn datagram(socket: &UdpSocket) -> String {
    let mut bytes = [0; 100];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// All that comes until the connection is closed.
pub(crate) fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "no end");
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// True if nothing has come and the connection is open.
pub(crate) fn waits(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let waits = stream.peek(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).unwrap();
    waits
}

/// Looks again and again, 0.5 ms doubling to 20 ms: for what happens to foreign processes there is no event.
#[expect(clippy::disallowed_methods, reason = "the one place of these cases that waits by the clock")]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    let mut pause = Duration::from_micros(500);
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
