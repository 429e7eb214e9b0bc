//! The configuration of the world's nginx.
//!
//! # How a slow answer is made
//! nginx sends the first second's worth of `limit_rate` at once, but never more than `sendfile_max_chunk` in one
//! go, and after each go it waits as long as the rate demands (`ngx_http_write_filter`). So an answer of five
//! chunks takes four waits. The whole answer stays below the 4096 bytes that one word of a configuration may have.
//!
//! `fake-nginx` has the rate but not the chunk, so there an answer is a whole number of seconds long.

use std::fmt::Write;
use std::path::Path;

use rustix::process::geteuid;

use super::super::order::Paths;
use crate::scenario::{Release, WorldKind};

/// The longest head of nginx's answers here, counted into what the rate limits.
const HEAD_BYTES: u64 = 180;
const CHUNK_BYTES: u64 = 800;
/// A slow answer pauses so often.
const PAUSES: u64 = 4;

/// What differs from world to world in a configuration.
pub(super) struct Parts<'a> {
    /// More lines of the main context.
    pub(super) main: Vec<String>,
    /// `worker_processes`
    pub(super) workers: u16,
    /// `pid`
    pub(super) pid: &'a Path,
    /// More lines of `http`.
    pub(super) http: Vec<String>,
    /// Lines of the one server, before the place that answers who served.
    pub(super) server: Vec<String>,
}

/// The text of nginx.conf for a story or a random script.
pub(super) fn text(world: WorldKind, paths: &Paths, release: &Release, port: u16, slow_ms: u64) -> String {
    let slow = Slow::of(world, slow_ms);
    let place = format!(
        "location /slow {{ limit_rate {}; sendfile_max_chunk {CHUNK_BYTES}; return 200 \"$pid $nginx_version\\n{}\"; }}",
        slow.bytes_per_second,
        slow.filler()
    );
    let parts = Parts {
        main: Vec::new(),
        workers: release.workers,
        pid: &paths.pid,
        http: vec!["keepalive_requests 1000000;".into()],
        server: vec![
            format!("listen 127.0.0.1:{port}{};", if release.reuseport { " reuseport" } else { "" }),
            place,
        ],
    };
    parts.text(paths)
}

impl Parts<'_> {
    /// The text of nginx.conf.
    pub(super) fn text(self, paths: &Paths) -> String {
        let mut lines = self.main;
        if geteuid().is_root() {
            lines.push(format!("user nobody {};", group_of_nobody()));
        }
        lines.push(format!("worker_processes {};", self.workers));
        lines.push(format!("pid {};", self.pid.display()));
        lines.push(format!("error_log {} notice;", paths.log.display()));
        lines.push("events { worker_connections 512; }".into());
        lines.push("http {".into());
        lines.push("access_log off;".into());
        lines.push("default_type text/plain;".into());
        lines.extend(self.http);
        let temporary = paths.prefix.join("temp");
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            lines.push(format!("{kind}_temp_path {}/{kind};", temporary.display()));
        }
        lines.push("server {".into());
        lines.extend(self.server);
        lines.push("location / { return 200 \"$pid $nginx_version\\n\"; }".into());
        lines.push("} }\n".into());
        lines.join("\n")
    }
}

/// How long a slow answer is, and how fast it goes.
struct Slow {
    bytes_per_second: u64,
    body_bytes: u64,
}

impl Slow {
    /// Whose last chunk is half full, and whose pauses last `slow_ms` together.
    fn of(world: WorldKind, slow_ms: u64) -> Self {
        let (bytes_per_second, pauses, chunk_bytes) = match world {
            WorldKind::Real => {
                ((CHUNK_BYTES * 1_000 * PAUSES / slow_ms.max(PAUSES)).max(1), PAUSES, CHUNK_BYTES)
            }
            WorldKind::Fake | WorldKind::Model => {
                let seconds = slow_ms.div_ceil(1_000).max(1);
                let rate = CHUNK_BYTES * (PAUSES - 1) / seconds;
                (rate, seconds, rate)
            }
        };
        Self { bytes_per_second, body_bytes: chunk_bytes * pauses + chunk_bytes / 2 - HEAD_BYTES }
    }

    fn filler(&self) -> String {
        let mut filler = String::new();
        for i in 0..self.body_bytes / 10 {
            let _ = write!(filler, "{i:09} ");
        }
        filler
    }
}

/// The group that `nobody` belongs to: distributions name it differently.
fn group_of_nobody() -> &'static str {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    if groups.lines().any(|line| line.starts_with("nogroup:")) { "nogroup" } else { "nobody" }
}
