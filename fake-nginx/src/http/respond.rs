//! From a request to the bytes of an answer.
//!
//! # Source
//! `ngx_http_send_response` and `ngx_http_update_location_config` in `src/http/ngx_http_core_module.c`,
//! `ngx_http_special_response_handler` in `src/http/ngx_http_special_response.c`, `ngx_http_add_header` in
//! `src/http/modules/ngx_http_headers_filter_module.c`, `ngx_http_static_handler` in
//! `src/http/modules/ngx_http_static_module.c`, nginx 1.18 to 1.30.

use super::head::Head;
use super::page::page;
use super::route;
use super::target::{self, Target};
use super::types::{Answer, Body, Context, Request};
use super::variables::Scope;
use crate::conf::{Address, Conf, Location};

/// Statuses after which nginx closes without an answer.
const SILENT: [u16; 3] = [408, 444, 499];

/// Errors after whose page nginx closes.
const CLOSING: [u16; 8] = [400, 413, 414, 495, 496, 497, 500, 501];

/// Statuses whose second argument of `return` is a location.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Statuses that `add_header` without `always` is for.
const SAFE: [u16; 10] = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];

/// What goes into an answer beside its head.
struct Content {
    status: u16,
    content_type: Option<String>,
    body: Vec<u8>,
    location: Option<Vec<u8>>,
    /// Whether nginx looked at `Expect` on its way here.
    tests_expect: bool,
    is_special: bool,
}

/// What nginx answers to `request`, which came through `conf.listens[listen]`.
///
/// An answer without bytes means that nginx closes without one.
#[must_use]
pub fn respond(conf: &Conf, listen: usize, request: &Request, context: &Context) -> Answer {
    let target = target::split(&request.target).filter(|_| request.version > 9 || request.method == "GET");
    let Some(target) = target else { return refuse_as(request.version, conf, listen, 400, context) };
    let server = route::server(conf, listen, context.local, request.host.as_deref());
    let Some(server) = server else { return silence(444) };
    let scope = Scope {
        conf,
        listen: conf.listens.get(listen),
        server: Some(server),
        request,
        target: &target,
        context,
    };
    // A `return` of the server comes before any location is looked for.
    let place = match &server.root.answer {
        Some(_) => &server.root,
        None => route::location(&server.locations, &target.path).unwrap_or(&server.root),
    };
    // `ngx_http_core_find_config_phase` asks for the size once a location is found.
    let is_too_large = matches!(request.body, Body::Length(length)
        if server.root.answer.is_none() && place.client_max_body_size > 0 && length > place.client_max_body_size);
    if is_too_large {
        return assemble(place, &scope, special(413, place, &scope));
    }
    match content(place, &scope) {
        Some(content) => assemble(place, &scope, content),
        None => silence(place.answer.as_ref().map_or(444, |answer| answer.status)),
    }
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
    if SILENT.contains(&status) {
        return silence(status);
    }
    let request = Request {
        method: "GET".to_owned(),
        target: b"/".to_vec(),
        version,
        headers: Vec::new(),
        host: None,
        body: Body::None,
    };
    let target = Target { host: None, unparsed: b"/", path: b"/".to_vec(), args: b"" };
    let scope = Scope {
        conf,
        listen: conf.listens.get(listen),
        server: Some(server),
        request: &request,
        target: &target,
        context,
    };
    let content = special(status, &server.root, &scope);
    assemble(&server.root, &scope, content)
}

fn silence(status: u16) -> Answer {
    Answer {
        bytes: Vec::new(),
        head_len: 0,
        limit_rate: None,
        keep_alive: false,
        keepalive_timeout_ms: 0,
        keepalive_min_timeout_ms: 0,
        status,
    }
}

/// What to say at `place`; `None` is silence.
fn content(place: &Location, scope: &Scope<'_>) -> Option<Content> {
    let Some(answer) = &place.answer else {
        let is_folder = scope.target.path.ends_with(b"/");
        let is_allowed = ["GET", "HEAD", "POST"].contains(&scope.request.method.as_str());
        return Some(special(
            if is_allowed {
                404
            } else if is_folder {
                403
            } else {
                405
            },
            place,
            scope,
        ));
    };
    let text = answer.text.as_ref().filter(|text| !text.pieces.is_empty());
    let status = answer.status;
    if status >= 400 && text.is_none() {
        return (!SILENT.contains(&status)).then(|| special(status, place, scope));
    }
    let text = text.map_or_else(Vec::new, |text| text.render(|name| scope.value(name)));
    let mut content = if REDIRECTS.contains(&status) {
        Content { location: Some(text), ..special(status, place, scope) }
    } else {
        Content {
            status,
            content_type: Some(content_type(place, &scope.target.path)),
            body: text,
            location: None,
            tests_expect: true,
            is_special: false,
        }
    };
    content.tests_expect = true;
    Some(content)
}

/// A page of nginx's own.
fn special(status: u16, place: &Location, scope: &Scope<'_>) -> Content {
    let is_padded = scope.request.values("user-agent").any(|agent| {
        let has = |word: &str| agent.windows(word.len()).any(|part| part == word.as_bytes());
        has("Chrome/") || (has("MSIE ") && !has("Opera"))
    });
    let page = page(status, &server_header(place, scope), is_padded, &scope.context.profile);
    Content {
        status,
        content_type: page.is_some().then(|| "text/html".to_owned()),
        body: page.unwrap_or_default().into_bytes(),
        location: None,
        tests_expect: false,
        is_special: true,
    }
}

fn server_header(place: &Location, scope: &Scope<'_>) -> String {
    if place.server_tokens { format!("nginx/{}", scope.context.profile.version) } else { "nginx".to_owned() }
}

/// By the extension of the path, or the default.
fn content_type(place: &Location, path: &[u8]) -> String {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let dot = name.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0);
    let extension = dot.map(|dot| String::from_utf8_lossy(&name[dot + 1..]).to_ascii_lowercase());
    let known = place.types.iter().find(|(known, _)| Some(known) == extension.as_ref());
    known.map_or_else(|| place.default_type.clone(), |(_, kind)| kind.clone())
}

fn assemble(place: &Location, scope: &Scope<'_>, content: Content) -> Answer {
    let Scope { request, context, .. } = scope;
    let keeps_alive = wants_keep_alive(request)
        && !(content.is_special && CLOSING.contains(&content.status))
        && place.keepalive_timeout_ms > 0
        && context.requests_on_connection < place.keepalive_requests;
    let has_body = content.status != 204;
    let mut head = Head {
        status: content.status,
        server: server_header(place, scope),
        content_type: content.content_type.filter(|_| has_body),
        content_length: has_body.then_some(content.body.len()),
        says_keep_alive: keeps_alive && !(context.is_draining && context.profile.closes_while_draining),
        keepalive_header_s: place.keepalive_header_s,
        ..Head::default()
    };
    match content.location {
        Some(location) if location.starts_with(b"/") => {
            head.absolute_location = Some([origin(scope).as_bytes(), &location].concat());
        }
        Some(location) => head.others.push(("Location".to_owned(), location)),
        None => {}
    }
    for (name, value, always) in &place.headers {
        let value = value.render(|name| scope.value(name));
        if !value.is_empty() && (*always || SAFE.contains(&content.status)) {
            head.others.push((name.clone(), value));
        }
    }
    let mut bytes = Vec::new();
    if content.tests_expect && expects_continue(request) {
        bytes.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    if request.version > 9 {
        bytes.extend(head.bytes(context));
    }
    let head_len = bytes.len();
    if has_body && request.method != "HEAD" {
        bytes.extend(content.body);
    }
    Answer {
        bytes,
        head_len,
        limit_rate: (place.limit_rate > 0).then_some(place.limit_rate),
        keep_alive: keeps_alive && !context.is_draining,
        keepalive_timeout_ms: place.keepalive_timeout_ms,
        keepalive_min_timeout_ms: place.keepalive_min_timeout_ms,
        status: content.status,
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
    let bound = match scope.listen.map(|listen| &listen.address) {
        Some(Address::Tcp(socket)) => Some(socket.ip()),
        Some(Address::Unix(_)) | None => None,
    };
    let local = scope.context.local.or(bound);
    let host = match &scope.request.host {
        Some(host) => host.clone(),
        None => local.map_or_else(|| "unix:".to_owned(), |ip| ip.to_string()),
    };
    match scope.port() {
        Some(port) if port != 80 => format!("http://{host}:{port}"),
        _ => format!("http://{host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::{LoadFrom, load};
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
        respond(&conf, 0, &request, &context)
    }

    fn says(answer: &Answer, header: &str) -> bool {
        let head = String::from_utf8_lossy(&answer.bytes[..answer.head_len]).into_owned();
        head.lines().any(|line| line == header)
    }

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
    fn some_statuses_are_silence() {
        let answer = answer(Version::new(1, 26, 3), "return 444;", false);
        assert!(answer.bytes.is_empty() && !answer.keep_alive);
    }
}
