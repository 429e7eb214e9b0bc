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
//! HTTP/2 and later, TLS, ranges, request bodies beyond their being discarded.

mod types;

pub use types::{Answer, Body, Context, Parsed, Request};

use crate::conf::Conf;

/// Takes what has arrived on a connection since the last request.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed {
    let _ = bytes;
    unimplemented!("requests are not parsed yet")
}

/// What nginx answers to `request`, which came through `conf.listens[listen]`.
#[must_use]
pub fn respond(conf: &Conf, listen: usize, request: &Request, context: &Context) -> Answer {
    let _ = (conf, listen, request, context);
    unimplemented!("requests are not answered yet")
}

/// What nginx answers to bytes that are no request ([`Parsed::Bad`]): the error page, then it closes.
#[must_use]
pub fn refuse(conf: &Conf, listen: usize, status: u16, context: &Context) -> Answer {
    let _ = (conf, listen, status, context);
    unimplemented!("requests are not answered yet")
}
