//! Parts of a file.
//!
//! # Source
//! `ngx_http_range_header_filter` and `ngx_http_range_parse` in
//! `src/http/modules/ngx_http_range_filter_module.c`, nginx 1.18 to 1.30.

use std::ops::Range;

use super::date::parse_http_date;
use super::types::Request;

/// What a request asks of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// These parts, in the client's order.
    Parts(Vec<Range<u64>>),
    /// Nothing that is there: 416.
    Nothing,
}

/// The parts that `request` asks of a file with this size, time and tag.
pub(super) fn wanted(request: &Request, size: u64, modified_s: i64, etag: Option<&str>, max: u64) -> Wanted {
    let Some(value) = request.values("range").next() else { return Wanted::Whole };
    let is_bytes = value.len() >= 7 && value[..6].eq_ignore_ascii_case(b"bytes=");
    if !is_bytes {
        return Wanted::Whole;
    }
    if let Some(condition) = request.values("if-range").next().filter(|condition| condition.len() >= 2) {
        let is_same = if condition.ends_with(b"\"") {
            etag.is_some_and(|etag| etag.as_bytes() == condition)
        } else {
            parse_http_date(condition) == Some(modified_s)
        };
        if !is_same {
            return Wanted::Whole;
        }
    }
    parse(&value[6..], size, max)
}

fn parse(list: &[u8], size: u64, max: u64) -> Wanted {
    let mut parts = Vec::new();
    let mut total = 0_u64;
    for item in list.split(|&byte| byte == b',') {
        let Some((first, last)) = bounds(item) else { return Wanted::Nothing };
        let range = match (first, last) {
            (Some(first), Some(last)) => first..last.saturating_add(1).min(size),
            (Some(first), None) => first..size,
            (None, last) => size - last.unwrap_or(0).min(size)..size,
        };
        if range.start < range.end {
            if parts.len() as u64 == max {
                return Wanted::Whole;
            }
            let Some(sum) = total.checked_add(range.end - range.start) else { return Wanted::Nothing };
            total = sum;
            parts.push(range);
        } else if range.start == 0 {
            return Wanted::Whole;
        }
    }
    match parts.len() {
        0 => Wanted::Nothing,
        _ if total > size => Wanted::Whole,
        _ => Wanted::Parts(parts),
    }
}

/// `1-2`, `1-` or `-2`
fn bounds(item: &[u8]) -> Option<(Option<u64>, Option<u64>)> {
    let text = std::str::from_utf8(item).ok()?.trim_start_matches(' ');
    let (first, last) = text.split_once('-')?;
    let number = |text: &str| {
        let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_digits { text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok()) } else { None }
    };
    if first.is_empty() {
        return Some((None, Some(number(last.trim_end_matches(' '))?)));
    }
    let first = number(first.trim_end_matches(' '))?;
    let last = last.trim_matches(' ');
    Some((Some(first), if last.is_empty() { None } else { Some(number(last)?) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_lie_inside_the_file() {
        let parts =
            |list: &[(u64, u64)]| Wanted::Parts(list.iter().map(|&(start, end)| start..end).collect());
        for (list, expected) in [
            ("0-0", parts(&[(0, 1)])),
            ("2-", parts(&[(2, 10)])),
            ("-3", parts(&[(7, 10)])),
            ("-30", parts(&[(0, 10)])),
            ("5-99", parts(&[(5, 10)])),
            ("0-1, 4-5", parts(&[(0, 2), (4, 6)])),
            ("10-", Wanted::Nothing),
            ("x", Wanted::Nothing),
            ("1-x", Wanted::Nothing),
            ("99999999999999999999-", Wanted::Nothing),
            ("0-9,0-9", Wanted::Whole),
        ] {
            assert_eq!(parse(list.as_bytes(), 10, u64::MAX), expected, "{list}");
        }
        assert_eq!(parse(b"-0", 0, 1), Wanted::Whole);
        assert_eq!(parse(b"0-0,1-1", 10, 1), Wanted::Whole);
    }

    proptest::proptest! {
        /// No part ever reaches beyond the file.
        #[test]
        fn any_list_of_parts_stays_inside(list in "[0-9, -]{0,24}", size in 0_u64..50) {
            if let Wanted::Parts(parts) = parse(list.as_bytes(), size, u64::MAX) {
                proptest::prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= size));
            }
        }
    }
}
