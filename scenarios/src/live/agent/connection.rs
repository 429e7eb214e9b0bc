//! Connections that a sequence of steps opens, and what becomes of them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::conformance::Hold;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LAST_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A connection, and all that came over it.
pub(super) struct Connection {
    stream: Option<Stream>,
    received: Vec<u8>,
    state: State,
    /// What is sent when it is finished.
    held_back: &'static [u8],
    /// True if it is known which worker took it.
    pub(super) is_placed: bool,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Failed(ErrorKind),
}

impl Connection {
    /// With one request that is to be the last.
    pub(super) fn with_request(port: u16) -> Self {
        Self::open(tcp(port), LAST_REQUEST, b"")
    }

    /// The same, over a unix socket.
    pub(super) fn to_path(path: &Path) -> Self {
        let stream = UnixStream::connect(path).and_then(|stream| {
            stream.set_nonblocking(true)?;
            Ok(Stream::Unix(stream))
        });
        Self::open(stream, LAST_REQUEST, b"")
    }

    /// To be held open.
    pub(super) fn held(port: u16, hold: Hold) -> Self {
        let (first, last) = REQUEST.split_at(REQUEST.len() / 2);
        let connection = match hold {
            Hold::Silent => Self::open(tcp(port), b"", REQUEST),
            Hold::Half => Self::open(tcp(port), first, last),
            Hold::Kept => Self::open(tcp(port), REQUEST, REQUEST),
        };
        Self { is_placed: true, ..connection }
    }

    fn open(stream: io::Result<Stream>, sent: &[u8], held_back: &'static [u8]) -> Self {
        let opened = stream.and_then(|mut stream| {
            stream.write_all(sent)?;
            Ok(stream)
        });
        let (stream, state) = match opened {
            Ok(stream) => (Some(stream), State::Open),
            Err(error) => (None, State::Failed(error.kind())),
        };
        Self { stream, received: Vec::new(), state, held_back, is_placed: false }
    }

    /// Sends what was held back.
    pub(super) fn finish(&mut self) {
        if let Some(stream) = &mut self.stream
            && let Err(error) = stream.write_all(self.held_back)
        {
            self.state = State::Failed(error.kind());
        }
        self.held_back = REQUEST;
    }

    /// Takes in what has come.
    pub(super) fn read(&mut self) {
        let mut buffer = [0; 4_096];
        while let Some(stream) = self.stream.as_mut().filter(|_| self.state == State::Open) {
            match stream.read(&mut buffer) {
                Ok(0) => self.state = State::Closed,
                Ok(read) => self.received.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => self.state = State::Failed(error.kind()),
            }
        }
        if self.state != State::Open {
            // A drain waits for no client that has seen the end.
            self.stream = None;
        }
    }

    /// True as long as something may still come.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Its fate so far; `name` tells who the pid of an answer is.
    pub(super) fn fate(&self, name: impl Fn(u32) -> String) -> String {
        let text = String::from_utf8_lossy(&self.received);
        let answers: Vec<String> =
            text.split("HTTP/1.1 ").skip(1).map(|answer| told(answer, &name)).collect();
        let state = match &self.state {
            State::Open => "open".to_owned(),
            State::Closed => "closed".to_owned(),
            State::Failed(kind) => kind.to_string(),
        };
        let answered = if answers.is_empty() { "no answer".to_owned() } else { answers.join(", ") };
        format!("{answered}, {state}")
    }
}

/// Status, writer, and what the answer says of the connection.
fn told(answer: &str, name: &impl Fn(u32) -> String) -> String {
    let status = answer.get(..3).unwrap_or(answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let pid = body.split(' ').next().and_then(|word| word.parse().ok());
    let writer = pid.map_or_else(String::new, |pid| format!(" from {}", name(pid)));
    let goes_on = head.lines().find_map(|line| line.strip_prefix("Connection: ")).unwrap_or("no word");
    format!("{status}{writer} ({goes_on})")
}

fn tcp(port: u16) -> io::Result<Stream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nonblocking(true)?;
    Ok(Stream::Tcp(stream))
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
