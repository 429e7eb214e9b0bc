//! A small trace, built word by word.

use std::collections::BTreeSet;

use super::excuse::STRUCK;
use super::{Finding, INVARIANTS};
use crate::scenario::{Claim, WorldKind};
use crate::trace::{
    Content, Event, Evidence, Exit, Fate, Header, Kind, PidFile, Request, Role, SCHEMA, Trace, What,
};

/// A trace under construction; times are milliseconds.
///
/// It begins with master 10 of release 1.22.1, its workers 11 and 12, its pid file and its binary.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) trace: Trace,
}

/// What one invariant says to it, by name.
pub(crate) fn judge(name: &str, run: &Run) -> Finding {
    let invariant = INVARIANTS.iter().find(|invariant| invariant.name == name).expect("in the list");
    invariant.judge(&run.trace)
}

impl Run {
    pub(crate) fn new() -> Self {
        let header = Header {
            schema: SCHEMA,
            scenario: "story".into(),
            world: WorldKind::Fake,
            old: "1.22.1".into(),
            new: "1.26.3".into(),
            workers: (2, 2),
            seed: 0,
            isolation: "namespaces".into(),
            replay: "oldbin-lab run story --world fake --seed 0".into(),
            blind_to: BTreeSet::new(),
        };
        Self { trace: Trace { header, events: Vec::new() } }
            .master(0, 10, 1, 1, "1.22.1")
            .worker(0, 11, 10)
            .worker(0, 12, 10)
            .file(0, PidFile::Current, Content::Pid(10))
            .binary(0, "1.22.1")
    }

    pub(crate) fn push(mut self, ms: u64, what: What) -> Self {
        self.trace.events.push(Event { at_us: ms * 1000, what });
        self
    }

    /// The position of the last event.
    pub(crate) fn last(&self) -> usize {
        self.trace.events.len() - 1
    }

    pub(crate) fn blind_to(mut self, evidence: Evidence) -> Self {
        self.trace.header.blind_to.insert(evidence);
        self
    }

    pub(crate) fn master(self, ms: u64, pid: u32, parent: u32, generation: u32, version: &str) -> Self {
        let version = Some(version.to_owned());
        self.push(ms, What::Born { pid, parent, role: Role::Master, generation, version })
    }

    /// A worker of the generation that its number tells: 13 is of generation 1, 23 of generation 2.
    pub(crate) fn worker(self, ms: u64, pid: u32, parent: u32) -> Self {
        let generation = pid / 10;
        let version = Some(if generation == 1 { "1.22.1" } else { "1.26.3" }.to_owned());
        self.push(ms, What::Born { pid, parent, role: Role::Worker, generation, version })
    }

    /// Master 20 of release 1.26.3 with its workers 21 and 22.
    pub(crate) fn new_generation(self, ms: u64) -> Self {
        self.master(ms, 20, 10, 2, "1.26.3").worker(ms + 1, 21, 20).worker(ms + 1, 22, 20)
    }

    pub(crate) fn drains(self, ms: u64, pid: u32) -> Self {
        self.push(ms, What::Draining { pid })
    }

    pub(crate) fn died(self, ms: u64, pid: u32, exit: Option<Exit>) -> Self {
        self.push(ms, What::Died { pid, exit })
    }

    pub(crate) fn signal(self, ms: u64, to: u32, signal: &str) -> Self {
        self.push(ms, What::Signal { from: None, to, signal: signal.into(), arrived: false })
    }

    /// The receiver's log tells of it.
    pub(crate) fn arrives(self, ms: u64, to: u32, signal: &str) -> Self {
        self.push(ms, What::Signal { from: None, to, signal: signal.into(), arrived: true })
    }

    pub(crate) fn file(self, ms: u64, file: PidFile, content: Content) -> Self {
        self.push(ms, What::PidFile { file, content })
    }

    pub(crate) fn binary(self, ms: u64, version: &str) -> Self {
        self.push(ms, What::Binary { version: Some(version.into()) })
    }

    pub(crate) fn step(self, ms: u64, step: u32, text: &str) -> Self {
        self.push(ms, What::StepBegan { step, text: text.into() })
    }

    pub(crate) fn log(self, ms: u64, pid: u32, text: &str) -> Self {
        self.push(ms, What::Log { pid, level: "notice".into(), text: text.into() })
    }

    pub(crate) fn claims(self, ms: u64, claim: Claim) -> Self {
        self.claims_but_should(ms, claim, claim)
    }

    pub(crate) fn claims_but_should(self, ms: u64, claim: Claim, expected: Claim) -> Self {
        let acts =
            self.trace.events.iter().filter(|event| matches!(event.what, What::Claimed { .. })).count();
        let act = u32::try_from(acts).expect("few acts") + 1;
        self.push(ms, What::Claimed { act, claim, expected, exit_code: Some(0), said: "said\n".into() })
    }

    pub(crate) fn moment(self, ms: u64, name: &str) -> Self {
        self.push(ms, What::Moment { name: name.into() })
    }

    /// The laboratory sends a signal, which is the fault of this name.
    pub(crate) fn struck(self, ms: u64, to: u32, signal: &str, fault: &str) -> Self {
        self.signal(ms, to, signal).moment(ms, &format!("{STRUCK}{fault}"))
    }

    pub(crate) fn accepts(self, ms: u64, pid: u32) -> Self {
        self.push(ms, What::Listening { pid, address: "127.0.0.1:80".into(), accepting: true })
    }

    /// The same, where both generations run one release.
    pub(crate) fn of_one_release(self) -> Self {
        let one = self.trace.header.new.clone();
        let mut run = self.with_versions(Some(one.clone()));
        run.trace.header.old.clone_from(&one);
        for event in &mut run.trace.events {
            if let What::Binary { version } = &mut event.what {
                *version = Some(one.clone());
            }
        }
        run
    }

    /// The same, where every process tells this version.
    pub(crate) fn with_versions(mut self, told: Option<String>) -> Self {
        for event in &mut self.trace.events {
            if let What::Born { version, .. } = &mut event.what {
                version.clone_from(&told);
            }
        }
        self
    }

    pub(crate) fn rest(self, ms: u64) -> Self {
        self.push(ms, What::Quiescent)
    }

    /// A request that took a millisecond.
    pub(crate) fn request(self, ms: u64, kind: Kind, pid: Option<u32>, fate: Fate) -> Self {
        self.asked(ms.saturating_sub(1), ms, kind, pid, fate)
    }

    pub(crate) fn served(self, ms: u64, kind: Kind, pid: u32) -> Self {
        self.request(ms, kind, Some(pid), Fate::Served { status: 200 })
    }

    /// A slow request from one time to another.
    pub(crate) fn slow(self, from_ms: u64, to_ms: u64, pid: u32) -> Self {
        self.asked(from_ms, to_ms, Kind::Slow, Some(pid), Fate::Served { status: 200 })
    }

    fn asked(self, from_ms: u64, to_ms: u64, kind: Kind, pid: Option<u32>, fate: Fate) -> Self {
        let version = pid.map(|pid| if pid / 10 == 1 { "1.22.1".into() } else { "1.26.3".into() });
        let connection = u32::try_from(self.trace.events.len()).expect("few events");
        let request = Request { connection, nth: 1, kind, started_us: from_ms * 1000, fate, pid, version };
        self.push(to_ms, What::Request(request))
    }
}
