//! Finds real releases of nginx: the one place in the code that does.
//!
//! `$OLDBIN_NGINX_DIR/<version>/nginx` and nothing else where that is set. Otherwise, in this order: the caches
//! `/var/cache/oldbin/nginx` and `$XDG_CACHE_HOME/oldbin/nginx` (or `~/.cache/oldbin/nginx`) of the same layout,
//! then what the system has.
//! What a binary is, its `-v` tells, not its path.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fake_nginx::release::Version;
use serde::{Deserialize, Serialize};

/// A binary that told its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What `-v` told.
    pub version: Version,
    /// Where it is.
    pub path: PathBuf,
}

impl Found {
    /// The module of `stream`, if it lies beside the binary as `scripts/real-nginx` puts it.
    #[must_use]
    pub fn stream_module(&self) -> Option<PathBuf> {
        let path = self.path.parent()?.join("modules/ngx_stream_module.so");
        path.is_file().then_some(path)
    }
}

/// The two releases of a run, and why it is these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Serves at the start.
    pub old: Found,
    /// Is given to the subject.
    pub new: Found,
    /// One sentence for the report.
    pub why: String,
}

/// Every release that can be had, the oldest first; of two binaries with one version the first found.
#[must_use]
pub fn releases() -> Vec<Found> {
    let mut found = BTreeMap::new();
    for path in candidates() {
        if let Some(version) = version_of(&path) {
            found.entry(version).or_insert(path);
        }
    }
    found.into_iter().map(|(version, path)| Found { version, path }).collect()
}

/// What `path -v` tells, if it is an nginx that runs here.
#[must_use]
pub fn version_of(path: &Path) -> Option<Version> {
    if !path.is_file() {
        return None;
    }
    let output = Command::new(path).arg("-v").env_remove("NGINX").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let version = text.split_once("nginx/")?.1;
    version.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?.parse().ok()
}

/// The pair nearest to the wanted one, or `None` if there is no release at all.
///
/// The order is kept: the old one is never newer than the new one, unless the scenario wants that.
#[must_use]
pub fn pick(releases: &[Found], old: Version, new: Version) -> Option<Pair> {
    let wants_downgrade = old > new;
    let pairs = releases.iter().flat_map(|a| releases.iter().map(move |b| (a, b)));
    let (a, b) = pairs
        .filter(|(a, b)| if wants_downgrade { a.version >= b.version } else { a.version <= b.version })
        .min_by_key(|(a, b)| {
            let is_same = (a.version == b.version) != (old == new);
            (is_same, distance(a.version, old) + distance(b.version, new))
        })?;
    let why = if releases.len() == 1 && old != new {
        format!("{} is the only release found: upgrade to a copy of itself", a.version)
    } else if a.version == old && b.version == new {
        format!("{old} and {new}, as wanted")
    } else {
        format!("{} and {} are the nearest to {old} and {new}", a.version, b.version)
    };
    Some(Pair { old: a.clone(), new: b.clone(), why })
}

/// How far apart two releases are; a minor release counts more than any number of patches.
fn distance(a: Version, b: Version) -> u64 {
    let line =
        |v: Version| u64::from(v.major) * 100_000_000 + u64::from(v.minor) * 10_000 + u64::from(v.patch);
    line(a).abs_diff(line(b))
}

fn candidates() -> Vec<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let only = env::var_os("OLDBIN_NGINX_DIR").map(PathBuf::from);
    let folders = match &only {
        Some(_) => [only.clone(), None],
        None => [Some("/var/cache/oldbin/nginx".into()), cache.map(|cache| cache.join("oldbin/nginx"))],
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for folder in folders.into_iter().flatten() {
        let mut kept: Vec<PathBuf> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join("nginx")))
            .collect();
        kept.sort();
        paths.append(&mut kept);
    }
    if only.is_some() {
        return paths;
    }
    paths.push("/usr/sbin/nginx".into());
    paths.push("/usr/local/nginx/sbin/nginx".into());
    let path = env::var_os("PATH").unwrap_or_default();
    paths.extend(
        env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join("nginx")),
    );
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(versions: &[(u16, u16, u16)]) -> Vec<Found> {
        versions
            .iter()
            .map(|&(a, b, c)| Found { version: Version::new(a, b, c), path: format!("/{a}.{b}.{c}").into() })
            .collect()
    }

    fn versions(pair: &Pair) -> (String, String) {
        (pair.old.version.to_string(), pair.new.version.to_string())
    }

    #[test]
    fn the_wanted_pair_is_taken_when_it_is_there() {
        let pair = pick(
            &found(&[(1, 18, 0), (1, 22, 1), (1, 26, 3)]),
            Version::new(1, 22, 1),
            Version::new(1, 26, 3),
        );
        assert_eq!(versions(&pair.unwrap()), ("1.22.1".into(), "1.26.3".into()));
    }

    #[test]
    fn the_nearest_pair_keeps_old_below_new() {
        let pair =
            pick(&found(&[(1, 18, 0), (1, 30, 6)]), Version::new(1, 28, 0), Version::new(1, 29, 0)).unwrap();
        assert_eq!(versions(&pair), ("1.18.0".into(), "1.30.6".into()));
        assert!(pair.why.contains("nearest"), "{}", pair.why);
    }

    #[test]
    fn a_single_release_is_upgraded_to_a_copy_of_itself() {
        let pair = pick(&found(&[(1, 22, 1)]), Version::new(1, 18, 0), Version::new(1, 26, 3)).unwrap();
        assert_eq!(versions(&pair), ("1.22.1".into(), "1.22.1".into()));
        assert!(pair.why.contains("only release"), "{}", pair.why);
    }

    #[test]
    fn without_a_release_there_is_no_pair() {
        assert_eq!(pick(&[], Version::new(1, 18, 0), Version::new(1, 26, 3)), None);
    }
}
