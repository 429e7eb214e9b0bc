//! Which modules a build has, by the arguments of its configure script.
//!
//! A fake without such arguments has all of them.
//!
//! # Source
//! `auto/options` and `auto/modules`, nginx 1.18 to 1.30.

/// How the names of a module's directives begin, and the module.
const LEFT_OUT: &[(&str, &str)] = &[
    ("ancient_browser", "browser"),
    ("modern_browser", "browser"),
    ("geo", "geo"),
    ("limit_req", "limit_req"),
    ("limit_conn", "limit_conn"),
    ("memcached_", "memcached"),
    ("referer_hash_", "referer"),
    ("valid_referers", "referer"),
    ("split_clients", "split_clients"),
    ("userid", "userid"),
];

/// The same for modules that a build has only when it was asked for.
const PUT_IN: &[(&str, &str)] = &[
    ("add_after_body", "addition"),
    ("add_before_body", "addition"),
    ("addition_types", "addition"),
    ("flv", "flv"),
    ("gunzip", "gunzip"),
    ("mp4", "mp4"),
    ("random_index", "random_index"),
    ("secure_link", "secure_link"),
    ("sub_filter", "sub"),
    ("stub_status", "stub_status"),
    ("auth_request", "auth_request"),
    ("set_real_ip_from", "realip"),
    ("real_ip_", "realip"),
    ("slice", "slice"),
    ("dav_", "dav"),
];

/// Whether a build with these arguments, and these modules loaded, knows the directive.
pub(super) fn has(name: &str, configure: &str, loaded: &[String]) -> bool {
    if ["stream", "mail"].contains(&name) {
        let is_static = configure.is_empty() || has_word(configure, &format!("--with-{name}"));
        let module = format!("ngx_{name}_module.so");
        return is_static || loaded.iter().any(|path| path.ends_with(&module));
    }
    let module_in = |table: &[(&str, &'static str)]| {
        table.iter().find(|(begin, _)| name.starts_with(begin)).map(|(_, module)| *module)
    };
    let is_out = module_in(LEFT_OUT)
        .is_some_and(|module| has_word(configure, &format!("--without-http_{module}_module")));
    let is_in = module_in(PUT_IN).is_none_or(|module| {
        configure.is_empty() || has_word(configure, &format!("--with-http_{module}_module"))
    });
    is_in && !is_out
}

fn has_word(text: &str, wanted: &str) -> bool {
    text.split_whitespace().any(|word| word == wanted)
}
