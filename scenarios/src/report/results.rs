//! Results that were put together, for people.

use crate::explore::results::Results;

/// A few lines; `unchecked` is what keeps the run from proving something.
#[must_use]
pub fn results(results: &Results, unchecked: &[String]) -> String {
    let whole = &results.whole;
    let shards: Vec<_> = results.parts.keys().map(u64::to_string).collect();
    let mut lines = vec![
        format!(
            "world {}, strategy {}, up to {} faults, seeds from {}, {} scripts of {}",
            whole.world,
            whole.draw.strategy,
            whole.draw.faults,
            whole.seed,
            results.tally().scripts,
            whole.scripts.map_or_else(|| "any number".to_owned(), |scripts| scripts.to_string()),
        ),
        format!("shards    {} of {}", shards.join(", "), whole.shards),
        results.tally().to_string(),
    ];
    for known in results.failures() {
        let found = known.found;
        let others = match known.others {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        lines.extend([String::new(), format!("FAILED    seed {}{others}: {}", found.seed, found.why)]);
        lines.extend(found.steps.iter().cloned());
        lines.push(format!("replay  {}", found.replay));
    }
    lines.extend(unchecked.iter().map(|why| format!("UNCHECKED  {why}")));
    lines.join("\n")
}
