//! Texts with variables, such as the second argument of `return`.
//!
//! # Source
//! `ngx_http_script_compile` in `src/http/ngx_http_script.c` and `ngx_http_core_variables` in
//! `src/http/ngx_http_variables.c`, nginx 1.18 to 1.30.

/// The variables that the fake knows, beside those that begin with one of [`PREFIXES`].
pub const NAMES: &[&str] = &[
    "args",
    "connection",
    "connection_requests",
    "content_length",
    "content_type",
    "document_root",
    "document_uri",
    "host",
    "hostname",
    "https",
    "is_args",
    "nginx_version",
    "pid",
    "query_string",
    "remote_addr",
    "request",
    "request_filename",
    "request_method",
    "request_uri",
    "scheme",
    "server_name",
    "server_port",
    "server_protocol",
    "uri",
];

/// Variables of nginx that are empty in the fake.
const EMPTY_NAMES: &[&str] = &[
    "ancient_browser",
    "binary_remote_addr",
    "body_bytes_sent",
    "bytes_sent",
    "connection_time",
    "connections_active",
    "connections_reading",
    "connections_waiting",
    "connections_writing",
    "date_gmt",
    "date_local",
    "fastcgi_path_info",
    "fastcgi_script_name",
    "grpc_internal_trailers",
    "gzip_ratio",
    "http2",
    "http3",
    "invalid_referer",
    "limit_conn_status",
    "limit_rate",
    "limit_req_status",
    "memcached_key",
    "modern_browser",
    "msec",
    "msie",
    "pipe",
    "proxy_add_x_forwarded_for",
    "proxy_host",
    "proxy_internal_body_length",
    "proxy_port",
    "proxy_protocol_addr",
    "proxy_protocol_port",
    "proxy_protocol_server_addr",
    "proxy_protocol_server_port",
    "proxy_protocol_tlv_",
    "realip_remote_addr",
    "realip_remote_port",
    "realpath_root",
    "remote_port",
    "remote_user",
    "request_body",
    "request_body_file",
    "request_completion",
    "request_id",
    "request_length",
    "request_time",
    "secure_link",
    "secure_link_expires",
    "server_addr",
    "slice_range",
    "ssl_alpn_protocol",
    "ssl_cipher",
    "ssl_ciphers",
    "ssl_client_cert",
    "ssl_client_escaped_cert",
    "ssl_client_fingerprint",
    "ssl_client_i_dn",
    "ssl_client_i_dn_legacy",
    "ssl_client_raw_cert",
    "ssl_client_s_dn",
    "ssl_client_s_dn_legacy",
    "ssl_client_serial",
    "ssl_client_sigalg",
    "ssl_client_v_end",
    "ssl_client_v_remain",
    "ssl_client_v_start",
    "ssl_client_verify",
    "ssl_curve",
    "ssl_curves",
    "ssl_early_data",
    "ssl_ech_outer_server_name",
    "ssl_ech_status",
    "ssl_protocol",
    "ssl_server_name",
    "ssl_session_id",
    "ssl_session_reused",
    "ssl_sigalg",
    "status",
    "tcpinfo_rcv_space",
    "tcpinfo_rtt",
    "tcpinfo_rttvar",
    "tcpinfo_snd_cwnd",
    "time_iso8601",
    "time_local",
    "uid_got",
    "uid_reset",
    "uid_set",
    "upstream_addr",
    "upstream_bytes_received",
    "upstream_bytes_sent",
    "upstream_cache_status",
    "upstream_connect_time",
    "upstream_header_time",
    "upstream_last_server_name",
    "upstream_response_length",
    "upstream_response_time",
    "upstream_status",
];

/// `$http_user_agent` is the header `User-Agent`, `$arg_a` the argument `a`.
pub const PREFIXES: &[&str] = &["arg_", "http_"];

/// The same for those that are empty in the fake.
const EMPTY_PREFIXES: &[&str] =
    &["cookie_", "sent_http_", "sent_trailer_", "upstream_cookie_", "upstream_http_", "upstream_trailer_"];

/// A text in which `$name` and `${name}` stand for what is known when a request is answered.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Template {
    /// Literal pieces and variables, in order.
    pub pieces: Vec<Piece>,
}

/// One piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes as written.
    Literal(String),
    /// A variable's name without the dollar, in lower case.
    Variable(String),
}

impl Template {
    /// Splits `text`; the error is nginx's, without the place.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            if dollar > 0 {
                pieces.push(Piece::Literal(rest[..dollar].to_owned()));
            }
            rest = &rest[dollar + 1..];
            let has_bracket = rest.starts_with('{');
            let name_from = usize::from(has_bracket);
            let is_capture = rest.as_bytes().get(name_from).is_some_and(|byte| (b'1'..=b'9').contains(byte));
            let len = rest[name_from..]
                .bytes()
                .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
                .take(if is_capture { 1 } else { usize::MAX })
                .count();
            let name = &rest[name_from..name_from + len];
            let closes = rest[name_from + len..].starts_with('}');
            if has_bracket && !closes {
                return Err(format!("the closing bracket in \"{name}\" variable is missing"));
            }
            if name.is_empty() {
                return Err("invalid variable name".to_owned());
            }
            pieces.push(Piece::Variable(name.to_ascii_lowercase()));
            rest = &rest[name_from + len + name_from..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self { pieces })
    }

    /// The first variable that the fake does not know.
    pub(super) fn unknown(&self, defined: &[String]) -> Option<&str> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Variable(name) => {
                let known = NAMES.contains(&name.as_str())
                    || EMPTY_NAMES.contains(&name.as_str())
                    || EMPTY_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                    || name.as_bytes()[0].is_ascii_digit()
                    || defined.contains(name)
                    || PREFIXES.iter().any(|prefix| name.len() > prefix.len() && name.starts_with(prefix));
                (!known).then_some(name.as_str())
            }
        })
    }

    /// Whether it says something else for each request.
    #[must_use]
    pub fn has_variables(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Variable(_)))
    }

    /// The text, with `value` asked for each variable.
    pub fn render(&self, mut value: impl FnMut(&str) -> Vec<u8>) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.extend_from_slice(literal.as_bytes()),
                Piece::Variable(name) => text.extend(value(name)),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stand_bare_or_in_braces() {
        let text = Template::compile("a$pid-${uri}b$host").unwrap();
        assert_eq!(text.render(|name| format!("<{name}>").into_bytes()), b"a<pid>-<uri>b<host>");
    }

    #[test]
    fn a_variable_without_name_or_bracket_is_an_error() {
        assert_eq!(Template::compile("$"), Err("invalid variable name".to_owned()));
        assert_eq!(Template::compile("${}"), Err("invalid variable name".to_owned()));
        let missing = "the closing bracket in \"pid\" variable is missing".to_owned();
        assert_eq!(Template::compile("x${pid"), Err(missing));
        assert_eq!(Template::compile("$nosuch").unwrap().unknown(&[]), Some("nosuch"));
        assert_eq!(Template::compile("$http_x$arg_y").unwrap().unknown(&[]), None);
    }
}
