//! The laboratory: what can go wrong with an upgrade, tried on purpose, and judged from the trace alone.
//!
//! ```text
//! scenario file ── parse ─▶ Scenario ── drive (a world) ─▶ Trace ── check ─▶ Findings ─▶ Verdict ── render ─▶ Report
//! ```
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod cli;
pub mod conformance;
mod counts;
pub mod explore;
pub mod failures;
pub mod format;
pub mod handoff;
pub mod invariants;
pub mod live;
pub mod model;
pub mod mutant;
mod pool;
pub mod regression;
pub mod report;
pub mod runbook;
pub mod scenario;
pub mod shard;
pub mod trace;
pub mod verdict;
