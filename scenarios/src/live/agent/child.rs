//! A process that the agent started: its pipes and its end.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use crate::trace::Exit;

/// The most that is kept of what a child says; a script in a loop must not fill memory.
const SAID_BYTES_MAX: usize = 1 << 20;

/// One child.
#[derive(Debug, Default)]
pub(super) struct Child {
    /// What it wrote to standard output.
    pub(super) out: Vec<u8>,
    /// What it wrote to standard error.
    pub(super) err: Vec<u8>,
    /// How it ended, once it has.
    pub(super) exit: Option<Exit>,
}

/// Which of a child's streams a pipe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// The load's records.
    Records,
}

/// The agent's end of a pipe from a child.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Whose.
    pub(super) child: u32,
    /// Which stream.
    pub(super) stream: Stream,
    /// The readable end, non-blocking.
    pub(super) end: File,
}

impl Pipe {
    /// For a pipe that a spawned child has kept the other end of.
    pub(super) fn new(child: u32, stream: Stream, end: OwnedFd) -> std::io::Result<Self> {
        rustix::io::ioctl_fionbio(&end, true)?;
        Ok(Self { child, stream, end: end.into() })
    }

    /// What can be read now, and whether the pipe has ended.
    pub(super) fn read(&mut self) -> (Vec<u8>, bool) {
        let mut bytes = Vec::new();
        let mut buffer = [0; 65_536];
        loop {
            match self.end.read(&mut buffer) {
                Ok(0) => return (bytes, true),
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return (bytes, error.kind() != std::io::ErrorKind::WouldBlock),
            }
        }
    }
}

impl Child {
    /// Keeps what it said.
    pub(super) fn says(&mut self, stream: Stream, bytes: &[u8]) {
        let kept = match stream {
            Stream::Out | Stream::Records => &mut self.out,
            Stream::Err => &mut self.err,
        };
        let room = SAID_BYTES_MAX.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Its last words: standard error, or else standard output, at most its last line.
    pub(super) fn last_words(&self) -> String {
        [&self.err, &self.out]
            .into_iter()
            .filter_map(|said| {
                let text = String::from_utf8_lossy(said);
                text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
            })
            .next()
            .unwrap_or_default()
    }
}
