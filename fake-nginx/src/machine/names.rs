//! Interned paths, addresses and texts: a machine's state holds numbers, and log lines look the words up.

use crate::conf::Address;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);
    };
}

number!(
    /// A path in [`Names`].
    PathId
);
number!(
    /// A socket address in [`Names`]; equal addresses have equal numbers.
    AddressId
);
number!(
    /// A text in [`Names`].
    TextId
);
number!(
    /// A configuration that was read, counted from 0 by whoever carries out the effects.
    ConfId
);

/// The words behind the numbers. It only grows.
#[derive(Clone, Debug, Default)]
pub struct Names {
    paths: Vec<String>,
    addresses: Vec<Address>,
    texts: Vec<String>,
    /// The program's name as it was started.
    pub argv0: String,
    /// The release, `1.26.3`.
    pub version: String,
}

impl Names {
    /// The number of `path`.
    pub fn path(&mut self, path: &str) -> PathId {
        PathId(intern(&mut self.paths, path, |known| known == path, str::to_owned))
    }

    /// The number of `address`.
    pub fn address(&mut self, address: &Address) -> AddressId {
        AddressId(intern(&mut self.addresses, address, |known| known == address, Address::clone))
    }

    /// The number of `text`.
    pub fn text(&mut self, text: &str) -> TextId {
        TextId(intern(&mut self.texts, text, |known| known == text, str::to_owned))
    }

    /// The path behind a number.
    #[must_use]
    pub fn path_of(&self, id: PathId) -> &str {
        &self.paths[usize::from(id.0)]
    }

    /// The address behind a number.
    #[must_use]
    pub fn address_of(&self, id: AddressId) -> &Address {
        &self.addresses[usize::from(id.0)]
    }

    /// The text behind a number.
    #[must_use]
    pub fn text_of(&self, id: TextId) -> &str {
        &self.texts[usize::from(id.0)]
    }
}

fn intern<T, Q: ?Sized>(
    known: &mut Vec<T>,
    wanted: &Q,
    is_wanted: impl Fn(&T) -> bool,
    own: impl Fn(&Q) -> T,
) -> u16 {
    let index = known.iter().position(is_wanted).unwrap_or_else(|| {
        known.push(own(wanted));
        known.len() - 1
    });
    u16::try_from(index).expect("a process meets fewer than 65536 names")
}
