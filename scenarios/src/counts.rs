//! How often each thing came, by its name.

use std::collections::BTreeMap;

/// One more. A name is copied only when it comes for the first time.
pub(crate) fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}
