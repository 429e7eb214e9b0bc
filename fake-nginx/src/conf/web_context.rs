//! The directives inside `events`, `http`, `server`, `location` and `types`.
//!
//! # Source
//! `ngx_event_connections` in `src/event/ngx_event.c`; `ngx_http_core_location`, `ngx_http_core_type`,
//! `ngx_http_core_keepalive` and `ngx_http_core_server_name` in `src/http/ngx_http_core_module.c`;
//! `ngx_http_rewrite_return` in `src/http/modules/ngx_http_rewrite_module.c`; `ngx_http_headers_add` in
//! `src/http/modules/ngx_http_headers_filter_module.c`, nginx 1.18 to 1.30.
//!
//! # Not modelled
//! Regular expressions: they are refused as an nginx built without PCRE refuses them.

use super::frame::{Frame, LocationPlace};
use super::listen::{ListenLine, Remarks};
use super::main_context::error_log;
use super::pattern::Pattern;
use super::read::{Fail, Reader, Source};
use super::site;
use super::types::{Level, LocationMatch, Return};
use super::value::{self, Unit};
use super::variable::Template;

/// Event methods that nginx on Linux knows.
const EVENT_METHODS: [&str; 3] = ["epoll", "poll", "select"];

impl Reader<'_> {
    pub(super) fn apply_web(
        &mut self,
        frame: &mut Frame,
        name: &str,
        arguments: &[String],
        number: u64,
        place: &str,
    ) -> Result<(), Fail> {
        let prefix = self.prefix();
        if name == "alias"
            && let Some(LocationMatch::Named(_)) = frame.place.as_ref().map(|place| &place.matches)
        {
            let text = "the \"alias\" directive cannot be used inside the named location";
            return Err(Fail::Said(text.to_owned()));
        }
        if frame.settings.content.apply(name, arguments, number, &prefix)? {
            let others = arguments.iter().rev().skip(1);
            for _ in others.filter(|other| name == "index" && other.starts_with('/')) {
                let text = "only the last index in \"index\" directive should be absolute";
                self.warn(format!("{text}{place}"));
            }
            return Ok(());
        }
        let first = arguments[0].as_str();
        let settings = &mut frame.settings;
        match name {
            "worker_connections" => {
                let count = value::number(first).and_then(|count| u32::try_from(count).ok());
                let count = count.ok_or_else(|| Fail::Said(format!("invalid number \"{first}\"")))?;
                self.main.worker_connections = Some(count);
            }
            "use" if !EVENT_METHODS.contains(&first) => {
                return Err(Fail::Said(format!("invalid event type \"{first}\"")));
            }
            "error_log" => {
                error_log(arguments, "")?;
            }
            "listen" => self.listen(frame, arguments, place)?,
            "server_name" => self.server_names(frame, arguments, place)?,
            "return" => {
                let answer = return_line(arguments)?;
                settings.answer.get_or_insert(answer);
            }
            "default_type" => settings.default_type = Some(first.to_owned()),
            "add_header" => settings.headers.push(add_header(arguments)?),
            "limit_rate" => settings.limit_rate = Some(number),
            "client_max_body_size" => settings.client_max_body_size = Some(number),
            "keepalive_requests" => settings.keepalive_requests = Some(number),
            "keepalive_min_timeout" => settings.keepalive_min_timeout_ms = Some(number),
            "send_timeout" => settings.send_timeout_ms = Some(number),
            "lingering_time" => settings.lingering_time_ms = Some(number),
            "lingering_timeout" => settings.lingering_timeout_ms = Some(number),
            "lingering_close" => {
                let lingers = first.parse().map_err(|_| Fail::Said(format!("invalid value \"{first}\"")))?;
                settings.lingering_close = Some(lingers);
            }
            "client_header_timeout" => settings.client_header_timeout_ms = Some(number),
            "keepalive_timeout" => settings.keepalive_timeout = Some(keepalive_timeout(arguments)?),
            "server_tokens" => {
                settings.server_tokens = Some(match first {
                    "on" | "build" => true,
                    "off" => false,
                    other => return Err(Fail::Said(format!("invalid value \"{other}\""))),
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn listen(&mut self, frame: &mut Frame, arguments: &[String], place: &str) -> Result<(), Fail> {
        let line = self.listen_line(arguments, place)?;
        self.ports.add(frame.server, &line).map_err(Fail::Said)?;
        frame.listens.push(line);
        Ok(())
    }

    /// Reads a `listen`, here or in `stream`.
    pub(super) fn listen_line(&mut self, arguments: &[String], place: &str) -> Result<ListenLine, Fail> {
        let mut remarks: Remarks = Vec::new();
        let line = ListenLine::parse(arguments, &self.from.profile, &mut remarks);
        for (is_warning, text) in remarks {
            let level = if is_warning { Level::Warn } else { Level::Emerg };
            self.warnings.push(super::Message { level, text: text + place });
        }
        line.map_err(Fail::Said)
    }

    fn server_names(&mut self, frame: &mut Frame, names: &[String], place: &str) -> Result<(), Fail> {
        for name in names {
            let bytes = name.as_bytes();
            let is_invalid = match bytes.first() {
                Some(b'*') => bytes.len() < 3 || bytes[1] != b'.',
                Some(b'.') => bytes.len() < 2,
                _ => false,
            };
            if is_invalid {
                return Err(Fail::Said(format!("server name \"{name}\" is invalid")));
            }
            if name.contains('/') {
                self.warn(format!("server name \"{name}\" has suspicious symbols{place}"));
            }
            if let Some(text) = name.strip_prefix('~') {
                if text.is_empty() {
                    return Err(Fail::Said(format!("empty regex in server name \"{name}\"")));
                }
                let pattern = site::server_pattern(text, &self.from.profile).map_err(Fail::Said)?;
                self.defined.extend(pattern.names().map(|name| name.to_ascii_lowercase()));
            }
        }
        frame.names.extend_from_slice(names);
        Ok(())
    }

    /// Which requests a `location` in `outer` takes.
    pub(super) fn location_place(
        &mut self,
        outer: &Frame,
        arguments: &[String],
        at: String,
    ) -> Result<LocationPlace, Fail> {
        let (modifier, name) = match arguments {
            [modifier, name] if ["=", "^~", "~", "~*"].contains(&modifier.as_str()) => {
                (modifier.as_str(), name.as_str())
            }
            [modifier, _] => return Err(Fail::Said(format!("invalid location modifier \"{modifier}\""))),
            [word, ..] => ["=", "^~", "~*", "~"]
                .iter()
                .find_map(|modifier| Some((*modifier, word.strip_prefix(modifier)?)))
                .unwrap_or(("", word)),
            [] => ("", ""),
        };
        let matches = match modifier {
            "=" => LocationMatch::Exact(name.to_owned()),
            "~" | "~*" => {
                let pattern =
                    Pattern::compile(name, modifier == "~*", &self.from.profile).map_err(Fail::Said)?;
                self.defined.extend(pattern.names().map(|name| name.to_ascii_lowercase()));
                LocationMatch::Regex(pattern)
            }
            "" if name.starts_with('@') => LocationMatch::Named(name.to_owned()),
            _ => LocationMatch::Prefix(name.to_owned()),
        };
        match outer.place.as_ref().map(|place| &place.matches) {
            Some(LocationMatch::Exact(around)) => Err(Fail::Said(format!(
                "location \"{name}\" cannot be inside the exact location \"{around}\""
            ))),
            Some(LocationMatch::Named(around)) => Err(Fail::Said(format!(
                "location \"{name}\" cannot be inside the named location \"{around}\""
            ))),
            Some(_) if matches!(matches, LocationMatch::Named(_)) => {
                Err(Fail::Said(format!("named location \"{name}\" can be on the server level only")))
            }
            Some(around)
                if !matches!(matches, LocationMatch::Regex(_)) && !name.starts_with(around.text()) =>
            {
                let around = around.text();
                Err(Fail::Said(format!("location \"{name}\" is outside location \"{around}\"")))
            }
            _ => Ok(LocationPlace { matches, is_final: modifier == "^~", at }),
        }
    }

    /// A line of `types`: a type and its extensions.
    pub(super) fn types_line(
        &mut self,
        source: &mut Source<'_>,
        frame: &mut Frame,
        words: &[String],
        opens: bool,
    ) -> Result<(), Fail> {
        if opens {
            return Err(Fail::Said("unexpected \"{\"".to_owned()));
        }
        if words[0] == "include" {
            if words.len() != 2 {
                let text = "invalid number of arguments in \"include\" directive".to_owned();
                return Err(Fail::Said(text));
            }
            return self.include(source, frame, &words[1]);
        }
        let known = frame.settings.types.get_or_insert_default();
        let mut duplicates = Vec::new();
        for extension in words[1..].iter().map(|word| word.to_ascii_lowercase()) {
            match known.iter_mut().find(|(other, _)| *other == extension) {
                Some((_, kind)) => {
                    duplicates.push(format!(
                        "duplicate extension \"{extension}\", content type: \"{}\", previous content type: \"{kind}\"",
                        words[0]
                    ));
                    kind.clone_from(&words[0]);
                }
                None => known.push((extension, words[0].clone())),
            }
        }
        for text in duplicates {
            self.warn(text + &source.place());
        }
        Ok(())
    }

    /// A server without `listen` gets the default one.
    pub(super) fn finish_server(&mut self, http: &mut Frame, mut server: Frame) -> Result<(), Fail> {
        if server.listens.is_empty() {
            let line = ListenLine::default_of(self.from.is_root);
            self.ports.add(server.server, &line).map_err(Fail::Said)?;
            server.listens.push(line);
        }
        http.servers.push(server);
        Ok(())
    }

    pub(super) fn finish_http(&mut self, http: Frame, place: &str) -> Result<(), Fail> {
        for server in &http.servers {
            let is_ssl = server.listens.iter().any(|line| line.options.ssl);
            let has_certificate = [server, &http].iter().any(|frame| {
                ["ssl_certificate", "ssl_reject_handshake"].iter().any(|name| frame.seen.contains(name))
            });
            if is_ssl && !has_certificate {
                let at = server.at.as_deref().unwrap_or(place);
                let text = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
                return Err(Fail::Done(self.error(Level::Emerg, format!("{text}{at}"))));
            }
        }
        let site = site::finish(http, &self.from.profile)
            .map_err(|(text, at)| Fail::Done(self.error(Level::Emerg, text + &at)))?;
        let unresolved = self.upstreams.unresolved();
        if let Some(text) = unresolved {
            return Err(Fail::Done(self.error(Level::Emerg, text)));
        }
        let named = std::mem::take(&mut self.named);
        let unknown = named
            .iter()
            .chain(&site.templates)
            .find_map(|text| text.unknown(&self.defined).map(str::to_owned));
        if let Some(name) = unknown {
            let text = format!("unknown \"{name}\" variable");
            return Err(Fail::Done(self.error(Level::Emerg, text)));
        }
        let mut warnings = Vec::new();
        let listens = std::mem::take(&mut self.ports).finish(&site.servers, &mut warnings);
        for text in warnings {
            self.warn(text);
        }
        let listens = listens.map_err(|text| Fail::Done(self.error(Level::Emerg, text)))?;
        self.main.listens.extend(listens);
        self.main.servers = site.servers;
        Ok(())
    }
}

fn return_line(arguments: &[String]) -> Result<Return, Fail> {
    let first = arguments[0].as_str();
    let compile = |text: &str| Template::compile(text).map_err(Fail::Said);
    match value::number(first).filter(|&status| status <= 999).and_then(|status| u16::try_from(status).ok()) {
        Some(status) => {
            let text = arguments.get(1).map(|text| compile(text)).transpose()?;
            Ok(Return { status, text })
        }
        None if arguments.len() == 1
            && ["http://", "https://", "$scheme"].iter().any(|scheme| first.starts_with(scheme)) =>
        {
            Ok(Return { status: 302, text: Some(compile(first)?) })
        }
        None => Err(Fail::Said(format!("invalid return code \"{first}\""))),
    }
}

fn add_header(arguments: &[String]) -> Result<(String, Template, bool), Fail> {
    let always = match arguments.get(2).map(String::as_str) {
        None => false,
        Some("always") => true,
        Some(other) => return Err(Fail::Said(format!("invalid parameter \"{other}\""))),
    };
    let value = Template::compile(&arguments[1]).map_err(Fail::Said)?;
    Ok((arguments[0].clone(), value, always))
}

/// (milliseconds to wait, seconds to tell)
fn keepalive_timeout(arguments: &[String]) -> Result<(u64, u64), Fail> {
    let invalid = || Fail::Word("invalid value");
    let wait_ms = value::duration(&arguments[0], Unit::Milliseconds).ok_or_else(invalid)?;
    let told_s = arguments.get(1).map(|text| value::duration(text, Unit::Seconds).ok_or_else(invalid));
    Ok((wait_ms, told_s.transpose()?.unwrap_or(0)))
}
