//! Placeholders in a runbook's texts.
//!
//! A placeholder is a word of small letters and hyphens in braces. Anything else in braces is left alone, so
//! that shell words such as `${HOME}` or `{ print $1 }` need no escape.

use std::collections::BTreeMap;

/// The placeholders that a runbook may use, each with what a world puts in its place.
pub const PLACEHOLDERS: [(&str, &str); 7] = [
    ("binary", "the path that nginx was started from"),
    ("new", "the path of the staged new binary"),
    ("pid", "the path of the pid file; the oldbin file is `{pid}.oldbin`"),
    ("conf", "the path of the configuration file"),
    ("prefix", "the folder that nginx was started with"),
    ("old-version", "the old release, such as 1.22.1"),
    ("new-version", "the new release, such as 1.26.3"),
];

/// Replaces every placeholder that `values` names; others stay as they are.
#[must_use]
pub fn fill(text: &str, values: &BTreeMap<&str, String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next(rest) {
        filled.push_str(before);
        match values.get(name) {
            Some(value) => filled.push_str(value),
            None => filled.push_str(&rest[before.len()..rest.len() - after.len()]),
        }
        rest = after;
    }
    filled + rest
}

/// The first placeholder of `text` that does not exist.
#[must_use]
pub fn unknown_placeholder(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((_, name, after)) = next(rest) {
        if !PLACEHOLDERS.iter().any(|(known, _)| *known == name) {
            return Some(name);
        }
        rest = after;
    }
    None
}

/// What stands before the next placeholder, its name, and what stands behind it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices('{').find_map(|(open, _)| {
        let name_on = &text[open + 1..];
        let close = name_on.find('}')?;
        let name = &name_on[..close];
        let is_variable = text[..open].ends_with('$');
        let is_word =
            !is_variable && !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        is_word.then(|| (&text[..open], name, &name_on[close + 1..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_other_braces_are_left_alone() {
        let values = BTreeMap::from([("pid", "/run/nginx.pid".to_owned()), ("new", "/n".to_owned())]);
        assert_eq!(
            fill("cat {pid}.oldbin {new} { x } ${pid} {", &values),
            "cat /run/nginx.pid.oldbin /n { x } ${pid} {"
        );
    }

    #[test]
    fn a_placeholder_that_does_not_exist_is_found_and_a_shell_variable_is_none() {
        assert_eq!(unknown_placeholder("{pid} {pdi}"), Some("pdi"));
        assert_eq!(unknown_placeholder("{pid} ${pdi} {A}"), None);
    }
}
