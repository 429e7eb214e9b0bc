//! A host that writes down what was asked and answered.

use std::io::Write;

use serde::Serialize;

use super::{Call, Host, HostError, HostExt, Reply};

/// Writes every call and its answer as one JSON line, with the times around it.
///
/// A trace that cannot be written is no reason to stop half-way: it ends there.
pub struct Traced<H, W> {
    host: H,
    to: Option<W>,
}

#[derive(Serialize)]
struct Line<'a> {
    began_us: u64,
    ended_us: u64,
    call: &'a Call,
    reply: &'a Result<Reply, HostError>,
}

impl<H: Host, W: Write> Traced<H, W> {
    /// Traces `host` to `to`, or just passes through.
    pub fn new(host: H, to: Option<W>) -> Self {
        Self { host, to }
    }
}

impl<H: Host, W: Write> Host for Traced<H, W> {
    fn call(&mut self, call: Call) -> Result<Reply, HostError> {
        let Some(to) = &mut self.to else { return self.host.call(call) };
        let (began_us, _) = self.host.now()?;
        let reply = self.host.call(call.clone());
        let (ended_us, _) = self.host.now()?;
        let line = Line { began_us, ended_us, call: &call, reply: &reply };
        let is_written = serde_json::to_writer(&mut *to, &line).is_ok() && writeln!(to).is_ok();
        if !is_written || to.flush().is_err() {
            self.to = None;
        }
        reply
    }
}
