//! "Did you mean": the nearest of the valid names.

/// The valid name that a writer most likely meant, if one is near enough.
pub(crate) fn nearest<'a>(written: &str, valid: &[&'a str]) -> Option<&'a str> {
    let allowed = written.chars().count().max(3) / 3;
    valid
        .iter()
        .map(|name| (distance(written, name), *name))
        .filter(|(distance, name)| *distance <= allowed || (written.len() > 2 && name.contains(written)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The help for a name that is not valid: what was meant, and what there is.
pub(crate) fn whole_help(written: &str, valid: &[&str]) -> Option<String> {
    let list = list(valid)?;
    Some(match nearest(written, valid) {
        Some(name) => format!("did you mean `{name}`? valid here: {list}"),
        None => format!("valid here: {list}"),
    })
}

/// The names as a list, for a message.
pub(crate) fn list(names: &[&str]) -> Option<String> {
    (!names.is_empty()).then(|| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
}

/// Insertions, deletions, replacements and swaps of neighbours that make one word the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, n) | (n, 0) => n,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                    let swap = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                    replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(swap)
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keyboard_finds_its_word_and_another_word_finds_nothing() {
        let valid = ["always", "eventually", "sometimes", "log"];
        assert_eq!(nearest("alwyas", &valid), Some("always"));
        assert_eq!(nearest("eventualy", &valid), Some("eventually"));
        assert_eq!(nearest("some", &valid), Some("sometimes"));
        assert_eq!(nearest("empty", &["exists", "absent", "not-empty"]), Some("not-empty"));
        assert_eq!(nearest("perhaps", &valid), None);
    }

    #[test]
    fn distances_are_those_of_pencil_and_paper() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
