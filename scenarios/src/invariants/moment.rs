//! The moments that a scenario can ask for.

/// A named moment.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// `actor.moment`, stable for ever.
    pub name: &'static str,
    /// When it is reached.
    pub sentence: &'static str,
}

/// Every moment that a file can ask for.
pub const MOMENTS: &[Moment] = &[
    Moment { name: "new-master.born", sentence: "a master of a later generation was seen" },
    Moment { name: "new-master.answers", sentence: "a worker of a later generation answered a request" },
    Moment {
        name: "new-master.died",
        sentence: "a master of a later generation died while an older one lived",
    },
    Moment { name: "old-workers.draining", sentence: "an old worker drained while a new master lived" },
    Moment {
        name: "old-workers.gone",
        sentence: "the old master lived beside a new one and had no workers any more",
    },
    Moment {
        name: "old-workers.restored",
        sentence: "the old master had workers again after it had had none that accepted",
    },
    Moment { name: "old-master.exited", sentence: "the old master died while a new one lived" },
    Moment {
        name: "both-releases.answer",
        sentence: "an old worker answered a request after a new one had answered",
    },
    Moment { name: "slow-request.in-a-drain", sentence: "a worker drained while it answered a slow request" },
    Moment { name: "binary.replaced", sentence: "the file at the binary's path became the new release" },
    Moment {
        name: "binary.restored",
        sentence: "the file at the binary's path became the old release again",
    },
];
