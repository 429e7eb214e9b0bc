//! The values of variables.
//!
//! # Source
//! `ngx_http_core_variables` in `src/http/ngx_http_variables.c`, nginx 1.18 to 1.30.

use super::files;
use super::types::{Context, Request};
use crate::conf::{Captures, Conf, Listen, Location, Server};

/// All that a variable may ask about.
pub(super) struct Scope<'a> {
    pub(super) conf: &'a Conf,
    pub(super) listen: Option<&'a Listen>,
    pub(super) server: Option<&'a Server>,
    pub(super) request: &'a Request,
    /// `$request_uri`
    pub(super) unparsed: &'a [u8],
    /// `$uri`, which redirects inside nginx change.
    pub(super) path: Vec<u8>,
    /// `$args`
    pub(super) args: Vec<u8>,
    /// Where the request has come to.
    pub(super) place: &'a Location,
    /// What expressions have found.
    pub(super) captures: Captures,
    pub(super) context: &'a Context,
}

impl Scope<'_> {
    /// The value of `$name`; an unknown one is empty, and the configuration has none.
    pub(super) fn value(&self, name: &str) -> Vec<u8> {
        let header = |name: &str| self.request.values(name).next().unwrap_or_default().to_vec();
        match name {
            "args" | "query_string" => self.args.clone(),
            "connection" => self.context.connection.to_string().into_bytes(),
            "connection_requests" => self.context.requests_on_connection.to_string().into_bytes(),
            "content_length" => header("content-length"),
            "content_type" => header("content-type"),
            "uri" | "document_uri" => self.path.clone(),
            "host" => self.request.host.as_deref().unwrap_or(self.server_name()).as_bytes().to_vec(),
            "document_root" => files::split(self, b"").0,
            "request_filename" => files::map(self, &self.path),
            "hostname" => self.conf.hostname.clone().into_bytes(),
            "is_args" if self.args.is_empty() => Vec::new(),
            "is_args" => b"?".to_vec(),
            "nginx_version" => self.context.profile.version.to_string().into_bytes(),
            "pid" => self.context.pid.to_string().into_bytes(),
            "remote_addr" => self.context.remote.map_or("unix:".to_owned(), |ip| ip.to_string()).into_bytes(),
            "request" => self.request_line(),
            "request_method" => self.request.method.clone().into_bytes(),
            "request_uri" => self.unparsed.to_vec(),
            "scheme" => b"http".to_vec(),
            "server_name" => self.server_name().as_bytes().to_vec(),
            "server_port" => self.port().map_or_else(String::new, |port| port.to_string()).into_bytes(),
            "server_protocol" => self.protocol().as_bytes().to_vec(),
            _ => match (name.strip_prefix("http_"), name.strip_prefix("arg_")) {
                (Some(name), _) => header(&name.replace('_', "-")),
                (_, Some(name)) => self.argument(name.as_bytes()),
                _ => {
                    let found = self.captures.iter().rev().find(|(known, _)| known == name);
                    found.map_or_else(Vec::new, |(_, value)| value.clone())
                }
            },
        }
    }

    pub(super) fn server_name(&self) -> &str {
        self.server.map_or("", |server| server.name.as_str())
    }

    /// The port that was connected to; a unix socket has none.
    pub(super) fn port(&self) -> Option<u16> {
        Some(self.listen?.address.socket()?.port())
    }

    fn protocol(&self) -> &'static str {
        match self.request.version {
            9 => "HTTP/0.9",
            10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        }
    }

    pub(super) fn request_line(&self) -> Vec<u8> {
        let mut line = self.request.method.clone().into_bytes();
        line.push(b' ');
        line.extend_from_slice(&self.request.target);
        if self.request.version > 9 {
            line.push(b' ');
            line.extend_from_slice(self.protocol().as_bytes());
        }
        line
    }

    fn argument(&self, name: &[u8]) -> Vec<u8> {
        let arguments = self.args.split(|&byte| byte == b'&');
        let mut values = arguments.filter_map(|argument| {
            let is_named = argument.get(..name.len())?.eq_ignore_ascii_case(name);
            argument[name.len()..].strip_prefix(b"=").filter(|_| is_named)
        });
        values.next().unwrap_or_default().to_vec()
    }
}
