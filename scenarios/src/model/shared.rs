//! Values that are shared and rarely change, each with a fingerprint that is computed once, so that hashing them
//! again costs nothing.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// Things by fingerprint. Nobody walks through it, so that its order does not matter.
#[expect(clippy::disallowed_types, reason = "it is looked up, never walked through")]
pub(super) type ByPrint<T> = std::collections::HashMap<u64, T, foldhash::fast::FixedState>;

/// 64 bits that stand for a value, the same in every run.
pub(super) fn fingerprint<T: Hash + ?Sized>(value: &T) -> u64 {
    foldhash::quality::FixedState::with_seed(1).hash_one(value)
}

/// A shared value. Its hash is that of its fingerprint.
#[derive(Debug)]
pub struct Shared<T>(Arc<Printed<T>>);

#[derive(Debug)]
struct Printed<T> {
    value: T,
    print: OnceLock<u64>,
}

impl<T: Clone> Clone for Printed<T> {
    /// Somebody is about to change the copy.
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), print: OnceLock::new() }
    }
}

impl<T> Shared<T> {
    /// Nobody shares it yet.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Arc::new(Printed { value, print: OnceLock::new() }))
    }
}

impl<T: Clone> Shared<T> {
    /// Changes it; whoever shares it keeps what was.
    pub fn make_mut(&mut self) -> &mut T {
        let printed = Arc::make_mut(&mut self.0);
        printed.print = OnceLock::new();
        &mut printed.value
    }
}

impl<T> std::ops::Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.value == other.0.value
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T: Hash> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(*self.0.print.get_or_init(|| fingerprint(&self.0.value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_changes_the_fingerprint_and_leaves_the_other_as_it_was() {
        let first = Shared::new(vec![1, 2]);
        let mut second = first.clone();
        assert_eq!(fingerprint(&first), fingerprint(&second));

        second.make_mut().push(3);

        assert_eq!(*first, [1, 2]);
        assert_ne!(fingerprint(&first), fingerprint(&second));
        assert_eq!(fingerprint(&second), fingerprint(&Shared::new(vec![1, 2, 3])));
    }

    /// Seeds, shards and reports are compared between runs, and next year.
    #[test]
    fn a_fingerprint_is_the_same_in_every_run() {
        assert_eq!(fingerprint(&(1_u8, "two")), fingerprint(&(1_u8, "two")));
        insta::assert_snapshot!(format!("{:016x}", fingerprint(&(1_u8, "two"))));
    }
}
