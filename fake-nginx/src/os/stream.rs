//! What `stream` says, to connections and for datagrams.
//!
//! # Source
//! `ngx_stream_return_handler` in `src/stream/ngx_stream_return_module.c`, `ngx_event_recvmsg` in
//! `src/event/ngx_event_udp.c`, nginx 1.18 to 1.30.
//!
//! # Not modelled
//! A datagram to the wildcard address is answered from the address that the kernel picks.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use rustix::net::{self, RecvFlags, SendFlags};

use super::clock;
use super::world::{World, own_pid};
use crate::conf::{Address, Conf, Listen};
use crate::http::Context;
use crate::machine::{ConfId, Fd, Reply};

/// How long a datagram may be.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// What a text of `stream` may ask about.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) conf: &'a Conf,
    pub(super) listen: &'a Listen,
    pub(super) context: &'a Context,
}

impl Scope<'_> {
    /// What the server returns.
    pub(super) fn text(&self) -> Vec<u8> {
        let local = self.context.local;
        let mut servers = self.listen.addresses.iter();
        let server = servers.find(|servers| servers.local.is_none() || servers.local == local);
        let text = server.and_then(|servers| self.conf.streams.get(servers.default_server));
        text.map_or_else(Vec::new, |text| text.render(|name| self.value(name).into_bytes()))
    }

    fn value(&self, name: &str) -> String {
        let Context { connection, pid, remote, local, profile, .. } = self.context;
        let said = |ip: &Option<IpAddr>| ip.map_or_else(|| "unix:".to_owned(), |ip| ip.to_string());
        match name {
            "connection" => connection.to_string(),
            "hostname" => self.conf.hostname.clone(),
            "nginx_version" => profile.version.to_string(),
            "pid" => pid.to_string(),
            "protocol" if matches!(self.listen.address, Address::Udp(_)) => "UDP".to_owned(),
            "protocol" => "TCP".to_owned(),
            "remote_addr" => said(remote),
            "server_addr" => said(local),
            "server_port" => {
                self.listen.address.socket().map_or_else(String::new, |socket| socket.port().to_string())
            }
            _ => String::new(),
        }
    }
}

impl World {
    /// Takes one datagram and answers it; another worker may have been faster.
    pub(super) fn answer_datagram(&mut self, conf: ConfId, fd: Fd, listen: u8) -> Reply {
        let conf = Rc::clone(self.reader.conf(conf));
        let Some(socket) = self.listeners.get(fd) else { return Reply::Done };
        let mut bytes = [0; DATAGRAM_BYTES_MAX];
        let Ok((_, _, Some(sender))) = net::recvfrom(socket, &mut bytes, RecvFlags::empty()) else {
            return Reply::Done;
        };
        let listen = &conf.listens[usize::from(listen)];
        let context = Context {
            pid: own_pid().0,
            profile: self.profile,
            now_unix_s: clock::unix_s(),
            is_draining: false,
            requests_on_connection: 1,
            connection: u64::from(self.counter.next()),
            remote: SocketAddr::try_from(sender.clone()).ok().map(|sender| sender.ip()),
            local: listen.address.socket().map(|socket| socket.ip()),
        };
        let text = Scope { conf: &conf, listen, context: &context }.text();
        if !text.is_empty() {
            // Whether it arrives, nobody is told.
            let _ = net::sendto(socket, &text, SendFlags::NOSIGNAL, &sender);
        }
        Reply::Done
    }
}
