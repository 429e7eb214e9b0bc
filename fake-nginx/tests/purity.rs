//! The machines are told, they do not ask: no clock, file, process, socket or chance in `src/machine/`.
#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// What a machine may name of the standard library. `std::io::Error` gives an error number its text.
const ALLOWED: [&str; 6] =
    ["std::fmt", "std::mem", "std::io::Error", "std::error", "std::str", "std::collections::BTree"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn machines_name_nothing_of_the_world() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/machine");
    let files = sources(&folder);
    assert!(files.len() > 15, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let is_allowed = |at: usize| ALLOWED.iter().any(|allowed| line[at..].starts_with(allowed));
            let stranger = line.match_indices("std::").find(|(at, _)| !is_allowed(*at));
            assert!(stranger.is_none(), "{}: {line}", file.display());
            for name in ["nix::", "rustix::", "mio::", "libc::", "crate::os"] {
                assert!(!line.contains(name), "{}: {line}", file.display());
            }
        }
    }
}
