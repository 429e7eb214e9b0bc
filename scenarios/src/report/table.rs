//! The verdict table.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, presets};

use super::{Run, cell};

/// The runs as a table, one line each. `width` is the terminal's; without it no line is broken.
#[must_use]
pub fn table(runs: &[Run], in_colour: bool, width: Option<u16>) -> String {
    let mut table = Table::new();
    let rule = LineStyle::none().fill('─').junction('─');
    table.load_style(presets::NOTHING.header_separator(rule)).force_no_tty();
    if in_colour {
        table.enforce_styling();
    }
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let names =
        ["scenario", "world", "releases", "requests", "lost", "races", "longest gap", "claims", "verdict"];
    table.set_header(names.map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    for run in runs {
        table.add_row(line(run));
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if (3..=6).contains(&i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

fn line(run: &Run) -> Vec<Cell> {
    let colour = match (run.verdict, run.as_expected) {
        (_, true) => Color::Green,
        ("unchecked", false) => Color::Yellow,
        (_, false) => Color::Red,
    };
    let claims: Vec<_> = run.claims.iter().map(|claim| claim.name()).collect();
    let claims = if claims.is_empty() { "none".to_owned() } else { claims.join(", ") };
    let gap = run.summary.longest_gap.map_or("–".to_owned(), |gap| cell::milliseconds(gap.gap_us));
    let lost = Cell::new(run.summary.lost);
    vec![
        Cell::new(&run.scenario),
        Cell::new(run.world),
        Cell::new(format!("{} → {}", run.old, run.new)),
        Cell::new(run.summary.requests),
        if run.summary.lost > 0 { lost.fg(colour) } else { lost },
        Cell::new(run.summary.keep_alive_races),
        Cell::new(gap),
        Cell::new(claims),
        Cell::new(verdict(run)).fg(colour),
    ]
}

/// A canary's verdict says that it is one, because red as expected looks wrong otherwise.
fn verdict(run: &Run) -> String {
    match (run.verdict, run.as_expected) {
        ("violated", true) => "violated, as it must be".to_owned(),
        ("held", false) => "held, and must not".to_owned(),
        (verdict, _) => verdict.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Gap, Summary, json, json_line};
    use super::*;
    use crate::scenario::{Claim, WorldKind};

    fn run(scenario: &str, lost: u64, verdict: &'static str, as_expected: bool) -> Run {
        Run {
            scenario: scenario.into(),
            world: WorldKind::Real,
            old: "1.22.1".into(),
            new: "1.26.3".into(),
            seed: 7,
            isolation: "namespaces".into(),
            duration_us: 2_000_000,
            claims: vec![Claim::Held, Claim::RolledBack],
            summary: Summary {
                requests: 1207,
                lost,
                longest_gap: Some(Gap { gap_us: 12_300, at_us: 0 }),
                ..Summary::default()
            },
            verdict,
            as_expected,
            surprises: Vec::new(),
            findings: Vec::new(),
            replay: "oldbin-lab run x".into(),
        }
    }

    fn runs() -> [Run; 5] {
        [
            run("orchestrator-upgrade", 0, "held", true),
            run("make-upgrade", 399, "violated", false),
            run("canary-one", 212, "violated", true),
            run("canary-two", 0, "held", false),
            run("blind", 0, "unchecked", false),
        ]
    }

    #[test]
    fn the_table_says_who_ran_where_and_what_came_of_it() {
        insta::assert_snapshot!(table(&runs(), false, None), @r#"
        scenario               world   releases          requests   lost   races   longest gap   claims              verdict
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        orchestrator-upgrade   real    1.22.1 → 1.26.3       1207      0       0         12 ms   held, rolled-back   held
        make-upgrade           real    1.22.1 → 1.26.3       1207    399       0         12 ms   held, rolled-back   violated
        canary-one             real    1.22.1 → 1.26.3       1207    212       0         12 ms   held, rolled-back   violated, as it must be
        canary-two             real    1.22.1 → 1.26.3       1207      0       0         12 ms   held, rolled-back   held, and must not
        blind                  real    1.22.1 → 1.26.3       1207      0       0         12 ms   held, rolled-back   unchecked
        "#);
    }

    #[test]
    fn colour_is_there_if_asked_for_and_says_nothing_that_the_words_do_not() {
        let coloured = table(&runs(), true, None);
        assert!(coloured.contains("\u{1b}["));
        let mut plain = String::new();
        let mut in_escape = false;
        for c in coloured.chars() {
            match c {
                '\u{1b}' => in_escape = true,
                'm' if in_escape => in_escape = false,
                c if !in_escape => plain.push(c),
                _ => {}
            }
        }
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&plain), words(&table(&runs(), false, None)));
    }

    #[test]
    fn both_json_forms_carry_their_version() {
        let document: serde_json::Value = serde_json::from_str(&json(&runs()).unwrap()).unwrap();
        assert_eq!((&document["schema"], document["runs"].as_array().unwrap().len()), (&1.into(), 5));
        let line = json_line(&runs()[1]).unwrap();
        assert!(!line.contains('\n'));
        insta::assert_snapshot!(line, @r#"{"schema":1,"scenario":"make-upgrade","world":"real","old":"1.22.1","new":"1.26.3","seed":7,"isolation":"namespaces","duration_us":2000000,"claims":["held","rolled-back"],"requests":1207,"lost":399,"keep_alive_races":0,"longest_gap":{"gap_us":12300,"at_us":0},"latency":null,"verdict":"violated","as_expected":false,"surprises":[],"findings":[],"replay":"oldbin-lab run x"}"#);
    }
}
