//! Dates in headers, written and read.
//!
//! # Source
//! `ngx_time_update` and `ngx_gmtime` in `src/core/ngx_times.c`, `ngx_parse_http_time` in
//! `src/core/ngx_parse_time.c`, nginx 1.18 to 1.30.

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Thu, 01 Jan 1970 00:00:00 GMT`
pub(super) fn http_date(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day) = civil(days);
    let weekday = DAYS[usize::try_from(days % 7).unwrap_or(0)];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT", MONTHS[month])
}

/// Seconds since 1970 of a date in one of the three forms of RFC 9110, 5.6.7.
pub(super) fn parse_http_date(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (day, month, year, time) = match text.split_once(',') {
        Some((_, rest)) => {
            let mut words = rest.split([' ', '-']).filter(|word| !word.is_empty());
            (words.next()?, words.next()?, words.next()?, words.next()?)
        }
        None => {
            let mut words = text.split(' ').filter(|word| !word.is_empty()).skip(1);
            let (month, day, time) = (words.next()?, words.next()?, words.next()?);
            (day, month, words.next()?, time)
        }
    };
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| !text.starts_with('+')).map(i64::from);
    let (day, month) = (number(day)?, MONTHS.iter().position(|name| *name == month)?);
    let year = match number(year)? {
        year @ 0..70 if text.contains('-') => year + 2000,
        year @ 70..100 if text.contains('-') => year + 1900,
        year => year,
    };
    let mut parts = time.split(':').map(number);
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let days_of_month = [31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
    if year < 1970 || day < 1 || day > days_of_month || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // As in `civil`: years are counted from March.
    let from_march = (i64::try_from(month).ok()? + 10) % 12;
    let year = if from_march >= 10 { year - 1 } else { year };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Year, month from 0 and day from 1. Years are counted from March, so that a leap day ends one.
fn civil(days: u64) -> (u64, usize, u64) {
    let from_march = days + 719_468;
    let era = from_march / 146_097;
    let of_era = from_march % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let is_next_year = u64::from(month >= 10);
    let month = usize::try_from((month + 2) % 12).unwrap_or(0);
    (year_of_era + era * 400 + is_next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_back_in_all_three_forms() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse_http_date(text.as_bytes()), Some(784_111_777), "{text}");
        }
        for second in (0..4_000_000_000_u64).step_by(8_640_007) {
            let read = parse_http_date(http_date(second).as_bytes());
            assert_eq!(read, i64::try_from(second).ok(), "{}", http_date(second));
        }
        for text in
            ["", "x", ",", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov"]
        {
            assert_eq!(parse_http_date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(1_735_689_599), "Tue, 31 Dec 2024 23:59:59 GMT");
    }
}
