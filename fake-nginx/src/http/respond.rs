//! From a request to the bytes of an answer.
//!
//! # Source
//! `ngx_http_send_response` and `ngx_http_update_location_config` in `src/http/ngx_http_core_module.c`,
//! `ngx_http_special_response_handler` in `src/http/ngx_http_special_response.c`, `ngx_http_add_header` in
//! `src/http/modules/ngx_http_headers_filter_module.c`, `ngx_http_static_handler` in
//! `src/http/modules/ngx_http_static_module.c`, nginx 1.18 to 1.30.

use super::files::Files;
use super::head::Head;
use super::page::page;
use super::route;
use super::target;
use super::types::{Answer, Body, Context, Piece, Request};
use super::variables::Scope;
use super::walk::Walk;
use crate::conf::{Conf, Location, Message, Patience};

/// Statuses after which nginx closes without an answer.
pub(super) const SILENT: [u16; 3] = [408, 444, 499];

/// Errors after whose page nginx closes.
const CLOSING: [u16; 8] = [400, 413, 414, 495, 496, 497, 500, 501];

/// Statuses whose second argument of `return` is a location.
pub(super) const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Statuses that `add_header` without `always` is for.
const SAFE: [u16; 10] = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];

/// What goes into an answer beside its head.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
    /// What comes behind the body: a file, or parts of one.
    pub(super) pieces: Vec<Piece>,
    /// `Last-Modified`
    pub(super) modified_s: Option<i64>,
    pub(super) location: Option<Vec<u8>>,
    /// Headers that stand before those of `add_header`.
    pub(super) before: Vec<(String, Vec<u8>)>,
    /// Headers that stand behind them.
    pub(super) behind: Vec<(String, Vec<u8>)>,
    /// Whether nginx looked at `Expect` on its way here.
    pub(super) tests_expect: bool,
    pub(super) is_special: bool,
    /// What the client has is still good.
    pub(super) is_unchanged: bool,
}

/// What nginx answers to `request`, which came through `conf.listens[listen]`.
///
/// An answer without bytes means that nginx closes without one.
#[must_use]
pub fn respond(
    conf: &Conf,
    listen: usize,
    request: &Request,
    context: &Context,
    files: &mut dyn Files,
) -> Answer {
    let target = target::split(&request.target).filter(|_| request.version > 9 || request.method == "GET");
    let Some(target) = target else { return refuse_as(request.version, conf, listen, 400, context) };
    let server = route::server(conf, listen, context.local, request.host.as_deref());
    let Some(server) = server else { return silence(444) };
    let scope = Scope {
        conf,
        listen: conf.listens.get(listen),
        server: Some(server),
        request,
        unparsed: target.unparsed,
        path: target.path,
        args: target.args.to_vec(),
        place: &server.root,
        captures: request.host.as_deref().map_or_else(Vec::new, |host| route::captures(server, host)),
        context,
    };
    let mut walk = Walk::new(server, scope, files);
    let answer = walk.run().map_or_else(silence, |content| assemble(&walk.scope, content));
    let said = walk.said.into_iter();
    let said = said.map(|message| Message { text: message.text + &tail(&walk.scope), ..message }).collect();
    Answer { said, ..answer }
}

/// What the log adds to a line about a request (`ngx_http_log_error` in `src/http/ngx_http_request.c`).
fn tail(scope: &Scope<'_>) -> String {
    let request = scope.request;
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let client = scope.context.remote.map_or("unix:".to_owned(), |ip| ip.to_string());
    let mut tail = format!(
        ", client: {client}, server: {}, request: \"{}\"",
        scope.server_name(),
        shown(&scope.request_line())
    );
    for (header, word) in [("host", "host"), ("referer", "referrer")] {
        if let Some(value) = request.values(header).next() {
            tail += &format!(", {word}: \"{}\"", shown(value));
        }
    }
    tail
}

/// What nginx answers to bytes that are no request ([`Parsed::Bad`](super::Parsed::Bad)): the error page, then it
/// closes.
#[must_use]
pub fn refuse(conf: &Conf, listen: usize, status: u16, context: &Context) -> Answer {
    // Not 1.1: it must not be kept alive.
    refuse_as(10, conf, listen, status, context)
}

fn refuse_as(version: u8, conf: &Conf, listen: usize, status: u16, context: &Context) -> Answer {
    let Some(server) = route::server(conf, listen, context.local, None) else { return silence(status) };
    let request = Request {
        method: "GET".to_owned(),
        target: b"/".to_vec(),
        version,
        headers: Vec::new(),
        host: None,
        body: Body::None,
    };
    let scope = Scope {
        conf,
        listen: conf.listens.get(listen),
        server: Some(server),
        request: &request,
        unparsed: b"/",
        path: b"/".to_vec(),
        args: Vec::new(),
        place: &server.root,
        captures: Vec::new(),
        context,
    };
    if SILENT.contains(&status) {
        return silence(status);
    }
    assemble(&scope, special(status, &scope))
}

fn silence(status: u16) -> Answer {
    Answer {
        bytes: Vec::new(),
        pieces: Vec::new(),
        said: Vec::new(),
        head_len: 0,
        limit_rate: None,
        keep_alive: false,
        keepalive_timeout_ms: 0,
        keepalive_min_timeout_ms: 0,
        patience: Patience::default(),
        status,
    }
}

/// A page of nginx's own.
pub(super) fn special(status: u16, scope: &Scope<'_>) -> Content {
    let is_padded = scope.request.values("user-agent").any(|agent| {
        let has = |word: &str| agent.windows(word.len()).any(|part| part == word.as_bytes());
        has("Chrome/") || (has("MSIE ") && !has("Opera"))
    });
    let page = page(status, &server_header(scope), is_padded, &scope.context.profile);
    Content {
        status,
        content_type: page.is_some().then(|| "text/html".to_owned()),
        body: page.unwrap_or_default().into_bytes(),
        is_special: true,
        ..Content::default()
    }
}

fn server_header(scope: &Scope<'_>) -> String {
    if scope.place.server_tokens {
        format!("nginx/{}", scope.context.profile.version)
    } else {
        "nginx".to_owned()
    }
}

/// By the extension of the path, or the default.
pub(super) fn content_type(place: &Location, path: &[u8]) -> String {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let dot = name.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0);
    let extension = dot.map(|dot| String::from_utf8_lossy(&name[dot + 1..]).to_ascii_lowercase());
    let known = place.types.iter().find(|(known, _)| Some(known) == extension.as_ref());
    known.map_or_else(|| place.default_type.clone(), |(_, kind)| kind.clone())
}

/// What `add_header` adds to an answer with this status.
pub(super) fn added(scope: &Scope<'_>, status: u16) -> Vec<(String, Vec<u8>)> {
    let is_due = |always: bool| always || SAFE.contains(&status);
    let due = scope.place.headers.iter().filter(|(.., always)| is_due(*always));
    let rendered = due.map(|(name, value, _)| (name.clone(), value.render(|name| scope.value(name))));
    rendered.filter(|(_, value)| !value.is_empty()).collect()
}

/// The bytes of an answer at the place where the walk has ended.
fn assemble(scope: &Scope<'_>, content: Content) -> Answer {
    let Scope { request, context, place, .. } = scope;
    let keeps_alive = wants_keep_alive(request)
        && !(content.is_special && CLOSING.contains(&content.status))
        && place.keepalive_timeout_ms > 0
        && context.requests_on_connection < place.keepalive_requests;
    let has_body = content.status != 204 && !content.is_unchanged;
    let length = content.body.len() as u64 + content.pieces.iter().map(Piece::len).sum::<u64>();
    let mut head = Head {
        status: content.status,
        server: server_header(scope),
        content_type: content.content_type.filter(|_| has_body),
        content_length: has_body.then_some(length),
        modified_s: content.modified_s.filter(|_| [200, 206, 304].contains(&content.status)),
        says_keep_alive: keeps_alive && !(context.is_draining && context.profile.closes_while_draining),
        keepalive_header_s: place.keepalive_header_s,
        ..Head::default()
    };
    let makes_absolute = place.content.absolute_redirect.unwrap_or(true);
    match content.location {
        Some(location) if location.starts_with(b"/") && makes_absolute => {
            head.absolute_location = Some([origin(scope).as_bytes(), &location].concat());
        }
        Some(location) => head.others.push(("Location".to_owned(), location)),
        None => {}
    }
    head.others.extend(content.before);
    head.others.extend(added(scope, content.status));
    head.others.extend(content.behind);
    let mut bytes = Vec::new();
    if content.tests_expect && expects_continue(request) {
        bytes.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    if request.version > 9 {
        bytes.extend(head.bytes(context));
    }
    let head_len = bytes.len();
    let sends_body = has_body && request.method != "HEAD";
    if sends_body {
        bytes.extend(content.body);
    }
    Answer {
        bytes,
        pieces: if sends_body { content.pieces } else { Vec::new() },
        head_len,
        limit_rate: (place.limit_rate > 0).then_some(place.limit_rate),
        keep_alive: keeps_alive && !context.is_draining,
        keepalive_timeout_ms: place.keepalive_timeout_ms,
        keepalive_min_timeout_ms: place.keepalive_min_timeout_ms,
        patience: place.patience,
        ..silence(content.status)
    }
}

/// What the request asks for; the last `Connection` that says something counts.
fn wants_keep_alive(request: &Request) -> bool {
    let has =
        |value: &[u8], word: &[u8]| value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    let said = request.values("connection").filter_map(|value| {
        if has(value, b"close") { Some(false) } else { has(value, b"keep-alive").then_some(true) }
    });
    match request.version {
        11 => said.last().unwrap_or(true),
        10 => said.last().unwrap_or(false),
        _ => false,
    }
}

fn expects_continue(request: &Request) -> bool {
    request.version == 11
        && request.values("expect").next().is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
}

/// `http://host:port` of a location that begins with a slash.
fn origin(scope: &Scope<'_>) -> String {
    let bound = scope.listen.and_then(|listen| listen.address.socket()).map(|socket| socket.ip());
    let local = scope.context.local.or(bound);
    let rules = &scope.place.content;
    let named = rules.server_name_in_redirect.unwrap_or(false).then(|| scope.server_name().to_owned());
    let host = match named.or_else(|| scope.request.host.clone()) {
        Some(host) => host,
        None => local.map_or_else(|| "unix:".to_owned(), |ip| ip.to_string()),
    };
    match scope.port() {
        Some(port) if port != 80 && rules.port_in_redirect.unwrap_or(true) => format!("http://{host}:{port}"),
        _ => format!("http://{host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{LoadFrom, load};
    use crate::http::files::NoFiles;
    use crate::http::{Parsed, parse};
    use crate::options::Options;
    use crate::release::{Profile, Version};
    use crate::stamp::Stamp;

    fn answer(version: Version, location: &str, is_draining: bool) -> Answer {
        answer_to(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", version, location, is_draining)
    }

    fn answer_to(request: &[u8], version: Version, location: &str, is_draining: bool) -> Answer {
        let folder = tempfile::tempdir().unwrap();
        let text =
            format!("events {{}} http {{ server {{ listen 127.0.0.1:1; location / {{ {location} }} }} }}");
        std::fs::write(folder.path().join("n.conf"), text).unwrap();
        let from = LoadFrom::new(&Stamp::new(version), &Options::default(), false, 1);
        let from = LoadFrom { conf: folder.path().join("n.conf"), ..from };
        let conf = load(&from).unwrap().0;
        let Parsed::Request(request, _) = parse(request) else { panic!("no request") };
        let context = Context {
            pid: 7,
            profile: Profile::of(version),
            now_unix_s: 0,
            is_draining,
            requests_on_connection: 1,
            connection: 3,
            remote: None,
            local: None,
        };
        respond(&conf, 0, &request, &context, &mut NoFiles)
    }

    fn says(answer: &Answer, header: &str) -> bool {
        let head = String::from_utf8_lossy(&answer.bytes[..answer.head_len]).into_owned();
        head.lines().any(|line| line == header)
    }

    /// checks: D4
    #[test]
    fn a_draining_worker_closes_and_says_so_since_1_21_6() {
        for (version, said) in [
            (Version::new(1, 21, 5), "Connection: keep-alive"),
            (Version::new(1, 21, 6), "Connection: close"),
        ] {
            let answer = answer(version, "return 200 x;", true);
            assert!(says(&answer, said) && !answer.keep_alive, "{version}");
        }
    }

    #[test]
    fn an_answer_tells_who_gave_it_and_how_fast_it_goes() {
        let location = "limit_rate 2k; keepalive_timeout 3; return 200 \"$pid $nginx_version\";";
        let answer = answer(Version::new(1, 26, 3), location, false);
        assert_eq!(&answer.bytes[answer.head_len..], b"7 1.26.3");
        assert_eq!((answer.limit_rate, answer.keepalive_timeout_ms), (Some(2048), 3000));
        assert!(answer.keep_alive && says(&answer, "Date: Thu, 01 Jan 1970 00:00:00 GMT"));
    }

    #[test]
    fn a_body_beyond_the_limit_is_refused_and_the_connection_closed() {
        let post = |limit: &str, length: u32| {
            let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            let location = format!("{limit} return 200 x;");
            let answer = answer_to(request.as_bytes(), Version::new(1, 26, 3), &location, false);
            (answer.status, answer.keep_alive)
        };
        assert_eq!(post("client_max_body_size 10;", 10), (200, true));
        assert_eq!(post("client_max_body_size 10;", 11), (413, false));
        assert_eq!(post("client_max_body_size 0;", 2_000_000_000), (200, true));
        assert_eq!(post("", 1_048_576), (200, true));
        assert_eq!(post("", 1_048_577), (413, false));
    }

    #[test]
    fn where_another_server_would_be_asked_the_answer_is_502() {
        let answer = answer(Version::new(1, 26, 3), "proxy_pass http://127.0.0.1:1;", false);
        assert!(answer.status == 502 && answer.keep_alive);
    }

    #[test]
    fn some_statuses_are_silence() {
        let answer = answer(Version::new(1, 26, 3), "return 444;", false);
        assert!(answer.bytes.is_empty() && !answer.keep_alive);
    }
}
