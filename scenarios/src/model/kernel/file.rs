//! Files: paths that name inodes, and what these hold.

use fake_nginx::machine::{Errno, Pid, PidFile};
use smallvec::SmallVec;

/// File exists.
const EEXIST: Errno = Errno(17);

/// A path, by number. The first ones are fixed; a world may add its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub u8);

impl Path {
    /// `nginx.pid`
    pub const PID: Self = Self(0);
    /// `nginx.pid.oldbin`
    pub const OLDBIN: Self = Self(1);
    /// The binary that nginx executes.
    pub const BINARY: Self = Self(2);
    /// The staged new binary.
    pub const NEW: Self = Self(3);
    /// Where the orchestrator makes a name before it renames it over the binary.
    pub const BESIDE: Self = Self(4);
    /// The orchestrator's link to the new binary.
    pub const NEW_LINK: Self = Self(5);
    /// The configuration; its content is elsewhere.
    pub const CONF: Self = Self(6);
    /// The first path that is a world's own.
    pub const FIRST_OWN: Self = Self(7);

    /// The path of a pid file.
    #[must_use]
    pub const fn of(file: PidFile) -> Self {
        match file {
            PidFile::Normal(_) => Self::PID,
            PidFile::Oldbin(_) => Self::OLDBIN,
        }
    }
}

/// A file by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inode(pub u16);

impl Inode {
    /// A file that has no path here.
    pub const ELSEWHERE: Self = Self(0);
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// Nothing.
    Empty,
    /// A number and a line feed.
    Pid(Pid),
    /// One of the setting's binaries.
    Image(u8),
    /// Anything else.
    Garbage,
}

/// Everything that has a path, or is executed without one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Files {
    names: SmallVec<[(Path, Inode); 8]>,
    contents: SmallVec<[(Inode, Content); 8]>,
    /// Who has which file open for writing.
    writers: SmallVec<[(Pid, Inode); 1]>,
    last: u16,
}

impl Files {
    pub(super) fn new() -> Self {
        let mut files =
            Self { names: SmallVec::new(), contents: SmallVec::new(), writers: SmallVec::new(), last: 0 };
        files.create(Path::BINARY, Content::Image(0));
        files.create(Path::NEW, Content::Image(1));
        files.create(Path::CONF, Content::Garbage);
        files
    }

    /// The file at a path.
    #[must_use]
    pub fn at(&self, path: Path) -> Option<Inode> {
        self.names.iter().find(|(name, _)| *name == path).map(|&(_, inode)| inode)
    }

    /// What a file holds.
    #[must_use]
    pub fn content(&self, inode: Inode) -> Content {
        let found = self.contents.iter().find(|(known, _)| *known == inode);
        found.map_or(Content::Empty, |&(_, content)| content)
    }

    /// What the file at a path holds, if there is one.
    #[must_use]
    pub fn read(&self, path: Path) -> Option<Content> {
        self.at(path).map(|inode| self.content(inode))
    }

    /// open(2) with O_CREAT and O_TRUNC, and write(2): the inode stays if there is one.
    pub fn write(&mut self, path: Path, content: Content) {
        match self.at(path) {
            None => self.create(path, content),
            Some(inode) => self.fill(inode, content),
        }
    }

    /// A new file, whatever the path named before.
    pub fn create(&mut self, path: Path, content: Content) {
        self.last += 1;
        self.contents.push((Inode(self.last), content));
        self.name(path, Inode(self.last));
    }

    /// link(2).
    ///
    /// # Errors
    /// ENOENT: there is no file at `from`. EEXIST: there is one at `to`.
    pub fn link(&mut self, from: Path, to: Path) -> Result<(), Errno> {
        let inode = self.at(from).ok_or(Errno::ENOENT)?;
        if self.at(to).is_some() {
            return Err(EEXIST);
        }
        self.name(to, inode);
        Ok(())
    }

    /// rename(2).
    ///
    /// # Errors
    /// ENOENT: there is no file at `from`.
    pub fn rename(&mut self, from: Path, to: Path) -> Result<(), Errno> {
        let inode = self.at(from).ok_or(Errno::ENOENT)?;
        if self.at(to) == Some(inode) {
            // Two links to one file: rename(2) does nothing and says that all is well.
            return Ok(());
        }
        self.names.retain(|(name, _)| *name != from);
        self.name(to, inode);
        Ok(())
    }

    /// unlink(2).
    ///
    /// # Errors
    /// ENOENT: there is none.
    pub fn unlink(&mut self, path: Path) -> Result<(), Errno> {
        self.at(path).ok_or(Errno::ENOENT)?;
        self.names.retain(|(name, _)| *name != path);
        self.forget_unnamed_texts();
        Ok(())
    }

    /// The path names this file, whatever it named before.
    pub fn call(&mut self, path: Path, inode: Inode) {
        self.name(path, inode);
    }

    /// A part of what the file should hold is not on disk.
    pub fn tear(&mut self, inode: Inode) {
        self.fill(inode, Content::Garbage);
    }

    fn name(&mut self, path: Path, inode: Inode) {
        match self.names.iter_mut().find(|(name, _)| *name == path) {
            Some((_, named)) => *named = inode,
            None => self.names.push((path, inode)),
        }
        self.names.sort_unstable();
        self.forget_unnamed_texts();
    }

    /// Binaries may be executed still; anything else is gone without a name and a writer.
    fn forget_unnamed_texts(&mut self) {
        let Self { names, contents, writers, .. } = self;
        contents.retain(|(inode, content)| {
            matches!(content, Content::Image(_))
                || names.iter().any(|(_, named)| named == inode)
                || writers.iter().any(|(_, written)| written == inode)
        });
    }
}

/// Files that are open for writing.
impl Files {
    /// open(2) with O_CREAT and O_TRUNC.
    pub(super) fn open_for_writing(&mut self, by: Pid, path: Path) -> Inode {
        self.write(path, Content::Empty);
        let inode = self.at(path).expect("it was just written");
        self.writers.push((by, inode));
        inode
    }

    /// write(2) into an open file, whatever its name is now.
    pub(super) fn fill(&mut self, inode: Inode, content: Content) {
        if let Some((_, held)) = self.contents.iter_mut().find(|(known, _)| *known == inode) {
            *held = content;
        }
    }

    /// The child of a fork has open what its parent has.
    pub(super) fn copy_writers(&mut self, parent: Pid, child: Pid) {
        let own = |&&(by, _): &&(Pid, Inode)| by == parent;
        let copies: SmallVec<[Inode; 1]> = self.writers.iter().filter(own).map(|&(_, inode)| inode).collect();
        self.writers.extend(copies.into_iter().map(|inode| (child, inode)));
    }

    /// close(2) of whatever a process has open for writing.
    pub(super) fn close_all_of(&mut self, by: Pid) {
        if self.writers.iter().any(|&(writer, _)| writer == by) {
            self.writers.retain(|&mut (writer, _)| writer != by);
            self.forget_unnamed_texts();
        }
    }

    /// True while somebody may write into the file.
    #[must_use]
    pub fn is_open_for_writing(&self, inode: Inode) -> bool {
        self.writers.iter().any(|&(_, written)| written == inode)
    }

    /// Every name of a file.
    pub(super) fn names_of(&self, inode: Inode) -> impl Iterator<Item = Path> + '_ {
        self.names.iter().filter(move |(_, named)| *named == inode).map(|&(path, _)| path)
    }

    /// Every file with what it holds, those without a name included.
    pub(super) fn all(&self) -> impl Iterator<Item = (Inode, Content)> + '_ {
        self.contents.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_replaces_and_a_missing_file_is_told() {
        let mut files = Files::new();
        files.create(Path::PID, Content::Pid(Pid(7)));
        files.create(Path::OLDBIN, Content::Pid(Pid(3)));

        assert_eq!(files.rename(Path::PID, Path::OLDBIN), Ok(()));

        assert_eq!(files.read(Path::PID), None);
        assert_eq!(files.read(Path::OLDBIN), Some(Content::Pid(Pid(7))));
        assert_eq!(files.rename(Path::PID, Path::OLDBIN), Err(Errno::ENOENT));
        assert_eq!(files.unlink(Path::PID), Err(Errno::ENOENT));
    }

    #[test]
    fn writing_keeps_the_file_and_creating_makes_another() {
        let mut files = Files::new();
        files.write(Path::PID, Content::Empty);
        let first = files.at(Path::PID);

        files.write(Path::PID, Content::Pid(Pid(9)));
        assert_eq!(files.at(Path::PID), first);

        files.create(Path::PID, Content::Pid(Pid(9)));
        assert_ne!(files.at(Path::PID), first);
    }

    #[test]
    fn a_link_is_the_same_file_and_renaming_it_onto_itself_does_nothing() {
        let mut files = Files::new();

        files.link(Path::NEW, Path::NEW_LINK).unwrap();
        files.rename(Path::NEW_LINK, Path::NEW).unwrap();

        assert_eq!(files.at(Path::NEW), files.at(Path::NEW_LINK));
    }
}
