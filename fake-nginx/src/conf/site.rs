//! The end of `http`: servers, their locations, and the sockets that lead to them.
//!
//! # Source
//! `ngx_http_add_addresses`, `ngx_http_optimize_servers`, `ngx_http_server_names` and
//! `ngx_http_init_listening` in `src/http/ngx_http.c`, `ngx_http_join_exact_locations` in the same file,
//! nginx 1.18 to 1.30.

use std::cmp::Ordering;

use super::frame::{Frame, Settings};
use super::listen::{ListenLine, ListenOptions};
use super::pattern::Pattern;
use super::types::{Address, AddressServers, Listen, Location, LocationMatch, Server, ServerName};
use super::variable::Template;
use crate::release::Profile;

/// One address that servers listen to.
#[derive(Debug)]
struct SiteAddress {
    address: Address,
    options: ListenOptions,
    default_server: usize,
    servers: Vec<usize>,
}

/// All addresses with one protocol, one family and one port; the unix sockets are one such set.
#[derive(Debug)]
struct Port {
    key: (bool, u8, u16),
    addresses: Vec<SiteAddress>,
}

/// The sockets of all servers read so far.
#[derive(Debug, Default)]
pub(super) struct Ports(Vec<Port>);

impl Ports {
    /// Adds what `line` of `server` names. The error is nginx's, without the place.
    pub(super) fn add(&mut self, server: usize, line: &ListenLine) -> Result<(), String> {
        for address in &line.addresses {
            self.add_one(server, address, &line.options)?;
        }
        Ok(())
    }

    fn add_one(&mut self, server: usize, address: &Address, options: &ListenOptions) -> Result<(), String> {
        let is_udp = matches!(address, Address::Udp(_));
        let key = address
            .socket()
            .map_or((false, 0, 0), |socket| (is_udp, if socket.is_ipv4() { 4 } else { 6 }, socket.port()));
        let at = self.0.iter().position(|port| port.key == key).unwrap_or_else(|| {
            self.0.push(Port { key, addresses: Vec::new() });
            self.0.len() - 1
        });
        let port = &mut self.0[at];
        let Some(known) = port.addresses.iter_mut().find(|known| known.address == *address) else {
            port.addresses.push(SiteAddress {
                address: address.clone(),
                options: options.clone(),
                default_server: server,
                servers: vec![server],
            });
            return Ok(());
        };
        if known.servers.contains(&server) {
            return Err(format!("a duplicate listen {address}"));
        }
        known.servers.push(server);
        let had_default = known.options.default_server;
        if options.set {
            if known.options.set {
                return Err(format!("duplicate listen options for {address}"));
            }
            known.options = options.clone();
        }
        if options.default_server {
            if had_default {
                return Err(format!("a duplicate default server for {address}"));
            }
            known.default_server = server;
        }
        known.options.default_server = had_default || options.default_server;
        Ok(())
    }

    /// The sockets in nginx's order. Where servers share an address and a name, a warning says so.
    pub(super) fn finish(
        self,
        servers: &[Server],
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Listen>, String> {
        for port in &self.0 {
            // In the order in which they are bound.
            let mut addresses: Vec<&SiteAddress> = port.addresses.iter().collect();
            addresses.sort_by(|one, two| bind_order(one, two));
            for address in addresses {
                check_names(address, servers, warnings)?;
            }
        }
        Ok(self.listens())
    }

    /// The sockets in nginx's order.
    pub(super) fn listens(mut self) -> Vec<Listen> {
        let sort = |port: &mut Port| {
            port.addresses.sort_by(bind_order);
            port.listens()
        };
        self.0.iter_mut().flat_map(sort).collect()
    }

    /// Whether a server has this address.
    pub(super) fn has(&self, address: &Address) -> bool {
        self.0.iter().flat_map(|port| &port.addresses).any(|known| known.address == *address)
    }
}

/// Explicitly bound addresses first, the wildcard last.
fn bind_order(one: &SiteAddress, two: &SiteAddress) -> Ordering {
    let rank = |address: &SiteAddress| match (is_wildcard(&address.address), address.options.bind) {
        (true, _) => 2,
        (false, false) => 1,
        (false, true) => 0,
    };
    rank(one).cmp(&rank(two))
}

fn is_wildcard(address: &Address) -> bool {
    address.socket().is_some_and(|socket| socket.ip().is_unspecified())
}

impl Port {
    /// Addresses that are not bound explicitly are served through the wildcard socket, if there is one.
    fn listens(&self) -> Vec<Listen> {
        let has_wildcard = self.addresses.last().is_some_and(|last| is_wildcard(&last.address));
        let mut behind = Vec::new();
        let mut listens = Vec::new();
        for site in &self.addresses {
            let servers = |local| AddressServers {
                local,
                default_server: site.default_server,
                servers: site.servers.clone(),
            };
            if has_wildcard && !site.options.bind && !is_wildcard(&site.address) {
                behind.extend(site.address.socket().map(|socket| servers(Some(socket.ip()))));
                continue;
            }
            let mut addresses =
                if is_wildcard(&site.address) { std::mem::take(&mut behind) } else { Vec::new() };
            addresses.push(servers(None));
            listens.push(Listen {
                address: site.address.clone(),
                backlog: site.options.backlog,
                reuseport: site.options.reuseport,
                ipv6only: site.options.ipv6only,
                is_stream: false,
                addresses,
            });
        }
        listens
    }
}

/// Names matter only where several servers share an address.
fn check_names(site: &SiteAddress, servers: &[Server], warnings: &mut Vec<String>) -> Result<(), String> {
    if site.servers.len() < 2 {
        return Ok(());
    }
    let mut known: Vec<&ServerName> = Vec::new();
    for &index in &site.servers {
        for (name, written) in servers[index].names.iter().zip(&servers[index].names_written) {
            if matches!(name, ServerName::Exact(text) if text.contains('*')) {
                return Err(format!("invalid server name or wildcard \"{written}\" on {}", site.address));
            }
            if known.contains(&name) {
                warnings.push(format!("conflicting server name \"{written}\" on {}, ignored", site.address));
            } else {
                known.push(name);
            }
        }
    }
    Ok(())
}

/// What a finished `http` block amounts to.
pub(super) struct Site {
    pub(super) servers: Vec<Server>,
    /// Every text with variables, in the order of the file.
    pub(super) templates: Vec<Template>,
}

/// Servers and locations with everything inherited. The error is (text, place).
pub(super) fn finish(http: Frame, profile: &Profile) -> Result<Site, (String, String)> {
    let mut site = Site { servers: Vec::new(), templates: Vec::new() };
    collect(&http.settings, &mut site.templates);
    for server in http.servers {
        let settings = server.settings.within(&http.settings);
        collect(&server.settings, &mut site.templates);
        let locations = locations(server.locations, &settings, profile, &mut site.templates)?;
        let written = if server.names.is_empty() { vec![String::new()] } else { server.names };
        site.servers.push(Server {
            name: written[0].strip_prefix('.').unwrap_or(&written[0]).to_ascii_lowercase(),
            names: written.iter().map(|name| server_name(name, profile)).collect(),
            names_written: written.iter().map(|name| name.to_ascii_lowercase()).collect(),
            client_header_timeout_ms: settings.client_header_timeout_ms.unwrap_or(60_000),
            root: settings.finish(LocationMatch::Prefix(String::new()), Vec::new(), profile),
            locations,
        });
    }
    Ok(site)
}

/// The expression of a `server_name`: without capital letters, case does not matter.
pub(super) fn server_pattern(text: &str, profile: &Profile) -> Result<Pattern, String> {
    Pattern::compile(text, !text.bytes().any(|byte| byte.is_ascii_uppercase()), profile)
}

fn collect(settings: &Settings, templates: &mut Vec<Template>) {
    templates.extend(settings.answer.iter().filter_map(|answer| answer.text.clone()));
    templates.extend(settings.content.templates().cloned());
    templates.extend(settings.headers.iter().map(|(_, value, _)| value.clone()));
}

fn locations(
    frames: Vec<Frame>,
    outer: &Settings,
    profile: &Profile,
    templates: &mut Vec<Template>,
) -> Result<Vec<Location>, (String, String)> {
    let mut finished: Vec<Location> = Vec::new();
    for frame in frames {
        let Some(place) = frame.place else { continue };
        // `/a` and `^~ /a` are one place, `= /a` is another.
        if !matches!(place.matches, LocationMatch::Named(_) | LocationMatch::Regex(_))
            && finished.iter().any(|known| known.matches == place.matches)
        {
            return Err((format!("duplicate location \"{}\"", place.matches.text()), place.at));
        }
        let settings = frame.settings.within(outer);
        collect(&frame.settings, templates);
        let nested = locations(frame.locations, &settings, profile, templates)?;
        let location = settings.finish(place.matches, nested, profile);
        finished.push(Location { is_final: place.is_final, ..location });
    }
    Ok(finished)
}

fn server_name(written: &str, profile: &Profile) -> ServerName {
    // One that does not compile was refused when it was read.
    if let Some(Ok(pattern)) = written.strip_prefix('~').map(|text| server_pattern(text, profile)) {
        return ServerName::Regex(pattern);
    }
    let lower = written.to_ascii_lowercase();
    let stars = lower.matches('*').count();
    if let Some(rest) = lower.strip_prefix('.').filter(|_| stars == 0) {
        return ServerName::Domain(rest.to_owned());
    }
    match (lower.strip_prefix("*."), lower.strip_suffix(".*"), stars) {
        (Some(rest), _, 1) => ServerName::Suffix(format!(".{rest}")),
        (_, Some(rest), 1) => ServerName::Prefix(format!("{rest}.")),
        _ => ServerName::Exact(lower),
    }
}
