//! HTTP/1.x as an nginx worker speaks it: bytes in, bytes out, no socket.
//!
//! Files are asked for through [`Files`], which the worker brings; `walk` is the way to them.
//!
//! [`parse`] takes what a client has sent so far, [`respond`] says what nginx would answer.
//!
//! # Source
//! `ngx_http_process_request_headers` in `src/http/ngx_http_request.c`, `ngx_http_header_filter` in
//! `src/http/ngx_http_header_filter_module.c`, `ngx_http_send_special_response` in
//! `src/http/ngx_http_special_response.c`, nginx 1.18 to 1.30.
//!
//! # Not modelled
//! HTTP/2 and later, TLS, and what releases before 1.21.1 let pass in requests:
//! blanks and control characters in targets and names of headers.

mod chunks;
mod conditions;
mod date;
mod files;
mod head;
mod host;
mod page;
mod parse;
mod range;
mod respond;
mod route;
mod static_file;
mod target;
#[cfg(test)]
mod tests;
mod types;
mod variables;
mod walk;

pub use chunks::{BadChunk, Chunks};
pub use files::{Files, Found};
pub use parse::parse;
pub use respond::{refuse, respond};
pub use types::{Answer, Body, Context, Parsed, Piece, Request};
