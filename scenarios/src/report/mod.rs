//! What a person or a program reads about runs: a table, JSON, and a page for each failure.
//!
//! Everything here makes text out of a scenario, its trace and its verdict; printing is for the caller.

mod bounds;
mod cell;
mod failure;
mod json;
mod junit;
mod replay;
mod results;
mod row;
mod run;
mod summary;
mod table;

pub use bounds::bounds;
pub use failure::failure;
pub use json::{SCHEMA, json, json_line};
pub use junit::{junit, junit_of_bounds};
pub use replay::{replay, replay_json};
pub use results::results;
pub use run::Run;
pub use summary::{Gap, Latency, Summary};
pub use table::table;
