//! From WINCH to the end of the watch: what the new binary is asked, what it is forgiven, and who is left to drain.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use super::site::{self, Running, Said, Site};
use super::{NEW, OLD, new_binary, release};

/// Every test, by the sentence that it proves.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("deferred_sockets_drop_packets_and_no_connection", deferred),
    ("a_check_that_fails_beforehand_is_refused", bad_check),
    ("a_check_that_fails_twice_in_the_new_binary_is_a_way_back", failing_check),
    ("a_check_that_fails_once_is_asked_again", check_that_recovers),
    ("a_worker_that_crashes_spends_the_error_budget", crashing_worker),
    ("a_worker_that_crashes_is_forgiven_within_the_error_budget", forgiven_worker),
    ("workers_that_want_to_accept_and_do_not_are_found_by_a_knock", hanging_workers),
    ("an_address_that_the_new_configuration_drops_is_a_way_back", dropped_address),
    ("an_old_master_is_left_to_its_last_connection_and_waited_for_by_the_next_upgrade", left_and_waited_for),
    ("an_old_master_that_was_left_is_ended_by_recover", left_and_cut),
    ("a_new_master_that_dies_in_the_watch_is_told", death_in_the_watch),
    ("a_rollback_finishes_a_commit_that_was_killed_and_goes_back", killed_in_the_watch),
];

fn upgrade(site: &Site, more: &[&str]) -> Said {
    site.oldbin(&words(more))
}

fn words(more: &[&str]) -> Vec<OsString> {
    let upgrade = [OsString::from("upgrade"), "--new".into(), new_binary().into()];
    upgrade.into_iter().chain(more.iter().map(OsString::from)).collect()
}

fn rolled_back(site: &Site, said: &Said, why: &str) {
    assert_eq!((said.outcome(), said.code), ("rolled-back", 4), "{said:?}");
    assert!(said.text("reason").contains(why), "{said:?}");
    site.serves_alone(OLD);
}

/// A command that fails as long as the journal says so.
fn fails_while(site: &Site, phase: &str) -> String {
    format!("! grep -q '\"phase\":\"{phase}\"' {}/*.json 2>/dev/null", site.path("state").display())
}

/// With `deferred` the kernel counts a packet of every connection as dropped at the socket, while it waits for data.
fn deferred() {
    let site = Site::start_behind(OLD, |site| {
        let path = site.path("nginx.conf");
        let text = std::fs::read_to_string(&path).unwrap();
        let listen = format!("listen {}", site.address());
        std::fs::write(&path, text.replace(&listen, &format!("{listen} deferred"))).unwrap();
    });
    let load = site.light_load();
    let said = upgrade(&site, &["--soak", "1"]);
    assert_eq!(load.end().1, Vec::<String>::new());
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
}

fn bad_check() {
    let site = Site::start(OLD);
    let said = upgrade(&site, &["--check", "echo out of order >&2; exit 7"]);
    assert!(said.text("reason").contains("exit status: 7: out of order"), "{said:?}");
    site.was_refused(&said, OLD);
}

/// shows: F10 F53
fn failing_check() {
    let site = Site::start(OLD);
    let load = site.light_load();
    let said = upgrade(&site, &["--soak", "5", "--check", &fails_while(&site, "draining")]);
    assert_eq!(load.end().1, Vec::<String>::new());
    rolled_back(&site, &said, "not good enough: `! grep");
}

/// It fails the first time that the new binary serves alone, and then never again.
fn check_that_recovers() {
    let site = Site::start(OLD);
    let seen = site.path("seen").display().to_string();
    let check = format!("{} || [ -e {seen} ] || {{ : > {seen}; false; }}", fails_while(&site, "draining"));
    let said = upgrade(&site, &["--soak", "0", "--check", &check]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    assert!(site.path("seen").exists(), "it never failed");
    site.serves_alone(NEW);
}

/// The worker's end is one, and the line of its master in the log another.
fn crash_with_budget(site: &Site, budget: &str) -> Said {
    let running = site.start_oldbin(&[
        "upgrade",
        "--new",
        new_binary().to_str().unwrap(),
        "--soak",
        "2",
        "--error-budget",
        budget,
    ]);
    site.wait_for("\"phase\":\"soaking\"");
    let worker = site::workers_of(site.pid("nginx.pid"))[0];
    site::signal(worker, Signal::SEGV);
    running.end()
}

fn crashing_worker() {
    let site = Site::start(OLD);
    let said = crash_with_budget(&site, "1");
    rolled_back(&site, &said, "exited on signal 11");
}

fn forgiven_worker() {
    let site = Site::start(OLD);
    let said = crash_with_budget(&site, "2");
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
}

/// The check stops the new workers: they live, and their sockets are in their epoll sets.
fn hanging_workers() {
    let site = Site::start(OLD);
    let (new, old) = (site.path("nginx.pid"), site.path("nginx.pid.oldbin"));
    let stop = format!(
        "[ ! -e {} ] || for pid in $(cat /proc/$(cat {new})/task/$(cat {new})/children); do kill -STOP $pid; done",
        old.display(),
        new = new.display()
    );
    let said = upgrade(&site, &["--soak", "0", "--drain-within", "0.1", "--check", &stop]);
    rolled_back(&site, &said, "no worker takes a connection from 127.");
}

/// Red when the audit of the old listening sockets is skipped: the old master would hold the address while its workers
/// drain, and whoever connects to it would hang.
///
/// shows: F42
fn dropped_address() {
    let site = Site::start_behind(OLD, |site| {
        let one = fs::read_to_string(site.path("nginx.conf")).unwrap();
        let listen = format!("listen {};", site.address());
        let two = one.replace(&listen, &format!("{listen} listen {};", other(&site.address())));
        fs::write(site.path("one.conf"), one).unwrap();
        fs::write(site.path("nginx.conf"), two).unwrap();
    });
    assert!(TcpStream::connect(other(&site.address())).is_ok(), "nobody listens there");
    fs::rename(site.path("one.conf"), site.path("nginx.conf")).unwrap();
    let said = upgrade(&site, &["--soak", "0", "--ready-within", "300ms"]);
    rolled_back(&site, &said, "listening socket");
    assert!(TcpStream::connect(other(&site.address())).is_ok(), "the old workers have gone");
}

/// The same port of another address, which is no site's own.
fn other(address: &str) -> String {
    let (_, rest) = address.trim_start_matches("127.").split_once('.').unwrap();
    format!("127.251.{rest}")
}

/// A request that is half sent: a worker that drains waits for the other half.
fn half_a_request(site: &Site) -> TcpStream {
    let mut stream = TcpStream::connect(site.address()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    stream
}

/// One request keeps an old worker, and the upgrade ends without it.
fn leave(site: &Site) -> TcpStream {
    let stream = half_a_request(site);
    let said = upgrade(site, &["--soak", "0", "--drain-within", "0.2", "--drain-then", "leave"]);
    assert_eq!((said.outcome(), said.code), ("draining", 0), "{said:?}");
    assert_eq!(site.answer(), NEW);
    stream
}

/// nginx would ignore USR2, and whoever did not know that would quit the wrong master.
fn another_is_refused(site: &Site) {
    let again = upgrade(site, &["--soak", "0"]);
    assert_eq!((again.outcome(), again.code), ("refused", 3), "{again:?}");
    assert!(again.text("reason").contains("still serves 1 connections"), "{again:?}");
}

/// shows: F13
fn left_and_waited_for() {
    let site = Site::start(OLD);
    let mut stream = leave(&site);
    another_is_refused(&site);
    let old = release(OLD).unwrap();
    let running = site.start_oldbin(&[
        "upgrade",
        "--new",
        old.to_str().unwrap(),
        "--soak",
        "0",
        "--wait-for-old",
        "60",
    ]);
    stream.write_all(b"Host: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.ends_with(OLD), "the old binary answers its last request: {text}");
    let said = running.end();
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(OLD);
}

fn left_and_cut() {
    let site = Site::start(OLD);
    let mut stream = leave(&site);
    another_is_refused(&site);
    let said = site.oldbin(&["recover".into(), "--drain-within".into(), "0".into()]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    let mut rest = Vec::new();
    assert!(stream.read_to_end(&mut rest).is_err() || rest.is_empty(), "it was not cut");
    site.serves_alone(NEW);
}

/// An upgrade that has come to its watch.
fn watching(site: &Site) -> Running {
    let new = new_binary();
    let running =
        site.start_oldbin(&["upgrade", "--new", new.to_str().unwrap(), "--soak", "0", "--watch", "60"]);
    site.wait_for("\"phase\":\"watching\"");
    running
}

/// shows: F12
fn death_in_the_watch() {
    let site = Site::start(OLD);
    let running = watching(&site);
    site::kill(site.pid("nginx.pid"));
    let said = running.end();
    assert_eq!((said.outcome(), said.code), ("stuck", 5), "{said:?}");
    assert!(said.text("reason").contains("died after the commit point"), "{said:?}");
    assert_eq!(site.answer(), NEW, "the workers that it left still serve");
}

fn killed_in_the_watch() {
    let site = Site::start(OLD);
    watching(&site).kill();
    let said = site.oldbin(&["rollback".into(), "--soak".into(), "0".into()]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 0), "{said:?}");
    site.serves_alone(OLD);
}
