//! Requests, sound and broken: the fake answers byte for byte as real releases do, but for `Date`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fake_nginx::conf::{Conf, LoadFrom, load};
use fake_nginx::http::{self, Body, Context, Files, Parsed, Piece};
use fake_nginx::release::{Profile, Version};
use fake_nginx::stamp::Stamp;
use scenarios::live::nginx::{self, Found};

const SERVERS: &str = r#"
server {
    listen 127.0.0.1:PORT;
    server_name one;
    location / { return 200 "root $uri $request_uri $host $connection_requests $nginx_version\n"; }
    location = /plain { default_type text/plain; return 200 "ok\n"; }
    location /oct { default_type application/octet-stream; types { text/css css; } return 200 "ok\n"; }
    location /default { return 200 "ok"; }
    location /empty { return 200 ""; }
    location /301 { return 301 /new$uri; }
    location /302 { return 302 http://example.com/; }
    location /url { return http://example.com/y; }
    location /308 { return 308 /x; }
    location /404t { return 404 "gone\n"; }
    location /503t { return 503 "x"; }
    location /600 { return 600 x; }
    location /headers { add_header X-A b; add_header X-B "$uri" always; add_header X-E ""; return 200 x; }
    location /headers404 { add_header X-A b; add_header X-B c always; return 404; }
    location /headers302 { add_header X-A b; return 302 /; }
    location /alive { keepalive_timeout 5 7; return 200 x; }
    location /closing { keepalive_timeout 0; return 200 x; }
    location /once { keepalive_requests 1; return 200 x; }
    location /tokens { server_tokens off; return 404; }
    location /file { }
    location /outer { return 200 outer; location /outer/inner { return 200 inner; } location = /outer/e { return 200 e; } }
    location /variables { return 200 "$http_x $arg_a|$args|$is_args|$query_string|$request_method|$scheme|$server_protocol|$server_port|$server_name|$remote_addr|$document_uri|$request|$content_length|$content_type|$http_user_agent|$hostname|$https\n"; }
    location ~ ^/expression/(\w+)/(?<Rest>.*)$ { return 200 "$1|$2|$rest|$3"; }
    location ~* \.TXT$ { return 200 caseless; location ~ inner { return 200 inner; } }
    location ~ \.txt$ { return 200 "never before the caseless one"; }
    location ^~ /final/ { return 200 final; location /final/nested/ { return 200 nested; } }
    location /around/ { return 200 around; location ~ \.txt$ { return 200 "inside around"; } }
    location = /exact.txt { return 200 exact; }
    location ~ /\.(?!well-known) { return 403; }
    location /gateway { proxy_pass http://127.0.0.1:1; }
    location /gateway/paged { proxy_pass http://127.0.0.1:1; error_page 502 =200 /plain; }
    STATUSES
}
server { listen 127.0.0.1:PORT; server_name two *.three four.* .five; return 200 "two $server_name\n"; }
server { listen 127.0.0.1:PORT; server_name ~^(www\d+)\.(?<domain>.+)\.six$; return 200 "$1 $domain $server_name"; }
server { listen 127.0.0.1:PORT; server_name *.a.three four.b.*; return 200 "longer\n"; }
"#;

/// Paths for `GET PATH HTTP/1.1` with `Host: one`.
const PATHS: &[&str] = &[
    "/",
    "/plain",
    "/oct",
    "/oct/a.css",
    "/oct/a.CSS",
    "/oct/b.html",
    "/default",
    "/default.html",
    "/default/a.b/c",
    "/empty",
    "/301/x",
    "/302",
    "/url",
    "/308",
    "/404t",
    "/503t",
    "/600",
    "/headers",
    "/headers404",
    "/headers302",
    "/alive",
    "/closing",
    "/once",
    "/tokens",
    "/file",
    "/file/",
    "/outer",
    "/outer/inner/x",
    "/outer/e",
    "/outer/e/f",
    "/variables?a=1&b=2",
    "/variables?b=2&A=3&a=4",
    "//a//b/../c?x=1",
    "/a/./b",
    "/a%20b",
    "/a%zz",
    "/a%00b",
    "/..",
    "/../x",
    "/a#b",
    "http://two/x",
    "http://one",
    "http://One:80/q?z",
    "HTTP://one/",
    "https://one/",
    "*",
    "x",
    "foo:bar",
    "/é",
    "/%c3%a9",
    "/a+b",
    "/\"",
    "/<>",
    "http:/x",
    "http:///x",
    "http://",
    "ftp://one/",
    "//one/x",
    "/%2e%2e/x",
    "/a%2fb",
    "/a//",
    "/a/..",
    "/a/../..",
    "/.",
    "/a?b?c",
    "/a?b#c",
    "/%3f",
    "/a%",
    "/a%2e%2e/x",
    "/301/a%20b",
    "/default/.html",
    "/default/x.",
    "/?",
    "/plain?x",
    "/plain/",
    "/expression/a/b/c",
    "/expression/%c3%a9/b",
    "/expression/a/%c3%a9",
    "/a.txt",
    "/A.TXT",
    "/inner.txt",
    "/final/a.txt",
    "/final/nested/a.txt",
    "/around/a.txt",
    "/around/a.TXT",
    "/exact.txt",
    "/.hidden",
    "/.well-known/x",
];

/// Headers for `GET /plain HTTP/1.1`, without `Host: one`.
const HEADERS: &[&str] = &[
    "",
    "Host: \r\n",
    "Host: two\r\n",
    "Host: TWO\r\n",
    "Host: two:80\r\n",
    "Host: a.three\r\n",
    "Host: b.a.three\r\n",
    "Host: three\r\n",
    "Host: four.x\r\n",
    "Host: four.b.c\r\n",
    "Host: five\r\n",
    "Host: x.five\r\n",
    "Host: a.b.five\r\n",
    "Host: one.\r\n",
    "Host: www12.a.six\r\n",
    "Host: WWW1.b.c.six\r\n",
    "Host: www.b.six\r\n",
    "Host: a/b\r\n",
    "Host: a_b\r\n",
    "Host: [::1]:80\r\n",
    "Host: a'b\r\n",
    "Host: ..\r\n",
    "Host: a..b\r\n",
    "Host: one\r\nHost: two\r\n",
    "Host: OnE:99\r\n",
    "Host: one\r\nConnection: close\r\n",
    "Host: one\r\nConnection: Close, foo\r\n",
    "Host: one\r\nConnection: Keep-Alive\r\n",
    "Host: one\r\nConnection: keep-alive, close\r\n",
    "Host: one\r\nConnection: foo\r\n",
    "Host: one\r\nConnection: close\r\nConnection: keep-alive\r\n",
    "Host: one\r\nA_B: c\r\n",
    "Host: one\r\nnocolon\r\n",
    "Host: one\r\nA: b\u{1}c\r\n",
    "Host: one\r\nA\u{e9}: b\r\n",
    "Host: one\r\nA:b\r\n",
    "Host: one\r\nA:\r\n",
    "Host: one\r\nExpect: 100-continue\r\n",
    "Host: one\r\nExpect: x\r\n",
    "Host: one\r\nContent-Length: x\r\n",
    "Host: one\r\nContent-Length: -1\r\n",
    "Host: one\r\nA: b\0c\r\n",
    "Host: one\r\nTransfer-Encoding: foo\r\n",
    "Host: one\r\nRange: bytes=0-0\r\n",
];

/// Whole requests.
const REQUESTS: &[&str] = &[
    "GET /plain\r\n",
    "GET /plain\n",
    "GET /nosuch/file\r\n",
    "POST /plain\r\n",
    "GET  /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /plain  HTTP/1.1\r\nHost: one\r\n\r\n",
    " GET /plain HTTP/1.1\r\n\r\n",
    "get /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "\r\n\r\n\nGET /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.1\nHost: one\n\n",
    "G\0",
    "\u{16}\u{3}\u{1}",
    "GET /plain HTTP/2.0\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/3\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/0.9\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/x\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.1x\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/10.1\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/01.1\r\nHost: one\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET\t/plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "F1 /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "FOO /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "TRACE /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "PUT /file HTTP/1.1\r\nHost: one\r\n\r\n",
    "POST /file HTTP/1.1\r\nHost: one\r\n\r\n",
    "HEAD /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "HEAD /file HTTP/1.1\r\nHost: one\r\n\r\n",
    "HEAD /302 HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.0\r\n\r\n",
    "GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /301 HTTP/1.0\r\n\r\n",
    "GET /file HTTP/1.0\r\nHost: one\r\nConnection: keep-alive\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: one\r\n\r\nGET / HTTP/1.1\r\nHost: one\r\n\r\nGET /404t HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /once HTTP/1.1\r\nHost: one\r\n\r\nGET / HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /s500 HTTP/1.1\r\nHost: one\r\n\r\nGET / HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: one\r\n\r\nGET /s444 HTTP/1.1\r\nHost: one\r\n\r\nGET / HTTP/1.1\r\nHost: one\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nContent-Length: 3\r\n\r\nabcGET /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "POST /file HTTP/1.1\r\nHost: one\r\nContent-Length: 3\r\n\r\nabcGET /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "POST /plain HTTP/1.1\r\nHost: one\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    "POST /plain HTTP/1.0\r\nHost: one\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    "POST /file HTTP/1.1\r\nHost: one\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    "GET /302 HTTP/1.1\r\nHost: one\r\nExpect: 100-continue\r\n\r\n",
    "GET /variables HTTP/1.1\r\nHost: one\r\nX: y\r\nUser-Agent: me\r\nContent-Type: t\r\n\r\n",
    "GET /file HTTP/1.1\r\nHost: one\r\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0)\r\n\r\n",
    "GET /file HTTP/1.1\r\nHost: one\r\nUser-Agent: Mozilla/5.0 Chrome/5\r\n\r\n",
    "GET /302 HTTP/1.1\r\nHost: one\r\nUser-Agent: Mozilla/5.0 Chrome/5\r\n\r\n",
    "GET /LONG HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\nA: LONG\r\n\r\n",
    "GET /plain\r\n",
    "HEAD /plain\r\n",
    "GET /\r\n\r\n",
    "GET /plain HTTP/1.2\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.10\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/01.1\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/2.0\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/0.9\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.0\r\nHost: one\r\nConnection: keep-alive\r\n\r\nGET /plain HTTP/1.0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TRACE /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "PUT /file HTTP/1.1\r\nHost: one\r\nContent-Length: 1\r\n\r\na",
    "PATCH /file HTTP/1.1\r\nHost: one\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: one\r\n\r\n",
    "OPTIONS /file HTTP/1.1\r\nHost: one\r\n\r\n",
    "FOO /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nContent-Length: -1\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nContent-Length: +1\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nContent-Length: 1x\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "POST /file HTTP/1.1\r\nHost: one\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\nGET /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nTransfer-Encoding: gzip\r\n\r\n",
    "GET http://two/ HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET http://two HTTP/1.0\r\n\r\n",
    "GET http://two:99/x?y HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET http://a..b/ HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET http://[::1]/ HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.1\nHost: one\n\n",
    "\r\nGET /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "\n\n\r\nGET /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET  /plain  HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.1 \r\nHost: one\r\n\r\n",
    "get /plain HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\nConnection: close, keep-alive\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\nExpect: something\r\n\r\n",
    "GET /a/b/../../../x HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /a/./../b/.// HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /a%2F..%2fb HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /a/...b/.c HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /a/..?x HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /%41%zz HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /a%25%32%46 HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /a\\b HTTP/1.1\r\nHost: one\r\n\r\n",
    "G\u{0} / HTTP/1.1\r\n\r\n",
    "GET /\u{0} HTTP/1.1\r\nHost: one\r\n\r\n",
    "LONG",
    "GET /?LONG HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: LONG\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\nLONG: a\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\nA_B: LONG",
];

/// Requests that releases before 1.21.1 answered otherwise.
const STRICT_REQUESTS: &[&str] = &[
    "GET /a b HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /a\u{1}b HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /plain\tHTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one, two\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: a\u{7f}b\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\nA B: c\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\n: x\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\nA : x\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost : one\r\n\r\n",
    "GET /plain HTTP/1.1\r\n Host: one\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\nA: b\r\n c\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: one\r\nA: x\ry\r\n\r\n",
    "POST /plain HTTP/1.1\r\nHost: one\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    "POST /plain HTTP/1.0\r\nHost: one\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

pub(crate) fn answers_are_those_of_real_releases() {
    let mut differences = Vec::new();
    for release in nginx::releases() {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        write_conf(folder.path(), port);
        let conf = fake_conf(release.version, folder.path());
        let _running = Running::start(&release, folder.path());
        let to_gateways = TO_GATEWAYS.iter().map(|request| (request.as_bytes().to_vec(), Says::More));
        let all = requests(release.version).into_iter().map(|request| (request, Says::ThatIsAll));
        for (request, says) in all.chain(to_gateways) {
            let expected = without_date(&ask_and(port, &request, says));
            let found = without_date(&fake_answers(&conf, release.version, &request));
            if expected != found {
                let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).escape_debug().to_string();
                differences.push(format!(
                    "--- {} {}\n  real: {}\n  fake: {}",
                    release.version,
                    show(&request[..request.len().min(200)]),
                    show(&expected),
                    show(&found)
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

/// Requests to a server that refuses connections.
const TO_GATEWAYS: &[&str] = &[
    "GET /gateway HTTP/1.1\r\nHost: one\r\nConnection: close\r\n\r\n",
    "GET /gateway HTTP/1.0\r\n\r\n",
    "HEAD /gateway HTTP/1.1\r\nHost: one\r\nConnection: close\r\n\r\n",
    "GET /gateway/paged HTTP/1.1\r\nHost: one\r\nConnection: close\r\n\r\n",
    "POST /gateway HTTP/1.1\r\nHost: one\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
    "GET /gateway HTTP/1.1\r\nHost: one\r\n\r\nGET /plain HTTP/1.1\r\nHost: one\r\nConnection: close\r\n\r\n",
];

fn requests(version: Version) -> Vec<Vec<u8>> {
    let paths = PATHS.iter().map(|path| format!("GET {path} HTTP/1.1\r\nHost: one\r\n\r\n"));
    let headers = HEADERS.iter().map(|headers| format!("GET /plain HTTP/1.1\r\n{headers}\r\n"));
    let statuses = statuses().map(|status| format!("GET /s{status} HTTP/1.1\r\nHost: one\r\n\r\n"));
    let whole = REQUESTS.iter().map(|request| request.replace("LONG", &"a".repeat(9000)));
    let strict = if version >= Version::new(1, 21, 1) { STRICT_REQUESTS } else { &[] };
    let strict = strict.iter().map(|request| (*request).to_owned());
    paths.chain(headers).chain(statuses).chain(whole).chain(strict).map(String::into_bytes).collect()
}

/// Every status that says something, and some that say nothing.
fn statuses() -> impl Iterator<Item = u16> {
    (200..209).chain(300..310).chain(400..432).chain(494..498).chain(499..512)
}

fn write_conf(folder: &Path, port: u16) {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};"))
        .concat();
    let statuses: String =
        statuses().map(|status| format!("location = /s{status} {{ return {status}; }}\n")).collect();
    let servers = SERVERS.replace("STATUSES", &statuses).replace("PORT", &port.to_string());
    let text = format!(
        "daemon off; master_process off; pid n.pid; error_log stderr notice; events {{}}\n\
         http {{ access_log off; {temporary} {servers} }}"
    );
    std::fs::write(folder.join("n.conf"), text).unwrap();
}

/// A port that was free a moment ago; the listener is gone before nginx binds it.
pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A real nginx, killed when dropped.
pub(super) struct Running(Child);

impl Running {
    /// Returns when its sockets listen: it names its event method behind that.
    pub(super) fn start(release: &Found, folder: &Path) -> Self {
        let mut child = Command::new(&release.path)
            .args(["-c", "n.conf", "-p"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        while !said.contains("using the \"epoll\" event method") {
            let length = errors.read_line(&mut said).unwrap();
            assert!(length > 0, "{} did not start:\n{said}", release.path.display());
        }
        child.stderr = Some(errors.into_inner());
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What a client lets nginx know behind its requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// Nothing: a request itself must end the connection. While it asks another server, nginx takes a client that
    /// sends no more for one that has gone: who is faster decides between an answer and silence (499).
    More,
    /// That it sends no more.
    ThatIsAll,
}

/// Sends all, then reads until nginx closes, which it does after the last answer because we send no more.
pub(super) fn ask(port: u16, request: &[u8]) -> Vec<u8> {
    ask_and(port, request, Says::ThatIsAll)
}

fn ask_and(port: u16, request: &[u8], says: Says) -> Vec<u8> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    // A failure rather than a test that never ends.
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = Vec::new();
    // nginx may refuse and close before it has read all.
    let is_all = |()| if says == Says::ThatIsAll { stream.shutdown(Shutdown::Write) } else { Ok(()) };
    let _ = (&stream).write_all(request).and_then(is_all);
    if let Err(error) = stream.read_to_end(&mut answer) {
        let is_late = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        assert!(!is_late, "no end of an answer to {:?}", String::from_utf8_lossy(request));
    }
    answer
}

pub(super) fn fake_conf(version: Version, folder: &Path) -> Conf {
    let stamp = Stamp::new(version);
    let from = LoadFrom {
        conf: "n.conf".into(),
        prefix: folder.into(),
        directives: None,
        profile: Profile::of(version),
        pid: stamp.pid,
        error_log: "stderr".into(),
        configure_arguments: String::new(),
        is_root: nix::unistd::geteuid().is_root(),
        cores: 2,
    };
    load(&from).unwrap().0
}

pub(super) fn fake_answers(conf: &Conf, version: Version, bytes: &[u8]) -> Vec<u8> {
    fake_says(conf, version, bytes, &mut OpenFile::default()).0
}

/// The answers to all requests in `bytes`, and what the log is told.
pub(super) fn fake_says(
    conf: &Conf,
    version: Version,
    mut bytes: &[u8],
    files: &mut OpenFile,
) -> (Vec<u8>, Vec<String>) {
    let mut said = Vec::new();
    let mut answers = Vec::new();
    for requests_on_connection in 1.. {
        let context = Context {
            pid: 1,
            profile: Profile::of(version),
            now_unix_s: 0,
            is_draining: false,
            requests_on_connection,
            connection: 1,
            remote: Some(Ipv4Addr::LOCALHOST.into()),
            local: Some(Ipv4Addr::LOCALHOST.into()),
        };
        match http::parse(bytes) {
            Parsed::Partial => break,
            Parsed::Bad(status) => {
                answers.extend(http::refuse(conf, 0, status, &context).bytes);
                break;
            }
            Parsed::Request(request, len) => {
                let mut chunks = http::Chunks::default();
                if request.body == Body::Chunked && chunks.read(&bytes[len..]).is_err() {
                    answers.extend(http::refuse(conf, 0, 400, &context).bytes);
                    break;
                }
                let answer = http::respond(conf, 0, &request, &context, files);
                answers.extend(&answer.bytes);
                answers.extend(answer.pieces.iter().flat_map(|piece| files.bytes(piece)));
                said.extend(answer.said.iter().map(ToString::to_string));
                bytes = &bytes[len..];
                if request.body == Body::Chunked {
                    bytes = &bytes[http::Chunks::default().read(bytes).unwrap()..];
                }
                if let Body::Length(length) = request.body {
                    bytes = &bytes[bytes.len().min(usize::try_from(length).unwrap())..];
                }
                if !answer.keep_alive {
                    break;
                }
            }
        }
    }
    (answers, said)
}

/// The file that was opened last, in memory.
#[derive(Default)]
pub(super) struct OpenFile(Vec<u8>);

impl OpenFile {
    fn bytes(&self, piece: &Piece) -> Vec<u8> {
        match piece {
            Piece::Bytes(bytes) => bytes.clone(),
            Piece::File(part) => {
                let at = |place: u64| usize::try_from(place).unwrap();
                self.0[at(part.start)..at(part.end)].to_vec()
            }
        }
    }
}

impl Files for OpenFile {
    fn open(&mut self, path: &Path) -> io::Result<http::Found> {
        let found = self.look(path)?;
        self.0 = if matches!(found, http::Found::File { .. }) { std::fs::read(path)? } else { Vec::new() };
        Ok(found)
    }

    fn look(&mut self, path: &Path) -> io::Result<http::Found> {
        let metadata = std::fs::metadata(path)?;
        Ok(if metadata.is_dir() {
            http::Found::Folder
        } else {
            http::Found::File { size: metadata.len(), modified_s: metadata.mtime() }
        })
    }
}

pub(super) fn without_date(answer: &[u8]) -> Vec<u8> {
    let mut rest = answer;
    let mut kept = Vec::new();
    while let Some(at) = rest.windows(6).position(|part| part == b"Date: ") {
        let end = rest[at..].iter().position(|&byte| byte == b'\r').map_or(rest.len(), |len| at + len);
        kept.extend_from_slice(&rest[..at]);
        rest = &rest[end..];
    }
    kept.extend_from_slice(rest);
    kept
}
