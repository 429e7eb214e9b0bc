//! A client's connection: its socket, what was received and not yet understood, the answer on its way.
//!
//! # Source
//! `ngx_http_read_request_header` in `src/http/ngx_http_request.c`, `ngx_unix_recv` and
//! `ngx_unix_send` in `src/os/unix/`, nginx 1.18 to 1.30.

use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};

use crate::conf::Conf;
use crate::http::{self, Answer, Body, Context, Request};
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
    found: Option<Result<Request, u16>>,
    answer: Vec<u8>,
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
        Self { socket, listen, number, remote, local, buffer, body_left: 0, found: None, answer: Vec::new() }
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
    }

    /// Looks for a request at the start of the buffer and takes it out.
    pub(super) fn parse(&mut self) -> Parsed {
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
                self.body_left = match request.body {
                    Body::None => 0,
                    Body::Length(length) => length,
                    // Where it ends is not looked for.
                    Body::Chunked => u64::MAX,
                };
                self.drop_body();
                self.found = Some(Ok(request));
                Parsed::Whole
            }
        }
    }

    /// Makes the answer to what was found.
    ///
    /// `forced` is a status that everybody is answered with.
    pub(super) fn respond(&mut self, conf: &Conf, context: &Context, forced: Option<u16>) -> machine::Answer {
        let answer: Answer = match self.found.take().unwrap_or(Err(400)) {
            Ok(_) if let Some(status) = forced => http::refuse(conf, self.listen, status, context),
            Ok(request) => http::respond(conf, self.listen, &request, context),
            Err(status) => http::refuse(conf, self.listen, status, context),
        };
        self.answer = answer.bytes;
        machine::Answer {
            length: self.answer.len() as u64,
            limit_rate: answer.limit_rate.unwrap_or(0),
            keep_alive: answer.keep_alive,
            keepalive_timeout_ms: answer.keepalive_timeout_ms,
            keepalive_min_timeout_ms: answer.keepalive_min_timeout_ms,
            has_unread: self.body_left > 0 || !self.buffer.is_empty(),
        }
    }

    /// Sends a part of the answer.
    pub(super) fn send(&self, from: u64, bytes_max: u64) -> Sent {
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(self.answer.len());
        let count = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let part = &self.answer[from..self.answer.len().min(from.saturating_add(count))];
        let mut sent = 0;
        while sent < part.len() {
            match net::send(&self.socket, &part[sent..], SendFlags::NOSIGNAL) {
                Ok(count) => sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return Sent::Failed,
            }
        }
        Sent::Bytes(sent as u64)
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
