//! The format holds what it says: written and read again, and mistakes at their place.

use orchestrator::machine::Options;
use proptest::prelude::*;

use super::*;
use crate::model::binaries::BINARIES;
use crate::model::choice::{Act, Actor, Name, Who};
use crate::model::fault::{Fault, Planned, When};
use crate::model::operator::{Command, options};
use crate::model::script::{Pause, WORKERS};

fn names() -> impl Strategy<Value = Name> {
    let actors = prop_oneof![
        Just(Actor::SUBJECT),
        Just(Actor::TIME),
        (0..6_u8).prop_map(Actor::client),
        (1..4_u8).prop_map(|generation| Actor { who: Who::Master, generation, nth: 0 }),
        (1..4_u8, 1..9_u8).prop_map(|(generation, nth)| Actor { who: Who::Worker, generation, nth }),
    ];
    (actors, proptest::sample::select(Act::all().collect::<Vec<_>>()))
        .prop_map(|(actor, act)| Name { actor, act })
}

fn pauses() -> impl Strategy<Value = Pause> {
    let moment = (names(), 1..50_u32).prop_map(|(name, nth)| Pause::Until(When::Before(name, nth)));
    prop_oneof![(0..2_000_u64).prop_map(Pause::Rest), moment]
}

fn commands() -> impl Strategy<Value = (Pause, Command)> {
    let limit = || proptest::option::of(0..20_000_u64);
    let limited = |soak, held, drain_within_ms| Options { drain_within_ms, ..options(soak, held) };
    let command = prop_oneof![
        (0..500_u64, any::<bool>(), limit())
            .prop_map(move |(soak, held, limit)| Command::Upgrade(limited(soak, held, limit))),
        (0..500_u64, limit()).prop_map(move |(soak, limit)| Command::Rollback(limited(soak, false, limit))),
        Just(Command::Commit),
        Just(Command::Recover),
    ];
    (pauses(), command)
}

fn faults() -> impl Strategy<Value = Planned> {
    let kinds: Vec<_> = Fault::all().collect();
    (names(), 1..50_u32, proptest::sample::select(kinds), 0..3_u8)
        .prop_map(|(name, nth, fault, which)| Planned { when: When::Before(name, nth), fault, which })
}

fn regressions() -> impl Strategy<Value = Regression> {
    let deviation =
        (names(), 1..50_u32, names()).prop_map(|(instead_of, nth, take)| Deviation { instead_of, nth, take });
    let script = (
        proptest::sample::select(&WORKERS[..]),
        0..BINARIES.len(),
        proptest::collection::vec(commands(), 1..4),
        proptest::collection::vec(faults(), 0..4),
    )
        .prop_map(|(workers, binary, commands, faults)| Script { workers, binary, commands, faults });
    let text = "[a-zA-Z0-9 \"\\\\äß%{}]{0,30}[a-z]";
    (script, proptest::collection::vec(deviation, 0..5), text, proptest::option::of(text), text).prop_map(
        |(script, deviations, why, source, wrong)| Regression {
            name: "workers-are-doubled".into(),
            why: why.trim().into(),
            source: source.map(|text| text.trim().to_owned()),
            script,
            deviations,
            wrong: wrong.trim().into(),
        },
    )
}

proptest! {
    /// What is kept is what is read: a failure's file tells the whole failure.
    #[test]
    fn a_file_that_was_written_reads_as_the_same_failure(regression in regressions()) {
        let text = regression.to_string();

        let read = parse("kept.kdl", &text);

        prop_assert_eq!(read.as_ref().map_err(|error| error.render(false)), Ok(&regression), "{}", text);
    }
}

/// The list grows; what matters is that it is told.
const ALL_FAULTS: &str = "`kill-old-master`, `kill-new-master`, `kill-old-worker`, `kill-new-worker`, \
    `term-old-master`, `term-new-master`, `term-old-worker`, `term-new-worker`, `quit-old-master`, \
    `quit-new-master`, `quit-old-worker`, `quit-new-worker`, `exit-old-master`, `exit-new-master`, \
    `exit-old-worker`, `exit-new-worker`, `reload`, `second-usr2`, `crash`, `interrupt`, `full-disk`, `reopen`, \
    `package`, `reused-pid`, `winch-old-master`, `winch-new-master`, `usr2-old-master`, `usr2-new-master`, \
    `reload-old-master`, `second-operator`, `power-failure`";

fn mistakes(text: &str) -> Vec<String> {
    let error = parse("x.kdl", text).expect_err("the file should be refused");
    error
        .mistakes
        .iter()
        .map(|m| format!("{}:{} {} | {}", m.line, m.column, m.message, m.help.as_deref().unwrap_or("")))
        .collect()
}

#[test]
fn mistakes_are_told_at_their_place() {
    let text = r#"regression "x" schema=1 {
    why "Because."
    workers 7
    new { fault "exits-at-start" status=9; }
    type "upgrade" "--sok" "0ms"
    type "recover" before="subject.sav" nth=1
    type "recover" after="1s" before="old-master.wake" nth=1
    type "recover" nth=1
    fault "kill-new-mastr" before="subject.save" nth=1
    fault "crash" before="subject.sav" nth=1
    step "old-mstr.wake" instead-of="subject.save" nth=1
}"#;
    let mistakes = mistakes(text).join("\n").replace(ALL_FAULTS, "…");
    insta::assert_snapshot!(mistakes, @r#"
    1:1 `wrong` is missing | for example: wrong "4 of 2 workers accept"
    3:13 scripts are not played with 7 workers | valid here: 1, 2, 3
    4:5 scripts are not played with a new binary that is `exits-at-start status=9` | valid here: `exits-at-start status=1`, `loads-then-fails seconds=1 status=1`, `loads-then-serves seconds=1`, `loads-then-serves seconds=100`, `hangs-at-start`, `fails-test status=1`, `dies-after seconds=1 status=1`, `loses-signal signal=WINCH`, `loses-signal signal=QUIT`, `workers-exit-at-start seconds=0.1 status=2`, `workers-exit-after requests=3 status=1`, `never-drains`, `answers code=503`
    5:5 unexpected argument '--sok' found | for example: type "upgrade" "--soak" "0ms" "--hold" after="50ms"
    6:20 there is no moment "subject.sav" | did you mean `save` behind the dot?
    7:20 a command is typed after a pause or before a moment, not both | for example: type "upgrade" "--soak" "0ms" "--hold" after="50ms" or type "rollback" before="old-master.wake" nth=3
    8:5 `type` needs the property `before` | for example: type "rollback" before="old-master.wake" nth=3
    9:11 there is no fault "kill-new-mastr" | did you mean `kill-new-master`? valid here: …
    10:19 there is no moment "subject.sav" | did you mean `save` behind the dot?
    11:10 there is no moment "old-mstr.wake" | a moment is who does what: `old-master.fork`, `new-worker-1.accept`, `subject.send-quit`, `client-1.ask-again`, `time.passes`
    "#);
}

#[test]
fn the_same_failure_gets_the_same_name() {
    let shrunk = Shrunk {
        script: Script {
            workers: 1,
            binary: 0,
            commands: vec![(Pause::REST, Command::Recover)],
            faults: Vec::new(),
        },
        deviations: Vec::new(),
        why: "4 of 2 workers accept".into(),
        runs: 3,
    };

    let names = [Regression::found(&shrunk).name, Regression::found(&Shrunk { runs: 9, ..shrunk }).name];

    assert_eq!(names[0], names[1]);
}
