//! nginx's own options: the fake says what real releases say, byte for byte.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails the test")]

mod real;

use std::process::{Command, Stdio};

use fake_nginx::options;
use fake_nginx::release::Profile;
use fake_nginx::stamp::Stamp;

/// Command lines that end before nginx looks for its configuration. `_` is an empty word.
const LINES: &[&str] = &[
    "-x",
    "foo",
    "-p",
    "-c",
    "-g",
    "-s",
    "-s foo",
    "-tp",
    "--",
    "-vx",
    "-?",
    "-h",
    "-v",
    "-V",
    "-v -s reload",
    "-V -x",
    "-q -v",
    "-hq",
    "-s stopx",
    "-vfoo",
    "-t x",
    "-tx",
    "-s _",
    "_",
    "-vs stop",
    "-sstop -v",
    "-e",
    "-ve",
    "-ve x",
    "-v -",
    "-hV",
    "é",
];

#[test]
fn answers_to_options_are_those_of_real_releases() {
    for release in real::releases() {
        let configure = configure_arguments(&release);
        let stamp = Stamp::configured(release.version, &configure);
        for line in LINES {
            let argv: Vec<String> = line
                .split(' ')
                .map(|word| if word == "_" { String::new() } else { word.to_owned() })
                .collect();
            let output = Command::new(&release.program).args(&argv).stdin(Stdio::null()).output().unwrap();
            let expected = String::from_utf8(output.stderr).unwrap();
            let (found, succeeds) = match options::parse(&argv, &Profile::of(release.version)) {
                Ok(options) => (options::version_text(&stamp, &options), true),
                Err(message) => (message + "\n", false),
            };
            assert_eq!(without_build(&found), without_build(&expected), "{} {line}", release.version);
            assert_eq!(succeeds, output.status.success(), "{} {line}", release.version);
        }
    }
}

fn configure_arguments(release: &real::RealNginx) -> String {
    let output = Command::new(&release.program).arg("-V").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    text.split_once("configure arguments: ").unwrap().1.trim_end().to_owned()
}

/// Without the compiler and the TLS library, which a fake does not have.
fn without_build(text: &str) -> String {
    text.lines()
        .filter(|line| !line.starts_with("built ") && !line.starts_with("TLS SNI"))
        .map(|line| line.to_owned() + "\n")
        .collect()
}
