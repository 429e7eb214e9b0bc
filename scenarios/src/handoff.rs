//! How long a handoff took, read from its trace.
//!
//! # Units
//! Microseconds; fields end in `_us`.

use crate::trace::{Role, Trace, What};

/// The two times of one upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handoff {
    /// From the subject's begin to the first USR2: what it did while nothing was touched.
    pub before_us: u64,
    /// From the first USR2 to the old master's end.
    pub handoff_us: u64,
}

impl Handoff {
    /// The handoff of a trace; `None` if the first master got no USR2 or did not end.
    #[must_use]
    pub fn of(trace: &Trace) -> Option<Self> {
        let at = |pick: &dyn Fn(&What) -> bool| trace.events.iter().find(|e| pick(&e.what)).map(|e| e.at_us);
        let (_, _, old) = trace.select(master).next()?;
        let began = at(&|what| matches!(what, What::StepBegan { .. }))?;
        let usr2 =
            at(&|what| matches!(what, What::Signal { to, signal, .. } if *to == old && signal == "USR2"))?;
        let died = at(&|what| matches!(what, What::Died { pid, .. } if *pid == old))?;
        Some(Self { before_us: usr2.saturating_sub(began), handoff_us: died.saturating_sub(usr2) })
    }
}

fn master(what: &What) -> Option<u32> {
    if let What::Born { pid, role: Role::Master, .. } = what { Some(*pid) } else { None }
}
