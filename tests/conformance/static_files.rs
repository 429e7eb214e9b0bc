//! Files: the fake sends the bytes that real releases send, and tells its log the same lines.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use scenarios::live::nginx::{self, Found};

use super::http_answers::{OpenFile, Running, ask, fake_conf, fake_says, free_port, without_date};

const SERVER: &str = r#"
types { text/html html; text/css css; }
default_type application/octet-stream;
server {
    listen 127.0.0.1:PORT;
    server_name one;
    location /alias/ { alias site/sub/; }
    location /bare { alias DIR/site/sub/; }
    location /index/ { alias site/; index nosuch.html $arg_i.html a.html /last.html; }
    location /try/ { root site; try_files $uri $uri/ /fallback$is_args$args; }
    location /status/ { try_files $uri =418; }
    location /named/ { try_files $uri @named; }
    location /aliased/ { alias site/; try_files $uri /aliased/a.html =404; }
    location /missing/ { try_files $uri @nosuch; }
    location @named { return 200 "named $uri $args"; }
    location /fallback { return 200 "fallback $uri $args"; }
    location /pages/ { error_page 404 /404.html; error_page 403 =200 /fallback; error_page 405 = @named; }
    location /elsewhere/ { error_page 404 =301 http://example.com/x; }
    location /away/ { error_page 404 http://example.com/; }
    location /missing-page/ { error_page 404 /nosuch.html; }
    location /again/ { error_page 404 /again/y; recursive_error_pages on; }
    location /circle/ { try_files nosuch $uri; }
    location /gone/ { error_page 410 /a.html; return 410; }
    location /plain/ { root site; etag off; if_modified_since before; max_ranges 1; absolute_redirect off; }
    location /redirect/ { root site; port_in_redirect off; server_name_in_redirect on; }
    location /quiet/ { log_not_found off; }
    location /headers { alias site/a.html; add_header X 1; add_header Y 2 always; if_modified_since off; max_ranges 0; }
    location /always { alias site/a.html; add_header Y 2 always; }
    root site;
}
"#;

/// Paths for `GET` with `Host: one`.
const PATHS: &[&str] = &[
    "/",
    "/a.html",
    "/a.HTML",
    "/b.css",
    "/c",
    "/empty",
    "/nosuch",
    "/nosuch/",
    "/nosuch/x",
    "/a.html/",
    "/a.html/x",
    "/sub",
    "/sub/",
    "/sub?x=y",
    "/sub/index.html",
    "/bare-folder",
    "/bare-folder/",
    "/a%20b",
    "/with%20blank",
    "/with%20blank/",
    "/%22%3c%5c^`{|}%7f%25%3f%23'",
    "/%d0%b0",
    "/alias/",
    "/alias/index.html",
    "/alias",
    "/bare/index.html",
    "/bare",
    "/index/",
    "/index/?i=b",
    "/index/bare-folder/",
    "/try/x",
    "/try/x?q=1",
    "/try/",
    "/try/deep",
    "/status/x",
    "/named/x?y=z",
    "/aliased/a.html",
    "/aliased/x",
    "/missing/x",
    "/pages/x",
    "/pages/",
    "/pages/in",
    "/elsewhere/x",
    "/away/x",
    "/missing-page/x",
    "/again/x",
    "/circle/x",
    "/gone/x",
    "/plain/p",
    "/plain/folder",
    "/plain/x",
    "/redirect/folder",
    "/redirect",
    "/quiet/x",
    "/quiet/",
    "/headers",
    "/../a.html",
    "/sub/../a.html",
    "//a.html",
    "/LONG",
    "/large",
];

/// Requests for `/a.html` with these headers, for `/plain/p` too.
const HEADERS: &[&str] = &[
    "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n",
    "If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n",
    "If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT\r\n",
    "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n",
    "If-Modified-Since: x\r\n",
    "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n",
    "If-None-Match: \"2ebd4331-a\"\r\n",
    "If-None-Match: \"2ebc9d31-a\", \"x\"\r\n",
    "If-None-Match: ETAG\r\n",
    "If-None-Match: W/ETAG\r\n",
    "If-None-Match: \"x\", ETAG\r\n",
    "If-None-Match: *\r\n",
    "If-None-Match: ETAG\r\nIf-Modified-Since: x\r\n",
    "If-Match: ETAG\r\n",
    "If-Match: W/ETAG\r\n",
    "If-Match: \"x\"\r\n",
    "If-Match: *\r\n",
    "Range: bytes=0-3\r\n",
    "Range: bytes=2-\r\n",
    "Range: bytes=-3\r\n",
    "Range: bytes=-99\r\n",
    "Range: bytes=5-99\r\n",
    "Range: bytes=10-\r\n",
    "Range: bytes=x\r\n",
    "Range: bytes=\r\n",
    "Range: bytes=3-1\r\n",
    "Range: bytes=0-0,2-3\r\n",
    "Range: bytes=0-9,0-9\r\n",
    "Range: bytes= 1 - 2 \r\n",
    "Range: bytes=1-2,x\r\n",
    "Range: BYTES=1-2\r\n",
    "Range: lines=1-2\r\n",
    "Range: bytes=99999999999999999999-\r\n",
    "Range: bytes=0-3\r\nIf-Range: ETAG\r\n",
    "Range: bytes=0-3\r\nIf-Range: \"x\"\r\n",
    "Range: bytes=0-3\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    "Range: bytes=0-3\r\nIf-Range: Sun, 06 Nov 1994 08:49:38 GMT\r\n",
    "Range: bytes=0-3\r\nIf-None-Match: ETAG\r\n",
    "Expect: 100-continue\r\n",
    "Referer: http://x/\r\n",
];

const REQUESTS: &[&str] = &[
    "HEAD /a.html HTTP/1.1\r\nHost: one\r\n\r\n",
    "HEAD /a.html HTTP/1.1\r\nHost: one\r\nRange: bytes=1-2\r\n\r\n",
    "HEAD /sub HTTP/1.1\r\nHost: one\r\n\r\n",
    "HEAD /nosuch HTTP/1.1\r\nHost: one\r\nReferer: http://x/\r\n\r\n",
    "HEAD /pages/x HTTP/1.1\r\nHost: one\r\n\r\n",
    "POST /a.html HTTP/1.1\r\nHost: one\r\nContent-Length: 1\r\n\r\na",
    "POST /nosuch HTTP/1.1\r\nHost: one\r\nContent-Length: 0\r\n\r\n",
    "POST /sub HTTP/1.1\r\nHost: one\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: one\r\nContent-Length: 0\r\n\r\n",
    "POST /pages/in HTTP/1.1\r\nHost: one\r\nContent-Length: 0\r\n\r\n",
    "POST /pages/x HTTP/1.1\r\nHost: one\r\nContent-Length: 0\r\n\r\n",
    "PUT /a.html HTTP/1.1\r\nHost: one\r\nContent-Length: 0\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: one\r\nContent-Length: 0\r\n\r\n",
    "DELETE /sub/ HTTP/1.1\r\nHost: one\r\n\r\n",
    "OPTIONS /a.html HTTP/1.1\r\nHost: one\r\n\r\n",
    "GET /a.html HTTP/1.0\r\n\r\n",
    "GET /a.html HTTP/1.0\r\nRange: bytes=1-2\r\n\r\n",
    "GET /a.html\r\n",
    "GET /sub HTTP/1.0\r\n\r\n",
    "GET /headers HTTP/1.1\r\nHost: one\r\nRange: bytes=0-1\r\nIf-Modified-Since: x\r\n\r\n",
    "GET /headers HTTP/1.1\r\nHost: one\r\nIf-Match: \"x\"\r\n\r\n",
    "GET /always HTTP/1.1\r\nHost: one\r\nRange: bytes=99-\r\n\r\n",
    "GET /a.html HTTP/1.1\r\nHost: one\r\n\r\nGET /nosuch HTTP/1.1\r\nHost: one\r\n\r\nGET /sub/ HTTP/1.1\r\nHost: one\r\n\r\n",
];

pub(crate) fn files_are_sent_as_by_real_releases() {
    let differences: Vec<String> = nginx::releases().iter().flat_map(differences).collect();
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

fn differences(release: &Found) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    write_site(folder.path(), port);
    let conf = fake_conf(release.version, folder.path());
    let _running = Running::start(release, folder.path());
    let mut differences = Vec::new();
    let mut read = 0;
    for request in requests() {
        let expected = comparable(&ask(port, &request));
        let log = fs::read_to_string(folder.path().join("error.log")).unwrap();
        let expected_log: Vec<String> = log[read..].lines().filter_map(line).collect();
        read = log.len();
        let (found, found_log) = fake_says(&conf, release.version, &request, &mut OpenFile::default());
        let found = comparable(&found);
        if expected != found || expected_log != found_log {
            let show = |bytes: &[u8]| {
                String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).escape_debug().to_string()
            };
            differences.push(format!(
                "--- {} {}\n  real: {}\n  fake: {}\n  real: {expected_log:?}\n  fake: {found_log:?}",
                release.version,
                show(&request[..request.len().min(200)]),
                show(&expected),
                show(&found)
            ));
        }
    }
    differences
}

fn requests() -> Vec<Vec<u8>> {
    let paths = PATHS.iter().map(|path| {
        let path = path.replace("LONG", &"a".repeat(300));
        format!("GET {path} HTTP/1.1\r\nHost: one\r\n\r\n")
    });
    let etag = format!("\"{:x}-a\"", MODIFIED_S);
    let headers = HEADERS.iter().flat_map(|headers| {
        let headers = headers.replace("ETAG", &etag);
        ["/a.html", "/plain/p"].map(|path| format!("GET {path} HTTP/1.1\r\nHost: one\r\n{headers}\r\n"))
    });
    let whole = REQUESTS.iter().map(|request| (*request).to_owned());
    paths.chain(headers).chain(whole).map(String::into_bytes).collect()
}

/// Sun, 06 Nov 1994 08:49:37 GMT
const MODIFIED_S: u64 = 784_111_777;

fn write_site(folder: &Path, port: u16) {
    let site = folder.join("site");
    for name in [
        "sub",
        "bare-folder",
        "with blank",
        "\"<\\^`{|}\u{7f}%?#'",
        "try/deep",
        "pages",
        "plain/folder",
        "redirect/folder",
        "quiet",
    ] {
        fs::create_dir_all(site.join(name)).unwrap();
    }
    let large = "0123456789".repeat(100_000);
    for (name, content) in [
        ("index.html", "index"),
        ("a.html", "0123456789"),
        ("b.html", "b"),
        ("b.css", "css"),
        ("c", "c"),
        ("empty", ""),
        ("sub/index.html", "sub"),
        ("404.html", "not here"),
        ("pages/in", "in"),
        ("plain/p", "0123456789"),
        ("а", "cyrillic"),
        ("large", &large),
    ] {
        fs::write(site.join(name), content).unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED_S);
        File::options().write(true).open(site.join(name)).unwrap().set_modified(modified).unwrap();
    }
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};"))
        .concat();
    let server = SERVER.replace("PORT", &port.to_string()).replace("DIR", &folder.display().to_string());
    let text = format!(
        "daemon off; master_process off; pid n.pid; error_log stderr notice; error_log error.log error; events {{}}\n\
         http {{ access_log off; {temporary} {server} }}"
    );
    fs::write(folder.join("n.conf"), text).unwrap();
}

/// Level and text of a log line, without the connection's number.
fn line(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(" [")?;
    let (level, rest) = rest.split_once("] ")?;
    let (_, text) = rest.split_once(": ")?;
    let text =
        text.split_once(' ').filter(|(number, _)| number.starts_with('*')).map_or(text, |(_, text)| text);
    Some(format!("[{level}] {text}"))
}

/// Without the date, and with one number in every boundary.
fn comparable(answer: &[u8]) -> Vec<u8> {
    let mut answer = without_date(answer);
    let mark = b"boundary=";
    if let Some(at) = answer.windows(mark.len()).position(|part| part == mark) {
        let number = answer[at + mark.len()..][..20].to_vec();
        let places: Vec<usize> =
            answer.windows(20).enumerate().filter(|(_, part)| *part == number).map(|(at, _)| at).collect();
        for at in places {
            answer[at..at + 20].fill(b'0');
        }
    }
    answer
}
