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
    "request_method",
    "request_uri",
    "scheme",
    "server_name",
    "server_port",
    "server_protocol",
    "uri",
];

/// `$http_user_agent` is the header `User-Agent`, `$arg_a` the argument `a`.
pub const PREFIXES: &[&str] = &["arg_", "http_"];

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
            let len = rest[name_from..]
                .bytes()
                .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
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
    pub(super) fn unknown(&self) -> Option<&str> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Literal(_) => None,
            Piece::Variable(name) => {
                let known = NAMES.contains(&name.as_str())
                    || PREFIXES.iter().any(|prefix| name.len() > prefix.len() && name.starts_with(prefix));
                (!known).then_some(name.as_str())
            }
        })
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
        assert_eq!(Template::compile("$nosuch").unwrap().unknown(), Some("nosuch"));
        assert_eq!(Template::compile("$http_x$arg_y").unwrap().unknown(), None);
    }
}
