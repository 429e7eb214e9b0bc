//! The load: what clients do, in a process of its own, so that it neither waits for the agent nor slows it.
//!
//! Fresh connections are open-loop: they come at their rate whether or not the last ones were answered, as
//! clients do. Each request becomes one event, written when it ends; a request that ends badly is told by
//! what its client saw, see [`crate::trace::Fate`].

mod answer;
mod clients;
mod connection;
mod timer;

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use rustix::process::{Resource, getrlimit, setrlimit};

use super::order::LoadOrder;

/// Runs as the load of one run: the order on standard input, then a word when to end.
pub(super) fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails too.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> io::Result<()> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let order: LoadOrder = serde_json::from_str(&line)?;
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files)?;
    clients::Clients::new(order)?.work()
}
