//! What goes wrong without anybody asking: lines in the error log, and connections that full queues drop.
//!
//! # Source
//! `ngx_log_error_core` for the form of a line. In the kernel: `tcp_conn_request` counts a connection that finds the
//! accept queue full both at the listening socket and in `ListenOverflows` of its network namespace; at the socket,
//! `tcp_v4_rcv` also counts packets that cost nobody a connection.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::{SocketDiag, file_at};
use crate::machine::{Drops, LogMark};

/// How much of a log is read: more than this within one upgrade is trouble enough.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// How many lines are told, and how much of each.
const LINES_MAX: usize = 1_000;
const LINE_CHARS_MAX: usize = 200;

/// Where the log ends now; `None`: it is no file that can be read.
pub(crate) fn mark(path: &Path) -> Option<LogMark> {
    let length = File::open(path).ok()?.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    Some(LogMark { path: path.to_owned(), file: file_at(path)?, length })
}

/// Lines at `alert` and `emerg` that these processes have written since. After a log rotation only what is in the
/// file of that name now.
pub(crate) fn lines_since(mark: &LogMark, pids: &[u32]) -> Vec<String> {
    let from = if file_at(&mark.path) == Some(mark.file) { mark.length } else { 0 };
    let text = File::open(&mark.path).and_then(|file| text_from(file, from)).unwrap_or_default();
    let is_theirs = |line: &&str| bad_line(line).is_some_and(|pid| pids.contains(&pid));
    text.lines().filter(is_theirs).take(LINES_MAX).map(shorten).collect()
}

/// The last lines of a log.
pub(crate) fn tail(path: &Path) -> std::io::Result<String> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    text_from(file, length.saturating_sub(LOG_BYTES_MAX))
}

fn text_from(mut file: File, from: u64) -> std::io::Result<String> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Who wrote it, if its level is `alert` or `emerg`: `DATE TIME [LEVEL] PID#TID: …`.
fn bad_line(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once(" [")?;
    let (level, rest) = rest.split_once("] ")?;
    matches!(level, "alert" | "emerg").then(|| rest.split_once('#')?.0.parse().ok()).flatten()
}

fn shorten(line: &str) -> String {
    line.chars().take(LINE_CHARS_MAX).collect()
}

/// What has been dropped at these listening sockets; `None`: the kernel does not tell.
pub(crate) fn dropped(listeners: &[u64]) -> Option<Drops> {
    let counts = SocketDiag::open().ok()?.dropped().ok()?;
    let packets = listeners.iter().filter_map(|inode| counts.get(inode)).map(|&count| u64::from(count)).sum();
    Some(Drops { packets, overflows: overflows(&std::fs::read_to_string("/proc/self/net/netstat").ok()?)? })
}

/// `ListenOverflows`: a line of names, and a line of numbers below it.
fn overflows(netstat: &str) -> Option<u64> {
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let mut columns = lines.next()?.split(' ').zip(lines.next()?.split(' '));
    columns.find(|&(name, _)| name == "ListenOverflows")?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_bad_lines_of_these_processes_and_behind_the_mark_are_told() {
        let mut log = tempfile::NamedTempFile::new().unwrap();
        let line =
            |level: &str, pid: u32| format!("2026/11/26 10:00:00 [{level}] {pid}#{pid}: *1 bad luck\n");
        log.write_all(line("alert", 7).as_bytes()).unwrap();
        let mark = mark(log.path()).unwrap();
        let more =
            [line("notice", 7), line("emerg", 8), line("error", 7), line("alert", 7), "rubbish [\n".into()];
        log.write_all(more.concat().as_bytes()).unwrap();

        assert_eq!(lines_since(&mark, &[7]), [line("alert", 7).trim()]);
        assert_eq!(lines_since(&mark, &[7, 8]).len(), 2);
    }

    /// A listening socket with room for so many more than one, and its inode.
    fn listener(backlog: i32) -> (TcpListener, u64) {
        use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &std::net::SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listen(&socket, backlog).unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let inode = link.to_str().unwrap()["socket:[".len()..].trim_end_matches(']').parse().unwrap();
        (TcpListener::from(socket), inode)
    }

    /// Red when the count is read from another place of the kernel's answers.
    #[test]
    fn a_queue_that_is_full_is_counted() {
        let (listener, inode) = listener(0);
        let address = listener.local_addr().unwrap();
        let before = dropped(&[inode]).unwrap();
        assert_eq!(before.packets, 0);

        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(100));
        let held: Vec<_> = (0..3).map(connect).collect();

        assert!(held.last().unwrap().is_err());
        assert!(dropped(&[inode]).unwrap().since(&before) > 0);
    }

    #[test]
    fn the_kernels_count_is_found_by_its_name() {
        let netstat = "TcpExt: A ListenOverflows B\nTcpExt: 1 23 4\nIpExt: C\nIpExt: 5\n";
        assert_eq!(overflows(netstat), Some(23));
        assert_eq!(overflows("TcpExt: A\nTcpExt: 1\n"), None);
    }
}
