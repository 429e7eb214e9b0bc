//! The number in a pid file, as `-s` reads it.
//!
//! # Source
//! `ngx_signal_process` in `src/core/ngx_cycle.c`, nginx 1.18 to 1.30.

use super::signal::Pid;

/// How much is read.
pub const BYTES_MAX: u64 = 22;

/// Reads the number; CR and LF behind it do not count, anything else is an error.
///
/// # Errors
/// The text that is no number.
pub fn parse(bytes: &[u8]) -> Result<Pid, &str> {
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    let text = std::str::from_utf8(&bytes[..end]).unwrap_or("?");
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten().map(Pid).ok_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// checks: C11
    #[test]
    fn only_line_ends_behind_the_number_are_stripped() {
        assert_eq!(parse(b"123\r\n"), Ok(Pid(123)));
        assert_eq!(parse(b" 123\n"), Err(" 123"));
        assert_eq!(parse(b"123 \n"), Err("123 "));
        assert_eq!(parse(b""), Err(""));
    }
}
