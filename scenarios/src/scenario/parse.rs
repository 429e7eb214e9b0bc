//! A scenario from its KDL file.

use fake_nginx::fault::{self, Fault, NoFault};

use super::parse_expect::expect;
use super::parse_mishap::mishap;
use super::parse_worlds::{shows, worlds};
use super::{Act, Load, Release, Scenario, Subject};
use crate::format::{self, FormatError, Millis, Name, Node, Number, Once, Plain, Words, whole_help};
use crate::scenario::Claim;

/// How long a run may take if its file does not say.
///
/// Covers ten times what the longest story of the catalogue needs on an idle machine. Too short turns a busy
/// machine into a violation; too long only delays the report of a run that hangs.
pub const DEADLINE_MS: u64 = 20_000;

/// How long a client waits for an answer if the file does not say.
///
/// Longer than any answer of the catalogue and than any fault's loading time, so that what waits in an accept
/// queue and is served after all counts as served, with its latency.
pub const PATIENCE_MS: u64 = 5_000;

const WORKERS_MAX: u16 = 64;
const BLOCK: [&str; 11] =
    ["why", "source", "shows", "worlds", "old", "new", "fault", "act", "load", "deadline", "expect"];
const SUBJECTS: [&str; 3] = ["orchestrator", "runbook", "command"];
const ACT: &str = r#"act "orchestrator" "upgrade" claims="upgraded""#;
const EXPECT: &str = r#"expect ends-on="new" { sometimes "new-master.born" }"#;

/// Reads a scenario. `file` is the name that the mistakes mention.
///
/// # Errors
/// [`FormatError`] holds every mistake of the file, each with its place.
pub fn parse(file: &str, text: &str) -> Result<Scenario, FormatError> {
    format::one("scenario", file, text, scenario)
}

fn scenario(node: &mut Node<'_>) -> Option<Scenario> {
    let name = node.argument::<Name>("a name", r#"scenario "manual-upgrade" schema=1 { … }"#);
    let (mut why, mut source) = (Once::new("why"), Once::new("source"));
    let (mut shown, mut places) = (Once::new("shows"), Once::new("worlds"));
    let (mut old, mut new) = (Once::new("old"), Once::new("new"));
    let (mut load, mut deadline, mut expects) =
        (Once::new("load"), Once::new("deadline"), Once::new("expect"));
    let (mut acts, mut mishaps) = (Vec::new(), Vec::new());
    let mut has_act = false;
    for mut child in node.children() {
        match child.name() {
            "why" => why.put(&mut child, words),
            "source" => source.put(&mut child, words),
            "shows" => shown.put(&mut child, shows),
            "worlds" => places.put(&mut child, worlds),
            "old" => old.put(&mut child, release),
            "new" => new.put(&mut child, release),
            "act" => {
                has_act = true;
                acts.extend(act(&mut child));
            }
            "fault" => mishaps.extend(mishap(&mut child)),
            "load" => load.put(&mut child, clients),
            "deadline" => deadline.put(&mut child, duration),
            "expect" => expects.put(&mut child, expect),
            _ => child.unknown_in("scenario", &BLOCK),
        }
    }
    node.finish();
    if !has_act {
        node.complain_of_missing("nobody changes the binary: there is no `act`", ACT);
    }
    let why = why.required(node, r#"why "An old worker answers for as long as its request takes.""#);
    let old = old.required(node, r#"old "1.22.1" workers=2"#);
    let new = new.required(node, r#"new "1.26.3" workers=2"#);
    let load = load.required(node, "load fresh-per-second=200 kept=4");
    let expect = expects.required(node, EXPECT);
    Some(Scenario {
        name: name?.0,
        why: why?,
        source: source.optional(),
        shows: shown.optional().unwrap_or_default(),
        worlds: places.optional(),
        old: old?,
        new: new?,
        faults: mishaps,
        acts,
        load: load?,
        expect: expect?,
        deadline_ms: deadline.optional().unwrap_or(DEADLINE_MS),
    })
}

/// A node with one text.
pub(crate) fn words(node: &mut Node<'_>) -> Option<String> {
    let example = format!("{} \"…\"", node.name());
    let text = node.argument::<Words>("a text", &example);
    node.finish();
    text.map(|words| words.0)
}

/// A node with one duration.
fn duration(node: &mut Node<'_>) -> Option<u64> {
    let example = format!("{} \"20s\"", node.name());
    let millis = node.argument::<Millis>("a duration", &example);
    node.finish();
    millis.map(|millis| millis.0)
}

fn release(node: &mut Node<'_>) -> Option<Release> {
    let example = format!("{} \"1.22.1\" workers=2", node.name());
    let version = node.argument::<Words>("a version", &example).map(|words| words.0);
    let workers = node.optional::<Number<u16>>("workers").map_or(1, |workers| workers.0);
    let reuseport = node.optional::<bool>("reuseport").unwrap_or_default();
    let mut faults = Once::new("fault");
    for mut child in node.children() {
        match child.name() {
            "fault" => faults.put(&mut child, fault),
            _ => child.unknown_in(node.name(), &["fault"]),
        }
    }
    node.finish();
    let is_version = |version: &str| version.split('.').count() == 3 && version.split('.').all(is_number);
    if let Some(version) = version.as_deref().filter(|version| !is_version(version)) {
        let message = format!("{version:?} is no version of nginx");
        node.mistakes().add(
            node.argument_span(0),
            message,
            "here",
            Some(format!("three numbers: {example}")),
        );
    }
    if !(1..=WORKERS_MAX).contains(&workers) {
        let message = format!("{workers} workers are not between 1 and {WORKERS_MAX}");
        node.mistakes().add(node.property_span("workers"), message, "here", None);
    }
    Some(Release { version: version?, workers, reuseport, fault: faults.optional() })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// What is wrong with a release, as a stamp says it.
pub(crate) fn fault(node: &mut Node<'_>) -> Option<String> {
    let names: Vec<_> = fault::ALL.iter().map(|fault| fault.name).collect();
    let name = node.argument::<Name>("the name of a fault", r#"fault "exits-at-start" status=1"#)?.0;
    let Some(known) = fault::ALL.iter().find(|fault| fault.name == name) else {
        let message = format!("there is no fault {name:?}");
        node.mistakes().add(node.argument_span(0), message, "this fault", whole_help(&name, &names));
        return None;
    };
    let mut line = name;
    let mut is_whole = true;
    for argument in known.arguments {
        match node.required::<Plain>(argument, &as_node(known)) {
            Some(Plain(value)) => line.push_str(&format!(" {argument}={value}")),
            None => is_whole = false,
        }
    }
    node.finish();
    if let (true, Err(error)) = (is_whole, line.parse::<Fault>()) {
        let span = if let NoFault::InvalidValue { argument, .. } = &error {
            node.property_span(argument)
        } else {
            node.name_span()
        };
        node.mistakes().add(span, error.to_string(), "here", None);
        return None;
    }
    is_whole.then_some(line)
}

/// An example of a stamp's fault, as a file says it.
fn as_node(known: &fault::Description) -> String {
    let mut node = format!("fault {:?}", known.name);
    for word in known.example.split(' ').skip(1) {
        let (argument, value) = word.split_once('=').unwrap_or((word, ""));
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let value = if is_number { value.to_owned() } else { format!("{value:?}") };
        node.push_str(&format!(" {argument}={value}"));
    }
    node
}

fn act(node: &mut Node<'_>) -> Option<Act> {
    let who = node.argument::<Name>("a subject", ACT);
    let rest = node.rest::<Words>();
    let claims = node.required::<Claim>("claims", ACT);
    node.finish();
    let who = who?.0;
    if !SUBJECTS.contains(&who.as_str()) {
        let message = format!("nobody is called {who:?}");
        node.mistakes().add(node.argument_span(0), message, "whose act?", whole_help(&who, &SUBJECTS));
        return None;
    }
    let Some(((first, _), others)) = rest.split_first() else {
        let (what, example) = match who.as_str() {
            "orchestrator" => ("a subcommand", ACT),
            "runbook" => ("a runbook's name", r#"act "runbook" "manual-upgrade" claims="held""#),
            _ => ("a program", r#"act "command" "./upgrade.sh" claims="upgraded""#),
        };
        node.complain_of_missing(&format!("`act {who:?}` needs {what}"), example);
        return None;
    };
    let texts = |of: &[(Words, _)]| of.iter().map(|(words, _)| words.0.clone()).collect();
    let subject = match who.as_str() {
        "orchestrator" => Subject::Orchestrator { arguments: texts(&rest) },
        "runbook" => {
            for (_, span) in others {
                let help = Some("what a runbook needs stands in its file".to_owned());
                node.mistakes().add(*span, "a runbook takes no arguments".into(), "one too many", help);
            }
            Subject::Runbook { name: first.0.clone() }
        }
        _ => Subject::Command { program: first.0.clone().into(), arguments: texts(others) },
    };
    Some(Act { subject, claims: claims? })
}

fn clients(node: &mut Node<'_>) -> Option<Load> {
    let fresh = node.optional::<Number<u32>>("fresh-per-second");
    let kept = node.optional::<Number<u32>>("kept");
    let slow = node.optional::<Number<u32>>("slow");
    let slow_for = node.optional::<Millis>("slow-for");
    let patience = node.optional::<Millis>("patience");
    node.finish();
    let count = |number: Option<Number<u32>>| number.map_or(0, |number| number.0);
    if count(slow) > 0 && !node.has("slow-for") {
        node.complain_of_missing("slow requests need to know how slow", r#"load slow=2 slow-for="500ms""#);
    }
    if node.has("slow-for") && !node.has("slow") {
        node.complain_of_missing("`slow-for` without `slow` slows nobody", r#"load slow=2 slow-for="500ms""#);
    }
    let load = Load {
        fresh_per_second: count(fresh),
        kept: count(kept),
        slow: count(slow),
        slow_ms: slow_for.map_or(0, |millis| millis.0),
        patience_ms: patience.map_or(PATIENCE_MS, |millis| millis.0),
    };
    if load.slow > 0 && load.slow_ms >= load.patience_ms {
        let message =
            format!("a slow answer takes {} ms, and clients wait {} ms", load.slow_ms, load.patience_ms);
        node.mistakes().add(node.property_span("slow-for"), message, "too slow for them", None);
    }
    Some(load)
}

#[cfg(test)]
mod tests {
    use super::super::{WorldKind, Worlds};
    use super::*;

    const WHOLE: &str = r#"scenario "x" schema=1 {
    why "Öfter als man denkt."
    source "a mailing list"
    old "1.22.1" workers=2 reuseport=#true
    new "1.26.3" { fault "loads-then-fails" status=3 seconds=1; }
    act "orchestrator" "upgrade" "--soak" "200ms" claims="upgraded"
    act "runbook" "manual-rollback" claims="rolled-back"
    act "command" "./up.sh" "fast" claims="failed"
    load fresh-per-second=200 kept=4 slow=2 slow-for="0.5s" patience="3s"
    deadline "12s"
    expect ends-on="new" {
        always "claim-is-true"
        eventually "one-generation-at-the-end"
        sometimes "new-master.born"
        log "changing binary"
        violates "no-accepted-request-is-lost"
        unchecked "no-signal-to-a-stranger" because="the script is not ours"
    }
    shows "F3" "F1"
    worlds "real" "fake" because="the model has no script"
}"#;

    /// Every mistake as `line:column message | help`.
    fn mistakes(text: &str) -> Vec<String> {
        let error = parse("x.kdl", text).expect_err("the file should be refused");
        let line = |m: &format::Mistake| {
            let help = m.help.as_ref().map_or(String::new(), |help| format!(" | {help}"));
            format!("{}:{} {}{help}", m.line, m.column, m.message)
        };
        error.mistakes.iter().map(line).collect()
    }

    /// The mistakes of the whole file after one replacement.
    fn after(from: &str, to: &str) -> Vec<String> {
        assert!(WHOLE.contains(from), "{from:?} is not in the file");
        mistakes(&WHOLE.replacen(from, to, 1))
    }

    #[test]
    fn every_node_of_a_whole_file_is_read() {
        let scenario = parse("x.kdl", WHOLE).unwrap_or_else(|error| panic!("{}", error.render(false)));
        let orchestrator = ["upgrade", "--soak", "200ms"].map(str::to_owned).to_vec();
        let act = |subject, claims| Act { subject, claims };
        assert_eq!(
            scenario,
            Scenario {
                name: "x".into(),
                why: "Öfter als man denkt.".into(),
                source: Some("a mailing list".into()),
                shows: vec!["F3".into(), "F1".into()],
                worlds: Some(Worlds {
                    only: vec![WorldKind::Fake, WorldKind::Real],
                    because: "the model has no script".into(),
                }),
                old: Release { version: "1.22.1".into(), workers: 2, reuseport: true, fault: None },
                new: Release {
                    version: "1.26.3".into(),
                    workers: 1,
                    reuseport: false,
                    fault: Some("loads-then-fails seconds=1 status=3".into()),
                },
                faults: Vec::new(),
                acts: vec![
                    act(Subject::Orchestrator { arguments: orchestrator }, Claim::Upgraded),
                    act(Subject::Runbook { name: "manual-rollback".into() }, Claim::RolledBack),
                    act(
                        Subject::Command { program: "./up.sh".into(), arguments: vec!["fast".into()] },
                        Claim::Failed
                    ),
                ],
                load: Load { fresh_per_second: 200, kept: 4, slow: 2, slow_ms: 500, patience_ms: 3000 },
                expect: super::super::Expect {
                    invariants: vec!["claim-is-true".into(), "one-generation-at-the-end".into()],
                    violates: vec!["no-accepted-request-is-lost".into()],
                    sometimes: vec!["new-master.born".into()],
                    log: vec!["changing binary".into()],
                    unchecked: vec![("no-signal-to-a-stranger".into(), "the script is not ours".into())],
                    ends_on_new: Some(true),
                },
                deadline_ms: 12_000,
            }
        );
    }

    #[test]
    fn faults_at_moments_are_read_as_they_are_written() {
        use super::super::{Mishap, Until, Wrong};
        let faults = r#"fault "crash" at="new-master.exec"
    fault "exit" status=2 at="new-worker-1.watch-listener" nth=3
    fault "pause" for="0.3s" at="subject.send-quit"
    fault "pause" until="new-worker-2.accept" at="worker-of-3-1.send"
    fault "kill-new-worker" which=2 at="old-master.fork"
    load fresh"#;
        let scenario = parse("x.kdl", &WHOLE.replacen("load fresh", faults, 1))
            .unwrap_or_else(|error| panic!("{}", error.render(false)));
        let mishap = |what, at: &str, nth| Mishap { what, at: at.to_owned(), nth };
        assert_eq!(
            scenario.faults,
            [
                mishap(Wrong::Crash, "new-master.exec", 1),
                mishap(Wrong::Exit { status: 2 }, "new-worker-1.watch-listener", 3),
                mishap(Wrong::Pause(Until::Ms(300)), "subject.send-quit", 1),
                mishap(Wrong::Pause(Until::Moment("new-worker-2.accept".into())), "worker-of-3-1.send", 1),
                mishap(Wrong::Elsewhere { fault: "kill-new-worker".into(), which: 2 }, "old-master.fork", 1),
            ]
        );
        assert!(scenario.needs_moments());
    }

    #[test]
    fn a_moment_or_a_fault_that_nobody_knows_is_told_with_what_was_meant() {
        let one = |fault: &str| after("load fresh", &format!("{fault}\n    load fresh")).join("\n");
        let first_line = |fault: &str| one(fault).chars().take(130).collect::<String>();
        assert_eq!(
            first_line("fault \"crash\" at=\"new-master.exce\""),
            "9:19 there is no moment \"new-master.exce\" | did you mean `exec`? valid here: `look-at-parent`, `listen`, `close-listener`, `unlink"
        );
        assert!(one("fault \"crash\" at=\"new-mastr.exec\"").contains("did you mean `new-master`?"));
        assert!(one("fault \"crash\" at=\"client-1.give-up\"").contains("there is no moment"));
        assert!(one("fault \"crsh\" at=\"new-master.exec\"").contains("did you mean `crash`?"));
        assert!(one("fault \"exit\" at=\"new-master.exec\"").contains("needs the property `status`"));
        assert!(one("fault \"pause\" at=\"new-master.exec\"").contains("needs `for` or `until`"));
        assert!(one("fault \"exit\" status=1 at=\"subject.save\"").contains("write `crash`"));
    }

    #[test]
    fn a_mistake_is_shown_at_the_very_argument_with_what_was_meant() {
        let error =
            parse("x.kdl", &WHOLE.replace("seconds=1", "second=1").replace("\"12s\"", "12")).unwrap_err();
        insta::assert_snapshot!(error.render(false), @r#"
          × x.kdl is no scenario that this program reads

        Error: 
          × `fault` needs the property `seconds`
           ╭─[x.kdl:5:20]
         4 │     old "1.22.1" workers=2 reuseport=#true
         5 │     new "1.26.3" { fault "loads-then-fails" status=3 second=1; }
           ·                    ──┬──
           ·                      ╰── here
         6 │     act "orchestrator" "upgrade" "--soak" "200ms" claims="upgraded"
           ╰────
          help: for example: fault "loads-then-fails" seconds=3 status=1

        Error: 
          × `fault` has no property `second`
           ╭─[x.kdl:5:54]
         4 │     old "1.22.1" workers=2 reuseport=#true
         5 │     new "1.26.3" { fault "loads-then-fails" status=3 second=1; }
           ·                                                      ────┬───
           ·                                                          ╰── unknown property
         6 │     act "orchestrator" "upgrade" "--soak" "200ms" claims="upgraded"
           ╰────
          help: did you mean `seconds`? valid here: `seconds`, `status`

        Error: 
          × 12 is not a duration
            ╭─[x.kdl:10:14]
          9 │     load fresh-per-second=200 kept=4 slow=2 slow-for="0.5s" patience="3s"
         10 │     deadline 12
            ·              ─┬
            ·               ╰── should be a duration
         11 │     expect ends-on="new" {
            ╰────
          help: write it as "200ms", "1.5s" or "2s"
        "#);
    }

    #[test]
    fn all_mistakes_of_a_file_are_told_at_once_by_their_place() {
        let text =
            WHOLE.replace("why", "wy").replace("kept=4", "kept=\"four\"").replace("\"3s\"", "\"soon\"");
        insta::assert_snapshot!(mistakes(&text).join("\n"), @r#"
        1:1 `why` is missing | for example: why "An old worker answers for as long as its request takes."
        2:5 `scenario` has no `wy` | did you mean `why`? valid here: `why`, `source`, `shows`, `worlds`, `old`, `new`, `fault`, `act`, `load`, `deadline`, `expect`
        9:31 "four" is not a whole number | without quotes, as in workers=2
        9:66 "soon" is not a duration | write it as "200ms", "1.5s" or "2s"
        "#);
    }

    /// Red when a failure or a world that nobody knows is read as if it said something, or told without its place.
    #[test]
    fn what_a_story_says_of_its_place_is_checked_word_by_word() {
        let mut told = Vec::new();
        for (from, to) in [
            ("shows \"F3\" \"F1\"", "shows"),
            ("\"F3\" \"F1\"", "\"F1\" \"F99\""),
            ("\"F3\" \"F1\"", "\"F3\" \"F3\""),
            ("\"F3\" \"F1\"", "3"),
            ("\"real\" \"fake\"", "\"reel\""),
            ("\"real\" \"fake\"", "\"real\" \"fake\" \"model\""),
            (" because=\"the model has no script\"", ""),
        ] {
            told.extend(after(from, to));
        }
        let short: Vec<_> = told.iter().map(|line| line.split("? valid").next().unwrap()).collect();
        insta::assert_snapshot!(short.join("\n"), @r#"
        19:5 `shows` needs the number of a failure | for example: shows "F3"
        19:16 there is no failure "F99" | did you mean `F9`
        19:16 "F3" is named twice | keep one of them
        19:11 3 is not a text | put it in double quotes
        20:12 there is no world "reel" | did you mean `real`
        20:5 these are all worlds | leave the node out
        20:5 `worlds` needs the property `because` | for example: worlds "fake" "real" because="the model has no script"
        "#);
    }

    #[test]
    fn another_schema_is_one_clear_refusal() {
        assert_eq!(
            after("schema=1", "schema=2 colour=3"),
            [
                "1:14 the file has schema 2, and this program reads 1 | use the program that the file was written for"
            ]
        );
        assert_eq!(after(" schema=1", "").len(), 1);
    }

    #[test]
    fn names_that_do_not_exist_are_refused_with_the_nearest_that_does() {
        let mut told = Vec::new();
        for (from, to) in [
            ("claims=\"upgraded\"", "claims=\"upgrade\""),
            ("\"claim-is-true\"", "\"claim-was-true\""),
            ("\"new-master.born\"", "\"new-master.burn\""),
            ("\"loads-then-fails\"", "\"loads-than-fails\""),
            ("\"runbook\"", "\"runbok\""),
            ("ends-on=\"new\"", "ends-on=\"newer\""),
            ("deadline", "dead-line"),
            ("slow=2", "slo=2"),
        ] {
            told.extend(after(from, to).into_iter().map(|line| line.replace(", `", ",`")));
        }
        let short: Vec<_> = told.iter().map(|line| line.split("? valid").next().unwrap()).collect();
        insta::assert_snapshot!(short.join("\n"), @r#"
        6:51 "upgrade" is not a claim | did you mean `upgraded`
        12:16 there is no invariant "claim-was-true" | did you mean `claim-is-true`
        14:19 there is no moment "new-master.burn" | did you mean `new-master.born`
        5:26 there is no fault "loads-than-fails" | did you mean `loads-then-fails`
        7:9 nobody is called "runbok" | did you mean `runbook`
        11:12 a run ends on "old" or on "new", not on "newer" | valid here: `old`,`new`
        10:5 `scenario` has no `dead-line` | did you mean `deadline`
        9:5 `slow-for` without `slow` slows nobody | for example: load slow=2 slow-for="500ms"
        9:38 `load` has no property `slo` | did you mean `slow`
        "#);
    }

    #[test]
    fn what_is_missing_or_too_much_is_refused() {
        let mut told = Vec::new();
        for (from, to) in [
            ("    why \"Öfter als man denkt.\"\n", ""),
            ("claims=\"failed\"", ""),
            ("\"./up.sh\" \"fast\"", ""),
            ("slow-for=\"0.5s\"", ""),
            ("old \"1.22.1\"", "old"),
            (" because=\"the script is not ours\"", ""),
            ("\"manual-rollback\"", "\"manual-rollback\" \"now\""),
            ("deadline \"12s\"", "deadline \"12s\"; deadline \"13s\""),
            ("kept=4", "kept=4 kept=5"),
            ("deadline \"12s\"", "deadline \"12s\" { }"),
            ("workers=2", "workers=(u8)2"),
        ] {
            told.extend(after(from, to));
        }
        insta::assert_snapshot!(told.join("\n"), @r#"
        1:1 `why` is missing | for example: why "An old worker answers for as long as its request takes."
        8:5 `act` needs the property `claims` | for example: act "orchestrator" "upgrade" claims="upgraded"
        8:5 `act "command"` needs a program | for example: act "command" "./upgrade.sh" claims="upgraded"
        9:5 slow requests need to know how slow | for example: load slow=2 slow-for="500ms"
        4:5 `old` needs a version | for example: old "1.22.1" workers=2
        17:9 `unchecked` needs the property `because` | for example: unchecked "no-signal-to-a-stranger" because="the real world cannot see senders"
        7:37 a runbook takes no arguments | what a runbook needs stands in its file
        10:21 `deadline` stands twice | keep one of them
        9:38 `kept` stands twice | keep one of them
        10:5 `deadline` has no block | leave the { … } out
        4:18 a type annotation means nothing here | leave the (type) out
        "#);
    }

    #[test]
    fn values_that_cannot_be_meant_are_refused() {
        let mut told = Vec::new();
        for (from, to) in [
            ("workers=2", "workers=0"),
            ("workers=2", "workers=70000"),
            ("\"1.22.1\"", "\"stable\""),
            ("\"0.5s\"", "\"3s\""),
            ("\"claim-is-true\"", "\"one-generation-at-the-end\""),
            ("\"claim-is-true\"", "\"no-accepted-request-is-lost\""),
            ("scenario \"x\"", "scenario \"X y\""),
            ("why \"Öfter als man denkt.\"", "why \" \""),
        ] {
            told.extend(after(from, to));
        }
        insta::assert_snapshot!(told.join("\n"), @r#"
        4:18 0 workers are not between 1 and 64
        4:18 70000 is not a number of this size | it must fit 16 bits
        4:9 "stable" is no version of nginx | three numbers: old "1.22.1" workers=2
        9:45 a slow answer takes 3000 ms, and clients wait 3000 ms
        12:16 "one-generation-at-the-end" holds eventually, not always | write: eventually "one-generation-at-the-end"
        13:20 "one-generation-at-the-end" is named twice | keep one of them
        12:16 "no-accepted-request-is-lost" cannot hold and be violated in one run | a canary names it under `violates` only
        1:10 "X y" is not a name | small letters, digits and single hyphens: "new-binary-exits-at-start"
        2:9 " " is not a text that says something
        "#);
    }

    #[test]
    fn a_scenario_that_nothing_could_make_fail_is_refused() {
        let text = WHOLE
            .replace("        violates \"no-accepted-request-is-lost\"\n", "")
            .replace("        sometimes \"new-master.born\"\n", "");
        let told = mistakes(&text);
        assert!(told[0].contains("names no moment that must be reached") && told.len() == 1, "{told:?}");
    }

    #[test]
    fn what_is_no_kdl_is_told_with_its_place() {
        assert_eq!(mistakes("scenario \"x\" schema=1 {\n  why \"open\n}").len(), 1);
        assert_eq!(mistakes(""), ["1:1 the file holds no scenario"]);
        assert_eq!(
            mistakes("runbook \"x\" schema=1"),
            ["1:1 `runbook` is no scenario | valid here: `scenario`"]
        );
    }
}
