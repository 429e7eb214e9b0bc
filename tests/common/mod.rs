//! What several test programs share.
#![allow(dead_code, reason = "each test program uses its own part of this module")]
#![allow(unreachable_pub, reason = "a test program has no public API")]

pub mod marks;

use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use libtest_mimic::Failed;
use scenarios::live::nginx;
use scenarios::shard;

/// The laboratory, as its users start it.
pub fn lab() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oldbin-lab"));
    command.env("NO_COLOR", "1");
    // Whoever runs the tests in parallel jobs shares tests, not seeds.
    for name in shard::variables() {
        command.env_remove(name);
    }
    command
}

/// Fails with all that the program said, unless it ended with this code.
pub fn expect_code(output: &Output, code: i32) -> Result<(), Failed> {
    if output.status.code() == Some(code) {
        return Ok(());
    }
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Err(format!(
        "ended with {}, not {code}\n{}\n{}",
        output.status,
        said(&output.stdout),
        said(&output.stderr)
    )
    .into())
}

/// Why tests on real nginx cannot run here; `None` if they can.
///
/// # Panics
/// If `OLDBIN_REQUIRE_REAL` names releases that are not there: in CI nothing may be left out in silence.
pub fn no_real_nginx() -> Option<&'static str> {
    let found: Vec<_> = nginx::releases().iter().map(|release| release.version.to_string()).collect();
    let required = std::env::var("OLDBIN_REQUIRE_REAL").unwrap_or_default();
    for version in required.split(',').filter(|version| !version.is_empty()) {
        assert!(
            found.iter().any(|other| other == version),
            "nginx {version} is required and was not found, only {found:?}"
        );
    }
    found.is_empty().then_some(NO_REAL)
}

const NO_REAL: &str = "no real nginx was found: run scripts/real-nginx";

/// The folder that holds all of these releases as `VERSION/nginx`, or why tests that need them cannot run.
pub fn real_releases(versions: &[&str]) -> Result<PathBuf, String> {
    if let Some(why) = no_real_nginx() {
        return Err(why.to_owned());
    }
    let found = nginx::releases();
    let folder_of = |version: &str| {
        let release = found.iter().find(|release| release.version.to_string() == version)?;
        let folder = release.path.parent()?;
        (folder.file_name()? == version).then(|| folder.parent()).flatten().map(PathBuf::from)
    };
    let missing = versions.iter().find(|version| folder_of(version).is_none());
    match (missing, folder_of(versions[0])) {
        (None, Some(folder)) => Ok(folder),
        (missing, _) => {
            Err(format!("no nginx {} was found: run scripts/real-nginx", missing.unwrap_or(&versions[0])))
        }
    }
}
