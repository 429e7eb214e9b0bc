//! A private folder with a stamped nginx in it, and a guard by which nothing outlives the test.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use fake_nginx::release::Version;
use fake_nginx::stamp::{Cache, Stamp};
use rustix::process::{self as kernel, Pid, PidfdFlags, Signal};

use crate::process::{Process, without_time_and_pid};

/// Longer than anything here takes, the escalation of TERM (3.2 s) on a busy machine included.
const DEADLINE_MS: u64 = 20_000;

/// Stamps, made before a thread starts: a file that is open for writing cannot be executed.
static CACHE: OnceLock<(tempfile::TempDir, Cache)> = OnceLock::new();

/// Makes these stamps, to be linked by [`Stage::put`].
pub(crate) fn prepare(stamps: &[Stamp]) {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().join("stamps"));
    for (index, stamp) in stamps.iter().enumerate() {
        cache.place(stamp, &folder.path().join(index.to_string())).unwrap();
    }
    CACHE.set((folder, cache)).map_err(drop).unwrap();
}

/// The release `text` without faults.
pub(crate) fn release(text: &str) -> Stamp {
    Stamp::new(text.parse::<Version>().unwrap())
}

pub(crate) struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    /// A folder with `stamp` in it and a configuration of two workers.
    pub(crate) fn new(stamp: &Stamp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Workers of root run as nobody and reopen logs.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.path().join("logs")).unwrap();
        let stage = Self { folder };
        stage.put(stamp);
        stage.configure("", "return 200 \"one\";");
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes `stamp` the file that the next exec or start runs.
    pub(crate) fn put(&self, stamp: &Stamp) {
        let (_, cache) = CACHE.get().expect("stamps are prepared first");
        cache.place(stamp, &self.path("nginx.new")).unwrap();
        fs::rename(self.path("nginx.new"), self.path("nginx")).unwrap();
    }

    pub(crate) fn configure(&self, main: &str, location: &str) {
        let folder = self.folder.path().display();
        let conf = format!(
            "error_log {folder}/error.log notice;\npid {folder}/nginx.pid;\nworker_processes 2;\n{main}\n\
             events {{ worker_connections 64; }}\n\
             http {{ server {{ listen unix:{folder}/web; location / {{ {location} }} }} }}\n"
        );
        fs::write(self.path("nginx.conf"), conf).unwrap();
    }

    pub(crate) fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(self.path("nginx"));
        command.arg("-p").arg(self.folder.path()).args(["-c", "nginx.conf"]).args(options);
        // nginx writes a title over the command line and the environment: leave it room.
        command.env_clear().env("ROOM", "x".repeat(300));
        command
    }

    /// Runs it with these options to its end.
    pub(crate) fn nginx(&self, options: &[&str]) -> Output {
        self.command(options).output().unwrap()
    }

    /// Starts the daemon and waits until its workers run. Says the master's pid.
    pub(crate) fn start(&self) -> i32 {
        let output = self.nginx(&[]);
        assert!(output.status.success(), "{output:?}");
        let master = self.master("nginx.pid");
        self.workers_of(master, 2);
        master
    }

    /// The pid in a pid file, once there is one.
    pub(crate) fn master(&self, file: &str) -> i32 {
        wait_for(file, || fs::read_to_string(self.path(file)).ok()?.trim_end().parse().ok())
    }

    /// Waits until the process has so many workers that accept, and says their pids.
    pub(crate) fn workers_of(&self, master: i32, count: usize) -> Vec<i32> {
        wait_for("accepting workers", || {
            let mut workers = self.processes();
            workers.retain(|process| process.parent == master && process.title == "nginx: worker process");
            (workers.len() == count).then(|| workers.iter().map(|worker| worker.pid).collect())
        })
    }

    /// How many descriptors the processes have together.
    pub(crate) fn descriptors_of(&self, pids: &[i32]) -> usize {
        let count = |pid| fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        pids.iter().map(count).sum()
    }

    /// Waits until the process is no more.
    pub(crate) fn gone(&self, pid: i32) {
        wait_for("its end", || (!self.processes().iter().any(|it| it.pid == pid)).then_some(()));
    }

    pub(crate) fn signal(&self, pid: i32, signal: Signal) {
        assert!(self.processes().iter().any(|it| it.pid == pid), "{pid} is none of ours");
        let pidfd = kernel::pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap();
        kernel::pidfd_send_signal(&pidfd, signal).unwrap();
    }

    /// The signals that wait for the process, as a mask.
    pub(crate) fn pending(pid: i32) -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let fields = status.lines().filter_map(|line| {
            let mask = line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        });
        fields.fold(0, |all, mask| all | mask)
    }

    /// The log without times and pids.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(self.path("error.log")).unwrap_or_default();
        text.lines().map(without_time_and_pid).collect()
    }

    /// The log lines of one process.
    pub(crate) fn log_of(&self, pid: i32) -> String {
        let text = fs::read_to_string(self.path("error.log")).unwrap_or_default();
        let of = format!(" {pid}#0: ");
        text.lines().filter(|line| line.contains(&of)).map(without_time_and_pid).collect()
    }

    /// Waits until the log says that.
    pub(crate) fn logged(&self, text: &str) {
        wait_for(text, || self.log().contains(text).then_some(()));
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path("web")).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(DEADLINE_MS))).unwrap();
        stream
    }

    /// One request on a connection of its own: head and body.
    pub(crate) fn get(&self) -> String {
        let mut stream = self.connect();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
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

/// Looks again and again, 0.2 ms doubling to 5 ms: for what happens to foreign processes there is no event.
#[expect(clippy::disallowed_methods, reason = "the one place of these tests that waits by the clock")]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + Duration::from_millis(DEADLINE_MS);
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(std::time::Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}
