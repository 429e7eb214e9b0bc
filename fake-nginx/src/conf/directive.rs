//! What a directive is: its name, where it may stand, what it takes, and whether the fake honours it.
//!
//! # Source
//! `ngx_conf_handler` and the `ngx_command_t` tables of the modules, nginx 1.18 to 1.30.

use std::fmt;

use super::accepted::ACCEPTED;
use super::gateways::GATEWAYS;
use super::honoured::HONOURED;
use super::modules::MODULES;
use crate::release::Version;

/// A set of places where a directive may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contexts(u16);

impl Contexts {
    /// Outside all blocks.
    pub const MAIN: Self = Self(1);
    /// `events`
    pub const EVENTS: Self = Self(2);
    /// `http`
    pub const HTTP: Self = Self(4);
    /// `server`
    pub const SERVER: Self = Self(8);
    /// `location`
    pub const LOCATION: Self = Self(16);
    /// `upstream`
    pub const UPSTREAM: Self = Self(32);
    /// `if` in a `server`
    pub const SERVER_IF: Self = Self(64);
    /// `if` in a `location`
    pub const LOCATION_IF: Self = Self(128);
    /// `limit_except`
    pub const LIMIT: Self = Self(256);
    /// `http`, `server` and `location`
    pub const WEB: Self = Self(4 | 8 | 16);
    /// Everywhere.
    pub const ANY: Self = Self(511);

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `other` is part of this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the places.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (Self::MAIN, "main"),
            (Self::EVENTS, "events"),
            (Self::HTTP, "http"),
            (Self::SERVER, "server"),
            (Self::LOCATION, "location"),
            (Self::UPSTREAM, "upstream"),
            (Self::SERVER_IF, "if in server"),
            (Self::LOCATION_IF, "if in location"),
            (Self::LIMIT, "limit_except"),
        ]
        .into_iter()
        .filter_map(move |(context, name)| self.contains(context).then_some(name))
    }
}

impl fmt::Display for Contexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().collect::<Vec<_>>().join(", "))
    }
}

/// What the arguments are, as far as a check needs no knowledge of the directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Anything.
    Text,
    /// Anything, and its own code checks it, repetition included.
    Own,
    /// `on` or `off`.
    Flag,
    /// A number.
    Number,
    /// A duration, kept in milliseconds.
    Milliseconds,
    /// A duration, kept in seconds.
    Seconds,
    /// A number of bytes.
    Size,
    /// A number of bytes that may be large.
    Offset,
    /// A block.
    Block,
}

/// Whether a directive has an effect on the fake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It does what it does in nginx.
    Honoured,
    /// It is checked and has no effect.
    Accepted,
}

impl Kind {
    /// The word in the printed table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Honoured => "honoured",
            Self::Accepted => "accepted without effect",
        }
    }
}

/// One directive that is not unknown.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// Its name.
    pub name: &'static str,
    /// Where it may stand.
    pub contexts: Contexts,
    /// The fewest arguments.
    pub arguments_min: usize,
    /// The most arguments.
    pub arguments_max: usize,
    /// What they are.
    pub takes: Takes,
    /// Whether it may stand several times in one block.
    pub repeats: bool,
    /// The first release that knows it; older ones call it unknown.
    pub since: Option<Version>,
    /// Its effect.
    pub kind: Kind,
}

impl Directive {
    /// A directive with one argument, at most once in a block, accepted without effect.
    pub(super) const fn one(name: &'static str, contexts: Contexts, takes: Takes) -> Self {
        Self {
            name,
            contexts,
            arguments_min: 1,
            arguments_max: 1,
            takes,
            repeats: false,
            since: None,
            kind: Kind::Accepted,
        }
    }

    /// A directive that its own code checks, with `min` to `max` arguments, as often as one likes.
    pub(super) const fn own(name: &'static str, contexts: Contexts, min: usize, max: usize) -> Self {
        let mut directive = Self::one(name, contexts, Takes::Own).many(min, max);
        directive.repeats = true;
        directive
    }

    /// A block with `min` to `max` arguments.
    pub(super) const fn block(name: &'static str, contexts: Contexts, min: usize, max: usize) -> Self {
        Self::one(name, contexts, Takes::Block).many(min, max)
    }

    /// The same with `min` to `max` arguments.
    pub(super) const fn many(mut self, min: usize, max: usize) -> Self {
        self.arguments_min = min;
        self.arguments_max = max;
        self
    }

    /// The same, as often as one likes.
    pub(super) const fn repeated(mut self) -> Self {
        self.repeats = true;
        self
    }

    /// The same, unknown before a release.
    pub(super) const fn since(mut self, major: u16, minor: u16, patch: u16) -> Self {
        self.since = Some(Version::new(major, minor, patch));
        self
    }

    /// The same, honoured.
    pub(super) const fn honoured(mut self) -> Self {
        self.kind = Kind::Honoured;
        self
    }
}

/// The table: every directive that is not unknown, the honoured ones first.
pub fn all() -> impl Iterator<Item = &'static Directive> {
    HONOURED.iter().chain(ACCEPTED).chain(GATEWAYS).chain(MODULES)
}

/// The directives called `name` that `version` knows; two when it means different things in different places.
pub(super) fn named(name: &str, version: Version) -> impl Iterator<Item = &'static Directive> {
    all().filter(move |directive| {
        directive.name == name && directive.since.is_none_or(|first| version >= first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_directive_is_listed_twice_for_one_place() {
        for directive in all() {
            let twins = all().filter(|other| {
                other.name == directive.name
                    && Contexts(other.contexts.0 & directive.contexts.0) != Contexts(0)
            });
            assert_eq!(twins.count(), 1, "{}", directive.name);
        }
    }
}
