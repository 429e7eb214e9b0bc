//! What a process knows of its configuration: nginx's cycle, cut down to what its decisions need.
//!
//! # Source
//! `ngx_cycle_t` and `ngx_listening_t` in `src/core/`, nginx 1.18 to 1.30.
//!
//! # Units
//! Durations are milliseconds and end in `_ms`.

use smallvec::SmallVec;

use super::names::{AddressId, ConfId, PathId};

/// A file descriptor, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fd(pub u16);

/// How those are answered who come to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaks {
    /// A connection, by requests.
    Http,
    /// A connection, at once.
    Stream,
    /// Datagrams, each at once: there is no connection, and no listen(2).
    Datagrams,
}

/// A socket that listens, or shall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Listening {
    /// Index of its `listen` in the configuration.
    pub listen: u8,
    /// Where.
    pub address: AddressId,
    /// Whether the address is a path.
    pub is_unix: bool,
    /// The worker that it belongs to, with reuseport.
    pub worker: Option<u16>,
    /// The second argument of listen(2).
    pub backlog: i32,
    /// `client_header_timeout` of the server that answers by default.
    pub client_header_timeout_ms: u32,
    /// The descriptor, once open.
    pub fd: Option<Fd>,
    /// What is spoken there.
    pub speaks: Speaks,
    /// Whether it came through `NGINX`.
    pub is_inherited: bool,
}

/// The sockets of a cycle, in the order of `NGINX`.
pub type Listenings = SmallVec<[Listening; 1]>;

/// The configuration that a process runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cycle {
    /// Which one; logs and answers are found by it.
    pub conf: ConfId,
    /// `pid`
    pub pid: PathId,
    /// `worker_processes`
    pub workers: u16,
    /// `daemon`
    pub daemon: bool,
    /// `master_process`
    pub master_process: bool,
    /// `worker_connections`
    pub worker_connections: u32,
    /// `worker_shutdown_timeout`
    pub worker_shutdown_timeout_ms: Option<u32>,
    /// Its sockets.
    pub listening: Listenings,
}

/// The normal pid file or the one that an upgrade leaves in its wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PidFile {
    /// `nginx.pid`
    Normal(PathId),
    /// `nginx.pid.oldbin`
    Oldbin(PathId),
}
