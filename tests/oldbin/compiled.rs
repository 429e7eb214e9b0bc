//! A master without `-c`, `-p` and a `pid` line: what its binary was built with says where everything is.
//!
//! The paths of a build are the machine's own, so each test has the mounts of a machine for itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::mount::mount_bind;
use rustix::process::Signal;

use super::site::{self, Said, Site, release};
use super::{NEW, OLD};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("a_master_without_options_is_found_by_what_its_binary_was_built_with", found),
    ("an_error_log_that_no_line_names_is_read_in_the_soak", default_log),
    ("a_new_binary_that_was_built_for_other_paths_is_refused", other_build),
];

/// As Debian configures its nginx, but for the error log, which is a file.
const BUILT: &str = "--prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf --pid-path=/run/nginx.pid \
                     --error-log-path=/var/log/nginx/error.log";

/// An nginx that is started by its path alone; each of its folders is one of the site.
fn bare() -> Site {
    Site::start_bare(OLD, |site| {
        for folder in ["etc/nginx", "log/nginx"] {
            fs::create_dir_all(site.path(folder)).unwrap();
        }
        for file in ["passwd", "group", "nsswitch.conf", "ld.so.cache"] {
            let _ = fs::copy(Path::new("/etc").join(file), site.path("etc").join(file));
        }
        let lines = fs::read_to_string(site.path("nginx.conf")).unwrap();
        // Real releases would log to standard error, which whoever starts them waits for.
        let is_default = |line: &str| line.starts_with("pid ") || is_fake() && line.starts_with("error_log ");
        let lines: Vec<_> = lines.lines().filter(|line| !is_default(line)).collect();
        fs::write(site.path("etc/nginx/nginx.conf"), lines.join("\n")).unwrap();
        fs::remove_file(site.path("nginx.conf")).unwrap();
        if is_fake() {
            symlink("log/nginx/error.log", site.path("error.log")).unwrap();
            stamp(OLD, BUILT, &site.path("sbin/nginx"));
        }
        for (folder, at) in [("etc", "/etc"), ("log", "/var/log"), ("", "/run")] {
            mount_bind(site.path(folder), at).unwrap();
        }
    })
}

/// Real releases were built for the paths that the fakes are given here.
fn is_fake() -> bool {
    let ran = Command::new(release(OLD).unwrap()).arg("-V").output().unwrap();
    !String::from_utf8_lossy(&ran.stderr).contains("--conf-path=")
}

fn stamp(version: &str, built: &str, output: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fake-nginx"));
    command.args(["stamp", "--version", version, "--configure-arguments", built, "--output"]).arg(output);
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
}

/// The new release, built for the same paths.
fn new_binary(site: &Site) -> PathBuf {
    if !is_fake() {
        return release(NEW).unwrap();
    }
    stamp(NEW, BUILT, &site.path("new"));
    site.path("new")
}

fn upgrade(site: &Site, new: &Path, more: &[&str]) -> Said {
    let words = ["upgrade", "--new", new.to_str().unwrap()].into_iter().chain(more.iter().copied());
    site.oldbin_that_finds(&words.collect::<Vec<_>>()).end()
}

/// Red when a master whose words name no configuration has no pid file.
fn found() {
    let site = bare();
    let said = site.oldbin_that_finds(&["status"]).end();
    assert_eq!(*said.part("/nginx/0/pid_file"), "/run/nginx.pid", "{said:?}");
    let said = upgrade(&site, &new_binary(&site), &["--soak", "0", "--hold"]);
    assert_eq!((said.outcome(), said.code), ("held", 0), "{said:?}");
    assert_eq!(said.text("pid_file"), "/run/nginx.pid");
    let said = site.oldbin_that_finds(&["commit"]).end();
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    assert_eq!(site.answer(), NEW);
}

/// The worker's end is forgiven, its master's line in the log is one too many. Red when the log is not found.
fn default_log() {
    let site = if is_fake() { bare() } else { logging() };
    let new = new_binary(&site);
    let words = ["upgrade", "--new", new.to_str().unwrap(), "--soak", "2", "--error-budget", "1"];
    let running = site.oldbin_that_finds(&words);
    site.wait_for("\"phase\":\"soaking\"");
    site::signal(site::workers_of(site.pid("nginx.pid"))[0], Signal::SEGV);
    let said = running.end();
    assert_eq!((said.outcome(), said.code), ("rolled-back", 4), "{said:?}");
    assert!(said.text("reason").contains("exited on signal 11"), "{said:?}");
    assert_eq!(site.answer(), OLD);
}

/// Real releases that were built to log to standard error have their default from `-e`.
fn logging() -> Site {
    Site::start_with(OLD, &["-e", "error.log"], |site| {
        let text = fs::read_to_string(site.path("nginx.conf")).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("error_log ")).collect();
        fs::write(site.path("nginx.conf"), lines.join("\n")).unwrap();
    })
}

/// Red when only the configuration is asked that the new binary would read.
fn other_build() {
    let site = bare();
    let (conf, pid) = ("/etc/nginx/other.conf", "/run/other.pid");
    fs::copy("/etc/nginx/nginx.conf", conf).unwrap();
    for (built, why) in [
        (BUILT.replace("/etc/nginx/nginx.conf", conf), "the new binary would read /etc/nginx/other.conf"),
        (BUILT.replace("/run/nginx.pid", pid), "keeps its pid in /run/other.pid"),
    ] {
        stamp(NEW, &built, &site.path("other"));
        let said = upgrade(&site, &site.path("other"), &["--soak", "0"]);
        assert_eq!((said.outcome(), said.code), ("refused", 3), "{said:?}");
        assert!(said.text("reason").contains(why), "{said:?}");
    }
    assert_eq!(site.answer(), OLD);
}
