//! What was visited within bounds, for people.

use crate::explore::bounds::{Bounds, Visited};

/// A table, what is wrong with the way there, and one sentence; `unchecked` is what keeps it from proving something.
#[must_use]
pub fn bounds(bounds: &Bounds, unchecked: &[String]) -> String {
    let mut lines = Vec::new();
    let head = ("states", "edges", "depth", "seconds");
    lines.push(format!("{:>10}  {:>10}  {:>5}  {:>7}  within", head.0, head.1, head.2, head.3));
    for one in bounds.in_order() {
        let Visited { bound, states, steps, depth, took_ms, .. } = one;
        lines.push(format!("{states:>10}  {steps:>10}  {depth:>5}  {:>7.1}  {bound}", seconds(*took_ms)));
    }
    for (one, wrong) in bounds.in_order().flat_map(|one| one.wrong.iter().map(move |wrong| (one, wrong))) {
        lines.extend([String::new(), format!("WRONG     {}", one.bound), wrong.why.clone()]);
        lines.extend(wrong.path.iter().zip(1..).map(|(label, nth)| format!("{nth:>5}  {label}")));
        lines.extend(wrong.file.iter().map(|file| format!("kept    {}", file.display())));
        let story = wrong.file.as_ref().filter(|file| file.extension().is_some_and(|kind| kind == "kdl"));
        lines.push(story.map_or_else(
            || format!("replay  {}", one.replay),
            |file| format!("replay  oldbin-lab replay {}", file.display()),
        ));
    }
    lines.extend(unchecked.iter().map(|why| format!("UNCHECKED  {why}")));
    lines.extend([String::new(), sentence(bounds)]);
    lines.join("\n")
}

/// What was visited, and how fast.
fn sentence(bounds: &Bounds) -> String {
    let sum = |of: fn(&Visited) -> u64| bounds.visited.values().map(of).sum::<u64>();
    let (states, left, edges) = (sum(|one| one.states), sum(|one| one.not_visited), sum(|one| one.steps));
    let took = seconds(bounds.parts.values().map(|part| part.took_ms).sum());
    #[expect(clippy::cast_precision_loss, reason = "nobody walks so many edges")]
    let per_second = edges as f64 / took.max(0.001);
    let of = match bounds.visited.len() {
        all if all == bounds.whole.bounds.len() => String::new(),
        _ => format!(" of {}", bounds.whole.bounds.len()),
    };
    let within = format!("{}{of} bounds", bounds.visited.len());
    let pace = format!("{took:.1} s, {per_second:.0} steps a second");
    if left == 0 {
        format!("all {states} states within these {within} were visited: {edges} steps, {pace}")
    } else {
        format!("{left} of {states} states that were met within these {within} were not visited: {pace}")
    }
}

fn seconds(ms: u64) -> f64 {
    f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1_000.0
}
