//! Whatever a client sends, it is answered or not yet, and no file outside of the root is touched.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use proptest::prelude::*;

use super::{Context, Files, Found, Parsed, parse, respond};
use crate::conf::{Conf, LoadFrom, load};
use crate::release::{Profile, Version};

const CONF: &str =
    "events {} http { index index.html /fallback; error_page 404 403 /e; server { listen 1; root /srv/web;
     location /files/ { alias /srv/web/other/; } location ~ ^/x(/.*)$ { try_files $1 $uri $uri/ =404; }
     location = /said { return 200 \"$uri $args $1 $http_x\"; } location @named { return 204; }
     location /named { try_files /a @named; } location /rate { limit_rate 1k; } } }";

/// Files that are everywhere, and that complain of a path elsewhere.
struct UnderRoot;

impl UnderRoot {
    fn check(path: &Path) -> io::Result<Found> {
        let has_dots = path.components().any(|part| part == Component::ParentDir);
        assert!(path.starts_with("/srv/web") && !has_dots, "{} is outside", path.display());
        let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        Ok(if is_folder { Found::Folder } else { Found::File { size: 1000, modified_s: 1_700_000_000 } })
    }
}

impl Files for UnderRoot {
    fn open(&mut self, path: &Path) -> io::Result<Found> {
        Self::check(path)
    }

    fn look(&mut self, path: &Path) -> io::Result<Found> {
        if path.extension() == Some(OsStr::new("none")) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Self::check(path)
    }
}

fn conf() -> Conf {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("n.conf"), CONF).unwrap();
    let from = LoadFrom {
        conf: "n.conf".into(),
        prefix: folder.path().to_owned(),
        directives: None,
        profile: Profile::of(Version::new(1, 26, 3)),
        pid: PathBuf::from("n.pid"),
        error_log: PathBuf::from("log"),
        configure_arguments: String::new(),
        is_root: false,
        cores: 1,
    };
    load(&from).unwrap().0
}

/// Answers all that is whole.
fn answer(conf: &Conf, mut bytes: &[u8]) {
    let context = Context {
        pid: 1,
        profile: Profile::of(Version::new(1, 26, 3)),
        now_unix_s: 1_700_000_000,
        is_draining: false,
        requests_on_connection: 1,
        connection: 1,
        remote: None,
        local: None,
    };
    while let Parsed::Request(request, length) = parse(bytes) {
        let answer = respond(conf, 0, &request, &context, &mut UnderRoot);
        assert!(answer.head_len <= answer.bytes.len());
        bytes = &bytes[length..];
    }
}

fn any_target() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "//", "..", ".", "%2e", "%2E%2e", "%2f", "%5c", "\\", "%00", "%", "%zz", "?", "#", "a", "x",
        "files", "said", "named", "e", ".none", "http://h", ":", "*", "%ff",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #[test]
    fn no_target_leaves_the_root(targets in prop::collection::vec(any_target(), 1..20)) {
        let conf = conf();
        for target in targets {
            answer(&conf, format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        }
    }

    #[test]
    fn any_head_is_answered_or_waited_for(
        lines in prop::collection::vec("(Range|If-None-Match|If-Range|If-Modified-Since|Host|Expect|Transfer-Encoding|Content-Length|X): ?[ -~]{0,20}", 0..6),
        junk in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let conf = conf();
        let mut bytes = format!("GET /a HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n")).into_bytes();
        bytes.extend(junk);
        answer(&conf, &bytes);
    }
}
