//! The target of a request: scheme, host, path without detours, arguments.
//!
//! # Source
//! `ngx_http_parse_request_line` and `ngx_http_parse_complex_uri` in `src/http/ngx_http_parse.c`, nginx 1.21 to
//! 1.30.

/// A target, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The host of an absolute target, with port.
    pub(super) host: Option<&'a [u8]>,
    /// From the path on, as sent: `$request_uri`.
    pub(super) unparsed: &'a [u8],
    /// Decoded, with slashes merged and dots resolved: `$uri`.
    pub(super) path: Vec<u8>,
    /// Behind the question mark, as sent: `$args`.
    pub(super) args: &'a [u8],
}

/// Takes a target apart; `None` when nginx answers 400.
pub(super) fn split(target: &[u8]) -> Option<Target<'_>> {
    if target.iter().any(|&byte| byte <= b' ' || byte == 0x7f) {
        return None;
    }
    let (host, unparsed) = match target.first()? {
        b'/' => (None, target),
        byte if byte.is_ascii_alphabetic() => absolute(target)?,
        _ => return None,
    };
    let end = unparsed.iter().position(|byte| b"?#".contains(byte)).unwrap_or(unparsed.len());
    let args = match unparsed.get(end) {
        Some(b'?') => &unparsed[end + 1..],
        _ => &[],
    };
    let args_end = args.iter().position(|&byte| byte == b'#').unwrap_or(args.len());
    Some(Target { host, unparsed, path: resolve(&decode(&unparsed[..end])?)?, args: &args[..args_end] })
}

/// `http://host:80/path`
fn absolute(target: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let scheme_len =
        target.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    let rest = target[scheme_len..].strip_prefix(b"://")?;
    let host_len = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let (host, path) = rest.split_at(host_len);
    let path = if path.is_empty() { b"/".as_slice() } else { path };
    (!host.is_empty()).then_some((Some(host), path))
}

fn decode(path: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || u8::try_from(char::from(*bytes.next()?).to_digit(16)?).ok();
        let byte = digit()? * 16 + digit()?;
        if byte == 0 {
            return None;
        }
        decoded.push(byte);
    }
    Some(decoded)
}

/// Merges slashes and follows dots; above the root there is nothing.
fn resolve(path: &[u8]) -> Option<Vec<u8>> {
    let mut names: Vec<&[u8]> = Vec::new();
    let mut is_folder = true;
    for name in path.split(|&byte| byte == b'/') {
        is_folder = matches!(name, b"" | b"." | b"..");
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    let mut resolved = Vec::from(b"/");
    resolved.extend(names.join(&b'/'));
    if is_folder && !names.is_empty() {
        resolved.push(b'/');
    }
    Some(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_merged_and_resolved() {
        let path =
            |target: &str| split(target.as_bytes()).map(|target| String::from_utf8(target.path).unwrap());
        for (target, expected) in [
            ("//a//b/../c?x=1", "/a/c"),
            ("/a%20b", "/a b"),
            ("/a#b", "/a"),
            ("/a/..", "/"),
            ("/.", "/"),
            ("/a%2e%2e/x", "/a../x"),
            ("/a//", "/a/"),
            ("/%3f", "/?"),
            ("http://one", "/"),
            ("http://one:80/q?z", "/q"),
        ] {
            assert_eq!(path(target).as_deref(), Some(expected), "{target}");
        }
        for target in
            ["/..", "/%2e%2e/x", "/a/../..", "/a%", "/a%zz", "/%00", "*", "x", "http:///x", "/a b", ""]
        {
            assert_eq!(path(target), None, "{target}");
        }
    }

    #[test]
    fn arguments_end_at_a_fragment() {
        let target = split(b"/a?b?c#d").unwrap();
        assert_eq!((target.args, target.unparsed), (b"b?c".as_slice(), b"/a?b?c#d".as_slice()));
    }
}
