//! Directives that have no effect and still make or name something: variables, other servers.
//!
//! # Source
//! `ngx_http_upstream`, `ngx_http_upstream_server` and `ngx_http_upstream_init_round_robin` in
//! `src/http/ngx_http_upstream*.c`, `ngx_http_proxy_pass` in `src/http/modules/ngx_http_proxy_module.c`, nginx
//! 1.18 to 1.30.
//!
//! # Not modelled
//! What stands inside `map`, `geo`, `split_clients` and `mail` is only read to its end.

use std::net::ToSocketAddrs as _;

use super::directive::Contexts;
use super::frame::Frame;
use super::read::{Fail, Reader, Source};
use super::types::LocationMatch;
use super::variable::Template;

/// Directives whose arguments hold variables.
const WITH_VARIABLES: [&str; 12] = [
    "proxy_set_header",
    "proxy_pass",
    "fastcgi_param",
    "fastcgi_pass",
    "uwsgi_param",
    "scgi_param",
    "grpc_set_header",
    "add_trailer",
    "log_format",
    "set",
    "limit_req_zone",
    "limit_conn_zone",
];

/// Other servers that a configuration names.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    groups: Vec<String>,
    /// Host with port, and the place.
    asked: Vec<(String, Option<u16>, String)>,
}

impl Upstreams {
    /// The first server that nginx does not find; the text with its place.
    pub(super) fn unresolved(&self) -> Option<String> {
        let alone = self.asked.iter().filter(|(name, ..)| !self.groups.contains(name));
        alone.into_iter().find_map(|(name, port, place)| {
            resolve(name, *port).err().map(|why| format!("{why} in upstream \"{name}\"{place}"))
        })
    }
}

/// Whether a host is there; a name without a port gets `port`.
fn resolve(name: &str, port: Option<u16>) -> Result<(), &'static str> {
    if name.starts_with("unix:") {
        return Ok(());
    }
    let has_port = name.rsplit_once(':').is_some_and(|(host, _)| !host.is_empty() && !name.ends_with(']'));
    let port_text = name.rsplit_once(':').map_or("", |(_, port)| port);
    if has_port && !port_text.parse::<u16>().is_ok_and(|port| port > 0) {
        return Err("invalid port");
    }
    let full = match port {
        _ if has_port => name.to_owned(),
        Some(port) => format!("{name}:{port}"),
        None => return Err("no port"),
    };
    full.to_socket_addrs().map(|_| ()).map_err(|_| "host not found")
}

impl Reader<'_> {
    /// A block begins: the variables that it makes, the name that it gives.
    pub(super) fn open(&mut self, name: &str, arguments: &[String]) {
        match name {
            "map" | "geo" | "split_clients" => {
                let made = arguments.last().and_then(|text| text.strip_prefix('$'));
                self.defined.extend(made.map(str::to_ascii_lowercase));
            }
            "if" => {
                let subject = arguments.first().map(|text| text.trim_matches(['(', ')']));
                let subject = subject.filter(|text| text.starts_with('$'));
                self.named.extend(subject.and_then(|text| Template::compile(text).ok()));
                self.define_captures(arguments);
            }
            "upstream" => self.upstreams.groups.extend(arguments.first().cloned()),
            _ => {}
        }
    }

    /// The names of captures in expressions.
    fn define_captures(&mut self, texts: &[String]) {
        for text in texts {
            let names = text.split("(?<").skip(1).filter_map(|rest| rest.split_once('>'));
            self.defined.extend(names.map(|(name, _)| name.to_ascii_lowercase()));
        }
    }

    /// A line of a block whose lines are not looked at.
    pub(super) fn free_line(
        &mut self,
        source: &mut Source<'_>,
        frame: &mut Frame,
        words: &[String],
        opens: bool,
        nests: bool,
    ) -> Result<(), Fail> {
        match (opens, words) {
            (true, _) if !nests => Err(Fail::Said("unexpected \"{\"".to_owned())),
            (true, _) => {
                let mut inner = Frame::new(frame.context);
                inner.is_free = Some(true);
                self.read_block(source, &mut inner).map_err(Fail::Done)
            }
            (false, [include, name]) if include == "include" => self.include(source, frame, name),
            (false, _) => {
                self.define_captures(words);
                Ok(())
            }
        }
    }

    /// A directive without effect.
    pub(super) fn accept(
        &mut self,
        frame: &mut Frame,
        name: &str,
        arguments: &[String],
        place: &str,
    ) -> Result<(), Fail> {
        match (name, arguments) {
            ("set" | "auth_request_set", [variable, _]) => {
                let made = variable.strip_prefix('$').filter(|made| !made.is_empty());
                let made = made.ok_or_else(|| Fail::Said(format!("invalid variable name \"{variable}\"")))?;
                self.defined.push(made.to_ascii_lowercase());
            }
            ("rewrite", _) => self.define_captures(arguments),
            ("server", [host, ..]) => {
                resolve(host, Some(80)).map_err(|why| Fail::Said(format!("{why} in upstream \"{host}\"")))?;
            }
            (
                "proxy_pass" | "grpc_pass" | "fastcgi_pass" | "uwsgi_pass" | "scgi_pass" | "memcached_pass",
                [url, ..],
            ) => {
                self.pass(frame, name, url, place)?;
            }
            _ => {}
        }
        let values = if name == "set" { &arguments[1..] } else { arguments };
        for value in values.iter().filter(|_| WITH_VARIABLES.contains(&name)) {
            self.named.push(Template::compile(value).map_err(Fail::Said)?);
        }
        Ok(())
    }

    fn pass(&mut self, frame: &mut Frame, name: &str, url: &str, place: &str) -> Result<(), Fail> {
        if frame.settings.is_gateway {
            return Err(Fail::Word("is duplicate"));
        }
        frame.settings.is_gateway = true;
        if url.contains('$') {
            return Ok(());
        }
        let schemes: &[(&str, u16)] = match name {
            "proxy_pass" => &[("http://", 80), ("https://", 443)],
            "grpc_pass" => &[("grpc://", 80), ("grpcs://", 443)],
            _ => &[],
        };
        let found = schemes.iter().find_map(|(scheme, port)| Some((url.strip_prefix(scheme)?, *port)));
        let (rest, port) = match found {
            Some((rest, port)) => (rest, Some(port)),
            None if name == "proxy_pass" => return Err(Fail::Said("invalid URL prefix".to_owned())),
            None => (url, (name == "grpc_pass").then_some(80)),
        };
        let is_unix = rest.starts_with("unix:");
        let host_len = if is_unix { rest.len() } else { rest.find('/').unwrap_or(rest.len()) };
        let is_odd_place = frame.context != Contexts::LOCATION
            || matches!(
                frame.place.as_ref().map(|place| &place.matches),
                Some(LocationMatch::Regex(_) | LocationMatch::Named(_))
            );
        if name == "proxy_pass" && host_len < rest.len() && is_odd_place {
            return Err(Fail::Said(
                "\"proxy_pass\" cannot have URI part in location given by regular expression, or inside named \
                 location, or inside \"if\" statement, or inside \"limit_except\" block"
                    .to_owned(),
            ));
        }
        self.upstreams.asked.push((rest[..host_len].to_owned(), port, place.to_owned()));
        Ok(())
    }
}
