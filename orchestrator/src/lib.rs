//! Upgrades a running nginx to a new binary, or puts everything back.

pub mod cli;
