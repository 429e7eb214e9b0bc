//! HTTP/1.x as an nginx worker speaks it: bytes in, bytes out, no socket.
//!
//! [`parse`] takes what a client has sent so far, [`respond`] says what nginx would answer.
//!
//! # Source
//! `ngx_http_process_request_headers` in `src/http/ngx_http_request.c`, `ngx_http_header_filter` in
//! `src/http/ngx_http_header_filter_module.c`, `ngx_http_send_special_response` in
//! `src/http/ngx_http_special_response.c`, nginx 1.18 to 1.30.
//!
//! # Not modelled
//! HTTP/2 and later, TLS, files, ranges, limits on bodies, and what releases before 1.21.1 let pass in requests:
//! blanks and control characters in targets and names of headers.

mod date;
mod head;
mod host;
mod page;
mod parse;
mod respond;
mod route;
mod target;
mod types;
mod variables;

pub use parse::parse;
pub use respond::{refuse, respond};
pub use types::{Answer, Body, Context, Parsed, Request};
