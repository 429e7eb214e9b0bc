//! Regular expressions of locations and server names.
//!
//! PCRE without its UTF mode matches bytes. So that the same holds here, every byte is one character of the text
//! that is searched, and of the expression.
//!
//! # Source
//! `ngx_regex_compile` in `src/core/ngx_regex.c` and `ngx_http_regex_exec` in `src/http/ngx_http_variables.c`,
//! nginx 1.18 to 1.30; the texts of errors are those of PCRE 8.39 and PCRE2 10.42.
//! Where PCRE stopped depends on its own release: from 10.45 on it is behind what was wrong.

use std::sync::Arc;

use fancy_regex::{Regex, RegexBuilder};

use crate::release::{Profile, Version};

/// The first release that asks PCRE2 first.
const HAS_PCRE2: Version = Version::new(1, 21, 5);

/// An expression that compiles.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As written.
    pub text: String,
    /// Whether case is ignored.
    pub is_caseless: bool,
    regex: Arc<Regex>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.is_caseless) == (&other.text, other.is_caseless)
    }
}

impl Eq for Pattern {}

/// What a pattern has found: (`1` or a name, bytes).
pub type Captures = Vec<(String, Vec<u8>)>;

impl Pattern {
    /// Compiles `text`; the error is nginx's, without the place.
    pub(super) fn compile(text: &str, is_caseless: bool, profile: &Profile) -> Result<Self, String> {
        let found = RegexBuilder::new(&as_characters(text.as_bytes())).case_insensitive(is_caseless).build();
        match found {
            Ok(regex) => Ok(Self { text: text.to_owned(), is_caseless, regex: Arc::new(regex) }),
            Err(_) => Err(reason(text, profile.version >= HAS_PCRE2)),
        }
    }

    /// What it finds in `subject`; `None` if nothing. One that takes too long finds nothing.
    #[must_use]
    pub fn find(&self, subject: &[u8]) -> Option<Captures> {
        let subject = as_characters(subject);
        let found = self.regex.captures(&subject).ok().flatten()?;
        let numbered = (1..found.len().min(10)).map(|number| (number.to_string(), found.get(number)));
        let named = self.names().map(|name| (name.to_ascii_lowercase(), found.name(&name)));
        let captures = numbered.chain(named);
        Some(
            captures
                .map(|(name, part)| (name, part.map_or_else(Vec::new, |part| as_bytes(part.as_str()))))
                .collect(),
        )
    }

    /// The names of its captures.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.regex.capture_names().flatten().map(str::to_owned)
    }
}

fn as_characters(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn as_bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?')).collect()
}

/// Why PCRE does not take an expression, and where it stopped.
fn reason(text: &str, is_pcre2: bool) -> String {
    let (old, new, at) = mistake(text);
    let (call, why) = if is_pcre2 { ("pcre2_compile()", new) } else { ("pcre_compile()", old) };
    let rest = text.get(at..).unwrap_or_default();
    if rest.is_empty() {
        format!("{call} failed: {why} in \"{text}\"")
    } else {
        format!("{call} failed: {why} in \"{text}\" at \"{rest}\"")
    }
}

/// What PCRE and PCRE2 say, and the place.
fn mistake(text: &str) -> (&'static str, &'static str, usize) {
    let bytes = text.as_bytes();
    let (mut open, mut at) = (0_usize, 0);
    // Whether a quantifier may follow, and whether one has just stood here.
    let (mut can_repeat, mut has_repeated) = (false, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if at + 1 == bytes.len() => {
                return ("\\ at end of pattern", "\\ at end of pattern", bytes.len());
            }
            b'\\' => at += 1,
            b'[' => {
                let from = at + 1 + usize::from(bytes.get(at + 1) == Some(&b'^')) + 1;
                match bytes.iter().skip(from).position(|&byte| byte == b']') {
                    Some(len) => at = from + len,
                    None => {
                        let why = "missing terminating ] for character class";
                        return (why, why, bytes.len());
                    }
                }
            }
            b'(' if bytes[at..].starts_with(b"(?<") && is_name_cut(&bytes[at + 3..]) => {
                let old = "syntax error in subpattern name (missing terminator)";
                return (old, "syntax error in subpattern name (missing terminator?)", bytes.len());
            }
            b'(' => open += 1,
            b')' if open == 0 => return ("unmatched parentheses", "unmatched closing parenthesis", at),
            b')' => open -= 1,
            b'*' | b'+' | b'?' if !can_repeat || (has_repeated && byte == b'*') => {
                let is_group = byte == b'?' && at > 0 && bytes[at - 1] == b'(';
                if !is_group {
                    let why = "quantifier does not follow a repeatable item";
                    return ("nothing to repeat", why, at);
                }
            }
            _ => {}
        }
        let is_quantifier = b"*+?".contains(&byte);
        let is_start = matches!(byte, b'(' | b'|' | b'^');
        can_repeat = !is_start && (!is_quantifier || !has_repeated);
        has_repeated = is_quantifier;
        at += 1;
    }
    if open > 0 {
        return ("missing )", "missing closing parenthesis", bytes.len());
    }
    ("unrecognized character follows \\", "unrecognized character follows \\", bytes.len())
}

/// A name that runs to the end of the expression.
fn is_name_cut(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str, is_caseless: bool) -> Pattern {
        Pattern::compile(text, is_caseless, &Profile::of(Version::new(1, 26, 3))).unwrap()
    }

    #[test]
    fn bytes_are_matched_one_by_one() {
        let found = pattern("^/(.)(?<Rest>.*)$", false).find(b"/\xc3\xa9x").unwrap();
        let texts: Vec<_> = found.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        assert_eq!(texts, [("1", b"\xc3".as_slice()), ("2", b"\xa9x"), ("rest", b"\xa9x")]);
        assert!(pattern("\\.PHP$", true).find(b"/a.php").is_some());
        assert!(pattern("/\\.(?!well-known)", false).find(b"/.well-known/x").is_none());
    }
}
