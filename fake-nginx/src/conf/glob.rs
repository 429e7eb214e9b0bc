//! File names with wildcards, as `include` takes them.
//!
//! # Source
//! `ngx_conf_include` in `src/core/ngx_conf_file.c` and glob(3), nginx 1.18 to 1.30.

use std::path::{Path, PathBuf};

/// Whether `pattern` has a wildcard at all.
pub(super) fn is_pattern(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// The files that fit, in the order of their bytes; none is no error.
pub(super) fn expand(pattern: &str) -> Vec<PathBuf> {
    let start = if pattern.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() };
    let mut found = vec![start];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|folder| step(folder, part)).collect();
    }
    found
}

fn step(folder: &Path, part: &str) -> Vec<PathBuf> {
    if !is_pattern(part) {
        let path = folder.join(part);
        return if path.exists() { vec![path] } else { Vec::new() };
    }
    let readable = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut names: Vec<String> = std::fs::read_dir(readable)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with('.') == part.starts_with('.'))
        .filter(|name| fits(part.as_bytes(), name.as_bytes()))
        .collect();
    names.sort();
    names.into_iter().map(|name| folder.join(name)).collect()
}

fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|skip| fits(rest, &name[skip..])),
        [b'?', rest @ ..] => !name.is_empty() && fits(rest, &name[1..]),
        [b'[', rest @ ..] => match (class_end(rest), name.first()) {
            (Some(end), Some(&byte)) => in_class(&rest[..end], byte) && fits(&rest[end + 1..], &name[1..]),
            (Some(_), None) => false,
            (None, _) => name.first() == Some(&b'[') && fits(rest, &name[1..]),
        },
        [byte, rest @ ..] => name.first() == Some(byte) && fits(rest, &name[1..]),
    }
}

/// Where the closing bracket stands; one that comes first belongs to the class.
fn class_end(class: &[u8]) -> Option<usize> {
    let first = usize::from(matches!(class.first(), Some(b'!' | b'^')));
    class.iter().skip(first + 1).position(|&byte| byte == b']').map(|at| at + first + 1)
}

fn in_class(class: &[u8], byte: u8) -> bool {
    let (negated, mut rest) = match class {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    while let Some(&low) = rest.first() {
        if let [_, b'-', high, ..] = rest {
            found |= (low..=*high).contains(&byte);
            rest = &rest[3..];
        } else {
            found |= low == byte;
            rest = &rest[1..];
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {

    #[test]
    fn patterns_fit_as_in_a_shell() {
        let fits = |pattern: &str, name: &str| super::fits(pattern.as_bytes(), name.as_bytes());
        assert!(fits("*.conf", "a.conf") && fits("a?c", "abc") && fits("[a-c]*", "b") && fits("[!a]", "b"));
        assert!(!fits("*.conf", "a.con") && !fits("[a-c]", "d") && !fits("a?", "a") && !fits("[!a]", "a"));
    }
}
