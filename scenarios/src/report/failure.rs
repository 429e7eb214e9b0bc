//! One failure on one page: what was violated, the way there, why, and the command that shows it again.
//!
//! Thousands of requests are counts; processes have a column each, as far as there are old and new ones;
//! what the subject did stands across the columns. The first bad step is marked. Where a trace is longer than
//! a page, the lines that matter least and are farthest from that step are left out, and the page says so.

use super::cell;
use super::row::{Body, CLIENT, COLUMNS, Row, requests, rows};
use crate::invariants::{Finding, INVARIANTS, Kind};
use crate::scenario::Scenario;
use crate::trace::{Role, Trace, What};
use crate::verdict::{Part, Verdict};

/// Rows of the table at most; with the lines around it, a failure fits a small terminal.
const ROWS_MAX: usize = 16;
/// The widest column of a process.
const CELL_MAX: usize = 36;
/// The widest line across the columns.
const ACROSS_MAX: usize = 92;

/// A mark, a time, and a text for each column or one across them all.
type Line = (char, String, Result<[String; 5], String>);

/// The page of a run that is not as its scenario expects; `None` if it is.
///
/// With `even_if_expected`, a canary's violation is told as well.
#[must_use]
pub fn failure(
    scenario: &Scenario,
    trace: &Trace,
    verdict: &Verdict,
    even_if_expected: bool,
    in_colour: bool,
) -> Option<String> {
    if verdict.as_expected && !(even_if_expected && verdict.first_violated().is_some()) {
        return None;
    }
    let mut lines = Vec::new();
    let violated = verdict.first_violated().filter(|judged| judged.role != Part::Free || verdict.as_expected);
    match violated.map(|judged| (judged, &judged.finding)) {
        Some((judged, Finding::Violated { event, at_us, why })) => {
            lines.push(heading("VIOLATED", judged.name, &kind(judged.name, *at_us), scenario, trace));
            lines.push(String::new());
            lines.extend(page(trace, *event));
            lines.push(String::new());
            lines.push(format!("why      {why}"));
            let first = format!("{} is violated: {why}", judged.name);
            lines.extend(also(verdict.surprises.iter().filter(|surprise| **surprise != first)));
        }
        _ => {
            let word = if verdict.exit_code() == 1 { "UNEXPECTED" } else { "UNCHECKED" };
            lines.push(heading(word, "", "", scenario, trace));
            lines.push(String::new());
            let mut surprises = verdict.surprises.iter();
            lines.extend(surprises.next().map(|first| format!("why      {first}")));
            lines.extend(also(surprises));
        }
    }
    lines.push(format!("replay   {}", trace.header.replay));
    let page = lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n") + "\n";
    Some(if in_colour { coloured(&page) } else { page })
}

fn heading(word: &str, invariant: &str, kind: &str, scenario: &Scenario, trace: &Trace) -> String {
    let header = &trace.header;
    let releases = format!("{} → {}", header.old, header.new);
    let world = header.world.to_string();
    let parts = [invariant, kind, &scenario.name, &world, &releases];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{word}  {}", parts.join("   "))
}

/// When it should have held, and did not.
fn kind(name: &str, at_us: u64) -> String {
    match INVARIANTS.iter().find(|invariant| invariant.name == name).map(|invariant| invariant.kind) {
        Some(Kind::Always) => format!("always, but not at {}", cell::seconds(at_us)),
        Some(Kind::Eventually) | None => "eventually, but not by the end".to_owned(),
    }
}

fn also<'a>(surprises: impl Iterator<Item = &'a String>) -> impl Iterator<Item = String> {
    surprises.map(|surprise| format!("also     {surprise}"))
}

/// The table: the way to the first bad step, and what came after it.
pub(super) fn page(trace: &Trace, bad: usize) -> Vec<String> {
    let all = rows(trace, Some(bad));
    let total = all.len();
    let rows = select(all);
    let left_out = total - rows.len();
    let mut cells: Vec<Line> = Vec::new();
    // The first request that no line has counted.
    let mut from = 0;
    for row in &rows {
        let counts = requests(trace, from, row.events.0);
        let mut texts = texts(&row.body);
        match texts.as_mut() {
            Ok(texts) if texts[CLIENT].is_empty() => {
                texts[CLIENT] = counts.to_string();
                from = row.events.0 + 1;
            }
            // What was served can be told by the next line that has room.
            Err(_) if !row.is_bad && counts.are_served() => {}
            Ok(_) | Err(_) => {
                from = row.events.0 + 1;
                if !counts.is_empty() {
                    cells.push((' ', String::new(), Ok(client(counts.to_string()))));
                }
            }
        }
        cells.push((if row.is_bad { '>' } else { ' ' }, cell::seconds(row.at_us), texts));
    }
    let rest = requests(trace, from, trace.events.len());
    if !rest.is_empty() {
        cells.push((' ', String::new(), Ok(client(rest.to_string()))));
    }
    let mut lines = layout(&heads(trace), &cells);
    if left_out > 0 {
        lines.push(format!("   {:>6}  … {left_out} quieter lines are left out", ""));
    }
    lines
}

fn client(text: String) -> [String; 5] {
    let mut texts: [String; 5] = Default::default();
    texts[CLIENT] = text;
    texts
}

/// The rows that fit, in their order: by weight, and the nearer to the bad step the better.
fn select(rows: Vec<Row>) -> Vec<Row> {
    let bad = rows.iter().position(|row| row.is_bad).unwrap_or(rows.len());
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&i| (!rows[i].is_bad, std::cmp::Reverse(rows[i].weight), i.abs_diff(bad)));
    order.truncate(ROWS_MAX);
    let keep = |i: &usize| order.contains(i);
    rows.into_iter().enumerate().filter(|(i, _)| keep(i)).map(|(_, row)| row).collect()
}

fn texts(body: &Body) -> Result<[String; 5], String> {
    match body {
        Body::Across(text) => Err(shortened(text, ACROSS_MAX)),
        Body::Cells(cells) => Ok(std::array::from_fn(|i| {
            let texts = cells[i].iter().map(|(text, pids)| {
                let pids: Vec<_> = pids.iter().map(u32::to_string).collect();
                if pids.is_empty() { text.clone() } else { format!("{} {text}", pids.join(" ")) }
            });
            shortened(&texts.collect::<Vec<_>>().join(", "), CELL_MAX)
        })),
    }
}

fn shortened(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

/// The columns' heads, with the pid where there is only one master in the column.
fn heads(trace: &Trace) -> [String; 5] {
    let masters = |is_old: bool| {
        let born = trace.select(move |what| {
            let What::Born { pid, role: Role::Master, generation, .. } = what else { return None };
            (is_old == (*generation <= 1)).then_some(*pid)
        });
        let pids: Vec<u32> = born.map(|(.., pid)| pid).collect();
        match pids.as_slice() {
            [pid] => format!(" {pid}"),
            _ => String::new(),
        }
    };
    std::array::from_fn(|i| match i {
        0 => format!("{}{}", COLUMNS[0], masters(true)),
        2 => format!("{}{}", COLUMNS[2], masters(false)),
        _ => COLUMNS[i].to_owned(),
    })
}

fn layout(heads: &[String; 5], rows: &[Line]) -> Vec<String> {
    let length = |text: &String| text.chars().count();
    let widths: [usize; 5] = std::array::from_fn(|i| {
        let cells = rows.iter().filter_map(|(.., texts)| texts.as_ref().ok()).map(|texts| length(&texts[i]));
        cells.chain([length(&heads[i])]).max().unwrap_or(0) + 3
    });
    let columns = |texts: &[String; 5]| {
        texts.iter().zip(widths).map(|(text, width)| format!("{text:<width$}")).collect::<String>()
    };
    let head = format!("   {:>6}  {}", "time", columns(heads));
    let body = rows.iter().map(|(mark, time, texts)| match texts {
        Ok(texts) => format!(" {mark} {time:>6}  {}", columns(texts)),
        Err(across) => format!(" {mark} {time:>6}  · {across}"),
    });
    std::iter::once(head).chain(body).collect()
}

/// The heading's first word and the first bad step in red; nothing else, so that these are seen.
pub(super) fn coloured(page: &str) -> String {
    let red = |text: &str| format!("\u{1b}[1;31m{text}\u{1b}[0m");
    let line = |(i, line): (usize, &str)| match line.split_once("  ") {
        Some((word, rest)) if i == 0 => format!("{}  {rest}", red(word)),
        _ if line.starts_with(" >") => red(line),
        _ => line.to_owned(),
    };
    page.lines().enumerate().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::tests::Run;
    use crate::scenario::Claim;
    use crate::trace::{Content, Evidence, Exit, Fate, Kind, PidFile};
    use crate::verdict::judge;

    fn scenario(expect: &str) -> Scenario {
        let text = format!(
            "scenario \"story\" schema=1 {{
                why \"because\"
                old \"1.22.1\" workers=2
                new \"1.26.3\" workers=2
                act \"runbook\" \"no-wait-script\" claims=\"upgraded\"
                load fresh-per-second=1
                expect {expect}
            }}"
        );
        crate::scenario::parse("story.kdl", &text).unwrap_or_else(|error| panic!("{}", error.render(false)))
    }

    fn page_of(expect: &str, run: &Run) -> String {
        let scenario = scenario(expect);
        let verdict = judge(&scenario, &run.trace);
        failure(&scenario, &run.trace, &verdict, true, false).expect("a failure")
    }

    const PLAIN: &str = "ends-on=\"new\" { sometimes \"new-master.born\"; }";

    fn served(mut run: Run, from_ms: u64, to_ms: u64, pid: u32) -> Run {
        for ms in from_ms..to_ms {
            run = run.served(ms, Kind::Fresh, pid);
        }
        run
    }

    /// A script that retires the old nginx, and a new one that fails a second later.
    fn outage() -> Run {
        let run = served(Run::new().rest(5), 10, 400, 11)
            .step(400, 1, "copy \"{new}\" \"{binary}\"")
            .binary(401, "1.26.3")
            .step(402, 2, "signal \"USR2\" pid-file=\"{pid}\"")
            .signal(402, 10, "USR2")
            .file(403, PidFile::Oldbin, Content::Pid(10))
            .file(403, PidFile::Current, Content::Absent)
            .master(404, 20, 10, 2, "1.26.3")
            .step(450, 3, "signal \"QUIT\" pid-file=\"{pid}.oldbin\"")
            .signal(450, 10, "QUIT")
            .drains(451, 11)
            .drains(451, 12)
            .died(460, 11, Some(Exit::Code(0)))
            .died(460, 12, Some(Exit::Code(0)))
            .died(461, 10, Some(Exit::Code(0)))
            .file(461, PidFile::Oldbin, Content::Absent)
            .claims(462, Claim::Upgraded)
            .died(1404, 20, Some(Exit::Code(1)));
        (0..200).fold(run, |run, i| run.request(1405 + i, Kind::Fresh, None, Fate::Refused)).rest(1700)
    }

    #[test]
    fn an_outage_is_told_on_one_page_with_its_first_bad_step() {
        let page = page_of(PLAIN, &outage());
        insta::assert_snapshot!(page, @r#"
        VIOLATED  claim-is-true   always, but not at 0.462   story   fake   1.22.1 → 1.26.3

             time  old master 10   old workers      new master 20   new workers   client
            0.000  · the binary's file is 1.22.1
            0.400  · step 1: copy "{new}" "{binary}"
            0.401  · the binary's file is 1.26.3
            0.402  · step 2: signal "USR2" pid-file="{pid}"
            0.402  USR2                                                           390 served
            0.403  · nginx.pid.oldbin names 10
            0.403  · nginx.pid is gone
            0.404                                   born
            0.450  · step 3: signal "QUIT" pid-file="{pid}.oldbin"
            0.450  QUIT
            0.451                  11 12 draining
            0.460                  11 12 gone
            0.461  gone
            0.461  · nginx.pid.oldbin is gone
         >  0.462  · act 1 claims upgraded
            1.404                                   exits 1
                                                                                  200 refused
                   … 2 quieter lines are left out

        why      claims upgraded, but master 20 of 1.26.3 has no worker that takes connections
        also     fresh-connection-finds-a-worker is violated: connection 413 was refused; 200 of 590 fresh connections found no worker
        also     answers-come-from-the-claimed-release is unchecked: nobody asked behind the last claim's rest
        also     one-generation-at-the-end is violated: no master runs
        also     ends-on is violated: nobody serves at the end
        replay   oldbin-lab run story --world fake --seed 0
        "#);
    }

    #[test]
    fn an_orphan_at_the_end_is_told_by_its_masters_death() {
        let run = served(Run::new().rest(5), 10, 20, 11)
            .new_generation(30)
            .drains(40, 11)
            .drains(40, 12)
            .signal(40, 10, "WINCH")
            .died(50, 20, Some(Exit::Signal(9)))
            .worker(55, 13, 10)
            .worker(55, 14, 10)
            .claims(60, Claim::Upgraded)
            .rest(5000);
        insta::assert_snapshot!(page_of("{ eventually \"one-generation-at-the-end\"; sometimes \"new-master.born\"; }", &run), @r#"
        VIOLATED  one-generation-at-the-end   eventually, but not by the end   story   fake   1.22.1 → 1.26.3

             time  old master 10   old workers                            new master 20   new workers      client
            0.000  born            11 12 up
            0.000  · nginx.pid names 10
            0.000  · the binary's file is 1.22.1
            0.030                                                         born                             10 served
            0.031                                                                         21 22 up
            0.040  WINCH           11 12 draining
            0.050                                                         killed by 9
            0.055                  13 14 up
            0.060  · act 1 claims upgraded
         >  5.000  still up        11 12 still draining, 13 14 still up                   21 22 still up

        why      worker 21 of generation 2 has lost its master
        replay   oldbin-lab run story --world fake --seed 0
        "#);
    }

    #[test]
    fn what_is_only_unchecked_is_told_without_a_table() {
        let run = Run::new().rest(5).claims(10, Claim::Upgraded).rest(20).blind_to(Evidence::Requests);
        let named =
            "{ eventually \"nothing-outlives-the-run\"; sometimes \"new-master.born\"; log \"changing\"; }";
        insta::assert_snapshot!(page_of(named, &run), @r#"
        UNCHECKED  story   fake   1.22.1 → 1.26.3

        why      the moment new-master.born was not reached
        also     nginx did not log "changing"
        replay   oldbin-lab run story --world fake --seed 0
        "#);
    }

    #[test]
    fn a_run_that_is_as_expected_has_no_page_unless_a_canary_is_asked_for() {
        let canary =
            scenario("{ violates \"fresh-connection-finds-a-worker\"; sometimes \"new-master.born\"; }");
        let run = outage();
        let verdict = judge(&canary, &run.trace);
        assert!(verdict.as_expected);
        assert_eq!(failure(&canary, &run.trace, &verdict, false, false), None);
        assert!(failure(&canary, &run.trace, &verdict, true, false).unwrap().starts_with("VIOLATED"));
    }

    #[test]
    fn a_page_stays_a_page_however_long_the_run_was() {
        let mut run = outage();
        for i in 0..300 {
            run = run.died(1800 + i, 10, None).worker(1800 + i, 13, 10).served(1800 + i, Kind::Fresh, 13);
        }
        let page = page_of(PLAIN, &run.rest(2200));
        assert!(page.lines().count() <= 30, "{page}");
        assert!(page.contains("quieter lines are left out") && page.contains("\n >"), "{page}");
    }

    #[test]
    fn no_request_is_forgotten_on_the_page() {
        let mut run = outage();
        for i in 0..100 {
            run = run.died(1800 + i, 11, None).served(1800 + i, Kind::Fresh, 13).worker(1800 + i, 11, 10);
        }
        let requests = run.trace.events.iter().filter(|event| matches!(event.what, What::Request(_))).count();
        for expect in
            [PLAIN, "{ always \"fresh-connection-finds-a-worker\"; sometimes \"new-master.born\"; }"]
        {
            let page = page_of(expect, &run);
            let table = page.split("why ").next().unwrap();
            let words: Vec<_> = table.split([' ', ',', '\n']).filter(|word| !word.is_empty()).collect();
            let counted = words.windows(2).filter(|pair| matches!(pair[1], "served" | "refused"));
            let counted: usize = counted.map(|pair| pair[0].parse().unwrap_or(1)).sum();
            assert_eq!(counted, requests, "{page}");
        }
    }

    #[test]
    fn colour_marks_the_first_word_and_the_bad_step_and_nothing_else() {
        let scenario = scenario(PLAIN);
        let run = outage();
        let verdict = judge(&scenario, &run.trace);
        let plain = failure(&scenario, &run.trace, &verdict, false, false).unwrap();
        let red = failure(&scenario, &run.trace, &verdict, false, true).unwrap();
        assert_eq!(red.matches("\u{1b}[1;31m").count(), 2);
        assert_eq!(red.replace("\u{1b}[1;31m", "").replace("\u{1b}[0m", ""), plain);
    }
}
