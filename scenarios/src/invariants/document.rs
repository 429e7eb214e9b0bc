//! The invariants as a page of the documentation.

use std::fmt::Write as _;

use super::{INVARIANTS, MOMENTS};

/// The text of `docs/invariants.md`, made from the lists, so that it cannot say anything else.
#[must_use]
pub fn document() -> String {
    let mut page = String::from(
        "# Invariants\n\n\
         What `oldbin-lab` judges, from a run's trace and nothing else. An answer is *held*, *violated* or\n\
         *unchecked*: a trace that lacks the evidence never counts as held.\n\n\
         *Always* means at every instant: nothing bad ever happens. *Eventually* means at the end of the run:\n\
         something good has happened by then.\n\n\
         | invariant | kind | what it says | evidence |\n|---|---|---|---|\n",
    );
    for invariant in INVARIANTS {
        let needs: Vec<_> = invariant.needs.iter().map(|evidence| evidence.to_string()).collect();
        let needs = if needs.is_empty() { "processes, files".to_owned() } else { needs.join(", ") };
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {needs} |",
            invariant.name, invariant.kind, invariant.sentence
        );
    }
    page.push_str(
        "\n## Moments\n\n\
         A scenario names at least one moment that its run must reach (`sometimes`), because a fault that never\n\
         struck makes every invariant hold. A run that does not reach it is *unchecked*.\n\n\
         | moment | reached when |\n|---|---|\n",
    );
    for moment in MOMENTS {
        let _ = writeln!(page, "| `{}` | {} |", moment.name, moment.sentence);
    }
    page.push_str("\nThis page is generated; `cargo test` says so when it is out of date.\n");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Write it anew with `OLDBIN_WRITE_DOCS=1 cargo test -p scenarios the_page`.
    #[test]
    fn the_page_in_docs_is_the_one_that_is_made_from_the_lists() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/invariants.md");
        if std::env::var_os("OLDBIN_WRITE_DOCS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == document(),
            "docs/invariants.md is out of date: OLDBIN_WRITE_DOCS=1 cargo test the_page"
        );
    }
}
