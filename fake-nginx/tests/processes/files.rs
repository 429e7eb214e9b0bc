//! Files that are larger than what a worker may hold.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};

use rustix::process::Signal;

use crate::stage::{Stage, release, wait_for};

pub(crate) const TESTS: &[(&str, fn())] = &[
    (
        "a_draining_worker_waits_for_the_slow_reader_of_a_large_file",
        a_draining_worker_waits_for_the_slow_reader_of_a_large_file,
    ),
    ("a_file_that_is_not_there_is_told_at_level_error", a_file_that_is_not_there_is_told_at_level_error),
];

const LARGE_BYTES: u64 = 128 << 20;

/// Red when a worker reads the file into memory, or takes what is in the socket for what was read.
fn a_draining_worker_waits_for_the_slow_reader_of_a_large_file() {
    let stage = Stage::new(&release("1.22.1"));
    File::create(stage.path("large")).unwrap().set_len(LARGE_BYTES).unwrap();
    stage.configure("", &format!("root {};", stage.path("").display()));
    let master = stage.start();
    let mut stream = stage.connect();
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut begin = [0; 1000];
    stream.read_exact(&mut begin).unwrap();
    stage.signal(master, Signal::QUIT);
    let worker = wait_for("a worker that drains", || {
        stage.processes().into_iter().find(|process| process.title.contains("shutting down"))
    });
    let status = fs::read_to_string(format!("/proc/{}/status", worker.pid)).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most_kb: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(most_kb < (64 << 10), "a worker took {most_kb} kB");

    let head_len = begin.windows(4).position(|part| part == b"\r\n\r\n").unwrap() as u64 + 4;
    let mut buffer = vec![0; 1 << 20];
    let mut length = begin.len() as u64;
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            count => length += count as u64,
        }
    }
    assert_eq!(length, head_len + LARGE_BYTES);
    stage.gone(master);
}

/// Red when the line loses its number, its level or its tail.
fn a_file_that_is_not_there_is_told_at_level_error() {
    let stage = Stage::new(&release("1.22.1"));
    stage.configure("", "root /nowhere;");
    stage.start();
    assert!(stage.get().starts_with("HTTP/1.1 404 "));
    stage.logged(
        "*1 \"/nowhere/index.html\" is not found (2: No such file or directory), client: unix:, server: , \
         request: \"GET / HTTP/1.1\", host: \"a\"",
    );
}
