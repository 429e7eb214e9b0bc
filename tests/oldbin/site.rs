//! A private nginx: its folder, its processes, its clients, and its end.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal};

const WORKERS: usize = 2;
/// No client gets it by chance.
const PORT: u16 = 8099;
/// Far beyond what anything here takes; only a hang reaches it.
const LOOKS_MAX: u32 = 4_000;

/// A release of the world that this test runs in.
pub(crate) fn release(version: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(super::RELEASES)?).join(version).join("nginx");
    path.is_file().then_some(path)
}

/// A loopback address that nobody else has: its folder's name is drawn at random. A port that was free a moment ago may
/// be a client's by now.
fn address_of_its_own(folder: &Path) -> SocketAddr {
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    let [a, b, c, ..] = hasher.finish().to_le_bytes();
    (Ipv4Addr::new(127, a.clamp(1, 250), b, c.clamp(1, 250)), PORT).into()
}

/// One nginx and everything that belongs to it.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    address: SocketAddr,
}

/// What `oldbin` said at its end.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    json: serde_json::Value,
    stderr: String,
}

impl Said {
    pub(crate) fn outcome(&self) -> &str {
        self.text("outcome")
    }

    /// A part of it, as in `/nginx/0/generations`.
    pub(crate) fn part(&self, pointer: &str) -> &serde_json::Value {
        self.json.pointer(pointer).unwrap_or(&serde_json::Value::Null)
    }

    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.json.get(key).and_then(serde_json::Value::as_str).unwrap_or_default()
    }
}

impl Site {
    pub(crate) fn start(version: &str) -> Self {
        Self::start_as(version, "")
    }

    /// Starts a release; `argv0` is what it is called, if not by its path.
    pub(crate) fn start_as(version: &str, argv0: &str) -> Self {
        let site = Self::lay_out(version);
        let mut command = site.nginx();
        if !argv0.is_empty() {
            command.arg0(argv0);
        }
        site.begin(command)
    }

    /// Starts a release at a path that somebody has prepared.
    pub(crate) fn start_behind(version: &str, prepare: impl Fn(&Self)) -> Self {
        let site = Self::lay_out(version);
        prepare(&site);
        let command = site.nginx();
        site.begin(command)
    }

    /// Starts a release that somebody has prepared everything for, by its path and no other word.
    pub(crate) fn start_bare(version: &str, prepare: impl Fn(&Self)) -> Self {
        let site = Self::lay_out(version);
        prepare(&site);
        let command = Command::new(site.path("sbin/nginx"));
        site.begin(command)
    }

    /// Starts a release with more words.
    pub(crate) fn start_with(version: &str, words: &[&str], prepare: impl Fn(&Self)) -> Self {
        let site = Self::lay_out(version);
        prepare(&site);
        let mut command = site.nginx();
        command.args(words);
        site.begin(command)
    }

    fn begin(self, mut command: Command) -> Self {
        assert!(command.output().unwrap().status.success());
        self.look("start", || self.has_workers());
        self
    }

    /// The machine goes down and comes up again: nobody runs who ran, pid files lie in a folder that begins empty, the
    /// journal is of another boot, and whatever is at the binary's path is started.
    pub(crate) fn restart(&self) {
        end_everybody();
        for file in ["nginx.pid", "nginx.pid.oldbin"] {
            let _ = fs::remove_file(self.path(file));
        }
        self.forget_boot();
        assert!(self.nginx().output().unwrap().status.success());
        self.look("start", || self.has_workers());
    }

    /// The journal is of another boot.
    pub(crate) fn forget_boot(&self) {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let files = fs::read_dir(self.path("state")).unwrap().map(|entry| entry.unwrap().path());
        let journal = files.into_iter().find(|path| path.to_string_lossy().ends_with(".journal.json"));
        let whole = fs::read_to_string(journal.as_ref().unwrap()).unwrap();
        assert!(whole.contains(boot.trim()));
        fs::write(journal.unwrap(), whole.replace(boot.trim(), "another")).unwrap();
    }

    /// Starts a release that stays this process's child.
    #[expect(clippy::zombie_processes, reason = "`end_everybody` ends and reaps it")]
    pub(crate) fn start_in_foreground(version: &str) -> Self {
        let site = Self::lay_out(version);
        site.nginx().args(["-g", "daemon off;"]).spawn().unwrap();
        site.look("start", || site.workers().len() == WORKERS);
        site
    }

    fn lay_out(version: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // root's workers are nobody, and must reach what they serve.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let address = address_of_its_own(folder.path());
        let site = Self { folder, address };
        fs::create_dir(site.path("sbin")).unwrap();
        fs::copy(release(version).unwrap(), site.path("sbin/nginx")).unwrap();
        fs::write(site.path("nginx.conf"), site.configuration()).unwrap();
        site
    }

    fn nginx(&self) -> Command {
        let mut command = Command::new(self.path("sbin/nginx"));
        command.arg("-p").arg(self.folder.path()).arg("-c").arg(self.path("nginx.conf"));
        command
    }

    fn configuration(&self) -> String {
        let user = if rustix::process::geteuid().is_root() { "user nobody nogroup;" } else { "" };
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {};\n", self.path(name).display()))
            .collect();
        format!(
            "{user}\nworker_processes {WORKERS};\npid {};\nerror_log {} notice;\nevents {{ worker_connections 64; }}\n\
             http {{ access_log off; {temporary} server {{ listen {}; location / {{ return 200 $nginx_version; }} }} }}\n",
            self.path("nginx.pid").display(),
            self.path("error.log").display(),
            self.address
        )
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn pid(&self, file: &str) -> u32 {
        fs::read_to_string(self.path(file)).unwrap().trim().parse().unwrap()
    }

    pub(crate) fn write_pid_file(&self, text: &str) {
        fs::write(self.path("nginx.pid"), text).unwrap();
    }

    pub(crate) fn append_configuration(&self, line: &str) {
        let text = self.configuration() + line + "\n";
        fs::write(self.path("nginx.conf"), text).unwrap();
    }

    pub(crate) fn executable(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What a package manager does: another file takes the path.
    pub(crate) fn replace_binary(&self, with: &Path) {
        fs::copy(with, self.path("sbin/nginx.dpkg-new")).unwrap();
        fs::rename(self.path("sbin/nginx.dpkg-new"), self.path("sbin/nginx")).unwrap();
    }

    /// Every file below the site, but logs and state.
    pub(crate) fn listing(&self) -> BTreeSet<PathBuf> {
        let entries = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries(self.folder.path().to_owned()).chain(entries(self.path("sbin"))).collect()
    }

    fn command(&self, arguments: &[OsString]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oldbin"));
        self.dress(&mut command, arguments);
        command
    }

    /// Gives a program that is `oldbin` these arguments, and those that make it work on this site.
    pub(crate) fn dress<'a>(&self, oldbin: &'a mut Command, arguments: &[OsString]) -> &'a mut Command {
        oldbin.args(arguments).arg("--json");
        oldbin.arg("--state-dir").arg(self.path("state")).arg("--pid-file").arg(self.path("nginx.pid"));
        oldbin.stdout(Stdio::piped()).stderr(Stdio::piped())
    }

    /// Runs `oldbin` to its end.
    pub(crate) fn oldbin(&self, arguments: &[OsString]) -> Said {
        Running(self.command(arguments).spawn().unwrap()).end()
    }

    /// Runs this `oldbin` to its end.
    pub(crate) fn run(&self, oldbin: &mut Command) -> Said {
        Running(oldbin.spawn().unwrap()).end()
    }

    /// Runs `oldbin` to its end; only its exit code.
    pub(crate) fn exit_code(&self, arguments: &[OsString]) -> Option<i32> {
        self.command(arguments).output().unwrap().status.code()
    }

    pub(crate) fn start_oldbin(&self, arguments: &[&str]) -> Running {
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        Running(self.command(&arguments).spawn().unwrap())
    }

    /// Starts an `oldbin` that is not told which nginx is meant.
    pub(crate) fn oldbin_that_finds(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oldbin"));
        command.args(arguments).arg("--json").arg("--state-dir").arg(self.path("state"));
        Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Until the journal says so.
    pub(crate) fn wait_for(&self, text: &str) {
        let says = |path: PathBuf| fs::read_to_string(path).is_ok_and(|journal| journal.contains(text));
        self.look(text, || {
            let Ok(entries) = fs::read_dir(self.path("state")) else { return false };
            entries.flatten().map(|entry| entry.path()).filter(|path| path.ends_with_json()).any(says)
        });
    }

    /// Looks until it is so.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        self.look(what, is_so);
    }

    fn look(&self, what: &str, is_so: impl Fn() -> bool) {
        let quiet = rustix::fs::inotify::init(rustix::fs::inotify::CreateFlags::CLOEXEC).unwrap();
        for _ in 0..LOOKS_MAX {
            if is_so() {
                return;
            }
            // A descriptor that never becomes readable: five milliseconds until the next look.
            let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
            let mut fds = [rustix::event::PollFd::new(&quiet, rustix::event::PollFlags::IN)];
            rustix::event::poll(&mut fds, Some(&pause)).unwrap();
        }
        panic!("{what} did not come");
    }

    /// The release that answers.
    pub(crate) fn answer(&self) -> String {
        get(self.address).unwrap()
    }

    fn workers(&self) -> Vec<u32> {
        let master = fs::read_to_string(self.path("nginx.pid")).unwrap_or_default();
        let Ok(master) = master.trim().parse() else { return Vec::new() };
        workers_of(master)
    }

    pub(crate) fn has_workers(&self) -> bool {
        self.workers().len() == WORKERS
    }

    pub(crate) fn names(&self, file: &str, pid: u32) -> bool {
        fs::read_to_string(self.path(file)).is_ok_and(|text| text.trim() == pid.to_string())
    }

    /// What a script does: whoever the pid file names is told.
    pub(crate) fn signal_master(&self, number: Signal) {
        signal(self.pid("nginx.pid"), number);
    }

    /// One master of this release, its workers, its files, and nobody else.
    pub(crate) fn serves_alone(&self, version: &str) {
        assert_eq!(self.answer(), version);
        let masters: Vec<_> =
            descendants().into_iter().filter(|&pid| title(pid).starts_with("nginx: master")).collect();
        assert_eq!(masters, [self.pid("nginx.pid")]);
        assert_eq!(self.workers().len(), WORKERS);
        let all = descendants().into_iter().filter(|&pid| title(pid).starts_with("nginx: ")).count();
        assert_eq!(all, 1 + WORKERS);
        assert!(!self.path("nginx.pid.oldbin").exists());
        let on_disk = fs::read(self.path("sbin/nginx")).unwrap();
        assert!(on_disk == fs::read(release(version).unwrap()).unwrap(), "the file is another release");
        assert!(!self.path("sbin/.nginx.oldbin-new").exists());
        let log = fs::read_to_string(self.path("error.log")).unwrap();
        assert!(!log.contains("[emerg]"), "{log}");
    }

    /// Refused, and really nothing touched.
    pub(crate) fn was_refused(&self, said: &Said, version: &str) {
        assert_eq!((said.outcome(), said.code), ("refused", 3), "{said:?}");
        assert!(!said.text("remedy").is_empty());
        let log = fs::read_to_string(self.path("error.log")).unwrap();
        assert!(!log.contains("SIGUSR2"), "{log}");
        let sbin: Vec<_> = fs::read_dir(self.path("sbin")).unwrap().collect();
        assert_eq!(sbin.len(), 1, "{sbin:?}");
        self.serves_alone(version);
    }

    /// Fresh connections, one after the other, in four threads.
    pub(crate) fn load(&self) -> Load {
        self.load_by(4)
    }

    /// Fresh connections, one after the other.
    pub(crate) fn light_load(&self) -> Load {
        self.load_by(1)
    }

    fn load_by(&self, clients: usize) -> Load {
        let is_over = Arc::new(AtomicBool::new(false));
        let address = self.address;
        let client = |_| {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || {
                let (mut served, mut lost) = (0, Vec::new());
                while !is_over.load(Ordering::Relaxed) {
                    match get(address) {
                        Ok(_) => served += 1,
                        Err(error) => lost.push(error.to_string()),
                    }
                }
                (served, lost)
            })
        };
        Load { clients: (0..clients).map(client).collect(), is_over }
    }
}

trait EndsWithJson {
    fn ends_with_json(&self) -> bool;
}

impl EndsWithJson for PathBuf {
    fn ends_with_json(&self) -> bool {
        self.extension().is_some_and(|extension| extension == "json")
    }
}

/// Clients at work.
pub(crate) struct Load {
    clients: Vec<JoinHandle<(u32, Vec<String>)>>,
    is_over: Arc<AtomicBool>,
}

impl Load {
    /// How many requests were served, and how the others failed.
    pub(crate) fn end(self) -> (u32, Vec<String>) {
        self.is_over.store(true, Ordering::Relaxed);
        let all = self.clients.into_iter().map(|client| client.join().unwrap());
        all.fold((0, Vec::new()), |(served, mut lost), (more, errors)| {
            lost.extend(errors);
            (served + more, lost)
        })
    }
}

/// One fresh connection.
fn get(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let body = text.strip_prefix("HTTP/1.1 200").and_then(|rest| rest.split("\r\n\r\n").nth(1));
    body.map(str::to_owned).ok_or_else(|| std::io::Error::other(format!("answered {text:?}")))
}

/// An `oldbin` at work.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn interrupt(&self) {
        signal(self.0.id(), Signal::INT);
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub(crate) fn end(self) -> Said {
        let ended = self.0.wait_with_output().unwrap();
        let stdout = String::from_utf8_lossy(&ended.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        let json = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("no JSON: {stdout}\n{stderr}"));
        Said { code: ended.status.code().unwrap_or(-1), json, stderr }
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = std::io::stderr().write_all(self.stderr.as_bytes());
        }
    }
}

fn handle(pid: u32) -> Option<std::os::fd::OwnedFd> {
    pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()
}

/// Workers that do not drain.
pub(crate) fn workers_of(master: u32) -> Vec<u32> {
    children(master).into_iter().filter(|&pid| title(pid) == "nginx: worker process").collect()
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(handle) = handle(pid) {
        let _ = pidfd_send_signal(&handle, signal);
    }
}

/// Kills a process below us.
pub(crate) fn kill(pid: u32) {
    assert!(descendants().contains(&pid), "{pid} is not ours");
    signal(pid, Signal::KILL);
}

/// A number that was a process and is none any more.
pub(crate) fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

fn title(pid: u32) -> String {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&text).replace('\0', " ").trim().to_owned()
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Everybody below this process; orphans come to it because it is a subreaper.
fn descendants() -> Vec<u32> {
    let mut all = Vec::new();
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let mut open: Vec<u32> = tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>())
        .collect();
    while let Some(pid) = open.pop() {
        open.extend(children(pid));
        all.push(pid);
    }
    all.sort_unstable();
    all
}

/// Ends everybody below this process, and sees to it that nobody is left. It looks again behind each end: a master may
/// have forked as it was killed, and a list may pass over somebody while brothers are reaped.
pub(crate) fn end_everybody() {
    loop {
        let all = descendants();
        if all.is_empty() {
            return;
        }
        for pid in all {
            signal(pid, Signal::KILL);
        }
        let _ = rustix::process::wait(WaitOptions::empty());
    }
}
