//! A client's connection: its socket, what was received and not yet understood, the answer on its way.
//!
//! # Source
//! `ngx_http_read_request_header` in `src/http/ngx_http_request.c`, `ngx_unix_recv` and
//! `ngx_unix_send` in `src/os/unix/`, nginx 1.18 to 1.30.

use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};

use super::content::OpenFile;
use crate::conf::{Conf, Lingers, Message, Patience};
use crate::http::{self, Answer, Body, Chunks, Context, Piece, Request};
use crate::machine;
use crate::machine::{Parsed, Received, Sent};

/// How much is read at once.
const RECEIVE_BYTES: usize = 4096;

/// A connection that a worker has accepted.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: OwnedFd,
    pub(super) listen: usize,
    pub(super) number: u64,
    pub(super) remote: Option<IpAddr>,
    pub(super) local: Option<IpAddr>,
    buffer: Vec<u8>,
    /// How much of a request's body is still to come.
    body_left: u64,
    /// A body in chunks that has not ended.
    chunks: Option<Chunks>,
    /// That body is none: nothing behind it can be understood.
    is_broken: bool,
    found: Option<Result<Request, u16>>,
    /// What goes out, in order.
    answer: Vec<Piece>,
    file: OpenFile,
}

impl Client {
    pub(super) fn new(
        socket: OwnedFd,
        listen: usize,
        number: u64,
        remote: Option<IpAddr>,
        local: Option<IpAddr>,
    ) -> Self {
        let buffer = Vec::new();
        let (answer, file) = (Vec::new(), OpenFile::default());
        Self {
            socket,
            listen,
            number,
            remote,
            local,
            buffer,
            body_left: 0,
            chunks: None,
            is_broken: false,
            found: None,
            answer,
            file,
        }
    }

    /// Reads into the buffer; what belongs to a body is thrown away.
    pub(super) fn receive(&mut self) -> Received {
        let mut bytes = [0; RECEIVE_BYTES];
        let received = self.recv(&mut bytes, RecvFlags::empty());
        if let Ok(count) = received {
            self.buffer.extend_from_slice(&bytes[..count]);
            self.drop_body();
        }
        said(received)
    }

    /// Looks whether the client is still there.
    pub(super) fn peek(&self) -> Received {
        said(self.recv(&mut [0; 1], RecvFlags::PEEK))
    }

    /// Reads and forgets.
    pub(super) fn discard(&self) -> Received {
        said(self.recv(&mut [0; RECEIVE_BYTES], RecvFlags::empty()))
    }

    fn recv(&self, bytes: &mut [u8], flags: RecvFlags) -> Result<usize, Errno> {
        net::recv(&self.socket, bytes, flags).map(|(count, _)| count)
    }

    fn drop_body(&mut self) {
        let count = usize::try_from(self.body_left).unwrap_or(usize::MAX).min(self.buffer.len());
        self.buffer.drain(..count);
        self.body_left -= count as u64;
        let Some(chunks) = &mut self.chunks else { return };
        match chunks.read(&self.buffer) {
            Ok(count) => drop(self.buffer.drain(..count)),
            Err(_) => self.is_broken = true,
        }
        if chunks.has_ended() {
            self.chunks = None;
        }
    }

    /// Looks for a request at the start of the buffer and takes it out.
    pub(super) fn parse(&mut self) -> Parsed {
        if self.is_broken {
            self.found = Some(Err(400));
            return Parsed::Bad;
        }
        if self.buffer.is_empty() {
            return Parsed::Empty;
        }
        match http::parse(&self.buffer) {
            http::Parsed::Partial => Parsed::Partial,
            http::Parsed::Bad(status) => {
                self.found = Some(Err(status));
                Parsed::Bad
            }
            http::Parsed::Request(request, head_len) => {
                self.buffer.drain(..head_len);
                self.body_left = if let Body::Length(length) = request.body { length } else { 0 };
                self.chunks = (request.body == Body::Chunked).then(Chunks::default);
                self.drop_body();
                self.found = Some(if self.is_broken { Err(400) } else { Ok(request) });
                Parsed::Whole
            }
        }
    }

    /// Makes the answer to what was found.
    ///
    /// `forced` is a status that everybody is answered with. Beside the answer: what the log is told.
    pub(super) fn respond(
        &mut self,
        conf: &Conf,
        context: &Context,
        forced: Option<u16>,
    ) -> (machine::Answer, Vec<Message>) {
        self.file = OpenFile::default();
        let answer: Answer = match self.found.take().unwrap_or(Err(400)) {
            Ok(_) if let Some(status) = forced => http::refuse(conf, self.listen, status, context),
            Ok(request) => http::respond(conf, self.listen, &request, context, &mut self.file),
            Err(status) => http::refuse(conf, self.listen, status, context),
        };
        self.answer = vec![Piece::Bytes(answer.bytes)];
        self.answer.extend(answer.pieces);
        let told = machine::Answer {
            length: self.answer.iter().map(Piece::len).sum(),
            limit_rate: answer.limit_rate.unwrap_or(0),
            keep_alive: answer.keep_alive,
            keepalive_timeout_ms: answer.keepalive_timeout_ms,
            keepalive_min_timeout_ms: answer.keepalive_min_timeout_ms,
            patience: answer.patience,
            has_unread: self.body_left > 0 || self.chunks.is_some() || !self.buffer.is_empty(),
        };
        (told, answer.said)
    }

    /// Makes a text the answer, and the last one.
    pub(super) fn say(&mut self, text: Vec<u8>) -> machine::Answer {
        let length = text.len() as u64;
        self.answer = vec![Piece::Bytes(text)];
        machine::Answer {
            length,
            limit_rate: 0,
            keep_alive: false,
            keepalive_timeout_ms: 0,
            keepalive_min_timeout_ms: 0,
            patience: Patience { lingers: Lingers::Never, ..Patience::default() },
            has_unread: false,
        }
    }

    /// Sends a part of the answer.
    pub(super) fn send(&self, from: u64, bytes_max: u64) -> Sent {
        let mut sent = 0;
        while sent < bytes_max {
            match self.send_once(from + sent, bytes_max - sent) {
                Ok(0) | Err(Errno::AGAIN) => break,
                Ok(count) => sent += count as u64,
                Err(Errno::INTR) => {}
                Err(_) => return Sent::Failed,
            }
        }
        Sent::Bytes(sent)
    }

    /// From the piece in which `from` lies; 0 behind the last one.
    fn send_once(&self, from: u64, bytes_max: u64) -> Result<usize, Errno> {
        let mut begin = 0;
        let holder = self.answer.iter().find(|piece| {
            let holds = from < begin + piece.len();
            begin += if holds { 0 } else { piece.len() };
            holds
        });
        let at = from - begin;
        match holder {
            None => Ok(0),
            Some(Piece::File(part)) => {
                let left = part.end - part.start - at;
                self.file.send(self.socket.as_fd(), part.start + at, left.min(bytes_max))
            }
            Some(Piece::Bytes(bytes)) => {
                let rest = &bytes[usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len())..];
                let count = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(rest.len());
                net::send(&self.socket, &rest[..count], SendFlags::NOSIGNAL)
            }
        }
    }
}

fn said(received: Result<usize, Errno>) -> Received {
    match received {
        Ok(0) => Received::End,
        Ok(count) => Received::Bytes { more: count == RECEIVE_BYTES },
        Err(Errno::AGAIN | Errno::INTR) => Received::Nothing,
        Err(_) => Received::Reset,
    }
}
