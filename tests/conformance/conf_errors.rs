//! Configurations that are wrong, or nearly so: the fake says what real releases say, byte for byte.

use std::path::Path;
use std::process::{Command, Stdio};

use fake_nginx::conf::directive::{self, Contexts, Directive, Takes};
use fake_nginx::conf::{LoadFrom, load};
use fake_nginx::release::Profile;
use fake_nginx::stamp::Stamp;
use scenarios::live::nginx::{self, Found};

use super::command_line::configure_arguments;

/// Whole files. `LONG` stands for a word that is longer than nginx's buffer.
const FILES: &[&str] = &[
    "events{}\n#LONG\ndaemon on;",
    "events{}\nerror_log \"LONG\";",
    "events{}\nerror_log LONG;",
    "events{}\n\nuser \"LONG",
    "events{}\n\nuser 'LONG\n\n",
    "foo bar;",
    "foo bar",
    "daemon;",
    "daemon on off;",
    "daemon yes;",
    "daemon on;daemon off;",
    "}",
    "events {",
    "events{};",
    "events;",
    "http;",
    "listen 80;",
    "events{}\nhttp{ listen 80; }",
    "events{}\n;",
    "events{}\n{",
    "daemon \"on",
    "daemon 'on'x;",
    "daemon {",
    "daemon on }",
    "",
    "events{}events{}",
    "events{} http{} http{}",
    "worker_processes abc;",
    "worker_processes 0;events{}",
    "worker_processes -1;",
    "worker_processes 99999;events{}",
    "worker_processes 1;worker_processes 1;",
    "worker_shutdown_timeout 5x; events{}",
    "worker_shutdown_timeout 1s; worker_shutdown_timeout 1s; events{}",
    "error_log;",
    "error_log a foo;events{}",
    "error_log a notice notice;events{}",
    "user nosuch;",
    "user root nosuch;",
    "user a b c;",
    "user root root;events{}",
    "pid;",
    "pid x;",
    "env;",
    "env a b;",
    "include nosuch;",
    "include nosuch*;events{}",
    "include;",
    "events{worker_connections x;}",
    "events{worker_connections 0;}http{server{}}",
    "events{worker_connections 1;worker_connections 1;}",
    "events{use foo;}",
    "events{use epoll; use poll;}",
    "events on;",
    "events on {}",
    "http{}",
    "events{}\n\nfoo\n\nbar\n;",
    "events{ foo; }",
    "events{ daemon on; }",
    "events{ multi_accept x; }",
    "events{ accept_mutex_delay x; }",
    "events { worker_connections 1; } http { server { listen 127.0.0.1:18083 reuseport; } } worker_processes 4;",
    "user a b; events{}",
    "env A=b; env A; events{}",
    "events{} include n.conf;",
    "events{}include /tmp;",
    "error_log stderr debug_http;events{}",
    "error_log stderr info debug;events{}",
    "error_log stderr;error_log stderr info;events{}",
    "worker_rlimit_nofile x;",
    "timer_resolution x;",
    "pcre_jit x;",
    "lock_file;",
    "thread_pool x;",
    "master_process x;",
    "worker_processes \"\";",
    "daemon ${x};",
    "daemon $x{;",
    "daemon \"a\"b;",
    "daemon on\"x\";",
    "a b)c;",
    "daemon \"on\")off;",
    "daemon \"on\");",
    "daemon o\\qn;",
    "daemon o\\nn;",
    "daemon \"o\\\"n\";",
    "worker_processes 10 ; events { worker_connections 5 }",
    "events{}http{server{location / {}}}\n}\n",
    "stream {}",
    "events{ include nosuch; }",
    "events{}\nhttp { types { a/b c; include n2; } }",
    "events{}\nhttp {\n server { listen 127.0.0.1:18082; location /a {} } }\n  foo;",
];

/// What stands in a `server` of an otherwise sound file.
const IN_SERVER: &[&str] = &[
    "listen;",
    "listen a..b;",
    "listen 127.0.0.1:;",
    "listen 0;",
    "listen 99999;",
    "listen 127.0.0.1:99999;",
    "listen a..b:80;",
    "listen 127.0.0.1:18081;",
    "listen 127.0.0.1:18082 foo;",
    "listen 127.0.0.1:18082 backlog=0;",
    "listen 127.0.0.1:18082 backlog=x;",
    "listen 127.0.0.1:18082 backlog=-5;",
    "listen 18082 backlog=5; } server { listen 18082 backlog=6;",
    "listen 18082 default_server; } server { listen *:18082 default_server;",
    "listen 18082 default; } server { listen 18082;",
    "listen [::1:80;",
    "listen [::1]:0;",
    "listen [::1]80;",
    "listen [x]:80;",
    "listen unix:;",
    "listen unix:/tmp/oldbin-conf-test; listen unix:/tmp/oldbin-conf-test;",
    "listen 18082 ipv6only=on;",
    "listen [::]:18082 ipv6only=x;",
    "listen 18082 reuseport=x;",
    "listen 127.0.0.1:18082 http2;",
    "listen 127.0.0.1:18082 ssl;",
    "listen 127.0.0.1:18082 proxy_protocol;",
    "listen 127.0.0.1:18082 so_keepalive=on;",
    "listen 127.0.0.1:18082 so_keepalive=x;",
    "listen 127.0.0.1:18082 so_keepalive=::;",
    "listen 127.0.0.1:18082 so_keepalive=1m:2:3:4;",
    "listen 127.0.0.1:18082 so_keepalive=1m::3;",
    "listen 127.0.0.1:18082 rcvbuf=x;",
    "listen 127.0.0.1:18082 sndbuf=;",
    "listen 127.0.0.1:18082 fastopen=x;",
    "listen 127.0.0.1:18082 accept_filter=x;",
    "listen 127.0.0.1:18082-18083;",
    "listen 18083-18082;",
    "listen -:80;",
    "listen .;",
    "listen 127.0.0.1:18082 multipath;",
    "listen 127.0.0.1:18082 setfib=1;",
    "listen :80;",
    "listen \"\";",
    "listen *:18082;",
    "listen localhost:18082;",
    "listen 127.0.0.1:18082 default_server=x;",
    "listen unix:/tmp/yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy;",
    "server_name a a;",
    "server_name a; } server { listen 127.0.0.1:18081; server_name a;",
    "server_name a .b *.c d.*; } server { listen 127.0.0.1:18081; server_name .b *.c d.* A;",
    "} server { listen 127.0.0.1:18081;",
    "server_name;",
    "server_name \"a b\";",
    "server_name /x;",
    "server_name *.a.*; } server { listen 127.0.0.1:18081; server_name x;",
    "server_name a*; } server { listen 127.0.0.1:18081; server_name x;",
    "server_name **.a;",
    "server_name *;",
    "server_name .;",
    "server_name \"\";",
    "location;",
    "location {}",
    "location / {} location / {}",
    "location = / {} location / {}",
    "location = /a {} location = /a {}",
    "location foo / {}",
    "location =/a {} location = /a {}",
    "location ^~ /a {} location /a {}",
    "location ^~/a {}",
    "location @n {} location @n {}",
    "location = @n {}",
    "location / { location /a {} }",
    "location /a { location /b {} }",
    "location = /a { location /a {} }",
    "location @n { location /a {} }",
    "location / { location @n {} }",
    "location a b c {}",
    "location a {}",
    "location ~ ( {}",
    "location ~ \"[a\" {}",
    "location ~* \"(?<x\" {}",
    "location ~ a {} location ~ a {}",
    "location ~ a { location b {} }",
    "location ~ a { location ~ b {} location @n {} }",
    "location ~ (?<n>a) { return 200 $n; }",
    "location ~a {}",
    "server_name ~;",
    "server_name ~^(a;",
    "server_name ~^(?<s>a)$; return 200 $s;",
    "return 200 $12;",
    "if ($nosuch) { return 200; }",
    "if ($host = a) { listen 80; }",
    "proxy_pass http://127.0.0.1:1;",
    "location / { proxy_pass 127.0.0.1:1; }",
    "location / { proxy_pass http://127.0.0.1:1; proxy_pass http://127.0.0.1:1; }",
    "location ~ a { proxy_pass http://127.0.0.1:1/; }",
    "location / { fastcgi_pass 127.0.0.1; }",
    "location / { proxy_pass http://127.0.0.1:99999; }",
    "set x 1;",
    "set $x 1; return 200 $x;",
    "limit_except GET {}",
    "upstream x { server 127.0.0.1; }",
    "\nlocation /a {}\nlocation /b {}\nlocation /a {\n}\n",
    "return;",
    "return abc;",
    "return 1000;",
    "return 999 x;",
    "return -1;",
    "return 200;return 300;",
    "return 200 a b;",
    "return http://x/;",
    "return foo;",
    "return $host;",
    "return 200 $nosuch;",
    "return 200 \"${pid\";",
    "return 200 \"$\";",
    "return 200 \"${}\";",
    "return 302;",
    "return \"\";",
    "return 200 \"\";",
    "limit_rate x;",
    "limit_rate 10k; limit_rate 1;",
    "limit_rate 1g;",
    "keepalive_timeout x;",
    "keepalive_timeout 1 x;",
    "keepalive_timeout 1; keepalive_timeout 2;",
    "keepalive_timeout 1 2 3;",
    "keepalive_requests x;",
    "client_header_timeout x;",
    "client_header_timeout 1; client_header_timeout 2;",
    "location / { client_header_timeout 1; }",
    "keepalive_min_timeout 1s;",
    "keepalive_min_timeout x;",
    "default_type;",
    "default_type a; default_type b;",
    "types { a/b c; }",
    "types { a/b c c; a/d c; }",
    "types { a/b C; } types { a/d c; }",
    "types { include mime; }",
    "types { include; }",
    "types x {}",
    "types;",
    "types { text/html; }",
    "types { a/b { c; } }",
    "add_header;",
    "add_header a;",
    "add_header a b always;",
    "add_header a b c;",
    "server_tokens x;",
    "server_tokens on; server_tokens off;",
    "server_tokens build;",
    "location / { listen 80; }",
    "http {}",
    "server {}",
    "root /x; root /y;",
    "location / { root /x; alias /y; }",
    "location / { alias /x; root /y; }",
    "location / { alias /x; alias /y; }",
    "location @n { alias /x; }",
    "alias /x;",
    "root $document_root;",
    "location / { alias ${realpath_root}/x; }",
    "root $nosuch;",
    "root \"\";",
    "index \"\";",
    "index /a b;",
    "index $nosuch a;",
    "try_files a =x;",
    "try_files a =1000;",
    "try_files a =;",
    "try_files $nosuch =404;",
    "try_files a b; try_files c d;",
    "error_page 299 /x;",
    "error_page 600 /x;",
    "error_page 499 /x;",
    "error_page x /x;",
    "error_page =200 /x;",
    "error_page 404 =x /x;",
    "error_page 404 = $nosuch;",
    "error_page 404 497 =200 /x; error_page 404 @n;",
    "if_modified_since x;",
    "max_ranges x;",
    "gzip maybe;",
    "sendfile maybe;",
    "index;",
    "access_log off; access_log off;",
    "access_log;",
    "log_format x y;",
    "error_log;",
    "error_log stderr x;",
    "nosuch 1;",
    "client_max_body_size x;",
    "client_max_body_size 1g;",
    "error_page 404;",
    "try_files x;",
    "types_hash_max_size x;",
    "http2 on;",
    "http2 x;",
    "ssl_session_timeout 5ms;",
    "ssl_reject_handshake on;",
    "tcp_nodelay on off;",
    "root \"a\nb",
    "if",
    "worker_connections 5;",
    "daemon on;",
];

/// Parameters of `-g` with a sound file.
const PARAMETERS: &[&str] = &[
    "foo",
    "foo;",
    "daemon off",
    "}",
    "{",
    "daemon \"off;",
    "events {",
    "events {}",
    ";",
    "daemon off; user",
    "daemon 'on'x;",
    "http{}",
    "include nosuch;",
    "\"",
    "worker_processes 3;",
    "env A=b; error_log stderr nosuch;",
    " ",
    "daemon off;\nfoo;",
];

/// What stands in `stream`.
const IN_STREAM: &[&str] = &[
    "",
    "return x;",
    "listen 18081;",
    "server { return x; }",
    "server { listen 127.0.0.1:18081; }",
    "server { listen 127.0.0.1:18081; return x; return y; }",
    "server { listen 127.0.0.1:18081; return x y; }",
    "server { listen 127.0.0.1:18081; return; }",
    "server { listen 127.0.0.1:18081; return $; }",
    "server { listen 127.0.0.1:18081; return x; proxy_pass 127.0.0.1:1; }",
    "server { listen; return x; }",
    "server { listen x:y; return x; }",
    "server { listen 127.0.0.1:18081; listen 127.0.0.1:18081; return x; }",
    "server { listen 127.0.0.1:18081 udp; listen 127.0.0.1:18081; return x; }",
    "server { listen 18081 udp foo; return x; }",
    "server { listen 18081 foo=1 udp; return x; }",
    "server { listen 18081 udp reuseport; return x; }",
    "server { listen 18081 udp ssl; return x; }",
    "server { listen 18081 udp backlog=5; return x; }",
    "server { listen 18081 backlog=x; return x; }",
    "server { listen 18081 udp so_keepalive=on; return x; }",
    "server { listen 18081 proxy_protocol udp; return x; }",
    "server { listen 18081 udp fastopen=3; return x; }",
    "server { listen 18081 udp deferred; return x; }",
    "server { listen 18081 deferred; return x; }",
    "server { listen 18081 default_server; return x; }",
    "server { listen 18081 http2; return x; }",
];

pub(super) const TEMPORARY: &str = "client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; \
                         scgi_temp_path s; access_log off;";

/// checks: C14
pub(crate) fn errors_are_those_of_real_releases() {
    let releases = nginx::releases();
    let differences: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = releases.iter().map(|release| scope.spawn(|| differences(release))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

fn differences(release: &Found) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut differences = Vec::new();
    for text in FILES {
        let text = text.replace("LONG", &"z".repeat(4200));
        compare(release, folder.path(), &text, "", &mut differences);
    }
    for text in IN_SERVER {
        let text = format!(
            "events{{}}\nhttp {{\n {TEMPORARY}\n server {{\n  listen 127.0.0.1:18081;\n  {text}\n }}\n}}\n"
        );
        compare(release, folder.path(), &text, "", &mut differences);
    }
    if let Some(module) = release.stream_module() {
        let begin = format!("load_module {};\nevents {{}}\n", module.display());
        for text in IN_STREAM {
            let text = format!("{begin}stream {{\n  {text}\n}}\n");
            compare(release, folder.path(), &text, "", &mut differences);
        }
    }
    for parameter in PARAMETERS {
        compare(release, folder.path(), "events{}\nworker_processes 2;", parameter, &mut differences);
    }
    differences
}

pub(super) fn compare(
    real: &Found,
    folder: &Path,
    text: &str,
    parameter: &str,
    differences: &mut Vec<String>,
) {
    std::fs::write(folder.join("n.conf"), text).unwrap();
    let parameter = format!("pid {}/n.pid; {parameter}", folder.display());
    let expected = real_says(real, folder, &parameter);
    let found = fake_says(real, folder, &parameter);
    if expected != found {
        differences.push(format!(
            "--- {} with -g '{parameter}' and\n{text}\n  real: {expected:#?}\n  fake: {found:#?}",
            real.version
        ));
    }
}

/// Lines of `nginx -t`, without time and pid and without what is about the world rather than the file.
fn real_says(real: &Found, folder: &Path, parameter: &str) -> Vec<String> {
    let output = Command::new(&real.path)
        .args(["-t", "-q", "-c", "n.conf", "-g", parameter, "-p"])
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).lines().filter_map(message).collect()
}

fn message(line: &str) -> Option<String> {
    let of_the_world = [
        "could not open error log file",
        "bind() to ",
        "setrlimit(",
        "open() \"/var/log/",
        "mkdir() \"/var/lib/",
    ];
    if line.ends_with("test failed") || of_the_world.iter().any(|text| line.contains(text)) {
        return None;
    }
    match line.strip_prefix("nginx: ") {
        Some(rest) => Some(rest.to_owned()),
        None => {
            let Some((_, rest)) = line.split_once(" [") else { return Some(line.to_owned()) };
            let (level, rest) = rest.split_once("] ")?;
            let (_, text) = rest.split_once(": ")?;
            Some(format!("[{level}] {text}"))
        }
    }
}

fn fake_says(real: &Found, folder: &Path, parameter: &str) -> Vec<String> {
    let version = real.version;
    let stamp = Stamp::new(version);
    let from = LoadFrom {
        conf: "n.conf".into(),
        prefix: folder.into(),
        directives: Some(parameter.to_owned()),
        profile: Profile::of(version),
        pid: stamp.pid,
        error_log: "stderr".into(),
        configure_arguments: configure_arguments(real),
        is_root: nix::unistd::geteuid().is_root(),
        cores: 2,
    };
    let messages = match load(&from) {
        Ok((_, warnings)) => warnings,
        Err(error) => error.warnings.into_iter().chain([error.message]).collect(),
    };
    // A text with a line break in it is two lines on a terminal.
    messages
        .iter()
        .flat_map(|message| message.to_string().lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Directives without effect that look at their value more closely than the fake does.
const LOOKS_CLOSER: &[&str] = &[
    "connection_pool_size",
    "fastcgi_send_lowat",
    "gzip_hash",
    "gzip_window",
    "http2_pool_size",
    "http2_recv_buffer_size",
    "http2_streams_index_size",
    "limit_conn_status",
    "limit_req_status",
    "proxy_send_lowat",
    "request_pool_size",
    "send_lowat",
];

/// The table of directives: where each may stand, how many arguments it takes, what its values are.
pub(crate) fn the_table_of_directives_is_that_of_real_releases() {
    let folder = tempfile::tempdir().unwrap();
    let mut differences = Vec::new();
    for release in nginx::releases() {
        let known = directive::all()
            .filter(|known| known.since.is_none_or(|since| release.version >= since))
            .filter(|known| !LOOKS_CLOSER.contains(&known.name));
        for text in known.flat_map(mistakes) {
            compare(&release, folder.path(), &text, "", &mut differences);
        }
    }
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

/// Files in which `known` stands in each place, without arguments, with too many, with one that is no value, twice.
fn mistakes(known: &Directive) -> Vec<String> {
    let places = [
        (Contexts::MAIN, "?"),
        (Contexts::EVENTS, "events { ? }"),
        (Contexts::HTTP, "events {} http { ? }"),
        (Contexts::SERVER, "events {} http { server { ? } }"),
        (Contexts::LOCATION, "events {} http { server { location / { ? } } }"),
    ];
    let end = if known.takes == Takes::Block { "{}" } else { ";" };
    let line = |arguments: usize, value: &str| {
        format!("{}{}{end}", known.name, format!(" {value}").repeat(arguments))
    };
    let mut lines = vec![line(0, "")];
    if known.arguments_max < 8 {
        lines.push(line(known.arguments_max + 1, "x"));
    }
    match known.takes {
        Takes::Flag | Takes::Number | Takes::Milliseconds | Takes::Seconds | Takes::Size | Takes::Offset => {
            lines.extend(["x", "5ms", "1g", "on"].map(|value| line(1, value)));
            let value = if known.takes == Takes::Flag { "on" } else { "5" };
            lines.push(line(1, value).repeat(2));
        }
        Takes::Text | Takes::Own | Takes::Block => {}
    }
    let allowed: Vec<_> = places.iter().filter(|(context, _)| known.contexts.contains(*context)).collect();
    let elsewhere = places.iter().filter(|(context, _)| !known.contexts.contains(*context));
    let somewhere =
        lines.iter().flat_map(|line| allowed.iter().map(move |(_, around)| around.replace('?', line)));
    somewhere.chain(elsewhere.map(|(_, around)| around.replace('?', &line(1, "x")))).collect()
}
