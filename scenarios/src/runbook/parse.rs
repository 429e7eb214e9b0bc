//! A runbook from its KDL file.

use super::{Action, Condition, PLACEHOLDERS, Runbook, Step, Target, unknown_placeholder};
use crate::format::{self, FormatError, Millis, Name, Node, Number, Once, Words, list, whole_help};
use crate::scenario::Claim;
use crate::scenario::words;

const BLOCK: [&str; 10] =
    ["why", "source", "copy", "move", "signal", "run", "sleep", "wait", "check", "claims"];
const CONDITIONS: [&str; 4] = ["exists", "absent", "not-empty", "sees"];
const SIGNALS: [&str; 8] = ["HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "WINCH"];
const SIGNAL: &str = r#"signal "USR2" pid-file="{pid}""#;
const SEES: &str = "sees masters=2 old-workers=1 new-workers=1";

/// Reads a runbook. `file` is the name that the mistakes mention.
///
/// # Errors
/// [`FormatError`] holds every mistake of the file, each with its place.
pub fn parse(file: &str, text: &str) -> Result<Runbook, FormatError> {
    format::one("runbook", file, text, runbook)
}

fn runbook(node: &mut Node<'_>) -> Option<Runbook> {
    let name = node.argument::<Name>("a name", r#"runbook "manual-upgrade" schema=1 { … }"#);
    let (mut why, mut source, mut claims) = (Once::new("why"), Once::new("source"), Once::new("claims"));
    let mut steps = Vec::new();
    let mut has_step = false;
    for mut child in node.children() {
        match child.name() {
            "why" => why.put(&mut child, words),
            "source" => source.put(&mut child, words),
            "claims" => claims.put(&mut child, claim),
            name if BLOCK.contains(&name) => {
                has_step = true;
                steps.extend(step(&mut child));
            }
            _ => child.unknown_in("runbook", &BLOCK),
        }
    }
    node.finish();
    if !has_step {
        node.complain_of_missing("the runbook does nothing", SIGNAL);
    }
    let why = why.required(node, r#"why "What people paste from a blog.""#);
    let claims = claims.required(node, r#"claims "upgraded""#);
    Some(Runbook { name: name?.0, why: why?, source: source.optional(), steps, claims: claims? })
}

fn claim(node: &mut Node<'_>) -> Option<Claim> {
    let claim = node.argument::<Claim>("a claim", r#"claims "upgraded""#);
    node.finish();
    claim
}

fn step(node: &mut Node<'_>) -> Option<Step> {
    let failure_is_ignored = node.optional::<bool>("ignore-failure");
    let action = match node.name() {
        "copy" => from_to(node).map(|(from, to)| Action::Copy { from, to }),
        "move" => from_to(node).map(|(from, to)| Action::Move { from, to }),
        "signal" => signal(node),
        "run" => run(node),
        "sleep" => node
            .argument::<Millis>("a duration", r#"sleep "1s""#)
            .map(|Millis(for_ms)| Action::Sleep { for_ms }),
        "wait" => wait(node),
        _ => conditions(node).map(|that| Action::Check { that }),
    };
    node.finish();
    Some(Step {
        text: node.one_line(),
        action: action?,
        failure_is_ignored: failure_is_ignored.unwrap_or(false),
    })
}

fn from_to(node: &mut Node<'_>) -> Option<(String, String)> {
    let example = format!("{} \"{{new}}\" \"{{binary}}\"", node.name());
    let from = text(node, "a path to take from", &example);
    let to = text(node, "a path to put it to", &example);
    Some((from?, to?))
}

fn signal(node: &mut Node<'_>) -> Option<Action> {
    let signal = node.argument::<Words>("a signal", SIGNAL);
    let pid_file = node.optional::<Words>("pid-file");
    let to = node.optional::<Words>("to");
    if let Some(Words(signal)) = signal.as_ref().filter(|words| !SIGNALS.contains(&words.0.as_str())) {
        let bare = signal.trim_start_matches("SIG").to_uppercase();
        let message = format!("nginx has no use for the signal {signal:?}");
        node.mistakes().add(node.argument_span(0), message, "this signal", whole_help(&bare, &SIGNALS));
        return None;
    }
    if node.has("pid-file") == node.has("to") {
        node.complain_of_missing(
            "whom? a signal has one receiver",
            &format!("{SIGNAL}, or to=\"old-master\""),
        );
        return None;
    }
    let to = match (pid_file, to) {
        (Some(Words(path)), _) => {
            placeholders(node, &path);
            Target::PidFile(path)
        }
        (None, to) => match to?.0.as_str() {
            "old-master" => Target::OldMaster,
            "new-master" => Target::NewMaster,
            other => {
                let message = format!("{other:?} is nobody whom `ps` shows");
                let help = whole_help(other, &["old-master", "new-master"]);
                node.mistakes().add(node.property_span("to"), message, "here", help);
                return None;
            }
        },
    };
    Some(Action::Signal { signal: signal?.0, to })
}

fn run(node: &mut Node<'_>) -> Option<Action> {
    let exit = node.optional::<Number<i32>>("exit").map(|number| number.0);
    let says = node.optional::<Words>("says").map(|words| words.0);
    let first = text(node, "a program", r#"run "{binary}" "-t" exit=0"#);
    let rest: Vec<String> = node.rest::<Words>().into_iter().map(|(words, _)| words.0).collect();
    rest.iter().chain(&says).for_each(|text| placeholders(node, text));
    let words = std::iter::once(first?).chain(rest).collect();
    Some(Action::Run { words, exit, says })
}

fn wait(node: &mut Node<'_>) -> Option<Action> {
    let example = format!("wait within=\"5s\" {{ {SEES}; }}");
    let within = node.required::<Millis>("within", &example);
    let every_ms = node.optional::<Millis>("every").map(|millis| millis.0);
    let until = conditions(node);
    Some(Action::Wait { until: until?, within_ms: within?.0, every_ms })
}

/// The conditions of a block, which hold together.
fn conditions(node: &mut Node<'_>) -> Option<Condition> {
    let mut children = node.children();
    if children.is_empty() {
        node.complain_of_missing(&format!("`{}` looks at nothing", node.name()), &format!("{{ {SEES}; }}"));
    }
    let mut all: Vec<_> = children.iter_mut().filter_map(condition).collect();
    if all.len() < 2 { all.pop() } else { Some(Condition::All(all)) }
}

fn condition(node: &mut Node<'_>) -> Option<Condition> {
    let condition = match node.name() {
        "exists" => path(node).map(Condition::Exists),
        "absent" => path(node).map(Condition::Absent),
        "not-empty" => path(node).map(Condition::NotEmpty),
        "sees" => {
            let mut count = |name| node.optional::<Number<u16>>(name).map(|number| number.0);
            let (masters, old_workers, new_workers) =
                (count("masters"), count("old-workers"), count("new-workers"));
            if !["masters", "old-workers", "new-workers"].iter().any(|name| node.has(name)) {
                node.complain_of_missing("`sees` counts nothing", SEES);
            }
            Some(Condition::Sees { masters, old_workers, new_workers })
        }
        _ => {
            node.complain_of_name(&format!("`{}` is nothing to look at", node.name()), &CONDITIONS);
            return None;
        }
    };
    node.finish();
    condition
}

fn path(node: &mut Node<'_>) -> Option<String> {
    let example = format!("{} \"{{pid}}.oldbin\"", node.name());
    text(node, "a path", &example)
}

/// A text argument whose placeholders exist.
fn text(node: &mut Node<'_>, what: &str, example: &str) -> Option<String> {
    let text = node.argument::<Words>(what, example)?.0;
    placeholders(node, &text);
    Some(text)
}

fn placeholders(node: &Node<'_>, text: &str) {
    if let Some(unknown) = unknown_placeholder(text) {
        let names = PLACEHOLDERS.map(|(name, _)| name);
        let help = whole_help(unknown, &names).or_else(|| list(&names));
        node.mistakes().add(
            node.text_span(text),
            format!("there is no placeholder {{{unknown}}}"),
            "in this step",
            help,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"runbook "x" schema=1 {
    why "because"
    source "a blog"
    copy "{new}" "{binary}" ignore-failure=#true
    move "a" "b"
    signal "USR2" pid-file="{pid}"
    signal "QUIT" to="new-master"
    run "{binary}" "-v" exit=0 says="nginx/{new-version}"
    sleep "1.5s"
    wait within="5s" every="1s" { exists "{pid}"; sees masters=2 old-workers=0; }
    check { not-empty "{pid}.oldbin"; }
    check { absent "${HOME}/{x y}"; }
    claims "held"
}"#;

    /// Every mistake of the whole file after one replacement, as `line:column message | help`.
    fn after(from: &str, to: &str) -> Vec<String> {
        assert!(WHOLE.contains(from), "{from:?} is not in the file");
        let error = parse("x.kdl", &WHOLE.replacen(from, to, 1)).expect_err(to);
        let line = |m: &format::Mistake| {
            let help = m.help.as_ref().map_or(String::new(), |help| format!(" | {help}"));
            format!("{}:{} {}{help}", m.line, m.column, m.message)
        };
        error.mistakes.iter().map(line).collect()
    }

    #[test]
    fn every_step_of_a_whole_file_is_read_and_keeps_its_text() {
        let runbook = parse("x.kdl", WHOLE).unwrap_or_else(|error| panic!("{}", error.render(false)));
        let actions: Vec<_> = runbook.steps.iter().map(|step| step.action.clone()).collect();
        let sees = Condition::Sees { masters: Some(2), old_workers: Some(0), new_workers: None };
        assert_eq!(
            actions,
            [
                Action::Copy { from: "{new}".into(), to: "{binary}".into() },
                Action::Move { from: "a".into(), to: "b".into() },
                Action::Signal { signal: "USR2".into(), to: Target::PidFile("{pid}".into()) },
                Action::Signal { signal: "QUIT".into(), to: Target::NewMaster },
                Action::Run {
                    words: vec!["{binary}".into(), "-v".into()],
                    exit: Some(0),
                    says: Some("nginx/{new-version}".into()),
                },
                Action::Sleep { for_ms: 1500 },
                Action::Wait {
                    until: Condition::All(vec![Condition::Exists("{pid}".into()), sees]),
                    within_ms: 5000,
                    every_ms: Some(1000),
                },
                Action::Check { that: Condition::NotEmpty("{pid}.oldbin".into()) },
                Action::Check { that: Condition::Absent("${HOME}/{x y}".into()) },
            ]
        );
        let ignored: Vec<_> = runbook.steps.iter().map(|step| step.failure_is_ignored).collect();
        assert_eq!(ignored, [true, false, false, false, false, false, false, false, false]);
        assert_eq!(
            runbook.steps[6].text,
            r#"wait within="5s" every="1s" { exists "{pid}"; sees masters=2 old-workers=0 }"#
        );
        assert_eq!((runbook.claims, runbook.source.as_deref()), (Claim::Held, Some("a blog")));
    }

    #[test]
    fn mistakes_in_steps_are_told_at_their_argument() {
        let mut told = Vec::new();
        for (from, to) in [
            ("\"USR2\"", "\"SIGUSR2\""),
            ("pid-file=\"{pid}\"", ""),
            ("to=\"new-master\"", "to=\"new-master\" pid-file=\"{pid}\""),
            ("to=\"new-master\"", "to=\"newmaster\""),
            ("\"{new}\" \"{binary}\"", "\"{nwe}\" \"{binary}\""),
            ("\"a\" \"b\"", "\"a\""),
            ("\"a\" \"b\"", "\"a\" \"b\" \"c\""),
            ("within=\"5s\"", ""),
            ("masters=2 old-workers=0", ""),
            ("not-empty \"{pid}.oldbin\"", "empty \"{pid}\""),
            ("{ not-empty \"{pid}.oldbin\"; }", ""),
            ("ignore-failure=#true", "ignore-failure=1"),
            ("sleep", "slep"),
            ("claims \"held\"", ""),
        ] {
            told.extend(after(from, to));
        }
        insta::assert_snapshot!(told.join("\n"), @r#"
        6:12 nginx has no use for the signal "SIGUSR2" | did you mean `USR2`? valid here: `HUP`, `INT`, `QUIT`, `KILL`, `USR1`, `USR2`, `TERM`, `WINCH`
        6:5 whom? a signal has one receiver | for example: signal "USR2" pid-file="{pid}", or to="old-master"
        7:5 whom? a signal has one receiver | for example: signal "USR2" pid-file="{pid}", or to="old-master"
        7:19 "newmaster" is nobody whom `ps` shows | did you mean `new-master`? valid here: `old-master`, `new-master`
        4:10 there is no placeholder {nwe} | did you mean `new`? valid here: `binary`, `new`, `pid`, `conf`, `prefix`, `old-version`, `new-version`
        5:5 `move` needs a path to put it to | for example: move "{new}" "{binary}"
        5:18 `move` does not take this argument | its properties are `ignore-failure`
        10:5 `wait` needs the property `within` | for example: wait within="5s" { sees masters=2 old-workers=1 new-workers=1; }
        10:51 `sees` counts nothing | for example: sees masters=2 old-workers=1 new-workers=1
        11:13 `empty` is nothing to look at | did you mean `not-empty`? valid here: `exists`, `absent`, `not-empty`, `sees`
        11:5 `check` looks at nothing | for example: { sees masters=2 old-workers=1 new-workers=1; }
        4:29 1 is not yes or no | write #true or #false
        9:5 `runbook` has no `slep` | did you mean `sleep`? valid here: `why`, `source`, `copy`, `move`, `signal`, `run`, `sleep`, `wait`, `check`, `claims`
        1:1 `claims` is missing | for example: claims "upgraded"
        "#);
    }

    #[test]
    fn a_runbook_that_does_nothing_is_refused() {
        let error = parse("x.kdl", "runbook \"x\" schema=1 { why \"y\"; claims \"held\"; }").unwrap_err();
        assert_eq!(error.mistakes[0].message, "the runbook does nothing");
    }
}
