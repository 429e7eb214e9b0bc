//! Which shard this process is, where an engine that starts many of them says so in the environment.
//!
//! Engines count from 0 or from 1; all is turned into one form here. What does not fit together is an error: a run
//! that took a wrong part in silence would leave another one out.

use super::Shard;

/// A shard, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Which.
    pub shard: Shard,
    /// The variables that say it.
    pub by: String,
}

/// Variables that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; give --shard I/N, which is stronger than any variable")]
pub struct Contradiction(pub String);

/// How one engine tells a process which it is.
struct Engine {
    index: &'static str,
    count: &'static str,
    /// What the first one is called.
    base: Base,
    /// True if the count stands there even where nothing is shared, so that alone it says nothing.
    counts_always: bool,
}

enum Base {
    Number(u64),
    /// What this variable says, in steps of another one; 0 and 1 if they are not there.
    Variable {
        first: &'static str,
        step: &'static str,
    },
}

/// GitLab, Kubernetes' indexed jobs, Slurm's arrays, Buildkite, CircleCI.
///
/// Kubernetes tells no count: `OLDBIN_SHARDS` is for the job's manifest to set.
const ENGINES: [Engine; 5] = [
    Engine { index: "CI_NODE_INDEX", count: "CI_NODE_TOTAL", base: Base::Number(1), counts_always: true },
    Engine {
        index: "JOB_COMPLETION_INDEX",
        count: "OLDBIN_SHARDS",
        base: Base::Number(0),
        counts_always: false,
    },
    Engine {
        index: "SLURM_ARRAY_TASK_ID",
        count: "SLURM_ARRAY_TASK_COUNT",
        base: Base::Variable { first: "SLURM_ARRAY_TASK_MIN", step: "SLURM_ARRAY_TASK_STEP" },
        counts_always: false,
    },
    Engine {
        index: "BUILDKITE_PARALLEL_JOB",
        count: "BUILDKITE_PARALLEL_JOB_COUNT",
        base: Base::Number(0),
        counts_always: false,
    },
    Engine {
        index: "CIRCLE_NODE_INDEX",
        count: "CIRCLE_NODE_TOTAL",
        base: Base::Number(0),
        counts_always: true,
    },
];

/// Every variable that says which part this is, or of how many.
pub fn variables() -> impl Iterator<Item = &'static str> {
    ENGINES.iter().flat_map(|engine| [engine.index, engine.count])
}

/// The shard that these variables tell; `None`: they tell none.
///
/// # Errors
/// [`Contradiction`] if only half of it is told, if there is no such part, or if two engines disagree.
pub fn told_by(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Told>, Contradiction> {
    let mut told: Option<Told> = None;
    for engine in &ENGINES {
        let Some(found) = engine.told_by(&variable)? else { continue };
        match &told {
            Some(first) if first.shard != found.shard => {
                let (one, other) = (&first.shard, &found.shard);
                let message = format!("{} says shard {one}, and {} says shard {other}", first.by, found.by);
                return Err(Contradiction(message));
            }
            Some(_) => {}
            None => told = Some(found),
        }
    }
    Ok(told)
}

impl Engine {
    fn told_by(&self, variable: &impl Fn(&str) -> Option<String>) -> Result<Option<Told>, Contradiction> {
        let Self { index, count, .. } = self;
        match (number(variable, index)?, number(variable, count)?) {
            (None, None) => Ok(None),
            (None, Some(_)) if self.counts_always => Ok(None),
            (Some(_), None) => Err(Contradiction(format!("{index} is set, and {count} is not"))),
            (None, Some(_)) => Err(Contradiction(format!("{count} is set, and {index} is not"))),
            (Some(id), Some(parts)) => {
                let (first, step) = self.base(variable)?;
                let offset = id.checked_sub(first).filter(|offset| offset.checked_rem(step) == Some(0));
                let shard = offset.and_then(|offset| Shard::from_zero(offset / step, parts));
                let by = format!("{index}={id} and {count}={parts}");
                let told = shard.map(|shard| Told { shard, by: by.clone() });
                let counting = if step == 1 { String::new() } else { format!(" in steps of {step}") };
                let nobody = || Contradiction(format!("{by} is no shard, counted from {first}{counting}"));
                told.ok_or_else(nobody).map(Some)
            }
        }
    }

    fn base(&self, variable: &impl Fn(&str) -> Option<String>) -> Result<(u64, u64), Contradiction> {
        match self.base {
            Base::Number(first) => Ok((first, 1)),
            Base::Variable { first, step } => {
                Ok((number(variable, first)?.unwrap_or(0), number(variable, step)?.unwrap_or(1)))
            }
        }
    }
}

/// What a variable says; an empty one says nothing.
fn number(variable: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<u64>, Contradiction> {
    let Some(text) = variable(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let no_number = |_| Contradiction(format!("{name} is {text:?}, and should be a number"));
    text.parse().map(Some).map_err(no_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        told_by(find).map(|told| told.map(|told| told.shard.to_string())).map_err(|error| error.0)
    }

    #[test]
    fn every_engine_is_understood_in_its_own_counting() {
        let first_and_last = [
            ([("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "4")], "1/4"),
            ([("CI_NODE_INDEX", "4"), ("CI_NODE_TOTAL", "4")], "4/4"),
            ([("JOB_COMPLETION_INDEX", "0"), ("OLDBIN_SHARDS", "4")], "1/4"),
            ([("JOB_COMPLETION_INDEX", "3"), ("OLDBIN_SHARDS", "4")], "4/4"),
            ([("SLURM_ARRAY_TASK_ID", "0"), ("SLURM_ARRAY_TASK_COUNT", "4")], "1/4"),
            ([("BUILDKITE_PARALLEL_JOB", "3"), ("BUILDKITE_PARALLEL_JOB_COUNT", "4")], "4/4"),
            ([("CIRCLE_NODE_INDEX", "0"), ("CIRCLE_NODE_TOTAL", "4")], "1/4"),
        ];
        for (variables, shard) in first_and_last {
            assert_eq!(told(&variables), Ok(Some(shard.to_owned())), "{variables:?}");
        }
        assert_eq!(told(&[]), Ok(None));
    }

    #[test]
    fn a_slurm_array_may_begin_anywhere_and_have_steps() {
        let array = |id, step| {
            told(&[
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", "10"),
                ("SLURM_ARRAY_TASK_STEP", step),
                ("SLURM_ARRAY_TASK_COUNT", "3"),
            ])
        };

        assert_eq!(array("12", "1"), Ok(Some("3/3".to_owned())));
        assert_eq!(array("20", "5"), Ok(Some("3/3".to_owned())));
        // --array=10,15,99 has holes.
        for (id, step) in [("99", "5"), ("12", "5"), ("9", "1"), ("13", "1"), ("10", "0")] {
            assert!(array(id, step).is_err_and(|why| why.contains("no shard")), "{id} by {step}");
        }
    }

    #[test]
    fn what_is_set_although_nothing_is_shared_says_nothing() {
        assert_eq!(told(&[("CI_NODE_TOTAL", "1")]), Ok(None));
        assert_eq!(told(&[("JOB_COMPLETION_INDEX", "")]), Ok(None));
        assert_eq!(
            told(&[("CIRCLE_NODE_INDEX", "0"), ("CIRCLE_NODE_TOTAL", "1")]),
            Ok(Some("1/1".to_owned()))
        );
    }

    #[test]
    fn contradictions_are_told_with_their_variables() {
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[("JOB_COMPLETION_INDEX", "2")], "OLDBIN_SHARDS is not"),
            (&[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "4")], "counted from 1"),
            (&[("CI_NODE_INDEX", "one"), ("CI_NODE_TOTAL", "4")], "should be a number"),
            (&[("BUILDKITE_PARALLEL_JOB", "4"), ("BUILDKITE_PARALLEL_JOB_COUNT", "4")], "counted from 0"),
            (
                &[
                    ("BUILDKITE_PARALLEL_JOB", "1"),
                    ("BUILDKITE_PARALLEL_JOB_COUNT", "4"),
                    ("CIRCLE_NODE_INDEX", "2"),
                    ("CIRCLE_NODE_TOTAL", "4"),
                ],
                "shard 2/4, and",
            ),
        ];
        for (variables, words) in cases {
            let why = told(variables).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }
}
