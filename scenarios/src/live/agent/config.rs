//! The configuration of the world's nginx.
//!
//! # How a slow answer is made
//! nginx sends the first second's worth of `limit_rate` at once, but never more than `sendfile_max_chunk` in one
//! go, and after each go it waits as long as the rate demands (`ngx_http_write_filter`). So an answer of five
//! chunks takes four waits. The whole answer stays below the 4096 bytes that one word of a configuration may have.

use std::fmt::Write;

use rustix::process::geteuid;

use super::super::order::Paths;

/// The longest head of nginx's answers here, counted into what the rate limits.
const HEAD_BYTES: u64 = 180;
const CHUNK_BYTES: u64 = 800;
/// A slow answer pauses so often.
const PAUSES: u64 = 4;

/// The text of nginx.conf.
pub(super) fn text(paths: &Paths, workers: u16, port: u16, slow_ms: u64) -> String {
    let prefix = paths.prefix.display();
    let mut conf = String::new();
    let mut line = |text: String| {
        conf.push_str(&text);
        conf.push('\n');
    };
    if geteuid().is_root() {
        line(format!("user nobody {};", group_of_nobody()));
    }
    line(format!("worker_processes {workers};"));
    line(format!("pid {};", paths.pid.display()));
    line(format!("error_log {} notice;", paths.log.display()));
    line("events { worker_connections 512; }".into());
    line("http {".into());
    line("    access_log off;".into());
    line("    default_type text/plain;".into());
    line("    keepalive_requests 1000000;".into());
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        line(format!("    {kind}_temp_path {prefix}/temp/{kind};"));
    }
    line("    server {".into());
    line(format!("        listen 127.0.0.1:{port};"));
    line("        location / { return 200 \"$pid $nginx_version\\n\"; }".into());
    line("        location /slow {".into());
    line(format!("            limit_rate {};", rate(slow_ms)));
    line(format!("            sendfile_max_chunk {CHUNK_BYTES};"));
    line(format!("            return 200 \"$pid $nginx_version\\n{}\";", filler()));
    line("        }".into());
    line("    }".into());
    line("}".into());
    conf
}

/// Bytes per second at which the pauses of a slow answer last `slow_ms` together.
fn rate(slow_ms: u64) -> u64 {
    (CHUNK_BYTES * 1_000 * PAUSES / slow_ms.max(PAUSES)).max(1)
}

/// Lines that fill a slow answer so that its last chunk is half full.
fn filler() -> String {
    let wanted = CHUNK_BYTES * PAUSES + CHUNK_BYTES / 2 - HEAD_BYTES;
    let mut filler = String::new();
    for i in 0..wanted / 10 {
        let _ = write!(filler, "{i:09} ");
    }
    filler
}

/// The group that `nobody` belongs to: distributions name it differently.
fn group_of_nobody() -> &'static str {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    if groups.lines().any(|line| line.starts_with("nogroup:")) { "nogroup" } else { "nobody" }
}
