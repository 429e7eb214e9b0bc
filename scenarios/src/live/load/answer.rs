//! An answer of nginx, as far as it has come.

/// What has come of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// There is more to come.
    Partial,
    /// All of it is there.
    Whole {
        /// The status code.
        status: u16,
        /// True if the server will close the connection.
        closes: bool,
        /// The worker, from the body.
        pid: Option<u32>,
        /// The release, from the body.
        version: Option<String>,
    },
    /// This is not HTTP.
    Garbage,
}

/// Reads an answer; `has_ended` if the server has closed the connection.
pub(super) fn read(bytes: &[u8], has_ended: bool) -> Answer {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let head_length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Answer::Partial,
        Err(_) => return Answer::Garbage,
    };
    let Some(status) = head.code else { return Answer::Garbage };
    let value = |name: &str| {
        let header = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok()
    };
    let body = &bytes[head_length..];
    let is_whole = match value("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None => has_ended,
    };
    if !is_whole {
        return Answer::Partial;
    }
    let closes = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let first_line = body.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut words = std::str::from_utf8(first_line).unwrap_or_default().split(' ');
    let pid = words.next().and_then(|word| word.parse().ok());
    let version = pid.and_then(|_: u32| words.next()).map(str::to_owned);
    Answer::Whole { status, closes, pid, version }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";

    #[test]
    fn a_whole_answer_tells_who_answered() {
        let answer = read(format!("{HEAD}17 1.26.3\n").as_bytes(), false);
        let (pid, version) = (Some(17), Some("1.26.3".to_owned()));
        assert_eq!(answer, Answer::Whole { status: 200, closes: true, pid, version });
    }

    #[test]
    fn an_answer_is_partial_until_its_last_byte() {
        assert_eq!(read(format!("{HEAD}17 1.26.3").as_bytes(), true), Answer::Partial);
        assert_eq!(read(&HEAD.as_bytes()[..20], false), Answer::Partial);
        assert_eq!(read(b"220 smtp ready\r\n", false), Answer::Garbage);
    }

    #[test]
    fn without_a_length_the_end_of_the_connection_is_the_end_of_the_answer() {
        let text = b"HTTP/1.1 502 Bad Gateway\r\n\r\n<html>";
        assert_eq!(read(text, false), Answer::Partial);
        assert_eq!(read(text, true), Answer::Whole { status: 502, closes: false, pid: None, version: None });
    }
}
