//! The number of the next connection: one count for a master and all of its workers, in memory that they share.
//!
//! # Source
//! `ngx_connection_counter` in `src/event/ngx_event.c` and `src/event/ngx_event_accept.c`, nginx 1.18 to 1.30.
#![expect(unsafe_code, reason = "memory that forks share has no safe form")]

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

/// The count; a fork shares it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter(&'static AtomicU32);

impl Counter {
    /// From 0 on. Where no memory can be shared, each fork counts for itself.
    pub(super) fn new() -> Self {
        let length = NonZeroUsize::MIN.saturating_add(size_of::<AtomicU32>() - 1);
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no other memory.
        let mapped = unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_SHARED) };
        Self(match mapped {
            // SAFETY: the mapping is zeroed, aligned to a page, large enough, and never unmapped.
            Ok(start) => unsafe { start.cast().as_ref() },
            Err(_) => Box::leak(Box::default()),
        })
    }

    /// The next number; the first is 1.
    pub(super) fn next(self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_counts_on() {
        let counter = Counter::new();
        assert_eq!(counter.next(), 1);

        // SAFETY: the child does nothing but count and exit.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                counter.next();
                super::super::process::exit(0)
            }
            nix::unistd::ForkResult::Parent { child } => {
                nix::sys::wait::waitpid(child, None).unwrap();
            }
        }

        assert_eq!(counter.next(), 3);
    }
}
