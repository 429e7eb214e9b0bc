//! The process title: written over the command line, as nginx does it on Linux.
//!
//! The room is that of the arguments and of the environment behind them; what the title leaves is NUL.
//!
//! # Source
//! `ngx_init_setproctitle` and `ngx_setproctitle` in `src/os/unix/ngx_setproctitle.c`, nginx 1.14 to 1.30.
#![expect(unsafe_code, reason = "a command line can only be changed by writing over it")]

use std::fs;

/// Where the command line and the environment lie.
#[derive(Debug)]
pub(super) struct Room {
    start: usize,
    length: usize,
}

impl Room {
    /// Looks it up. Whoever calls this has taken the environment out of the process.
    pub(super) fn find() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // Fields are counted from 1; the name, the second, may hold blanks.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<usize>().ok();
        let (start, end) = (field(48)?, field(51)?.max(field(49)?));
        (start != 0 && end > start).then(|| Self { start, length: end - start })
    }

    /// Changes the title.
    pub(super) fn write(&self, title: &str) {
        let title = title.as_bytes();
        let text = &title[..title.len().min(self.length - 1)];
        let room = std::ptr::with_exposed_provenance_mut::<u8>(self.start);
        // SAFETY: the kernel laid these bytes out for this process, they are writable, and nothing points into
        // them any more: the arguments were copied, the environment was cleared, there is one thread.
        unsafe {
            std::ptr::write_bytes(room, 0, self.length);
            std::ptr::copy_nonoverlapping(text.as_ptr(), room, text.len());
        }
    }
}
