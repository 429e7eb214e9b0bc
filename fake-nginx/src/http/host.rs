//! Whom a request asks for.
//!
//! # Source
//! `ngx_http_validate_host` in `src/http/ngx_http_request.c`, nginx 1.18 to 1.30.

/// The host in lower case, without port and closing dot; `None` when nginx answers 400.
pub(super) fn validate(text: &[u8]) -> Option<String> {
    let mut host_len = text.len();
    let mut in_brackets = false;
    let mut last = None;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'.' if last == Some(b'.') => return None,
            b':' if !in_brackets && host_len == text.len() => host_len = at,
            b'[' if at == 0 => in_brackets = true,
            b']' => in_brackets = false,
            b'/' | 0..=b' ' | 0x7f => return None,
            _ => {}
        }
        last = Some(byte);
    }
    let host = &text[..host_len];
    let host = host.strip_suffix(b".").unwrap_or(host);
    (!host.is_empty()).then(|| String::from_utf8_lossy(host).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_lowered_and_loses_port_and_dot() {
        assert_eq!(validate(b"OnE.:80").as_deref(), Some("one"));
        assert_eq!(validate(b"[::1]:80").as_deref(), Some("[::1]"));
        for bad in [b"".as_slice(), b".", b"a..b", b"a/b", b"a b", b"a\x7f", b":80"] {
            assert_eq!(validate(bad), None, "{bad:?}");
        }
    }
}
