//! From the bytes of a connection to a request.
//!
//! # Source
//! `ngx_http_parse_request_line` and `ngx_http_parse_header_line` in `src/http/ngx_http_parse.c`,
//! `ngx_http_process_request_header` in `src/http/ngx_http_request.c`, nginx 1.21 to 1.30.

use super::types::{Body, Parsed, Request};
use super::{host, target};

/// One of nginx's large header buffers: the longest request line and the longest header.
const LINE_BYTES_MAX: usize = 8192;

/// All of nginx's large header buffers.
const HEAD_BYTES_MAX: usize = 4 * LINE_BYTES_MAX;

/// More headers are answered like headers that are too large.
const HEADERS_MAX: usize = 1000;

/// nginx's own status for headers that are too large; its page says 400.
const HEADER_TOO_LARGE: u16 = 494;

/// Takes what has arrived on a connection since the last request.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed {
    let skipped = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    let bytes = &bytes[skipped..];
    let method_len = bytes.iter().take_while(|byte| is_method_byte(**byte)).count();
    if bytes.get(method_len).is_some_and(|&byte| byte != b' ' || method_len == 0) {
        return Parsed::Bad(400);
    }
    let Some(line_len) = bytes.iter().position(|&byte| byte == b'\n') else {
        return if bytes.len() > LINE_BYTES_MAX { Parsed::Bad(414) } else { Parsed::Partial };
    };
    if line_len > LINE_BYTES_MAX {
        return Parsed::Bad(414);
    }
    let line = bytes[..line_len].strip_suffix(b"\r").unwrap_or(&bytes[..line_len]);
    match request_line(line) {
        Ok(request) if request.version == 9 => match finish(request) {
            Ok(request) => Parsed::Request(request, skipped + line_len + 1),
            Err(status) => Parsed::Bad(status),
        },
        Ok(request) => match headers(&bytes[line_len + 1..], request) {
            Ok(Some((request, len))) => Parsed::Request(request, skipped + line_len + 1 + len),
            Ok(None) => Parsed::Partial,
            Err(status) => Parsed::Bad(status),
        },
        Err(status) => Parsed::Bad(status),
    }
}

fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte == b'_' || byte == b'-'
}

/// A request without headers, or the status that refuses it.
fn request_line(line: &[u8]) -> Result<Request, u16> {
    let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let method = words.next().unwrap_or_default();
    let target = words.next().filter(|target| target[0] == b'/' || target[0].is_ascii_alphabetic());
    let target = target.ok_or(400_u16)?;
    let version = match (words.next(), words.next()) {
        // Of these requests only GET is one, but the page that refuses the others has no head either.
        (None, _) => 9,
        (Some(protocol), None) => version(protocol)?,
        _ => return Err(400),
    };
    Ok(Request {
        method: String::from_utf8_lossy(method).into_owned(),
        target: target.to_vec(),
        version,
        headers: Vec::new(),
        host: None,
        body: Body::None,
    })
}

/// `HTTP/1.1` is 11; a release of the protocol that nginx does not know is 505.
fn version(protocol: &[u8]) -> Result<u8, u16> {
    match protocol.strip_prefix(b"HTTP/").ok_or(400_u16)? {
        b"1.0" => Ok(10),
        // Whatever comes behind 1.1 is taken for it.
        [b'1', b'.', minor @ ..]
            if (1..=3).contains(&minor.len()) && minor.iter().all(u8::is_ascii_digit) =>
        {
            Ok(if minor.iter().all(|&digit| digit == b'0') { 10 } else { 11 })
        }
        [major @ b'2'..=b'9', ..] if major.is_ascii_digit() => Err(505),
        [b'1', b'0'..=b'9', ..] => Err(505),
        _ => Err(400),
    }
}

/// httparse is shown a line that it likes: which lines are right is nginx's to say.
const LINE: &[u8] = b"GET / HTTP/1.1\n";

/// The request with its headers and how long they are; `None` while it is not whole.
fn headers(bytes: &[u8], mut request: Request) -> Result<Option<(Request, usize)>, u16> {
    let bytes = [LINE, bytes].concat();
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    let mut room = vec![httparse::EMPTY_HEADER; lines.min(HEADERS_MAX + 2)];
    let mut parsed = httparse::Request::new(&mut room);
    let mut config = httparse::ParserConfig::default();
    config.allow_multiple_spaces_in_request_line_delimiters(true).ignore_invalid_headers_in_requests(true);
    let len = match config.parse_request(&mut parsed, &bytes) {
        Ok(httparse::Status::Complete(len)) => Some(len),
        Ok(httparse::Status::Partial) => None,
        Err(httparse::Error::TooManyHeaders) => return Err(HEADER_TOO_LARGE),
        Err(_) => return Err(400),
    };
    check_lines(&bytes[..len.unwrap_or(bytes.len())])?;
    let Some(len) = len else { return Ok(None) };
    request.headers =
        parsed.headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect();
    if request.headers.len() > HEADERS_MAX {
        return Err(HEADER_TOO_LARGE);
    }
    Ok(Some((finish(request)?, len - LINE.len())))
}

/// httparse passes over lines that it does not like; nginx refuses some of them.
fn check_lines(head: &[u8]) -> Result<(), u16> {
    if head.len() > HEAD_BYTES_MAX {
        return Err(HEADER_TOO_LARGE);
    }
    for line in head.split(|&byte| byte == b'\n').skip(1) {
        if line.len() > LINE_BYTES_MAX {
            return Err(HEADER_TOO_LARGE);
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(name_len) = line.iter().position(|&byte| byte == b':') else { continue };
        let name_is_bad = line[..name_len].iter().any(|&byte| byte <= b' ' || byte == 0x7f);
        if name_len == 0 || name_is_bad || line.iter().any(|byte| b"\0\r".contains(byte)) {
            return Err(400);
        }
    }
    if head
        .split(|&byte| byte == b'\n')
        .skip(1)
        .any(|line| line.first().is_some_and(|byte| b" \t".contains(byte)))
    {
        return Err(400);
    }
    Ok(())
}

/// What nginx checks once it has all headers.
fn finish(mut request: Request) -> Result<Request, u16> {
    if ["TRACE", "CONNECT"].contains(&request.method.as_str()) {
        return Err(405);
    }
    let target = target::split(&request.target).ok_or(400_u16)?;
    let mut hosts = request.values("host");
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host::validate(host).ok_or(400_u16)?),
        (None, _) if request.version < 11 => None,
        _ => return Err(400),
    };
    let of_target = target.host.map(|host| host::validate(host).ok_or(400_u16)).transpose()?;
    drop(hosts);
    request.host = of_target.or(named);
    request.body = body(&request)?;
    Ok(request)
}

fn body(request: &Request) -> Result<Body, u16> {
    let mut codings = request.values("transfer-encoding");
    let mut lengths = request.values("content-length");
    match (codings.next(), codings.next(), lengths.next(), lengths.next()) {
        (None, _, None, _) => Ok(Body::None),
        (None, _, Some(length), None) => {
            let digits = std::str::from_utf8(length).ok().filter(|text| !text.starts_with('+'));
            let length = digits
                .and_then(|text| text.parse::<i64>().ok())
                .and_then(|length| u64::try_from(length).ok());
            Ok(Body::Length(length.ok_or(400_u16)?))
        }
        (Some(_), None, None, _) if request.version < 11 => Err(400),
        (Some(coding), None, None, _) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunked),
        (Some(_), None, None, _) => Err(501),
        _ => Err(400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        match parse(text.as_bytes()) {
            Parsed::Request(request, len) if len == text.len() => request,
            other @ (Parsed::Partial | Parsed::Bad(_) | Parsed::Request(..)) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_partial_until_its_last_empty_line() {
        let whole = b"\r\nGET /a HTTP/1.1\r\nHost: one\r\n\r\nGET";
        for len in 0..whole.len() - 3 {
            assert_eq!(parse(&whole[..len]), Parsed::Partial, "{len}");
        }
        assert!(matches!(parse(whole), Parsed::Request(_, len) if len == whole.len() - 3));
    }

    #[test]
    fn a_target_with_a_host_outweighs_the_header() {
        let request = request("GET http://Two:80/x HTTP/1.1\nHost: one\n\n");
        assert_eq!((request.host.as_deref(), request.version), (Some("two"), 11));
    }

    #[test]
    fn bodies_are_told_by_their_length_or_in_chunks() {
        let body = |header: &str| request(&format!("POST / HTTP/1.1\r\nHost: a\r\n{header}\r\n\r\n")).body;
        assert_eq!(body("content-length: 3"), Body::Length(3));
        assert_eq!(body("Transfer-Encoding: Chunked"), Body::Chunked);
    }

    #[test]
    fn what_nginx_refuses_is_bad_as_soon_as_it_is_seen() {
        for (text, status) in [
            ("get", 400),
            ("\x16", 400),
            (" GET", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\n", 505),
            ("TRACE / HTTP/1.0\r\n\r\n", 405),
            ("GET / HTTP/1.1\r\nHost: a\r\nA B: c\r\n", 400),
        ] {
            assert_eq!(parse(text.as_bytes()), Parsed::Bad(status), "{text:?}");
        }
        assert_eq!(parse(format!("GET /{}", "a".repeat(9000)).as_bytes()), Parsed::Bad(414));
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nB: {}", "c".repeat(9000));
        assert_eq!(parse(long.as_bytes()), Parsed::Bad(494));
    }

    proptest::proptest! {
        /// Whatever a client sends, there is an answer to it.
        #[test]
        fn any_bytes_are_partial_bad_or_a_request(text in "(GET|P) ?/?[ -~\r\n]{0,80}") {
            if let Parsed::Request(_, len) = parse(text.as_bytes()) {
                proptest::prop_assert!(len <= text.len());
            }
        }
    }
}
