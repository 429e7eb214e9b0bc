//! A sequence as a file: what once differed must be the same now, or is known to differ.

use std::fmt;
use std::str::FromStr;

use strum::VariantArray;

use super::{Listens, PidPath, Runs, Sequence, Site, Step};
use crate::format::{self, FormatError, Name, Node, Number, Once, Words};
use crate::scenario::{SCHEMA, words};

const BLOCK: [&str; 6] = ["why", "workers", "listens", "runs", "step", "differs"];
const STEP: &str = r#"step "signal USR2 old-master""#;

/// One kept sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// A sentence in kebab-case; for ever.
    pub name: String,
    /// Why it matters.
    pub why: String,
    /// What is played.
    pub sequence: Sequence,
    /// Why the fake is not the same yet; none in most files.
    pub differs: Option<String>,
}

impl Kept {
    /// A difference that was just found, named after its seed.
    #[must_use]
    pub fn found(seed: u64, sequence: &Sequence) -> Self {
        Self {
            name: format!("found-{seed}"),
            why: "Nobody has told this story yet.".into(),
            sequence: sequence.clone(),
            differs: None,
        }
    }
}

/// Reads a kept sequence. `file` is the name that the mistakes mention.
///
/// # Errors
/// [`FormatError`] holds every mistake of the file, each with its place.
pub fn parse(file: &str, text: &str) -> Result<Kept, FormatError> {
    format::one("conformance", file, text, kept)
}

fn kept(node: &mut Node<'_>) -> Option<Kept> {
    let name = node.argument::<Name>("a name", r#"conformance "quit-beats-hup" schema=1 { … }"#);
    let (mut why, mut workers, mut differs) = (Once::new("why"), Once::new("workers"), Once::new("differs"));
    let (mut listens, mut runs) = (Once::new("listens"), Once::new("runs"));
    let mut steps = Vec::new();
    for mut child in node.children() {
        match child.name() {
            "why" => why.put(&mut child, words),
            "workers" => workers.put(&mut child, count),
            "listens" => listens.put(&mut child, setting::<Listens>),
            "runs" => runs.put(&mut child, setting::<Runs>),
            "differs" => differs.put(&mut child, words),
            "step" => steps.extend(step(&mut child)),
            _ => child.unknown_in("conformance", &BLOCK),
        }
    }
    node.finish();
    if steps.is_empty() {
        node.complain_of_missing("nothing is done: there is no `step`", STEP);
    }
    let why = why.required(node, r#"why "A master that is told both quits.""#);
    let workers = workers.required(node, "workers 1");
    let site = Site {
        workers: workers?,
        listens: listens.optional().unwrap_or_default(),
        runs: runs.optional().unwrap_or_default(),
        pid: PidPath::Usual,
    };
    let sequence = Sequence { site, steps };
    Some(Kept { name: name?.0, why: why?, sequence, differs: differs.optional() })
}

fn count(node: &mut Node<'_>) -> Option<u16> {
    let number = node.argument::<Number<u16>>("a number", "workers 1");
    node.finish();
    Some(number?.0)
}

/// One word of a list.
fn setting<T>(node: &mut Node<'_>) -> Option<T>
where
    T: FromStr + Copy + Into<&'static str> + VariantArray + 'static,
{
    let said = node.argument::<Words>("a word", r#"listens "unix""#);
    node.finish();
    let said = said?.0;
    let found = said.parse().ok();
    if found.is_none() {
        let known: Vec<&str> = T::VARIANTS.iter().map(|&one| one.into()).collect();
        let why = format!("{said:?} is not known here");
        let help = Some(format!("write one of: {}", known.join(", ")));
        node.mistakes().add(node.argument_span(0), why, "this word", help);
    }
    found
}

fn step(node: &mut Node<'_>) -> Option<Step> {
    let said = node.argument::<Words>("what is done", STEP);
    node.finish();
    match said?.0.parse::<Step>() {
        Ok(step) => Some(step),
        Err(why) => {
            let help = Some(format!("for example: {STEP}"));
            node.mistakes().add(node.argument_span(0), why.to_string(), "this step", help);
            None
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "conformance {:?} schema={SCHEMA} {{", self.name)?;
        writeln!(f, "    why {:?}", self.why)?;
        let site = self.sequence.site;
        writeln!(f, "    workers {}", site.workers)?;
        if site.listens != Listens::default() {
            writeln!(f, "    listens {:?}", <&str>::from(site.listens))?;
        }
        if site.runs != Runs::default() {
            writeln!(f, "    runs {:?}", <&str>::from(site.runs))?;
        }
        writeln!(f)?;
        for step in &self.sequence.steps {
            writeln!(f, "    step \"{step}\"")?;
        }
        if let Some(differs) = &self.differs {
            writeln!(f, "\n    differs {differs:?}")?;
        }
        f.write_str("}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::draw;
    use crate::model::choice::Seeded;

    #[test]
    fn a_kept_sequence_is_read_as_it_was_written() {
        for seed in 0..50 {
            let sequence = draw(&mut Seeded::new(seed), 8);
            let kept = Kept { differs: Some("it does".into()), ..Kept::found(seed, &sequence) };

            assert_eq!(parse("found.kdl", &kept.to_string()).unwrap(), kept);
        }
    }

    #[test]
    fn a_step_that_nobody_knows_is_a_mistake_at_its_place() {
        let text = "conformance \"x\" schema=1 {\n    why \"y\"\n    workers 1\n    step \"signal TSTP old-master\"\n}\n";

        let told = parse("x.kdl", text).unwrap_err().render(false).to_string();

        assert!(told.contains("x.kdl:4:"), "{told}");
    }
}
