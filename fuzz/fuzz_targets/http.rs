//! Whatever a client sends is answered, refused or waited for, and no file outside of the root is touched.
#![no_main]

use std::fs;
use std::io;
use std::path::{Component, Path};
use std::sync::LazyLock;

use fake_nginx::conf::{self, Conf, LoadFrom};
use fake_nginx::http::{Chunks, Context, Files, Found, Parsed, parse, refuse, respond};
use fake_nginx::release::{Profile, Version};
use libfuzzer_sys::fuzz_target;

const CONF: &str = "events {} http { error_page 404 403 /e; server { listen 1; root /srv/web;
     location /files/ { alias /srv/web/other/; } location ~ ^/x(/.*)$ { try_files $1 $uri $uri/ =404; }
     location = /said { return 200 \"$uri $args $http_x\"; } location @named { return 204; }
     location /named { try_files /a @named; } location /rate { limit_rate 1k; } } }";

static SITE: LazyLock<Conf> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("nginx.conf"), CONF).expect("the folder can be written");
    let from = LoadFrom {
        conf: "nginx.conf".into(),
        prefix: folder.path().to_owned(),
        directives: None,
        profile: Profile::of(Version::new(1, 26, 3)),
        pid: "nginx.pid".into(),
        error_log: "error.log".into(),
        configure_arguments: String::new(),
        is_root: false,
        cores: 1,
    };
    conf::load(&from).expect("a configuration without mistakes").0
});

/// Files that are everywhere under the root, and nowhere else.
struct UnderRoot;

impl Files for UnderRoot {
    fn open(&mut self, path: &Path) -> io::Result<Found> {
        let has_dots = path.components().any(|part| part == Component::ParentDir);
        assert!(path.starts_with("/srv/web") && !has_dots, "{} is outside", path.display());
        Ok(Found::File { size: 1000, modified_s: 1_700_000_000 })
    }

    fn look(&mut self, path: &Path) -> io::Result<Found> {
        self.open(path)
    }
}

fuzz_target!(|bytes: &[u8]| {
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
    let _ = Chunks::default().read(bytes);
    let mut rest = bytes;
    loop {
        match parse(rest) {
            Parsed::Request(request, length) => {
                let answer = respond(&SITE, 0, &request, &context, &mut UnderRoot);
                assert!(answer.head_len <= answer.bytes.len());
                rest = &rest[length..];
            }
            Parsed::Bad(status) => return drop(refuse(&SITE, 0, status, &context)),
            Parsed::Partial => return,
        }
    }
});
