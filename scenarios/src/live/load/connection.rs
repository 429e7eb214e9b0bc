//! One connection of a client.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::answer::{self, Answer};
use crate::trace::{Fate, Kind};

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// The kernel has not connected it yet, or not all of the request is sent.
    Sending,
    /// The answer is awaited.
    Reading,
    /// Kept alive, between two requests.
    Idle,
    /// The answer is there, and the server closes.
    Leaving,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// What its client does.
    pub(super) kind: Kind,
    /// The lasting client that it belongs to; `None` for a fresh connection.
    pub(super) client: Option<usize>,
    /// Where it stands.
    pub(super) stand: Stand,
    /// Number of the request under way.
    pub(super) nth: u32,
    /// When the request began.
    pub(super) started_us: u64,
    stream: TcpStream,
    unsent: &'static [u8],
    received: Vec<u8>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// Its fate.
    pub(super) fate: Fate,
    /// Who answered.
    pub(super) pid: Option<u32>,
    /// The release that answered.
    pub(super) version: Option<String>,
}

/// What a connection's readiness led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing yet.
    None,
    /// The request has ended; the connection lives on if it is idle or leaving.
    Ended(End),
    /// The connection has ended outside of a request.
    Closed,
}

impl Connection {
    /// Begins to connect.
    pub(super) fn open(
        address: SocketAddr,
        registry: &Registry,
        number: u32,
        kind: Kind,
        client: Option<usize>,
        started_us: u64,
    ) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        registry.register(&mut stream, Token(number as usize), Interest::READABLE | Interest::WRITABLE)?;
        let unsent = request(kind);
        let stand = Stand::Sending;
        Ok(Self { kind, client, stand, nth: 1, started_us, stream, unsent, received: Vec::new() })
    }

    /// Sends another request on an idle connection.
    pub(super) fn send_again(&mut self, started_us: u64) {
        self.nth += 1;
        self.started_us = started_us;
        self.stand = Stand::Sending;
        self.unsent = request(self.kind);
        self.received.clear();
    }

    /// Goes on as far as the kernel lets it.
    pub(super) fn go_on(&mut self) -> News {
        loop {
            let step = match self.stand {
                Stand::Sending => self.send(),
                Stand::Reading => self.receive(),
                Stand::Idle | Stand::Leaving => self.discard(),
            };
            match step {
                Ok(None) => {}
                Ok(Some(news)) => return news,
                Err(error) if is_not_yet(&error) => return News::None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return News::Ended(self.broken(&error)),
            }
        }
    }

    /// True if a request is under way.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.stand, Stand::Sending | Stand::Reading)
    }

    fn send(&mut self) -> io::Result<Option<News>> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        while !self.unsent.is_empty() {
            let sent = self.stream.write(self.unsent)?;
            self.unsent = &self.unsent[sent..];
        }
        self.stand = Stand::Reading;
        Ok(None)
    }

    fn receive(&mut self) -> io::Result<Option<News>> {
        let mut buffer = [0; 16_384];
        let read = self.stream.read(&mut buffer)?;
        self.received.extend_from_slice(&buffer[..read]);
        let has_ended = read == 0;
        match answer::read(&self.received, has_ended) {
            Answer::Partial if has_ended => Err(ErrorKind::UnexpectedEof.into()),
            Answer::Partial => Ok(None),
            Answer::Garbage => Err(ErrorKind::InvalidData.into()),
            Answer::Whole { status, closes, pid, version } => {
                let stays = self.kind == Kind::Kept && !closes && !has_ended;
                self.stand = if stays { Stand::Idle } else { Stand::Leaving };
                Ok(Some(News::Ended(End { fate: Fate::Served { status }, pid, version })))
            }
        }
    }

    /// Between requests nothing is expected but the end.
    fn discard(&mut self) -> io::Result<Option<News>> {
        let mut buffer = [0; 1_024];
        match self.stream.read(&mut buffer) {
            Ok(1..) => Ok(None),
            Err(error) if is_not_yet(&error) => Ok(Some(News::None)),
            Ok(0) | Err(_) => Ok(Some(News::Closed)),
        }
    }

    /// What a broken connection means for the request under way.
    fn broken(&self, error: &io::Error) -> End {
        let fate = if error.kind() == ErrorKind::ConnectionRefused {
            Fate::Refused
        } else if !self.received.is_empty() {
            Fate::Truncated
        } else if self.nth > 1 {
            Fate::KeepAliveRace
        } else {
            Fate::Dropped
        };
        End { fate, pid: None, version: None }
    }
}

/// What the client sends.
fn request(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Fresh => b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        Kind::Kept => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        Kind::Slow => b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    }
}

fn is_not_yet(error: &io::Error) -> bool {
    // A socket that is still connecting says that it is not connected.
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}
