//! The variable `NGINX`: the sockets that an old master leaves to its new binary.
//!
//! # Source
//! `ngx_add_inherited_sockets` and `ngx_exec_new_binary` in `src/core/nginx.c`, nginx 1.18 to 1.30.

use std::fmt::Write as _;

use super::cycle::Fd;
use super::names::Names;
use super::reply::Inherited;

/// Reads the variable. Numbers end with `;` or `:`; a last one without is dropped.
#[must_use]
pub fn parse(text: &str, names: &mut Names) -> Inherited {
    let mut inherited =
        Inherited { text: names.text(text), sockets: smallvec::SmallVec::new(), invalid: None };
    let mut rest = text;
    while let Some(end) = rest.find([';', ':']) {
        let number = &rest[..end];
        let Some(fd) = number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok()).flatten()
        else {
            inherited.invalid = Some((names.text(rest), true));
            return inherited;
        };
        inherited.sockets.push(Fd(fd));
        rest = &rest[end + 1..];
    }
    if !rest.is_empty() {
        inherited.invalid = Some((names.text(rest), false));
    }
    inherited
}

/// Writes the variable's value.
#[must_use]
pub fn render(sockets: &[Fd]) -> String {
    sockets.iter().fold(String::new(), |mut text, fd| {
        write!(text, "{};", fd.0).expect("a string takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// checks: U5
    #[test]
    fn numbers_end_with_semicolon_or_colon() {
        let mut names = Names::default();

        let inherited = parse("5;6:7;", &mut names);

        assert_eq!(inherited.sockets.as_slice(), [Fd(5), Fd(6), Fd(7)]);
        assert_eq!(inherited.invalid, None);
    }

    /// checks: U5
    #[test]
    fn a_last_number_without_separator_is_dropped() {
        let mut names = Names::default();

        let inherited = parse("5;6", &mut names);

        assert_eq!(inherited.sockets.as_slice(), [Fd(5)]);
        assert_eq!(inherited.invalid.map(|(text, ends)| (names.text_of(text), ends)), Some(("6", false)));
    }

    /// checks: U5
    #[test]
    fn a_word_stops_the_reading() {
        let mut names = Names::default();

        let inherited = parse("5;x;7;", &mut names);

        assert_eq!(inherited.sockets.as_slice(), [Fd(5)]);
        assert!(matches!(inherited.invalid, Some((_, true))));
    }

    #[test]
    fn what_is_rendered_is_read_again() {
        let sockets = [Fd(4), Fd(11)];

        assert_eq!(render(&sockets), "4;11;");
        assert_eq!(parse(&render(&sockets), &mut Names::default()).sockets.as_slice(), sockets);
    }
}
