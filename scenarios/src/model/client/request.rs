//! Requests as their clients see them.

use crate::trace::{Fate, Kind};

/// A client that asks again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lasting {
    pub(super) kind: Kind,
    pub(super) connection: Option<u32>,
    /// When it asks next; `None` while it waits for an answer.
    pub(super) next_us: Option<u64>,
    pub(super) was_served: bool,
}

/// A request, or the connection behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) connection: u32,
    pub(super) client: Option<u8>,
    pub(super) kind: Kind,
    pub(super) nth: u32,
    pub(super) started_us: u64,
    pub(super) stand: Stand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Stand {
    Busy,
    Idle,
    /// Answered; the server closes.
    Leaving,
}

/// A request that has ended, as its client tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Its connection; 0 for one that was refused.
    pub connection: u32,
    /// Which on its connection, from 1.
    pub nth: u32,
    /// What kind of client.
    pub kind: Kind,
    /// When it began.
    pub started_us: u64,
    /// How it ended.
    pub fate: Ended,
    /// Who answered: pid and image.
    pub by: Option<(u32, u8)>,
}

impl End {
    /// True if the client would report an error.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        match self.fate {
            Ended::Served | Ended::KeepAliveRace => false,
            Ended::Refused | Ended::Dropped | Ended::Truncated | Ended::TimedOut | Ended::Unfinished => true,
        }
    }
}

/// [`Fate`], without a status and cheap to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "they are `Fate`'s")]
pub enum Ended {
    Served,
    Refused,
    Dropped,
    KeepAliveRace,
    Truncated,
    TimedOut,
    Unfinished,
}

impl From<Ended> for Fate {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Served => Self::Served { status: 200 },
            Ended::Refused => Self::Refused,
            Ended::Dropped => Self::Dropped,
            Ended::KeepAliveRace => Self::KeepAliveRace,
            Ended::Truncated => Self::Truncated,
            Ended::TimedOut => Self::TimedOut,
            Ended::Unfinished => Self::Unfinished,
        }
    }
}

impl Lasting {
    pub(super) const fn new(kind: Kind, now_us: u64) -> Self {
        Self { kind, connection: None, next_us: Some(now_us), was_served: false }
    }
}

impl Asked {
    pub(super) const fn end(&self, fate: Ended, by: Option<(u32, u8)>) -> End {
        let &Self { connection, kind, nth, started_us, .. } = self;
        End { connection, nth, kind, started_us, fate, by }
    }
}
