//! Plays random scripts in the model world and counts.
use std::collections::BTreeMap;
use scenarios::model::choice::Seeded;
use scenarios::model::script::{Mistakes, Stages};
fn main() {
    let count: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let from: u64 = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(0);
    let stages = Stages::new(Mistakes::default());
    if std::env::args().nth(3).is_some() {
        let (played, recorder) = stages.explain(Seeded::new(from));
        for event in &played.events { println!("{:>10} {}", event.at_us, serde_json::to_string(&event.what).unwrap()); }
        println!("{:#?}\n{:?} {:?}", played.script, played.claims, played.wrong);
        println!("{} deviations", recorder.deviations().len());
        return;
    }
    let began = std::time::Instant::now();
    let (mut wrong, mut winches) = (0u64, 0u64);
    let mut kinds: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut faults: BTreeMap<String, u64> = BTreeMap::new();
    let mut claims: BTreeMap<String, u64> = BTreeMap::new();
    let (mut choices, mut steps) = (Vec::new(), 0u64);
    for seed in from..from + count {
        let played = stages.play(&mut Seeded::new(seed));
        winches += u64::from(played.counts.winches > 0);
        choices.push(played.counts.choices);
        steps += u64::from(played.counts.steps);
        for fault in &played.counts.faults { *faults.entry(format!("{fault:?}")).or_default() += 1; }
        for claim in &played.claims { *claims.entry(format!("{claim:?}")).or_default() += 1; }
        if let Some(why) = played.wrong {
            wrong += 1;
            let key: String = why.chars().filter(|c| !c.is_ascii_digit()).take(300).collect();
            kinds.entry(key).or_insert((0, seed)).0 += 1;
        }
    }
    choices.sort_unstable();
    let s = began.elapsed().as_secs_f64();
    println!("{count} scripts in {s:.2} s = {:.0}/s; {} steps each; median choices {}; winch {:.0}%; wrong {wrong}", count as f64 / s, steps / count, choices[choices.len() / 2], winches as f64 * 100.0 / count as f64);
    println!("faults {faults:?}\nclaims {claims:?}");
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, (n, _))| std::cmp::Reverse(*n));
    for (why, (n, seed)) in kinds.iter().take(25) { println!("{n:6} seed {seed:6} {why}"); }
}
