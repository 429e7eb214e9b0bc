//! A difference for people: the steps, and what both sides showed after the one where they part.

use std::fmt::{self, Write};

use super::{Seen, Sequence, Snapshot};

/// Tells it on a few lines: ` ` both say it, `-` only the real one does, `+` only the fake does.
///
/// # Errors
/// As the writer.
pub fn tell(sequence: &Sequence, seen: &Seen, out: &mut impl Write) -> fmt::Result {
    writeln!(out, "  {}", sequence.site)?;
    for (step, number) in sequence.steps.iter().zip(1..) {
        let mark = if number == seen.difference.step { "here they part" } else { "" };
        writeln!(out, "{number:3} {step:36} {mark}", step = step.to_string())?;
    }
    let empty = Snapshot::default();
    let at = |side: &[Snapshot]| side.get(seen.difference.step).unwrap_or(&empty).clone();
    let (fake, real) = (at(&seen.fake), at(&seen.real));
    writeln!(out, "\nBehind step {} (- real nginx, + fake):", seen.difference.step)?;
    let mut subjects: Vec<&String> = fake.0.keys().chain(real.0.keys()).collect();
    subjects.sort();
    subjects.dedup();
    for subject in subjects {
        for (mark, line) in lines(real.of(subject), fake.of(subject)) {
            writeln!(out, "{mark} {subject:20} {line}")?;
        }
    }
    Ok(())
}

/// A line of both sides, with a mark for who says it: what both begin and end with, and between that each side's own.
fn lines<'a>(real: &'a [String], fake: &'a [String]) -> Vec<(char, &'a String)> {
    let begin = real.iter().zip(fake).take_while(|(one, two)| one == two).count();
    let (real_rest, fake_rest) = (&real[begin..], &fake[begin..]);
    let end = real_rest.iter().rev().zip(fake_rest.iter().rev()).take_while(|(one, two)| one == two).count();
    let (real_own, both_end) = real_rest.split_at(real_rest.len() - end);
    let fake_own = &fake_rest[..fake_rest.len() - end];
    let marked = |mark, lines: &'a [String]| lines.iter().map(move |line| (mark, line));
    marked(' ', &real[..begin])
        .chain(marked('-', real_own))
        .chain(marked('+', fake_own))
        .chain(marked(' ', both_end))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_side_says_is_marked_between_what_both_say() {
        let [real, fake] =
            ["a b d", "a c c d"].map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>());

        let told: String = lines(&real, &fake)
            .into_iter()
            .flat_map(|(mark, line)| [mark.to_string(), line.clone()])
            .collect();

        assert_eq!(told, " a-b+c+c d");
    }
}
