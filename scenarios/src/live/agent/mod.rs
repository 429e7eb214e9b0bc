//! The agent: makes a world, lets the subject work in it, watches, and tells.
//!
//! One thread, one epoll loop ([`world::World::turn`]); the run itself ([`run`]) is written straight down, and
//! every wait in it is a turn of that loop, so nothing goes unseen while a step sleeps.
//!
//! | file | what it knows |
//! |---|---|
//! | `isolation`, `loopback` | namespaces, mounts, the loopback device |
//! | `folder`, `config`, `binary` | what lies in the world's folder |
//! | `world`, `reactor`, `child` | the loop, processes that the agent started, their pipes |
//! | `proc`, `log` | reading `/proc` and nginx's log |
//! | `observer`, `role`, `process`, `listener`, `pid_file`, `moment` | what was seen, as events |
//! | `control`, `mishaps` | who stops at which moment, and what goes wrong there |
//! | `quiescence` | when nothing moves any more |
//! | `subject`, `runbook`, `condition`, `claim` | who changes the binary |
//! | `run`, `storm`, `ending` | the order of it all, of a story and of a random script, and the end |
//! | `strike` | what goes wrong in a random script |
//! | `sequence`, `site`, `connection`, `sight` | the steps of a conformance sequence, its nginx, and what is seen after each |

mod binary;
mod child;
mod claim;
mod condition;
mod config;
mod connection;
pub mod control;
mod ending;
mod folder;
mod isolation;
mod listener;
mod log;
mod loopback;
mod mishaps;
mod moment;
mod observer;
mod pid_file;
mod proc;
mod process;
mod quiescence;
mod reactor;
mod role;
mod run;
mod runbook;
mod sequence;
mod sight;
mod site;
mod storm;
mod strike;
mod subject;
mod world;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use super::order::{Answer, Order, Told};
use crate::trace;

/// Why a run in this process stops before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The scenario's deadline has passed.
    Deadline,
    /// The laboratory is gone, or asked for it.
    Told,
    /// The world cannot go on.
    Broken(String),
}

impl Stop {
    /// For an operation of the agent itself that failed.
    fn broken<E: std::fmt::Display>(what: &str) -> impl Fn(E) -> Self {
        move |error| Self::Broken(format!("cannot {what}: {error}"))
    }
}

/// Runs as an agent, in the mode that the arguments name.
pub(super) fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let mode = arguments.next().unwrap_or_default();
    match mode.to_str() {
        Some("namespaces") => isolation::become_parent_of_first(&arguments.collect::<Vec<_>>()),
        Some(isolation::FIRST) => match isolation::become_first(&mut arguments) {
            Ok(user) => match arguments.next() {
                None => serve(Some(user)),
                Some(word) => isolation::become_program(std::iter::once(word).chain(arguments)),
            },
            Err(why) => answer(&Answer::NoNamespaces(why), None),
        },
        _ => match isolation::become_subreaper() {
            Ok(()) => serve(None),
            Err(why) => answer(&Answer::Failed(why), None),
        },
    }
}

/// Reads the order, runs it, and answers; `user` is set in namespaces.
fn serve(user: Option<isolation::User>) -> ExitCode {
    let order = match read_order() {
        Ok(order) => order,
        Err(error) => return answer(&Answer::Failed(format!("cannot read the order: {error}")), None),
    };
    match run::run(&order, user) {
        Ok(Told::Trace(trace)) => answer(&Answer::Done, Some(&trace)),
        Ok(Told::Snapshots(seen)) => answer(&Answer::Seen(seen), None),
        Err(Stop::Told) => ExitCode::FAILURE,
        Err(Stop::Deadline) => {
            answer(&Answer::Failed("the deadline passed before nginx served".into()), None)
        }
        Err(Stop::Broken(why)) => answer(&Answer::Failed(why), None),
    }
}

/// One line, and not a byte more: standard input stays open, and its end is news.
fn read_order() -> io::Result<Order> {
    let mut line = Vec::new();
    let mut stdin = io::stdin().lock();
    let mut byte = [0];
    while stdin.read(&mut byte)? == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    Ok(serde_json::from_slice(&line)?)
}

fn answer(answer: &Answer, trace: Option<&trace::Trace>) -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let told = serde_json::to_writer(&mut out, answer)
        .map_err(io::Error::from)
        .and_then(|()| writeln!(out))
        .and_then(|()| trace.map_or(Ok(()), |trace| trace::write(trace, &mut out)))
        .and_then(|()| out.flush());
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
