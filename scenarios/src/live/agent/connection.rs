//! Connections that a sequence of steps opens, and what becomes of them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use crate::conformance::Hold;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LAST_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A connection, and all that came over it.
pub(super) struct Connection {
    stream: Option<TcpStream>,
    received: Vec<u8>,
    state: State,
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
        Self::open(port, LAST_REQUEST)
    }

    /// To be held open.
    pub(super) fn held(port: u16, hold: Hold) -> Self {
        Self::open(
            port,
            match hold {
                Hold::Silent => b"",
                Hold::Half => &REQUEST[..REQUEST.len() / 2],
                Hold::Kept => REQUEST,
            },
        )
    }

    fn open(port: u16, sent: &[u8]) -> Self {
        let opened = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|mut stream| {
            stream.set_nonblocking(true)?;
            stream.write_all(sent)?;
            io::Result::Ok(stream)
        });
        match opened {
            Ok(stream) => Self { stream: Some(stream), received: Vec::new(), state: State::Open },
            Err(error) => Self { stream: None, received: Vec::new(), state: State::Failed(error.kind()) },
        }
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
    }

    /// True as long as something may still come.
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Its fate so far; `name` tells who the pid of an answer is.
    pub(super) fn fate(&self, name: impl Fn(u32) -> String) -> String {
        let text = String::from_utf8_lossy(&self.received);
        let answers: Vec<String> = text
            .split("HTTP/1.1 ")
            .skip(1)
            .map(|answer| {
                let status = answer.get(..3).unwrap_or(answer);
                let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                let pid = body.split(' ').next().and_then(|word| word.parse().ok());
                pid.map_or_else(|| status.to_owned(), |pid| format!("{status} from {}", name(pid)))
            })
            .collect();
        let state = match &self.state {
            State::Open => "open".to_owned(),
            State::Closed => "closed".to_owned(),
            State::Failed(kind) => kind.to_string(),
        };
        let answered = if answers.is_empty() { "no answer".to_owned() } else { answers.join(", ") };
        format!("{answered}, {state}")
    }
}
