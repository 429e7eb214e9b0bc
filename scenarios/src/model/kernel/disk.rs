//! The disk: what is open for writing, and how much room is left.
//!
//! A file that is executed cannot be opened for writing, and a file that is open for writing cannot be executed.
//! What is written goes into the file that was opened, whatever its name is by then. On a full disk a file can be
//! created, emptied, renamed and linked; what cannot be had is room for what it should hold.
//!
//! # Source
//! `deny_write_access` and `get_write_access` in `fs/`, `begin_new_exec` in `fs/exec.c`, Linux 6.1; a full tmpfs.
//!
//! # Not modelled
//! A binary of which only a part was written: whether that can be executed lies in the part.

use fake_nginx::machine::{Errno, Pid};

use super::life::ETXTBSY;
use super::{Around, Content, Inode, Kernel, Path, Seen};

/// No space left on device.
const ENOSPC: Errno = Errno(28);
/// What a binary takes, in blocks: more than all pid files together.
pub const BINARY_BLOCKS: u32 = 1_000;

impl Kernel {
    /// open(2) with O_CREAT and O_TRUNC.
    ///
    /// # Errors
    /// ETXTBSY: it is being executed.
    pub fn open_for_writing(&mut self, by: Pid, path: Path, around: &mut Around<'_>) -> Result<Inode, Errno> {
        let is_executed = |inode| self.living().any(|process| process.exe == inode);
        if self.files.at(path).is_some_and(is_executed) {
            return Err(ETXTBSY);
        }
        let inode = self.files.open_for_writing(by, path);
        around.seen.push(Seen::File(path));
        Ok(inode)
    }

    /// write(2) of the whole content.
    ///
    /// # Errors
    /// ENOSPC: there is no room for it.
    pub fn write(&mut self, inode: Inode, content: Content, around: &mut Around<'_>) -> Result<(), Errno> {
        if self.free_blocks().is_some_and(|free| blocks(content) > free) {
            return Err(ENOSPC);
        }
        self.files.fill(inode, content);
        around.seen.extend(self.files.names_of(inode).map(Seen::File));
        Ok(())
    }

    /// close(2) of everything that `by` has open for writing.
    pub fn close_written(&mut self, by: Pid) {
        self.files.close_all_of(by);
    }

    /// From now on there is room for so many blocks more; `None`: for whatever comes. A pid file takes one.
    pub fn leave_room(&mut self, blocks: Option<u8>) {
        let used = self.used();
        self.room = blocks.map(|blocks| used + u32::from(blocks));
    }

    /// How many blocks are free; `None`: there is room for whatever comes.
    #[must_use]
    pub fn free_blocks(&self) -> Option<u32> {
        self.room.map(|room| room.saturating_sub(self.used()))
    }

    /// What all files take that have a name, are executed or are open for writing.
    fn used(&self) -> u32 {
        let is_there = |inode| {
            self.files.names_of(inode).next().is_some()
                || self.files.is_open_for_writing(inode)
                || self.living().any(|process| process.exe == inode)
        };
        self.files.all().filter(|&(inode, _)| is_there(inode)).map(|(_, content)| blocks(content)).sum()
    }
}

const fn blocks(content: Content) -> u32 {
    match content {
        Content::Empty => 0,
        Content::Pid(_) | Content::Garbage => 1,
        Content::Image(_) => BINARY_BLOCKS,
    }
}
