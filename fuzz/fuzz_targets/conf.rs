//! Whatever a configuration file holds, it is loaded or refused with a reason.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use fake_nginx::conf::{self, LoadFrom};
use fake_nginx::release::{Profile, Version};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.path().join("nginx.conf");
    fs::write(&path, bytes).expect("the folder can be written");
    let from = LoadFrom {
        conf: path,
        prefix: FOLDER.path().to_owned(),
        directives: None,
        profile: Profile::of(Version::new(1, 26, 3)),
        pid: "nginx.pid".into(),
        error_log: "error.log".into(),
        configure_arguments: String::new(),
        is_root: false,
        cores: 2,
    };
    if let Err(error) = conf::load(&from) {
        assert!(!error.to_string().is_empty());
    }
});
