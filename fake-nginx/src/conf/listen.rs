//! The `listen` directive: addresses and their parameters.
//!
//! # Source
//! `ngx_http_core_listen` in `src/http/ngx_http_core_module.c`, `ngx_parse_url` in `src/core/ngx_inet.c`,
//! nginx 1.18 to 1.30.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use super::types::Address;
use super::value;
use crate::release::{Profile, Version};

/// How long the path of a unix socket may be, with its closing zero byte.
const UNIX_PATH_BYTES_MAX: usize = 108;

/// One `listen`, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListenLine {
    /// What it names: several for a host with several addresses or a range of ports.
    pub(super) addresses: Vec<Address>,
    /// Its parameters.
    pub(super) options: ListenOptions,
}

/// The parameters of one `listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListenOptions {
    pub(super) default_server: bool,
    /// Whether any parameter of the socket was given: at most one `listen` of an address may.
    pub(super) set: bool,
    /// Whether a wildcard address may not stand for this one.
    pub(super) bind: bool,
    pub(super) backlog: i32,
    pub(super) reuseport: bool,
    pub(super) ipv6only: bool,
    pub(super) ssl: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            default_server: false,
            set: false,
            bind: false,
            backlog: 511,
            reuseport: false,
            ipv6only: true,
            ssl: false,
        }
    }
}

/// What a `listen` said beside its value: (is a warning, text).
pub(super) type Remarks = Vec<(bool, String)>;

impl ListenLine {
    /// What stands in a server without `listen`.
    pub(super) fn default_of(is_root: bool) -> Self {
        let port = if is_root { 80 } else { 8000 };
        Self { addresses: vec![wildcard(port)], options: ListenOptions::default() }
    }

    /// Reads the arguments. The error is nginx's, without the place.
    pub(super) fn parse(
        arguments: &[String],
        profile: &Profile,
        remarks: &mut Remarks,
    ) -> Result<Self, String> {
        let url = &arguments[0];
        let addresses = addresses(url, profile)
            .map_err(|cause| format!("{cause} in \"{url}\" of the \"listen\" directive"))?;
        let mut options = ListenOptions::default();
        for argument in &arguments[1..] {
            options.apply(argument, profile, remarks)?;
        }
        Ok(Self { addresses, options })
    }
}

impl ListenOptions {
    fn apply(&mut self, argument: &str, profile: &Profile, remarks: &mut Remarks) -> Result<(), String> {
        let since = |major, minor, patch| profile.version >= Version::new(major, minor, patch);
        let invalid = || format!("invalid parameter \"{argument}\"");
        let (name, given) =
            argument.split_once('=').map_or((argument, None), |(name, given)| (name, Some(given)));
        match (name, given) {
            ("default_server" | "default", None) => self.default_server = true,
            ("proxy_protocol", None) => {}
            ("ssl", None) => self.ssl = true,
            ("http2", None) if since(1, 25, 1) => remarks.push((true, HTTP2_IS_DEPRECATED.to_owned())),
            ("http2", None) => {}
            ("bind" | "deferred", None) => self.bind_explicitly(),
            ("multipath", None) if since(1, 29, 7) => self.bind_explicitly(),
            ("reuseport", None) => {
                self.reuseport = true;
                self.bind_explicitly();
            }
            ("backlog", Some(given)) => {
                let backlog = value::number(given).filter(|&count| count > 0);
                self.backlog = backlog
                    .and_then(|count| i32::try_from(count).ok())
                    .ok_or_else(|| format!("invalid backlog \"{argument}\""))?;
                self.bind_explicitly();
            }
            ("fastopen", Some(given)) => {
                value::number(given).ok_or_else(|| format!("invalid fastopen \"{argument}\""))?;
                self.bind_explicitly();
            }
            ("rcvbuf" | "sndbuf", Some(given)) => {
                value::size(given).ok_or_else(|| format!("invalid {name} \"{argument}\""))?;
                self.bind_explicitly();
            }
            ("accept_filter", Some(_)) => {
                let text =
                    format!("accept filters \"{argument}\" are not supported on this platform, ignored");
                remarks.push((false, text));
            }
            ("ipv6only", Some(given)) => {
                // nginx compares these two in lower case only.
                self.ipv6only = match given {
                    "on" => true,
                    "off" => false,
                    _ => return Err(invalid()),
                };
                self.bind_explicitly();
            }
            ("so_keepalive", Some(given)) => {
                so_keepalive(given).ok_or_else(|| format!("invalid so_keepalive value: \"{given}\""))?;
                self.bind_explicitly();
            }
            _ => return Err(invalid()),
        }
        Ok(())
    }

    fn bind_explicitly(&mut self) {
        self.set = true;
        self.bind = true;
    }
}

const HTTP2_IS_DEPRECATED: &str =
    "the \"listen ... http2\" directive is deprecated, use the \"http2\" directive instead";

/// `on`, `off`, or `[idle]:[interval]:[count]` of which one at least is given.
fn so_keepalive(given: &str) -> Option<()> {
    if matches!(given, "on" | "off") {
        return Some(());
    }
    let parts: Vec<&str> = given.split(':').collect();
    let [idle, interval, count] = parts.as_slice() else { return None };
    let is_time =
        |text: &str| text.is_empty() || value::duration(text, value::Unit::Seconds).is_some_and(|s| s > 0);
    let is_count = count.is_empty() || value::number(count).is_some_and(|count| count > 0);
    (given != "::" && is_time(idle) && is_time(interval) && is_count).then_some(())
}

fn wildcard(port: u16) -> Address {
    Address::Tcp(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
}

fn addresses(url: &str, profile: &Profile) -> Result<Vec<Address>, String> {
    if let Some(path) = url.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("unix:")).map(|_| &url[5..])
    {
        return match path.len() {
            0 => Err("no path in the unix domain socket".to_owned()),
            len if len + 1 > UNIX_PATH_BYTES_MAX => Err("too long path in the unix domain socket".to_owned()),
            _ => Ok(vec![Address::Unix(path.into())]),
        };
    }
    if let Some(inner) = url.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').ok_or("invalid host")?;
        let ports = match rest.strip_prefix(':') {
            Some(port) => ports(port, profile)?,
            None if rest.is_empty() => vec![80],
            None => return Err("invalid host".to_owned()),
        };
        let address: Ipv6Addr = host.parse().map_err(|_| "invalid IPv6 address")?;
        return Ok(with_ports(&[address.into()], &ports));
    }
    match url.split_once(':') {
        Some((host, port)) => {
            let ports = ports(port, profile)?;
            Ok(with_ports(&hosts(host, profile)?, &ports))
        }
        None if starts_as_port(url) => Ok(with_ports(&[Ipv4Addr::UNSPECIFIED.into()], &ports(url, profile)?)),
        None => Ok(with_ports(&hosts(url, profile)?, &[80])),
    }
}

/// Whether a text without colon is a port or a range of ports rather than a host.
fn starts_as_port(text: &str) -> bool {
    let (first, last) = text.split_once('-').unwrap_or((text, "0"));
    value::number(first).is_some() && value::number(last).is_some()
}

fn ports(text: &str, profile: &Profile) -> Result<Vec<u16>, String> {
    let port = |text: &str| {
        value::number(text)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|&port| port > 0)
            .ok_or("invalid port")
    };
    match text.split_once('-') {
        Some((first, last)) if profile.has_port_ranges => {
            let (first, last) = (port(first)?, port(last)?);
            if first > last {
                return Err("invalid port range".to_owned());
            }
            Ok((first..=last).collect())
        }
        _ => Ok(vec![port(text)?]),
    }
}

fn hosts(host: &str, profile: &Profile) -> Result<Vec<IpAddr>, String> {
    if host.is_empty() {
        return Err("no host".to_owned());
    }
    if host == "*" {
        return Ok(vec![Ipv4Addr::UNSPECIFIED.into()]);
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(vec![address.into()]);
    }
    let mut found: Vec<IpAddr> =
        (host, 0).to_socket_addrs().map_err(|_| "host not found")?.map(|address| address.ip()).collect();
    // Those of IPv4 come first; the sort is stable.
    found.sort_by_key(IpAddr::is_ipv6);
    found.dedup();
    if !profile.has_port_ranges {
        found.truncate(1);
    }
    if found.is_empty() { Err("host not found".to_owned()) } else { Ok(found) }
}

fn with_ports(hosts: &[IpAddr], ports: &[u16]) -> Vec<Address> {
    let pairs = ports.iter().flat_map(|&port| hosts.iter().map(move |&host| SocketAddr::new(host, port)));
    pairs.map(Address::Tcp).collect()
}
