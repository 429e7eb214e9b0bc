//! Rules that are tests are kept: sizes, module docs, imports of the pure machines, where `unsafe` may be.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 400;
const CRATES: [&str; 3] = ["fake-nginx/src", "orchestrator/src", "scenarios/src"];

#[test]
fn every_file_opens_with_a_module_doc() {
    let silent: Vec<_> = all_sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();

    assert!(silent.is_empty(), "these files open without a module doc: {silent:#?}");
}

#[test]
fn no_file_is_longer_than_four_hundred_lines_without_its_tests() {
    let long: Vec<_> = all_sources()
        .into_iter()
        // A file of that name is nothing but tests.
        .filter(|(path, _)| !path.ends_with("tests.rs"))
        .map(|(path, text)| (path, text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .collect();

    assert!(long.is_empty(), "split these by a noun: {long:#?}");
}

#[test]
fn a_machine_asks_no_clock_no_file_system_and_no_process() {
    const WORLD: [&str; 10] = [
        "std::fs",
        "std::time::Instant",
        "std::time::SystemTime",
        "std::process",
        "std::env",
        "std::net",
        "std::os",
        "nix::",
        "rustix::",
        "crate::os",
    ];
    let told: Vec<_> = all_sources()
        .into_iter()
        .filter(|(path, _)| path.components().any(|part| part.as_os_str() == "machine"))
        .flat_map(|(path, text)| {
            code_lines(&text)
                .filter(|(_, line)| WORLD.iter().any(|world| line.contains(world)))
                .map(|(number, line)| format!("{}:{number}: {line}", path.display()))
                .collect::<Vec<_>>()
        })
        .collect();

    assert!(told.is_empty(), "a machine is told, not asked: {told:#?}");
    let machines =
        all_sources().into_iter().filter(|(path, _)| path.to_string_lossy().contains("/machine/")).count();
    assert!(machines >= 6, "the walk found {machines} machine files: it looks in the wrong place");
}

#[test]
fn unsafe_stands_in_two_folders_only() {
    let elsewhere: Vec<_> = all_sources()
        .into_iter()
        .filter(|(path, _)| {
            let path = path.to_string_lossy();
            !path.contains("fake-nginx/src/os/") && !path.contains("orchestrator/src/host/linux/")
        })
        .filter(|(_, text)| {
            code_lines(text).any(|(_, line)| line.contains("unsafe {") || line.contains("unsafe fn"))
        })
        .map(|(path, _)| path)
        .collect();

    assert!(elsewhere.is_empty(), "unsafe outside of os/ and host/linux/: {elsewhere:#?}");
}

#[test]
fn dependencies_point_one_way() {
    let backwards: Vec<_> = all_sources()
        .into_iter()
        .filter(|(path, text)| {
            let path = path.to_string_lossy();
            let names = |krate: &str| code_lines(text).any(|(_, line)| line.contains(krate));
            (path.contains("fake-nginx/") && (names("orchestrator::") || names("scenarios::")))
                || (path.contains("orchestrator/") && (names("fake_nginx::") || names("scenarios::")))
        })
        .map(|(path, _)| path)
        .collect();

    assert!(backwards.is_empty(), "only `scenarios` may use both: {backwards:#?}");
}

#[test]
fn the_changelog_has_an_entry_for_this_version() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();

    assert!(changelog.contains(&format!("## {}", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_dependency_is_taken_from_the_workspace_where_its_reason_stands() {
    for krate in ["fake-nginx", "orchestrator", "scenarios"] {
        let manifest = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
        let own: Vec<_> = manifest
            .lines()
            .skip_while(|line| *line != "[dependencies]")
            .take_while(|line| !line.starts_with("[["))
            .filter(|line| line.contains('=') && !line.contains(".workspace = true"))
            .collect();

        assert!(own.is_empty(), "{krate} names versions of its own: {own:?}");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in CRATES.iter().copied().chain(["src/bin"]) {
        walk(&root().join(folder), &mut found);
    }
    assert!(found.len() > 20, "only {} sources: the walk looks in the wrong place", found.len());
    found
}

fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// Lines with their numbers, without comments and without the tests at a file's end.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.starts_with("//"))
}
