//! The world `model`: a kernel in memory, virtual time, and every choice in one place.
//!
//! Masters and workers are [`fake_nginx::machine`], the very code of the fake; the orchestrator is the very
//! code of `oldbin` behind its `Host`. What is simulated is the kernel between them ([`kernel`]), the clients,
//! and the person at the keyboard. Whatever could go one way or another is asked of a [`choice::Chooser`], so
//! the same answers give the same trace, byte for byte.

pub mod binaries;
pub mod choice;
pub mod client;
mod excuses;
pub mod exhaustive;
pub mod fault;
mod host;
mod judge;
pub mod kernel;
pub mod linear;
pub mod operator;
mod paths;
mod power;
mod record;
pub mod rules;
mod run;
pub mod runbook;
pub mod script;
mod shared;
mod shrink;
mod truth;
pub mod world;

pub(crate) use host::act_of;
pub use run::{Impossible, Options, run, run_with};
pub use shrink::Shrunk;
