//! Which server and which location answer.
//!
//! # Source
//! `ngx_http_find_virtual_server` in `src/http/ngx_http_request.c`, `ngx_hash_find_combined` in
//! `src/core/ngx_hash.c`, `ngx_http_core_find_location` in `src/http/ngx_http_core_module.c`, nginx 1.18 to 1.30.

use std::net::IpAddr;

use crate::conf::{Captures, Conf, Location, LocationMatch, Server, ServerName};

/// The server for `host` among those behind `listen`.
pub(super) fn server<'a>(
    conf: &'a Conf,
    listen: usize,
    local: Option<IpAddr>,
    host: Option<&str>,
) -> Option<&'a Server> {
    let addresses = &conf.listens.get(listen)?.addresses;
    let exact = addresses.iter().find(|address| address.local.is_some() && address.local == local);
    let address = exact.or(addresses.last())?;
    let named = host.and_then(|host| {
        // Of several equal fits the first server's counts, as for nginx, which ignores the others.
        let fits = address.servers.iter().filter_map(|&index| {
            let names = &conf.servers.get(index)?.names;
            names.iter().filter_map(|name| fit(name, host)).max().map(|fit| (fit, index))
        });
        fits.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, index)| index)
    });
    conf.servers.get(named.unwrap_or(address.default_server))
}

/// How well a name fits: a whole name before a beginning wildcard before an ending one, longer before shorter.
fn fit(name: &ServerName, host: &str) -> Option<(u8, usize)> {
    match name {
        ServerName::Exact(name) => (name == host).then_some((3, 0)),
        ServerName::Domain(name) if name == host => Some((3, 0)),
        ServerName::Domain(name) => {
            let is_below =
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1);
            is_below.then_some((2, name.len() + 1))
        }
        ServerName::Suffix(suffix) => {
            (host.len() > suffix.len() && host.ends_with(suffix.as_str())).then_some((2, suffix.len()))
        }
        ServerName::Regex(pattern) => pattern.find(host.as_bytes()).map(|_| (0, 0)),
        ServerName::Prefix(prefix) => {
            (host.len() > prefix.len() && host.starts_with(prefix.as_str())).then_some((1, prefix.len()))
        }
    }
}

/// What a path comes to.
enum Way<'a> {
    /// Whatever expressions say.
    Sure(&'a Location, Captures),
    /// Unless an expression further out fits.
    Beginning(&'a Location),
    Nowhere,
}

/// The location for `path`, and what its expression has found.
///
/// An exact one, else the longest beginning and inside it, unless an expression fits: the innermost are tried first.
pub(super) fn location<'a>(locations: &'a [Location], path: &[u8]) -> Option<(&'a Location, Captures)> {
    match way(locations, path) {
        Way::Sure(location, captures) => Some((location, captures)),
        Way::Beginning(location) => Some((location, Captures::new())),
        Way::Nowhere => None,
    }
}

fn way<'a>(locations: &'a [Location], path: &[u8]) -> Way<'a> {
    let exact = |location: &&Location| matches!(&location.matches, LocationMatch::Exact(name) if name.as_bytes() == path);
    if let Some(exact) = locations.iter().find(exact) {
        return Way::Sure(exact, Captures::new());
    }
    let begins = |location: &&Location| matches!(&location.matches, LocationMatch::Prefix(name) if path.starts_with(name.as_bytes()));
    let longest = locations.iter().filter(begins).max_by_key(|location| location.matches.text().len());
    let inside = match longest.map(|longest| (longest, way(&longest.nested, path))) {
        Some((_, sure @ Way::Sure(..))) => return sure,
        Some((_, inner @ Way::Beginning(_))) => inner,
        Some((longest, Way::Nowhere)) => Way::Beginning(longest),
        None => Way::Nowhere,
    };
    if longest.is_some_and(|longest| longest.is_final) {
        return inside;
    }
    let fitting = locations.iter().find_map(|location| match &location.matches {
        LocationMatch::Regex(pattern) => pattern.find(path).map(|captures| (location, captures)),
        LocationMatch::Prefix(_) | LocationMatch::Exact(_) | LocationMatch::Named(_) => None,
    });
    match fitting.map(|(location, captures)| (location, captures, way(&location.nested, path))) {
        None => inside,
        Some((_, _, sure @ Way::Sure(..))) => sure,
        Some((_, captures, Way::Beginning(inner))) => Way::Sure(inner, captures),
        Some((location, captures, Way::Nowhere)) => Way::Sure(location, captures),
    }
}

/// What the expression among a server's names has found in `host`.
pub(super) fn captures(server: &Server, host: &str) -> Captures {
    let found = server.names.iter().find_map(|name| match name {
        ServerName::Regex(pattern) => pattern.find(host.as_bytes()),
        ServerName::Exact(_) | ServerName::Domain(_) | ServerName::Suffix(_) | ServerName::Prefix(_) => None,
    });
    found.unwrap_or_default()
}
