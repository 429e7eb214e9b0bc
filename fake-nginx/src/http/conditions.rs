//! Requests with a condition: is what the client has still good?
//!
//! # Source
//! `src/http/modules/ngx_http_not_modified_filter_module.c`, nginx 1.18 to 1.30.

use super::date::parse_http_date;
use super::types::Request;
use crate::conf::{ContentRules, IfModifiedSince};

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send the file.
    Send,
    /// 304
    NotModified,
    /// 412
    Failed,
}

/// Looks at the conditions of `request` for a file of that time and tag.
pub(super) fn verdict(
    request: &Request,
    rules: &ContentRules,
    modified_s: i64,
    etag: Option<&str>,
) -> Verdict {
    let first = |name: &str| request.values(name).next().map(<[u8]>::to_vec);
    if let Some(value) = first("if-unmodified-since")
        && parse_http_date(&value).is_none_or(|since_s| since_s < modified_s)
    {
        return Verdict::Failed;
    }
    if let Some(value) = first("if-match")
        && !has_tag(&value, etag, false)
    {
        return Verdict::Failed;
    }
    let since = first("if-modified-since");
    let tags = first("if-none-match");
    if since.is_none() && tags.is_none() {
        return Verdict::Send;
    }
    if since.is_some_and(|value| is_modified(&value, rules, modified_s))
        || tags.is_some_and(|value| !has_tag(&value, etag, true))
    {
        return Verdict::Send;
    }
    Verdict::NotModified
}

fn is_modified(value: &[u8], rules: &ContentRules, modified_s: i64) -> bool {
    let since_s = parse_http_date(value);
    match rules.if_modified_since.unwrap_or(IfModifiedSince::Exact) {
        IfModifiedSince::Off => true,
        IfModifiedSince::Exact => since_s != Some(modified_s),
        IfModifiedSince::Before => since_s.is_none_or(|since_s| since_s < modified_s),
    }
}

/// Whether a list of tags holds this one. A weak comparison looks past `W/`.
fn has_tag(list: &[u8], etag: Option<&str>, is_weak: bool) -> bool {
    if list == b"*" {
        return true;
    }
    let Some(etag) = etag else { return false };
    let mut rest = list;
    while !rest.is_empty() {
        let bare = rest.strip_prefix(b"W/").filter(|_| is_weak).unwrap_or(rest);
        if let Some(behind) = bare.strip_prefix(etag.as_bytes()) {
            let behind = behind.iter().find(|byte| !b" \t".contains(byte));
            if behind.is_none_or(|&byte| byte == b',') {
                return true;
            }
        }
        let Some(comma) = bare.iter().position(|&byte| byte == b',') else { return false };
        let from = bare[comma..].iter().take_while(|byte| b" \t,".contains(byte)).count();
        rest = &bare[comma + from..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_is_searched_whole() {
        let tag = Some("\"a-1\"");
        for (list, is_weak, expected) in [
            ("*", false, true),
            ("\"a-1\"", false, true),
            ("\"b\", \"a-1\"", false, true),
            ("W/\"a-1\"", true, true),
            ("W/\"a-1\"", false, false),
            ("\"a-1\"x", true, false),
            ("", true, false),
        ] {
            assert_eq!(has_tag(list.as_bytes(), tag, is_weak), expected, "{list}");
        }
        assert!(!has_tag(b"\"a-1\"", None, true));
    }
}
