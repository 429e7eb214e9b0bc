//! What was counted over many scripts, so that a run that proved nothing is told from a good one.

use std::collections::BTreeMap;
use std::fmt;

use fake_nginx::fault::Fault as BinaryFault;
use serde::{Deserialize, Serialize};

use crate::counts::count;
use crate::invariants::STRUCK;
use crate::live::storm;
use crate::model::binaries::BINARIES;
use crate::model::fault::Fault;
use crate::model::script::{Played, Script};
use crate::trace::{Role, Trace, What};

/// A handful of scripts is somebody who plays one again, and proves nothing about WINCH.
const SCRIPTS_MIN: u64 = 20;
/// Fewer scripts than these may be unlucky: of them half as many must have reached WINCH.
const SCRIPTS_MANY: u64 = 300;

/// Counts of many scripts. Two tallies add up to the tally of both.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// How many were played.
    pub scripts: u64,
    /// How many commands were typed.
    pub commands: u64,
    /// In how many WINCH reached an old master that had a new one beside it.
    pub reached_winch: u64,
    /// In how many something did not hold.
    pub failures: u64,
    /// How often each fault struck.
    pub faults: BTreeMap<String, u64>,
    /// In how many scripts each kind of new binary was started.
    pub binaries: BTreeMap<String, u64>,
    /// How often each thing was claimed; `killed` for a command that was.
    pub claims: BTreeMap<String, u64>,
    /// How many scripts had so many choices; empty in a live world, which chooses by itself.
    pub(super) choices: BTreeMap<u32, u64>,
}

/// What a run must have counted, or it proved nothing.
#[derive(Debug, Clone, Copy)]
pub struct Demands {
    /// Of so many scripts one must have met each fault.
    pub scripts_per_fault: u64,
    /// Of a hundred scripts so many must have reached WINCH.
    pub winch_percent: u64,
    /// The median of choices.
    pub choices: u32,
    /// True for each of [`BINARIES`] that must have come.
    pub wants_binary: fn(Option<BinaryFault>) -> bool,
}

impl Demands {
    /// Of the model: a million scripts meet each fault at least a thousand times.
    pub const MODEL: Self =
        Self { scripts_per_fault: 1_000, winch_percent: 50, choices: 60, wants_binary: |_| true };
    /// Of a live world, which plays hundreds.
    pub const LIVE: Self =
        Self { scripts_per_fault: 400, winch_percent: 50, choices: 0, wants_binary: storm::can_play };
}

impl Tally {
    /// Counts a script of the model.
    pub fn take(&mut self, played: &Played) {
        self.scripts += 1;
        if played.counts.new_masters > 0 || is_refused(&played.script) {
            count(&mut self.binaries, &binary(played.script.binary));
        }
        self.reached_winch += u64::from(played.counts.winches > 0);
        self.failures += u64::from(played.wrong.is_some());
        *self.choices.entry(played.counts.choices).or_default() += 1;
        for fault in &played.counts.faults {
            count(&mut self.faults, fault.name());
        }
        for claim in &played.claims {
            self.claim(claim.map(|claim| claim.to_string()));
        }
    }

    /// Counts a script of a live world.
    pub fn take_live(&mut self, script: &Script, trace: &Trace, is_wrong: bool) {
        self.scripts += 1;
        self.failures += u64::from(is_wrong);
        let mut has_reached = false;
        let mut is_open = false;
        let mut has_new_master = false;
        for event in &trace.events {
            #[expect(clippy::wildcard_enum_match_arm, reason = "most of what is seen is not counted")]
            match &event.what {
                What::Moment { name } if name == "old-master.after-winch" => has_reached = true,
                What::Moment { name } => {
                    let fault = name.strip_prefix(STRUCK).filter(|name| Fault::named(name).is_some());
                    fault.into_iter().for_each(|fault| count(&mut self.faults, fault));
                }
                What::Born { role: Role::Master, generation: 2.., .. } => has_new_master = true,
                What::StepBegan { .. } => {
                    if is_open {
                        self.claim(None);
                    }
                    is_open = true;
                }
                What::Claimed { claim, .. } => {
                    self.claim(Some(claim.to_string()));
                    is_open = false;
                }
                _ => {}
            }
        }
        if is_open {
            self.claim(None);
        }
        self.reached_winch += u64::from(has_reached);
        if has_new_master || is_refused(script) {
            count(&mut self.binaries, &binary(script.binary));
        }
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        self.scripts += other.scripts;
        self.commands += other.commands;
        self.reached_winch += other.reached_winch;
        self.failures += other.failures;
        for (own, others) in [
            (&mut self.faults, &other.faults),
            (&mut self.binaries, &other.binaries),
            (&mut self.claims, &other.claims),
        ] {
            for (name, more) in others {
                *own.entry(name.clone()).or_default() += more;
            }
        }
        for (choices, more) in &other.choices {
            *self.choices.entry(*choices).or_default() += more;
        }
    }

    /// The median of choices; `None` where nobody counted them.
    #[must_use]
    pub fn median_choices(&self) -> Option<u32> {
        let mut left = self.choices.values().sum::<u64>() / 2;
        self.choices.iter().find_map(|(&choices, &scripts)| {
            let is_median = left < scripts;
            left = left.saturating_sub(scripts);
            is_median.then_some(choices)
        })
    }

    /// What is missing so that the run proves something, in one line each; `faults` are those that its world knows.
    #[must_use]
    pub fn vacuous(&self, demands: &Demands, faults: &[Fault]) -> Vec<String> {
        let mut missing = Vec::new();
        if self.scripts == 0 {
            return vec!["no script was played".to_owned()];
        }
        let percent = demands.winch_percent / if self.scripts < SCRIPTS_MANY { 2 } else { 1 };
        if self.scripts >= SCRIPTS_MIN && self.reached_winch * 100 < self.scripts * percent {
            missing.push(format!("only {} of {} scripts reached WINCH", self.reached_winch, self.scripts));
        }
        if let Some(median) = self.median_choices().filter(|&median| median < demands.choices) {
            missing.push(format!("half of the scripts had {median} choices or fewer"));
        }
        // A run of fewer scripts is too short to meet everything.
        let wanted = self.scripts / demands.scripts_per_fault;
        let of = |counts: &BTreeMap<String, u64>, name: &str| counts.get(name).copied().unwrap_or(0);
        for name in faults.iter().map(|fault| fault.name()) {
            let struck = of(&self.faults, name);
            if struck < wanted {
                missing.push(format!("{name} struck {struck} times, and should {wanted} times"));
            }
        }
        let wants = |kind: &usize| (demands.wants_binary)(BINARIES[*kind]);
        for kind in (0..BINARIES.len()).filter(wants) {
            let came = of(&self.binaries, &binary(kind));
            if came < wanted {
                missing.push(format!("the new binary \"{}\" came {came} times", binary(kind)));
            }
        }
        missing
    }

    fn claim(&mut self, claim: Option<String>) {
        self.commands += 1;
        count(&mut self.claims, claim.as_deref().unwrap_or("killed"));
    }
}

/// True if its new binary never gets as far as a master.
fn is_refused(script: &Script) -> bool {
    matches!(BINARIES[script.binary], Some(BinaryFault::FailsTest { .. }))
}

/// What a kind of new binary is called.
fn binary(kind: usize) -> String {
    BINARIES.get(kind).copied().flatten().map_or_else(|| "sound".to_owned(), |fault| fault.to_string())
}

impl fmt::Display for Tally {
    /// A few lines for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<String, u64>| {
            counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
        };
        let choices = self
            .median_choices()
            .map_or_else(String::new, |median| format!(", {median} choices in the median"));
        writeln!(
            f,
            "scripts   {} with {} commands{choices}; WINCH in {}; {} failed",
            self.scripts, self.commands, self.reached_winch, self.failures
        )?;
        writeln!(f, "faults    {}", list(&self.faults))?;
        writeln!(f, "binaries  {}", list(&self.binaries))?;
        write!(f, "claims    {}", list(&self.claims))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::choice::Seeded;
    use crate::model::script::{Mistakes, Stages};

    fn of(seeds: std::ops::Range<u64>) -> Tally {
        let stages = Stages::new(Mistakes::default());
        let mut tally = Tally::default();
        seeds.for_each(|seed| tally.take(&stages.play(&mut Seeded::new(seed))));
        tally
    }

    #[test]
    fn two_halves_add_up_to_the_whole() {
        let mut halves = of(0..20);
        halves.add(&of(20..40));

        assert_eq!(halves, of(0..40));
    }

    #[test]
    fn a_run_in_which_nothing_happened_is_vacuous() {
        let nothing = Tally { scripts: 1_000, ..Tally::default() };

        let missing = nothing.vacuous(&Demands::MODEL, &[Fault::Reload]).join("\n");

        assert!(missing.contains("reached WINCH") && missing.contains("reload struck 0 times"), "{missing}");
        assert_eq!(
            of(0..500).vacuous(&Demands::MODEL, &Fault::drawn().collect::<Vec<_>>()),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let tally = Tally { choices: BTreeMap::from([(3, 1), (5, 1), (90, 1)]), ..Tally::default() };

        assert_eq!(tally.median_choices(), Some(5));
        assert_eq!(Tally::default().median_choices(), None);
    }
}
