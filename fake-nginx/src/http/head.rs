//! The head of an answer, header by header in nginx's order.
//!
//! # Source
//! `ngx_http_header_filter` in `src/http/ngx_http_header_filter_module.c`, nginx 1.18 to 1.30.

use super::date::http_date;
use super::page::status_line;
use super::types::Context;

/// What a head tells.
#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) status: u16,
    /// `nginx/1.26.3`
    pub(super) server: String,
    pub(super) content_type: Option<String>,
    pub(super) content_length: Option<u64>,
    /// `Last-Modified`, in seconds since 1970.
    pub(super) modified_s: Option<i64>,
    /// A location that nginx itself made absolute; it stands before `Connection`.
    pub(super) absolute_location: Option<Vec<u8>>,
    /// Whether it says `keep-alive`.
    pub(super) says_keep_alive: bool,
    /// `Keep-Alive: timeout=`
    pub(super) keepalive_header_s: u64,
    /// Everything else, behind the rest.
    pub(super) others: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// The bytes, closing empty line included.
    pub(super) fn bytes(&self, context: &Context) -> Vec<u8> {
        let mut bytes = format!(
            "HTTP/1.1 {}\r\nServer: {}\r\nDate: {}\r\n",
            status_line(self.status, &context.profile),
            self.server,
            http_date(context.now_unix_s)
        )
        .into_bytes();
        let mut put = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        if let Some(kind) = &self.content_type {
            put("Content-Type", kind.as_bytes());
        }
        if let Some(length) = self.content_length {
            put("Content-Length", length.to_string().as_bytes());
        }
        if let Some(modified_s) = self.modified_s {
            put("Last-Modified", http_date(u64::try_from(modified_s).unwrap_or(0)).as_bytes());
        }
        if let Some(location) = &self.absolute_location {
            put("Location", location);
        }
        if self.status == 101 {
            put("Connection", b"upgrade");
        } else if self.says_keep_alive {
            put("Connection", b"keep-alive");
            if self.keepalive_header_s > 0 {
                put("Keep-Alive", format!("timeout={}", self.keepalive_header_s).as_bytes());
            }
        } else {
            put("Connection", b"close");
        }
        for (name, value) in &self.others {
            put(name, value);
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}
