//! What each command does behind a restart of the machine: pids and times of the journal mean nothing any more, and what
//! runs is whatever was at the binary's path.

use std::fs;

use super::site::{Said, Site};
use super::{NEW, OLD, new_binary, upgrade};

pub(crate) const TESTS: &[(&str, fn())] =
    &[("an_oldbin_file_that_outlived_a_restart_and_names_the_master_is_stale", stale_oldbin)];

fn refused(said: &Said, why: &str) {
    assert_eq!((said.outcome(), said.code), ("refused", 3), "{said:?}");
    assert!(said.text("reason").contains(why), "{why}: {said:?}");
    assert!(!said.text("remedy").is_empty(), "{said:?}");
}

/// Red when a master is taken for another one that has begun an upgrade: nobody could begin one any more.
fn stale_oldbin() {
    let site = Site::start(OLD);
    fs::copy(site.path("nginx.pid"), site.path("nginx.pid.oldbin")).unwrap();
    refused(&site.oldbin(&["recover".into()]), "no upgrade is unfinished");
    let said = upgrade(&site, &new_binary(), &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
}
