//! Which server and which location answer.
//!
//! # Source
//! `ngx_http_find_virtual_server` in `src/http/ngx_http_request.c`, `ngx_hash_find_combined` in
//! `src/core/ngx_hash.c`, `ngx_http_core_find_location` in `src/http/ngx_http_core_module.c`, nginx 1.18 to 1.30.

use std::net::IpAddr;

use crate::conf::{Conf, Location, LocationMatch, Server, ServerName};

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
        ServerName::Prefix(prefix) => {
            (host.len() > prefix.len() && host.starts_with(prefix.as_str())).then_some((1, prefix.len()))
        }
    }
}

/// The location for `path`: an exact one, else the longest beginning, and so on inside it.
pub(super) fn location<'a>(locations: &'a [Location], path: &[u8]) -> Option<&'a Location> {
    let exact = locations.iter().find(|location| match &location.matches {
        LocationMatch::Exact(name) => name.as_bytes() == path,
        LocationMatch::Prefix(_) | LocationMatch::Named(_) => false,
    });
    if exact.is_some() {
        return exact;
    }
    let longest = locations
        .iter()
        .filter(|location| match &location.matches {
            LocationMatch::Prefix(name) => path.starts_with(name.as_bytes()),
            LocationMatch::Exact(_) | LocationMatch::Named(_) => false,
        })
        .max_by_key(|location| location.matches.text().len())?;
    location(&longest.nested, path).or(Some(longest))
}
