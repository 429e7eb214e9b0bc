//! Configurations as people have them: each loads, or fails with the same words, on the fake and on real releases.
//!
//! Red when a directive is missing in the fake's tables, stands where it may not, or takes other arguments.

use std::fs;

use scenarios::live::nginx::{self, Found};

use super::conf_errors::{TEMPORARY, compare};

const CONFIGURATIONS: &[(&str, &str)] = &[
    ("debian", include_str!("wild/debian.conf")),
    ("nginx.org", include_str!("wild/nginx_org.conf")),
    ("the official container", include_str!("wild/docker.conf")),
    ("the same with templates of stream", include_str!("wild/docker_stream.conf")),
    ("proxy", include_str!("wild/proxy.conf")),
    ("limits", include_str!("wild/limits.conf")),
    ("access", include_str!("wild/access.conf")),
    ("tls", include_str!("wild/tls.conf")),
    ("streams", include_str!("wild/streams.conf")),
    ("modules", include_str!("wild/modules.conf")),
    ("mistakes", include_str!("wild/mistakes.conf")),
    ("nowhere", include_str!("wild/nowhere.conf")),
    ("unknown variable", include_str!("wild/unknown_variable.conf")),
];

const TYPES: &str =
    "types { text/html html htm shtml; text/css css; application/javascript js; image/png png; }";

/// What the official container has in `conf.d`, and what its entry point makes of a template there.
fn container_sites() -> [(&'static str, String); 2] {
    let variables = [
        ("APP_HOST", "127.0.0.1"),
        ("APP_PORT", "18085"),
        ("NGINX_PORT", "18081"),
        ("NGINX_HOST", "example.com"),
        ("NGINX_LOCAL_RESOLVERS", "127.0.0.11"),
    ];
    let template = include_str!("wild/docker_template.conf").to_owned();
    // As envsubst does: what is in the environment, and nothing else.
    let site =
        variables.iter().fold(template, |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
    [("default.conf", include_str!("wild/docker_default.conf").to_owned()), ("app.conf", site)]
}

pub(crate) fn configurations_from_the_wild_load_as_on_real_releases() {
    let differences: Vec<String> = nginx::releases().iter().flat_map(differences).collect();
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

fn differences(release: &Found) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mime.types"), TYPES).unwrap();
    fs::write(folder.path().join("htpasswd"), "user:x\n").unwrap();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    for (name, text) in container_sites() {
        fs::write(folder.path().join("conf.d").join(name), text).unwrap();
    }
    let mut differences = Vec::new();
    for (_, text) in CONFIGURATIONS {
        // Folders for bodies are where a build has them: the tests need them elsewhere.
        let temporary = TEMPORARY.replace("access_log off;", "");
        let text = text.replacen("http {\n", &format!("http {{ {temporary}\n"), 1);
        let text = text.replace("pid nginx.pid;\n", "\n");
        compare(release, folder.path(), &text, "", &mut differences);
    }
    differences
}
