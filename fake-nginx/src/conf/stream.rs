//! The directives inside `stream`: where its servers listen, and what they return.
//!
//! # Source
//! `ngx_stream_core_server`, `ngx_stream_core_listen` and `ngx_stream_core_merge_srv_conf` in
//! `src/stream/ngx_stream_core_module.c`, `ngx_stream_return` in `src/stream/ngx_stream_return_module.c`, nginx
//! 1.18 to 1.30.
//!
//! # Not modelled
//! All other directives are read to their end; `proxy_pass` and `pass` have no effect but that they take
//! connections. Names of servers (1.25.5) and variables are not checked. `udp` beside a path is as if it were not
//! there.

use super::frame::Frame;
use super::read::{Fail, Reader, Source};
use super::types::{Address, Level, Listen, Return};
use super::variable::Template;
use crate::release::Version;

/// What only a connection can have.
const NO_UDP: [&str; 6] = ["backlog", "deferred", "fastopen", "proxy_protocol", "so_keepalive", "ssl"];

/// Since then servers of one address can be told apart by their names.
const NAMES: Version = Version::new(1, 25, 5);

/// Which block of `stream` is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// `stream` itself.
    Stream,
    /// A `server`.
    Server,
}

impl Reader<'_> {
    /// A line of `stream` or of a server in it.
    pub(super) fn stream_line(
        &mut self,
        source: &mut Source<'_>,
        frame: &mut Frame,
        words: &[String],
        opens: bool,
        within: Within,
    ) -> Result<(), Fail> {
        match (within, words[0].as_str(), opens) {
            (Within::Stream, "server", true) => self.stream_server(source, frame),
            (Within::Stream, name @ ("listen" | "return"), false) => {
                Err(Fail::Said(format!("\"{name}\" directive is not allowed here")))
            }
            (Within::Server, "listen", false) => {
                let words = words.get(1..).filter(|words| !words.is_empty());
                let words = words.ok_or_else(|| wrong_number("listen"))?;
                self.stream_listen(frame, words, &source.place())
            }
            (Within::Server, "return", false) => {
                let [_, text] = words else { return Err(wrong_number("return")) };
                if frame.settings.answer.is_some() {
                    return Err(Fail::Word("is duplicate"));
                }
                let text = Some(Template::compile(text).map_err(Fail::Said)?);
                frame.settings.answer = Some(Return { status: 200, text });
                Ok(())
            }
            (Within::Server, "proxy_pass" | "pass", false) => {
                frame.settings.is_gateway = true;
                Ok(())
            }
            _ => self.free_line(source, frame, words, opens, true),
        }
    }

    fn stream_server(&mut self, source: &mut Source<'_>, stream: &mut Frame) -> Result<(), Fail> {
        let mut server = Frame::new(stream.context);
        server.stream = Some(Within::Server);
        server.server = stream.servers.len();
        server.at = Some(source.place());
        self.read_block(source, &mut server).map_err(Fail::Done)?;
        if server.listens.is_empty() {
            return Err(Fail::Said("no \"listen\" is defined for server".to_owned()));
        }
        stream.servers.push(server);
        Ok(())
    }

    fn stream_listen(&mut self, frame: &mut Frame, words: &[String], place: &str) -> Result<(), Fail> {
        let version = self.from.profile.version;
        let (udp, others): (Vec<_>, Vec<_>) = words.iter().cloned().partition(|word| word == "udp");
        let invalid = |word: &str| {
            let is_old = version < NAMES;
            let text = if is_old {
                format!("the invalid {word} parameter")
            } else {
                format!("invalid parameter {word}")
            };
            Fail::Said(text)
        };
        let name_of = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
        if let Some(word) = others[1..].iter().find(|word| !knows(&name_of(word), version)) {
            return Err(invalid(&format!("\"{word}\"")));
        }
        let mut line = self.listen_line(&others, place).map_err(|fail| match &fail {
            Fail::Said(text) => text.strip_prefix("invalid parameter ").map(invalid).unwrap_or(fail),
            Fail::Word(_) | Fail::Done(_) => fail,
        })?;
        if !udp.is_empty() {
            if let Some(name) =
                others[1..].iter().map(|word| name_of(word)).find(|name| NO_UDP.contains(&name.as_str()))
            {
                let text = format!("\"listen\" directive \"{name}\" parameter is incompatible with \"udp\"");
                return Err(Fail::Said(text));
            }
            for address in &mut line.addresses {
                if let Address::Tcp(socket) = *address {
                    *address = Address::Udp(socket);
                }
            }
        }
        if version < NAMES
            && let Some(address) = line.addresses.iter().find(|address| self.stream_ports.has(address))
        {
            return Err(Fail::Said(format!("duplicate \"{address}\" address and port pair")));
        }
        self.stream_ports.add(frame.server, &line).map_err(Fail::Said)?;
        frame.listens.push(line);
        Ok(())
    }

    /// The end of `stream`: its sockets come behind those that are there.
    pub(super) fn finish_stream(&mut self, stream: Frame) -> Result<(), Fail> {
        // The first compared release that does without.
        let needs_handler = self.from.profile.version < Version::new(1, 30, 6);
        for server in stream.servers {
            if needs_handler && server.settings.answer.is_none() && !server.settings.is_gateway {
                let text = format!("no handler for server{}", server.at.unwrap_or_default());
                return Err(Fail::Done(self.error(Level::Emerg, text)));
            }
            let text = server.settings.answer.and_then(|answer| answer.text);
            self.main.streams.push(text.unwrap_or_default());
        }
        let listens = std::mem::take(&mut self.stream_ports).listens();
        self.main.listens.extend(listens.into_iter().map(|listen| Listen { is_stream: true, ..listen }));
        Ok(())
    }
}

fn wrong_number(name: &str) -> Fail {
    Fail::Said(format!("invalid number of arguments in \"{name}\" directive"))
}

/// Whether a `listen` in `stream` may have this parameter.
fn knows(name: &str, version: Version) -> bool {
    match name {
        "http2" => false,
        "default_server" | "default" | "deferred" | "accept_filter" => version >= NAMES,
        "fastopen" => version >= Version::new(1, 21, 0),
        _ => true,
    }
}
