//! nginx's own options: the fake says what real releases say, byte for byte.

use std::process::{Command, Stdio};

use fake_nginx::options;
use fake_nginx::release::Profile;
use fake_nginx::stamp::Stamp;
use scenarios::live::nginx::{self, Found};

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

/// checks: C1 C2 C8 C15
pub(crate) fn answers_to_options_are_those_of_real_releases() {
    for release in nginx::releases() {
        let configure = configure_arguments(&release);
        let stamp = Stamp::configured(release.version, &configure);
        for line in LINES {
            let argv: Vec<String> = line
                .split(' ')
                .map(|word| if word == "_" { String::new() } else { word.to_owned() })
                .collect();
            let output = Command::new(&release.path).args(&argv).stdin(Stdio::null()).output().unwrap();
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

pub(super) fn configure_arguments(release: &Found) -> String {
    let output = Command::new(&release.path).arg("-V").output().unwrap();
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
