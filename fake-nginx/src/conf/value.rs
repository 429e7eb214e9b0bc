//! Numbers, sizes, durations and flags as nginx reads them.
//!
//! # Source
//! `ngx_atoi` in `src/core/ngx_string.c`; `ngx_parse_size`, `ngx_parse_offset` and `ngx_parse_time` in
//! `src/core/ngx_parse.c`, nginx 1.18 to 1.30.

/// The unit that a duration is wanted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Seconds; `ms` is an error.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// Decimal digits and nothing else, within 63 bits.
pub(super) fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse::<i64>().ok()?.try_into().ok()
}

/// A number of bytes with an optional `k` or `m`.
pub(super) fn size(text: &str) -> Option<u64> {
    scaled(text, &[('k', 1 << 10), ('m', 1 << 20)])
}

/// A number of bytes with an optional `k`, `m` or `g`.
pub(super) fn offset(text: &str) -> Option<u64> {
    scaled(text, &[('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30)])
}

fn scaled(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let last = text.chars().next_back()?.to_ascii_lowercase();
    match units.iter().find(|(unit, _)| *unit == last) {
        Some((_, scale)) => {
            number(&text[..text.len() - 1])?.checked_mul(*scale).filter(|&bytes| i64::try_from(bytes).is_ok())
        }
        None => number(text),
    }
}

/// `on` or `off` in any case.
pub(super) fn flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("on") {
        Some(true)
    } else if text.eq_ignore_ascii_case("off") {
        Some(false)
    } else {
        None
    }
}

/// A duration: `5`, `5s`, `1h 30m`, `10ms`; each unit at most once, largest first.
pub(super) fn duration(text: &str, wanted: Unit) -> Option<u64> {
    let mut rest = text;
    let mut total_ms: u64 = 0;
    let mut last_rank = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count = number(&rest[..digits])?;
        rest = &rest[digits..];
        let (rank, unit_ms, len) = unit(rest, wanted)?;
        if rank <= last_rank {
            return None;
        }
        last_rank = rank;
        total_ms = total_ms.checked_add(count.checked_mul(unit_ms)?)?;
        rest = rest[len..].trim_start_matches(' ');
    }
    i64::try_from(total_ms).ok()?;
    Some(match wanted {
        Unit::Seconds => total_ms / 1000,
        Unit::Milliseconds => total_ms,
    })
}

/// Rank, milliseconds and length of the unit that `rest` begins with; no unit is seconds.
fn unit(rest: &str, wanted: Unit) -> Option<(u8, u64, usize)> {
    const DAY_MS: u64 = 86_400_000;
    Some(match rest.as_bytes() {
        [b'y', ..] => (1, 365 * DAY_MS, 1),
        [b'M', ..] => (2, 30 * DAY_MS, 1),
        [b'w', ..] => (3, 7 * DAY_MS, 1),
        [b'd', ..] => (4, DAY_MS, 1),
        [b'h', ..] => (5, 3_600_000, 1),
        [b'm', b's', ..] => return (wanted == Unit::Milliseconds).then_some((8, 1, 2)),
        [b'm', ..] => (6, 60_000, 1),
        [b's', ..] => (7, 1000, 1),
        [] | [b' ', ..] => (9, 1000, 0),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_units_once_and_largest_first() {
        let ms = |text| duration(text, Unit::Milliseconds);
        assert_eq!(ms("5"), Some(5_000));
        assert_eq!(ms("1h 30m"), Some(5_400_000));
        assert_eq!(ms("1m30s"), Some(90_000));
        assert_eq!(ms("10ms"), Some(10));
        assert_eq!(ms("30s1m"), None);
        assert_eq!(ms("5x"), None);
        assert_eq!(ms(""), None);
        assert_eq!(ms("-1"), None);
        assert_eq!(duration("10ms", Unit::Seconds), None);
        assert_eq!(duration("1d", Unit::Seconds), Some(86_400));
    }

    #[test]
    fn sizes_know_k_and_m_and_only_offsets_know_g() {
        assert_eq!(size("10k"), Some(10_240));
        assert_eq!(size("1M"), Some(1 << 20));
        assert_eq!(size("1g"), None);
        assert_eq!(offset("1g"), Some(1 << 30));
        assert_eq!(size("k"), None);
        assert_eq!(number("99999999999999999999"), None);
        assert_eq!(number("+1"), None);
    }
}
