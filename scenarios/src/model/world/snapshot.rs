//! A world as a value: where it stands, and what its judge must remember, so that a walk over all interleavings
//! can come back to it.

use fake_nginx::machine::{ExitStatus, Pid};
use smallvec::SmallVec;

use super::{State, World};
use crate::model::excuses::Excuses;
use crate::model::fault::Fault;
use crate::model::kernel::is_nameless;

/// Everything that decides how a world goes on, and how what then happens is judged.
///
/// What went wrong already is not in it: who walks on from a world in which something is wrong has missed that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::model) struct Snapshot {
    /// Where it stands.
    pub(in crate::model) state: State,
    excuses: Excuses,
    struck: SmallVec<[Fault; 2]>,
    /// The faults that have struck; nobody asks in which order.
    pub(in crate::model) faults: SmallVec<[Fault; 2]>,
    has_changed: bool,
    statuses: SmallVec<[(Pid, ExitStatus); 4]>,
    cut: SmallVec<[u32; 8]>,
    meddling: Meddling,
    has_hidden_blow: bool,
    is_commanded: bool,
    is_locked: bool,
}

/// When the script last meddled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Meddling {
    Never,
    BeforeLastLook,
    SinceLastLook,
}

impl Meddling {
    /// Steps that say the same: of the last blow, and of a last look at step 1.
    const fn as_step(self) -> Option<u32> {
        match self {
            Self::Never => None,
            Self::BeforeLastLook => Some(LAST_LOOK - 1),
            Self::SinceLastLook => Some(LAST_LOOK),
        }
    }
}

const LAST_LOOK: u32 = 1;

impl World<'_> {
    /// Where it stands now.
    pub(in crate::model) fn snapshot(&self) -> Snapshot {
        let meddling = match self.last_kill {
            None => Meddling::Never,
            Some(step) if step >= self.last_look => Meddling::SinceLastLook,
            Some(_) => Meddling::BeforeLastLook,
        };
        let kernel = &self.state.kernel;
        // Who moved last only orders the ways.
        let state = State { last: None, ..self.state.clone() };
        let mut faults: SmallVec<[Fault; 2]> = self.counts.faults.iter().copied().collect();
        faults.sort_unstable();
        Snapshot {
            state,
            excuses: self.excuses.as_far_as_they_matter(kernel),
            struck: self.struck.clone(),
            faults,
            has_changed: self.has_changed,
            // Only who has started a program by hand asks for these.
            statuses: self.statuses.iter().copied().filter(|&(pid, _)| is_nameless(pid)).collect(),
            cut: self
                .cut
                .iter()
                .copied()
                .filter(|&id| kernel.connections().iter().any(|c| c.id == id))
                .collect(),
            meddling,
            has_hidden_blow: self.has_hidden_blow,
            is_commanded: self.is_commanded,
            is_locked: self.is_locked,
        }
    }

    /// Goes on from there; nothing has been wrong yet.
    pub(in crate::model) fn restore(&mut self, snapshot: &Snapshot) {
        self.state.clone_from(&snapshot.state);
        self.excuses.clone_from(&snapshot.excuses);
        self.struck.clone_from(&snapshot.struck);
        self.counts.faults.clear();
        self.counts.faults.extend(snapshot.faults.iter().copied());
        self.counts.steps = LAST_LOOK;
        self.counts.lost = 0;
        self.has_changed = snapshot.has_changed;
        self.statuses.clone_from(&snapshot.statuses);
        self.cut.clone_from(&snapshot.cut);
        self.last_kill = snapshot.meddling.as_step();
        self.last_look = LAST_LOOK;
        self.has_hidden_blow = snapshot.has_hidden_blow;
        self.is_commanded = snapshot.is_commanded;
        self.is_locked = snapshot.is_locked;
        self.first_gap = None;
        self.first_loss = None;
        self.first_stranger = None;
        self.first_beside = None;
        self.first_wrong_start = None;
        self.has_lost_power = false;
    }
    /// What comes of this; afterwards everything is as it was, but that something may have been wrong.
    pub(in crate::model) fn aside<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.snapshot();
        let (counts, record) = (self.counts.clone(), self.record.clone());
        let (last, last_kill, last_look) = (self.state.last, self.last_kill, self.last_look);
        let come = act(self);
        self.restore(&before);
        (self.counts, self.record) = (counts, record);
        (self.state.last, self.last_kill, self.last_look) = (last, last_kill, last_look);
        come
    }
}
