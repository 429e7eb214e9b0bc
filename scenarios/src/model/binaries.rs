//! The new binaries of random scripts, and what follows from each by itself.

use fake_nginx::fault::Fault;
use fake_nginx::machine::Signal;

use super::script::Script;

/// What kind of binary comes: every kind of fault but workers that are started again for ever, which never rest.
pub const BINARIES: [Option<Fault>; 14] = [
    None,
    Some(Fault::ExitsAtStart { status: 1 }),
    Some(Fault::LoadsThenFails { load_ms: 1_000, status: 1 }),
    Some(Fault::LoadsThenServes { load_ms: 1_000 }),
    // Longer than the orchestrator waits.
    Some(Fault::LoadsThenServes { load_ms: 100_000 }),
    Some(Fault::HangsAtStart),
    Some(Fault::FailsTest { status: 1 }),
    Some(Fault::DiesAfter { serve_ms: 1_000, status: 1 }),
    Some(Fault::LosesSignal { signal: Signal::Winch }),
    Some(Fault::LosesSignal { signal: Signal::Quit }),
    Some(Fault::WorkersExitAtStart { live_ms: 100, status: 2 }),
    Some(Fault::WorkersExitAfter { requests: 3, status: 1 }),
    Some(Fault::NeverDrains),
    Some(Fault::Answers { code: 503 }),
];

/// Which of a setting's images a package manager brings, in a setting that has one: behind the old binary and the new.
pub(super) const PACKAGED: u8 = 2;

impl Script {
    /// What the new binary does wrong, in the words of a stamp.
    #[must_use]
    pub fn new_binary(&self) -> String {
        BINARIES[self.binary].map_or_else(|| "sound".to_owned(), |fault| fault.to_string())
    }

    /// True if the new master ends by itself some time, which no command can know beforehand.
    pub(super) fn has_mortal_master(&self) -> bool {
        matches!(BINARIES[self.binary], Some(Fault::DiesAfter { .. }))
    }

    /// True if every new worker ends by itself again and again.
    pub(super) fn has_mortal_workers(&self) -> bool {
        matches!(BINARIES[self.binary], Some(Fault::WorkersExitAfter { .. }))
    }

    /// True if the new master never hears of WINCH.
    pub(super) fn loses_winch(&self) -> bool {
        BINARIES[self.binary] == Some(Fault::LosesSignal { signal: Signal::Winch })
    }

    /// True if the new workers never end by themselves once they drain.
    pub(super) fn never_drains(&self) -> bool {
        BINARIES[self.binary] == Some(Fault::NeverDrains)
    }
}
