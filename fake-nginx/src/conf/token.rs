//! Bytes to directives: words, quotes, escapes, comments, and where each directive ends.
//!
//! # Source
//! `ngx_conf_read_token` in `src/core/ngx_conf_file.c`, nginx 1.18 to 1.30.

/// How many bytes one word of a file may have: nginx's read buffer.
const WORD_BYTES_MAX: usize = 4096;

/// What the next directive ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Words and a semicolon.
    Directive(Vec<String>),
    /// Words and an opening brace.
    BlockStart(Vec<String>),
    /// A closing brace.
    BlockDone,
    /// The end of the file or of the parameter of `-g`.
    Done,
}

/// One source of tokens, and the line that it has come to.
#[derive(Clone, Debug)]
pub(super) struct Tokenizer<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The current line, from 1.
    pub(super) line: usize,
    is_parameter: bool,
}

/// What quotes the word that is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Double,
    Single,
}

/// Where the reader stands within a directive.
struct State {
    words: Vec<String>,
    start: usize,
    start_line: usize,
    between_words: bool,
    after_quote: bool,
    escaped: bool,
    dollar: bool,
    comment: bool,
    quote: Quote,
}

impl<'a> Tokenizer<'a> {
    /// The tokens of a file.
    pub(super) fn of_file(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1, is_parameter: false }
    }

    /// The tokens of the parameter of `-g`.
    pub(super) fn of_parameter(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, line: 1, is_parameter: true }
    }

    /// The next token, or the text of the error, which belongs to [`Self::line`].
    pub(super) fn next(&mut self) -> Result<Token, String> {
        let mut state = State {
            words: Vec::new(),
            start: self.at,
            start_line: self.line,
            between_words: true,
            after_quote: false,
            escaped: false,
            dollar: false,
            comment: false,
            quote: Quote::None,
        };
        loop {
            let Some(&byte) = self.bytes.get(self.at) else {
                return self.at_end(&state).map(|()| Token::Done);
            };
            self.check_length(&state)?;
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                state.comment = false;
            }
            if state.comment {
                continue;
            }
            if state.escaped {
                state.escaped = false;
                continue;
            }
            let token = if state.after_quote {
                self.after_quote(&mut state, byte)?
            } else if state.between_words {
                self.between_words(&mut state, byte)?
            } else {
                self.in_word(&mut state, byte)
            };
            if let Some(token) = token {
                return Ok(token);
            }
        }
    }

    fn at_end(&self, state: &State) -> Result<(), String> {
        if state.words.is_empty() && state.between_words {
            return Ok(());
        }
        Err(if self.is_parameter {
            "unexpected end of parameter, expecting \";\"".to_owned()
        } else {
            "unexpected end of file, expecting \";\" or \"}\"".to_owned()
        })
    }

    fn check_length(&mut self, state: &State) -> Result<(), String> {
        let fits = self.at - state.start < WORD_BYTES_MAX || (state.between_words && !state.comment);
        if self.is_parameter || fits {
            return Ok(());
        }
        self.line = state.start_line;
        let quote = match state.quote {
            Quote::Double => '"',
            Quote::Single => '\'',
            Quote::None => {
                let head = String::from_utf8_lossy(&self.bytes[state.start..state.start + 10]);
                return Err(format!("too long parameter \"{head}...\" started"));
            }
        };
        Err(format!("too long parameter, probably missing terminating \"{quote}\" character"))
    }

    /// Right behind a closing quote only a blank, an end or a closing parenthesis may follow.
    fn after_quote(&mut self, state: &mut State, byte: u8) -> Result<Option<Token>, String> {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                state.between_words = true;
                state.after_quote = false;
                Ok(None)
            }
            b';' => Ok(Some(Token::Directive(std::mem::take(&mut state.words)))),
            b'{' => Ok(Some(Token::BlockStart(std::mem::take(&mut state.words)))),
            b')' => {
                state.after_quote = false;
                self.between_words(state, byte)
            }
            other => Err(unexpected(other)),
        }
    }

    fn between_words(&mut self, state: &mut State, byte: u8) -> Result<Option<Token>, String> {
        state.start = self.at - 1;
        state.start_line = self.line;
        state.between_words = true;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return Ok(None),
            b';' | b'{' if state.words.is_empty() => return Err(unexpected(byte)),
            b';' => return Ok(Some(Token::Directive(std::mem::take(&mut state.words)))),
            b'{' => return Ok(Some(Token::BlockStart(std::mem::take(&mut state.words)))),
            b'}' if state.words.is_empty() => return Ok(Some(Token::BlockDone)),
            b'}' => return Err(unexpected(byte)),
            b'#' => {
                state.comment = true;
                return Ok(None);
            }
            b'\\' => state.escaped = true,
            b'"' => {
                state.start += 1;
                state.quote = Quote::Double;
            }
            b'\'' => {
                state.start += 1;
                state.quote = Quote::Single;
            }
            b'$' => state.dollar = true,
            _ => {}
        }
        state.between_words = false;
        Ok(None)
    }

    fn in_word(&mut self, state: &mut State, byte: u8) -> Option<Token> {
        if byte == b'{' && state.dollar {
            return None;
        }
        state.dollar = false;
        match (byte, state.quote) {
            (b'\\', _) => state.escaped = true,
            (b'$', _) => state.dollar = true,
            (b'"', Quote::Double) | (b'\'', Quote::Single) => {
                state.quote = Quote::None;
                state.after_quote = true;
                self.push_word(state);
            }
            (b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{', Quote::None) => {
                state.between_words = true;
                self.push_word(state);
                match byte {
                    b';' => return Some(Token::Directive(std::mem::take(&mut state.words))),
                    b'{' => return Some(Token::BlockStart(std::mem::take(&mut state.words))),
                    _ => {}
                }
            }
            _ => {}
        }
        None
    }

    fn push_word(&self, state: &mut State) {
        let raw = &self.bytes[state.start..self.at - 1];
        state.words.push(String::from_utf8_lossy(&unescape(raw)).into_owned());
    }
}

fn unexpected(byte: u8) -> String {
    format!("unexpected \"{}\"", String::from_utf8_lossy(&[byte]))
}

/// Backslashes keep their meaning only before quotes, themselves, t, r and n.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut word = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let replaced = match (byte, bytes.peek()) {
            (b'\\', Some(&quoted @ (b'"' | b'\'' | b'\\'))) => Some(quoted),
            (b'\\', Some(b't')) => Some(b'\t'),
            (b'\\', Some(b'r')) => Some(b'\r'),
            (b'\\', Some(b'n')) => Some(b'\n'),
            _ => None,
        };
        if replaced.is_some() {
            bytes.next();
        }
        word.push(replaced.unwrap_or(byte));
    }
    word
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        match Tokenizer::of_file(text.as_bytes()).next() {
            Ok(Token::Directive(words) | Token::BlockStart(words)) => words,
            other => panic!("no directive: {other:?}"),
        }
    }

    #[test]
    fn words_are_split_at_blanks_and_keep_what_quotes_hold() {
        assert_eq!(words("a 'b c'\n\t\"d;{}\";"), ["a", "b c", "d;{}"]);
        assert_eq!(words("a b\"c\" # no comment inside\nd;"), ["a", "b\"c\"", "d"]);
        assert_eq!(words("a ${b}c{"), ["a", "${b}c"]);
    }

    #[test]
    fn escapes_are_those_of_nginx_and_no_others() {
        assert_eq!(words(r#"a "\"\\\n\q" \;b;"#), ["a", "\"\\\n\\q", "\\;b"]);
    }

    #[test]
    fn a_closing_parenthesis_may_follow_a_quote_and_starts_a_word() {
        assert_eq!(words("if (a \"b\");"), ["if", "(a", "b", ")"]);
    }

    #[test]
    fn an_error_belongs_to_the_line_where_the_reader_stands() {
        let mut tokens = Tokenizer::of_file(b"a\n\nb");
        assert_eq!(tokens.next(), Err("unexpected end of file, expecting \";\" or \"}\"".to_owned()));
        assert_eq!(tokens.line, 3);
    }

    proptest! {
        /// Whatever a file holds, the tokenizer ends, by an error or by reaching the end.
        #[test]
        fn any_bytes_are_tokens_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut tokens = Tokenizer::of_file(&bytes);
            let ended = (0..=bytes.len() + 1).any(|_| matches!(tokens.next(), Err(_) | Ok(Token::Done)));
            prop_assert!(ended);
        }

        /// The bytes that mean something to the tokenizer, more often than chance would have them.
        #[test]
        fn any_mixture_of_special_bytes_is_tokens_or_an_error(text in "[ \n;{}#\\\\\"'$)a]{0,60}") {
            let mut tokens = Tokenizer::of_parameter(text.as_bytes());
            let ended = (0..=text.len() + 1).any(|_| matches!(tokens.next(), Err(_) | Ok(Token::Done)));
            prop_assert!(ended);
        }
    }
}
