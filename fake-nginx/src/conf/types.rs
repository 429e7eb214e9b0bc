//! What a configuration says, after defaults and inheritance.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::content::ContentRules;
use super::patience::Patience;
use super::pattern::Pattern;
use super::variable::Template;

/// How bad a log line is, worst first, in nginx's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The process cannot go on.
    Emerg,
    /// Must be looked at now.
    Alert,
    /// Critical.
    Crit,
    /// An ordinary error.
    Error,
    /// A warning.
    Warn,
    /// Worth knowing: signals, births and deaths.
    Notice,
    /// Details.
    Info,
    /// Debugging.
    Debug,
}

impl Level {
    /// Every level, worst first.
    pub const ALL: [Self; 8] = [
        Self::Emerg,
        Self::Alert,
        Self::Crit,
        Self::Error,
        Self::Warn,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// The level that a configuration calls `word`.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == word)
    }

    /// nginx's word, as it stands between brackets.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Crit => "crit",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// One line that the start-up says: level and text, without time, pid or the `nginx: ` of the echo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How bad it is.
    pub level: Level,
    /// The text, such as `unknown directive "x" in F:N`.
    pub text: String,
}

/// A [`Message`] after which loading went on.
pub type Warning = Message;

impl fmt::Display for Message {
    /// `[emerg] text`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.level.word(), self.text)
    }
}

/// Why a configuration was not loaded. Displays as nginx's line, `[emerg] ... in F:N`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfError {
    /// What was said before it, in order.
    pub warnings: Vec<Warning>,
    /// The line that ended it.
    pub message: Message,
    /// Every directive is right: `-t` says so before this line.
    pub is_syntax_ok: bool,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conf {
    /// `daemon`
    pub daemon: bool,
    /// `master_process`
    pub master_process: bool,
    /// `pid`, with the prefix.
    pub pid: PathBuf,
    /// `error_log` of the main context, in order; the default one when there is none.
    pub error_logs: Vec<ErrorLog>,
    /// Who the workers run as. `None` unless started as root.
    pub user: Option<User>,
    /// `worker_processes`; `auto` is the number of cores.
    pub worker_processes: u16,
    /// Before 1.15.2: what `worker_processes` was when `http` ended; sockets are cloned for so many.
    pub clones_early: Option<u16>,
    /// `working_directory`
    pub working_directory: Option<PathBuf>,
    /// `worker_shutdown_timeout`
    pub worker_shutdown_timeout_ms: Option<u64>,
    /// `worker_connections`
    pub worker_connections: u32,
    /// `env`, in order.
    pub env: Vec<EnvEntry>,
    /// One per address to bind, in nginx's order (that of `NGINX`), without the clones of reuseport.
    pub listens: Vec<Listen>,
    /// Every `server` of `http`, in order.
    pub servers: Vec<Server>,
    /// Every `server` of `stream`: what it returns, which is nothing where another server would be asked.
    pub streams: Vec<Template>,
    /// The folder that relative names of files start from, with a slash.
    pub prefix: String,
    /// `$hostname`
    pub hostname: String,
    /// Every file read, in order, for `-T`.
    pub files: Vec<SourceFile>,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its full name.
    pub path: PathBuf,
    /// What it held.
    pub content: Vec<u8>,
}

/// Where log lines of a level or worse go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ErrorLog {
    /// A file or standard error.
    pub target: LogTarget,
    /// This level and worse.
    pub level: Level,
}

/// The target of an [`ErrorLog`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogTarget {
    /// A file, with the prefix.
    File(PathBuf),
    /// Standard error.
    Stderr,
}

/// An unprivileged user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// As written.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
}

/// One `env` directive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnvEntry {
    /// The variable.
    pub name: String,
    /// The value given; `None` keeps the one of the start.
    pub value: Option<String>,
}

/// Where clients connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// TCP over IPv4 or IPv6.
    Tcp(SocketAddr),
    /// UDP over the same.
    Udp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl Address {
    /// The address and port, if it is no path.
    #[must_use]
    pub const fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) | Self::Udp(socket) => Some(*socket),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    /// As nginx's log writes it: `127.0.0.1:80`, `[::]:80`, `unix:/run/x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) | Self::Udp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// One socket to bind (or one per worker, with reuseport).
///
/// `deferred`, `so_keepalive`, `rcvbuf`, `sndbuf`, `fastopen`, `ssl`, `http2` and `proxy_protocol` are accepted
/// without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What to bind.
    pub address: Address,
    /// The backlog of listen(2); nginx's default is 511.
    pub backlog: i32,
    /// One socket per worker.
    pub reuseport: bool,
    /// Of an IPv6 socket; on by default.
    pub ipv6only: bool,
    /// Whether it stands in `stream`.
    pub is_stream: bool,
    /// Which servers answer, by the local address of the connection; the bound one is last.
    pub addresses: Vec<AddressServers>,
}

/// The servers behind one local address of a [`Listen`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressServers {
    /// `None` for the bound address itself.
    pub local: Option<IpAddr>,
    /// Index of the server that answers when no name fits.
    pub default_server: usize,
    /// Indices of all servers, in order.
    pub servers: Vec<usize>,
}

/// One `server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The first name, `$server_name`.
    pub name: String,
    /// `server_name`, in order.
    pub names: Vec<ServerName>,
    /// The same in lower case, as written.
    pub names_written: Vec<String>,
    /// What holds outside all locations; its `matches` is the empty prefix.
    pub root: Location,
    /// In the order of the file.
    pub locations: Vec<Location>,
    /// `client_header_timeout`
    pub client_header_timeout_ms: u64,
}

/// A name that a [`Server`] answers to, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerName {
    /// `example.com`, or the empty name.
    Exact(String),
    /// `*.example.com`; holds `.example.com`.
    Suffix(String),
    /// `.example.com`: that name and all below it; holds `example.com`.
    Domain(String),
    /// `www.example.*`; holds `www.example.`.
    Prefix(String),
    /// `~^www\.`
    Regex(Pattern),
}

/// Which requests a [`Location`] takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocationMatch {
    /// `location /a`, `location ^~ /a`
    Prefix(String),
    /// `location = /a`
    Exact(String),
    /// `location ~ a`, `location ~* a`
    Regex(Pattern),
    /// `location @a`, which no request comes to by itself.
    Named(String),
}

impl LocationMatch {
    /// The name of the location.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Prefix(text) | Self::Exact(text) | Self::Named(text) => text,
            Self::Regex(pattern) => &pattern.text,
        }
    }
}

/// One `location`, with everything inherited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Which requests.
    pub matches: LocationMatch,
    /// `^~`: no expression is tried once this is the longest beginning.
    pub is_final: bool,
    /// The locations inside.
    pub nested: Vec<Location>,
    /// `return`; without it, files are looked for.
    pub answer: Option<Return>,
    /// `default_type`
    pub default_type: String,
    /// `types`: extension in lower case, type.
    pub types: Vec<(String, String)>,
    /// `add_header`: name, value, also on errors.
    pub headers: Vec<(String, Template, bool)>,
    /// `limit_rate`, bytes per second; 0 is no limit.
    pub limit_rate: u64,
    /// `client_max_body_size`, bytes; 0 is no limit.
    pub client_max_body_size: u64,
    /// `keepalive_timeout`; 0 turns keep-alive off.
    pub keepalive_timeout_ms: u64,
    /// The second argument of `keepalive_timeout`, for the header `Keep-Alive`.
    pub keepalive_header_s: u64,
    /// `keepalive_requests`
    pub keepalive_requests: u64,
    /// `keepalive_min_timeout`
    pub keepalive_min_timeout_ms: u64,
    /// `send_timeout` and `lingering_...`
    pub patience: Patience,
    /// `server_tokens`
    pub server_tokens: bool,
    /// Whether another server would be asked (`proxy_pass` and the like). There is none: the answer is 502.
    pub is_gateway: bool,
    /// Files, error pages, redirects.
    pub content: ContentRules,
}

/// A `return` directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// The status.
    pub status: u16,
    /// The body, or for 301, 302, 303, 307 and 308 the new location.
    pub text: Option<Template>,
}

impl Conf {
    /// Every socket to have, in nginx's order: (index of its listen, worker that it belongs to).
    ///
    /// Without reuseport a socket belongs to all workers (`None`); with it, the first is worker 0's, and the
    /// clones of the other workers come behind all first sockets. Who clones without workers is
    /// [`Profile::clones_sockets_without_master`](crate::release::Profile::clones_sockets_without_master).
    #[must_use]
    pub fn sockets(&self, clones_without_master: bool) -> Vec<(usize, Option<u16>)> {
        let clones = self.master_process || clones_without_master;
        if let Some(workers) = self.clones_early {
            // Each socket's clones stand right behind it.
            let sockets = |(index, listen): (usize, &Listen)| {
                let workers = if listen.reuseport { workers.max(1) } else { 1 };
                (0..workers).map(|worker| (index, listen.reuseport.then_some(worker))).collect::<Vec<_>>()
            };
            return self.listens.iter().enumerate().flat_map(sockets).collect();
        }
        let first =
            self.listens.iter().enumerate().map(|(index, listen)| (index, listen.reuseport.then_some(0)));
        let others = self
            .listens
            .iter()
            .enumerate()
            .filter(|(_, listen)| listen.reuseport && clones)
            .flat_map(|(index, _)| (1..self.worker_processes).map(move |worker| (index, Some(worker))));
        first.chain(others).collect()
    }

    /// `client_header_timeout` for a connection to `listen` that has not said a name yet.
    #[must_use]
    pub fn client_header_timeout_ms(&self, listen: usize) -> u64 {
        self.listens
            .get(listen)
            .and_then(|listen| listen.addresses.last())
            .and_then(|address| self.servers.get(address.default_server))
            .map_or(60_000, |server| server.client_header_timeout_ms)
    }
}
