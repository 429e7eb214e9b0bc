//! The journal on disk: whole, or a clear error.

use std::fs;
use std::path::Path;

use orchestrator::journal::{Journal, JournalError};

fn journal(folder: &Path) -> Journal {
    Journal::of(folder, Path::new("/run/nginx.pid"))
}

#[test]
fn a_journal_cut_in_half_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    assert!(journal.read().unwrap().is_none());
    fs::write(journal.path(), "{\"schema\":2,\"boot\":\"a").unwrap();
    let error = journal.read().unwrap_err();
    assert!(matches!(error, JournalError::Broken { .. }), "{error}");
    assert!(error.to_string().contains("journal.json"));
}

#[test]
fn a_journal_of_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path());
    fs::write(journal.path(), "{\"schema\":1,\"more\":true}").unwrap();
    assert!(matches!(journal.read().unwrap_err(), JournalError::Schema { found: 1, .. }));
}

#[test]
fn two_operators_exclude_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = journal(folder.path());
    first.lock().unwrap();
    let mut second = journal(folder.path());
    assert!(matches!(second.lock().unwrap_err(), JournalError::Locked { .. }));
    drop(first);
    second.lock().unwrap();
}
