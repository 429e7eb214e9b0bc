//! What a verdict costs: all invariants over a long trace, and the trace on disk, per event.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends here")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use scenarios::catalogue;
use scenarios::scenario::{Claim, WorldKind};
use scenarios::trace::{self, Content, Event, Fate, Header, Kind, PidFile, Request, Role, Trace, What};
use scenarios::verdict;

const REQUESTS: u32 = 20_000;

fn judging(criterion: &mut Criterion) {
    let scenario = catalogue::scenario("orchestrator-upgrade").unwrap().unwrap();
    let trace = upgrade();
    let mut bytes = Vec::new();
    trace::write(&trace, &mut bytes).unwrap();

    let mut group = criterion.benchmark_group("judging");
    group.throughput(Throughput::Elements(trace.events.len() as u64));
    group.bench_function("verdict", |bencher| bencher.iter(|| verdict::judge(&scenario, black_box(&trace))));
    group.bench_function("read", |bencher| bencher.iter(|| trace::read(black_box(&bytes[..])).unwrap()));
    group.finish();
    eprintln!("a trace takes {} bytes an event", bytes.len() / trace.events.len());
}

/// An upgrade without a fault, with many requests before and behind it.
fn upgrade() -> Trace {
    let header = Header {
        schema: trace::SCHEMA,
        scenario: "orchestrator-upgrade".into(),
        world: WorldKind::Model,
        old: "1.22.1".into(),
        new: "1.26.3".into(),
        workers: (1, 1),
        seed: 1,
        isolation: "simulated".into(),
        replay: String::new(),
        blind_to: std::collections::BTreeSet::new(),
    };
    let mut story = Story { events: Vec::new() };
    story.tell(What::Binary { version: Some("1.22.1".into()) });
    story.master(10, 1, 1, "1.22.1");
    story.serve(REQUESTS / 2, 11, "1.22.1");
    story.tell(What::Binary { version: Some("1.26.3".into()) });
    story.master(20, 10, 2, "1.26.3");
    story.tell(What::Draining { pid: 11 });
    story.tell(What::Died { pid: 11, exit: None });
    story.tell(What::Died { pid: 10, exit: None });
    let said = String::new();
    let (claim, expected) = (Claim::Upgraded, Claim::Upgraded);
    story.tell(What::Claimed { act: 1, claim, expected, exit_code: Some(0), said });
    story.tell(What::Quiescent);
    story.serve(REQUESTS / 2, 21, "1.26.3");
    story.tell(What::Quiescent);
    Trace { header, events: story.events }
}

struct Story {
    events: Vec<Event>,
}

impl Story {
    fn tell(&mut self, what: What) {
        let at_us = self.events.len() as u64 * 100;
        self.events.push(Event { at_us, what });
    }

    /// A master with one worker, the pid file included.
    fn master(&mut self, pid: u32, parent: u32, generation: u32, version: &str) {
        let version = Some(version.to_owned());
        self.tell(What::Born { pid, parent, role: Role::Master, generation, version: version.clone() });
        self.tell(What::PidFile { file: PidFile::Current, content: Content::Pid(pid) });
        self.tell(What::Born { pid: pid + 1, parent: pid, role: Role::Worker, generation, version });
    }

    fn serve(&mut self, requests: u32, pid: u32, version: &str) {
        for connection in 0..requests {
            self.tell(What::Request(Request {
                connection,
                nth: 1,
                kind: Kind::Fresh,
                started_us: self.events.len() as u64 * 100 - 50,
                fate: Fate::Served { status: 200 },
                pid: Some(pid),
                version: Some(version.to_owned()),
            }));
        }
    }
}

criterion_group!(benches, judging);
criterion_main!(benches);
