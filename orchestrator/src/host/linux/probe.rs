//! One GET over TCP, its status, and how long it took.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::now_us;

/// How long connecting, sending and each read may take: what a patient client of a health check grants.
const STEP: Duration = Duration::from_millis(2_000);

/// The longest status line that is read.
const STATUS_BYTES_MAX: usize = 256;

/// True for the status of an answer that is in order: 2xx and 3xx.
pub(crate) fn is_good(status: u16) -> bool {
    (200..400).contains(&status)
}

/// A plain URL, in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    host: String,
    port: u16,
    path: String,
}

impl Target {
    /// `http://host[:port][/path]`, and nothing else.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or("only http:// can be probed")?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| format!("{port:?} is no port"))?)
            }
            Some(_) | None => (authority, 80),
        };
        let is_clean = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || !is_clean(authority) || !is_clean(path) {
            return Err("the URL has no host, or blanks in it".to_owned());
        }
        Ok(Self { host: host.to_owned(), port, path: path.to_owned() })
    }

    /// The status of the answer and how many microseconds it took, or how there was none.
    pub(crate) fn get(&self) -> Result<(u16, u64), String> {
        let began_us = now_us();
        let status = self.status()?;
        Ok((status, now_us().saturating_sub(began_us)))
    }

    fn status(&self) -> Result<u16, String> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let mut last = "the name has no address".to_owned();
        for address in (bare, self.port).to_socket_addrs().map_err(|error| error.to_string())? {
            match TcpStream::connect_timeout(&address, STEP) {
                Ok(stream) => return self.ask(stream).map_err(|error| error.to_string()),
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    fn ask(&self, mut stream: TcpStream) -> std::io::Result<u16> {
        stream.set_read_timeout(Some(STEP))?;
        stream.set_write_timeout(Some(STEP))?;
        write!(
            stream,
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: oldbin\r\nConnection: close\r\n\r\n",
            self.path, self.host
        )?;
        let mut line = Vec::new();
        while !line.contains(&b'\n') && line.len() < STATUS_BYTES_MAX {
            let mut bytes = [0; 64];
            match stream.read(&mut bytes)? {
                0 => break,
                count => line.extend_from_slice(&bytes[..count]),
            }
        }
        let text = String::from_utf8_lossy(&line);
        let status =
            text.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.get(..3)?.parse().ok());
        status.ok_or_else(|| std::io::Error::other("the answer is no HTTP"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = Target::parse("http://127.0.0.1:8080/healthz?x").unwrap();
        assert_eq!(
            (target.host.as_str(), target.port, target.path.as_str()),
            ("127.0.0.1", 8080, "/healthz?x")
        );
        assert_eq!(Target::parse("http://[::1]").unwrap().port, 80);
        assert!(Target::parse("https://x/").is_err());
        assert!(Target::parse("http://").is_err());
        assert!(Target::parse("http://x/a b").is_err());
    }
}
