//! The real releases of nginx that this machine has.

use std::path::PathBuf;

use fake_nginx::release::Version;

/// Where they are looked for when `OLDBIN_NGINX_DIR` is not set: DIR/VERSION/nginx.
const DEFAULT_FOLDER: &str = "/var/cache/oldbin/nginx";

/// One real nginx.
pub(crate) struct RealNginx {
    /// Its release.
    pub(crate) version: Version,
    /// Its executable.
    pub(crate) program: PathBuf,
}

/// All real releases, oldest first. Where there is none, says so: the test that asked then shows nothing.
pub(crate) fn releases() -> Vec<RealNginx> {
    let folder =
        std::env::var_os("OLDBIN_NGINX_DIR").map_or_else(|| PathBuf::from(DEFAULT_FOLDER), PathBuf::from);
    let mut found: Vec<RealNginx> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            let program = path.join("nginx");
            program.is_file().then_some(RealNginx { version, program })
        })
        .collect();
    found.sort_by_key(|real| real.version);
    if found.is_empty() {
        eprintln!("SKIPPED: no real nginx in {} (set OLDBIN_NGINX_DIR)", folder.display());
    }
    found
}
