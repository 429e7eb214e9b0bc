//! The world of a fake nginx on Linux: [`main`] carries out what [`crate::machine`] asks, and decides nothing.
//!
//! The process never has a second thread, so it may fork, change its environment and write over its command
//! line. Handlers of signals only store what arrived (`arrivals`). All of the crate's `unsafe` is here.
//!
//! # Source
//! The files of `src/os/unix/` of nginx 1.18 to 1.30, as named in each file.

mod arrivals;
mod channels;
mod client;
mod clock;
mod content;
mod control;
mod counter;
mod environment;
mod files;
mod listeners;
mod logs;
mod process;
mod reader;
mod said;
mod serve;
mod stream;
mod title;
mod worker;
mod world;

use std::os::unix::ffi::OsStrExt as _;

use crate::machine::{Defects, Plan, Print, Process, Purpose, Reply, Signal};
use crate::options::{self, Options, SignalWord};
use crate::stamp::Stamp;
use world::World;

/// Lives the life of the nginx that `stamp` says.
pub fn main(stamp: Stamp) -> ! {
    let argv: Vec<_> = std::env::args_os().collect();
    let words: Vec<String> =
        argv.iter().skip(1).map(|word| String::from_utf8_lossy(word.as_bytes()).into_owned()).collect();
    let profile = stamp.profile();
    let options = match options::parse(&words, &profile) {
        Ok(options) => options,
        Err(said) => {
            logs::write_stderr(&format!("{said}\n"));
            process::exit(1);
        }
    };
    let defects = match Defects::named(stamp.defects.iter().map(String::as_str)) {
        Ok(defects) => defects,
        Err(unknown) => refuse(&unknown),
    };
    let plan = Plan {
        print: options.show_version.then_some(Print::Version),
        purpose: purpose(&options),
        profile,
        fault: stamp.fault,
        defects,
    };
    let mut process = Process::new(plan);
    let mut world = World::new(stamp, options, argv);
    let mut reply = Reply::Begin;
    loop {
        let effect = process.next(reply);
        reply = world.perform(effect);
    }
}

/// Ends a process that is no nginx because its stamp makes no sense.
pub fn refuse(why: &dyn std::error::Error) -> ! {
    logs::write_stderr(&format!("fake-nginx: {why}\n"));
    process::exit(1)
}

fn purpose(options: &Options) -> Purpose {
    if options.test {
        return Purpose::Test { dump: options.dump, quiet: options.quiet, signals: options.signal.is_some() };
    }
    match options.signal {
        None => Purpose::Run,
        Some(SignalWord::Stop) => Purpose::Signal(Signal::Term),
        Some(SignalWord::Quit) => Purpose::Signal(Signal::Quit),
        Some(SignalWord::Reopen) => Purpose::Signal(Signal::Usr1),
        Some(SignalWord::Reload) => Purpose::Signal(Signal::Hup),
    }
}
