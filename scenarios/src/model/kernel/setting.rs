//! What does not change while a world runs: binaries, configurations, and the words behind numbers.

use fake_nginx::conf::Address;
use fake_nginx::fault::Fault;
use fake_nginx::machine::{
    AddressId, ConfId, Cycle, Defects, Fd, Inherited, Listening, Names, PathId, Plan, Purpose, Speaks, TextId,
};
use fake_nginx::release::{Profile, Version};
use smallvec::SmallVec;

use super::Defect;

/// Where clients connect to.
pub const ADDRESS: AddressId = AddressId(0);

/// The first descriptor that a listening socket gets.
const FIRST_FD: u16 = 6;
/// How many of them a world can have.
pub const SOCKETS_MAX: u16 = 5;
/// `client_header_timeout`, nginx's default.
const CLIENT_HEADER_TIMEOUT_MS: u32 = 60_000;
/// `backlog`, nginx's default.
const BACKLOG: i32 = 511;

/// What does not change.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The binaries; files name them by number.
    pub images: Vec<Image>,
    /// The contents that the configuration file can have.
    pub confs: Vec<Conf>,
    /// How slow a slow answer is.
    pub slow: Slow,
    /// The words of log lines.
    pub names: Names,
    /// What this kernel does wrong, in the tests of tests.
    pub defect: Option<Defect>,
}

/// A binary.
#[derive(Debug, Clone)]
pub struct Image {
    /// What it tells with `-v`.
    pub version: Version,
    /// What it does when it is executed.
    pub plan: Plan,
}

impl Image {
    /// A release, possibly with a fault, on a machine that may have deliberate defects.
    #[must_use]
    pub fn new(version: Version, fault: Option<Fault>, defects: Defects) -> Self {
        let profile = Profile::of(version);
        Self { version, plan: Plan { print: None, purpose: Purpose::Run, profile, fault, defects } }
    }
}

impl Image {
    /// The status that it answers every request with, if its fault says one.
    #[must_use]
    pub const fn forced_status(&self) -> Option<u16> {
        if let Some(Fault::Answers { code }) = self.plan.fault { Some(code) } else { None }
    }
}

/// What a configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conf {
    /// `worker_processes`
    pub workers: u16,
    /// One socket per worker.
    pub reuseport: bool,
}

/// A slow answer goes out in three parts with two pauses between them, so that both together last as long as
/// was asked for. The client's socket takes one part at a time, as `sendfile_max_chunk` would have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow {
    /// How long it takes.
    pub for_ms: u64,
}

impl Slow {
    /// Bytes per second.
    pub const RATE: u64 = 1_000_000;

    /// What goes out at once.
    #[must_use]
    pub const fn chunk(self) -> u64 {
        let half = self.for_ms * Self::RATE / 2_000;
        if half == 0 { 1 } else { half }
    }

    /// The whole answer.
    #[must_use]
    pub const fn length(self) -> u64 {
        self.chunk() * 2 + self.chunk().div_ceil(2)
    }
}

impl Setting {
    /// A world of these binaries and configurations.
    #[must_use]
    pub fn new(images: Vec<Image>, confs: Vec<Conf>, slow_ms: u64) -> Self {
        let mut names = Names::default();
        "/nginx/sbin/nginx".clone_into(&mut names.argv0);
        names.path("/nginx/logs/nginx.pid");
        let address = Address::Tcp(([127, 0, 0, 1], 8080).into());
        names.address(&address);
        names.text("Linux (model)");
        for mask in 0..1u16 << SOCKETS_MAX {
            let fds = (0..SOCKETS_MAX).filter(|bit| mask & (1 << bit) != 0).map(|bit| Fd(FIRST_FD + bit));
            // Ascending, as nginx has them unless a reload has mixed them up; only a log line says so.
            names.text(&fake_nginx::machine::inherited::render(&fds.collect::<Vec<_>>()));
        }
        assert!(
            confs.iter().all(|conf| !conf.reuseport || conf.workers <= SOCKETS_MAX),
            "a model world has at most {SOCKETS_MAX} listening sockets"
        );
        Self { images, confs, slow: Slow { for_ms: slow_ms }, names, defect: None }
    }

    /// What a process gets to know of the configuration with that number.
    #[must_use]
    pub(super) fn cycle(&self, conf: u8) -> Cycle {
        let Conf { workers, reuseport } = self.confs[usize::from(conf)];
        let listening = |worker| Listening {
            listen: 0,
            address: ADDRESS,
            is_unix: false,
            worker,
            backlog: BACKLOG,
            client_header_timeout_ms: CLIENT_HEADER_TIMEOUT_MS,
            fd: None,
            speaks: Speaks::Http,
            is_inherited: false,
        };
        Cycle {
            conf: ConfId(u16::from(conf)),
            pid: PathId(0),
            workers,
            daemon: true,
            master_process: true,
            worker_connections: 512,
            worker_shutdown_timeout_ms: None,
            listening: if reuseport {
                (0..workers).map(|worker| listening(Some(worker))).collect()
            } else {
                std::iter::once(listening(None)).collect()
            },
        }
    }

    /// The variable `NGINX` that lists these sockets.
    #[must_use]
    pub(super) fn inherited(&self, sockets: &[Fd]) -> Inherited {
        let mask = sockets.iter().fold(0, |mask, fd| mask | 1 << fd.0.saturating_sub(FIRST_FD));
        Inherited { text: TextId(1 + mask), sockets: SmallVec::from_slice(sockets), invalid: None }
    }
}

/// The lowest descriptor that none of `used` is.
pub(super) fn free_fd(used: impl Fn(Fd) -> bool) -> Fd {
    (FIRST_FD..).map(Fd).find(|&fd| !used(fd)).expect("there are more numbers than sockets")
}
