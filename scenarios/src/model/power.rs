//! What a power failure leaves of what the orchestrator has written, and how the machine comes up again.
//!
//! A name is renamed and a file is filled at once for everybody who runs; on disk they are once somebody has asked for
//! that, and until then a power failure leaves either. So each write has two steps here: what everybody sees, and then
//! [`Unsynced`] is over. Who cannot lose power has only the first.
//!
//! # Source
//! POSIX.1-2017, `fsync()` and `rename()`: atomic for those who look, and for nobody else.
//!
//! # Not modelled
//! A journal of which only a part is on disk: it gets its name when its content is there. What others write: the
//! binaries from before, a package manager's file and the configuration are on disk. Of several names that were not
//! synced, the disk has the last, or the one from before all of them. The orchestrator's preflight is one step, so that
//! what it lays ready beside the binary is on disk, or by a deliberate mistake is not.

use orchestrator::machine::{Memory, Plan};
use smallvec::SmallVec;

use super::kernel::Inode;
use super::shared::Shared;

/// What the orchestrator has on disk.
pub(super) type Entry = Shared<(Plan, Memory)>;

/// What everybody sees, and the disk may not have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Unsynced {
    /// The file that the binary's path named before.
    pub(super) binary: Option<Inode>,
    /// The journal from before, if there was one.
    pub(super) journal: Option<Option<Entry>>,
    /// Files whose content may not be there.
    pub(super) copies: SmallVec<[Inode; 2]>,
}

/// How a machine comes up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Restart {
    /// The binary's path names what it named before.
    pub(super) forgets_name: bool,
    /// The journal is the one from before.
    pub(super) forgets_journal: bool,
    /// Copies hold only a part.
    pub(super) tears_copies: bool,
    /// Processes that are no nginx have all the numbers that nginx had; otherwise nginx has the same ones again.
    pub(super) gives_numbers_away: bool,
    /// Pid files lie on a disk, and not in a folder that begins empty.
    pub(super) keeps_pid_files: bool,
}

impl Restart {
    /// More than there can be.
    pub(super) const COUNT_MAX: u8 = 1 << 5;

    /// One of those that are possible, by number from 0; `None`: there are not so many.
    pub(super) fn nth(unsynced: Option<&Unsynced>, which: u8) -> Option<Self> {
        let is_there = |is_it: fn(&Unsynced) -> bool| unsynced.is_some_and(is_it);
        let mut left = which;
        let mut pick = |is_possible: bool| {
            let is_picked = is_possible && left & 1 == 1;
            left >>= u8::from(is_possible);
            is_picked
        };
        let restart = Self {
            forgets_name: pick(is_there(|unsynced| unsynced.binary.is_some())),
            forgets_journal: pick(is_there(|unsynced| unsynced.journal.is_some())),
            tears_copies: pick(is_there(|unsynced| !unsynced.copies.is_empty())),
            gives_numbers_away: pick(true),
            keeps_pid_files: pick(true),
        };
        (left == 0).then_some(restart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red when a way to come up is left out, or is there twice.
    #[test]
    fn what_is_not_on_disk_is_there_or_not() {
        let count = |unsynced: Option<&Unsynced>| {
            let all: Vec<_> = (0..=Restart::COUNT_MAX).map_while(|nth| Restart::nth(unsynced, nth)).collect();
            assert!(all.iter().enumerate().all(|(at, one)| !all[..at].contains(one)), "{all:?}");
            all.len()
        };
        let name = Unsynced { binary: Some(Inode(1)), ..Unsynced::default() };
        let all = Unsynced { journal: Some(None), copies: SmallVec::from_slice(&[Inode(2)]), ..name.clone() };
        assert_eq!([None, Some(&name), Some(&all)].map(count), [4, 8, 32]);
    }
}
