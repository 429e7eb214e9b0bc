//! What each command does behind a restart of the machine: pids and times of the journal mean nothing any more, and what
//! runs is whatever was at the binary's path.

use std::fs;

use super::site::{Said, Site};
use super::{NEW, OLD, new_binary, upgrade};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("behind_a_restart_recover_and_commit_say_what_runs_and_clear_up", over),
    ("behind_a_restart_that_came_up_with_the_new_binary_rollback_brings_the_old_one_back", back),
    (
        "behind_a_restart_that_came_up_with_the_old_binary_nothing_is_rolled_back_and_an_upgrade_begins_anew",
        anew,
    ),
    ("what_is_begun_behind_a_restart_is_not_taken_for_what_was_begun_before", by_hand),
    ("an_oldbin_file_that_outlived_a_restart_and_names_the_master_is_stale", stale_oldbin),
];

/// The machine went down in the middle of an upgrade, and came up.
fn restarted(prepare: impl Fn(&Site)) -> Site {
    let site = Site::start(OLD);
    let said = upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]);
    assert_eq!((said.outcome(), said.code), ("held", 0), "{said:?}");
    prepare(&site);
    site.restart();
    site
}

fn refused(said: &Said, why: &str) {
    assert_eq!((said.outcome(), said.code), ("refused", 3), "{said:?}");
    assert!(said.text("reason").contains(why), "{why}: {said:?}");
    assert!(!said.text("remedy").is_empty(), "{said:?}");
}

/// Red when pids of another boot are believed, or when the staged copy stays for ever.
fn over() {
    let site = restarted(|_| {});
    let said = site.oldbin(&["status".into()]);
    assert_eq!(*said.part("/upgrades/0/is_of_this_boot"), false, "{said:?}");
    assert!(site.path("sbin/.nginx.oldbin-new").exists());
    for word in ["commit", "recover"] {
        let said = site.oldbin(&[word.into()]);
        refused(&said, "the machine was restarted since");
        assert!(said.text("reason").contains("is kept at"), "{said:?}");
    }
    site.serves_alone(NEW);
}

/// Red when a restart takes the way back away.
fn back() {
    let site = restarted(|_| {});
    let said = site.oldbin(&["rollback".into()]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 0), "{said:?}");
    site.serves_alone(OLD);
    refused(&site.oldbin(&["rollback".into()]), "the old binary serves already");
}

/// Red when the old binary is changed to itself, or when what was under way keeps an upgrade away.
fn anew() {
    let site = restarted(|site| {
        let kept = fs::read_dir(site.path("sbin")).unwrap().map(|entry| entry.unwrap().path());
        let is_backup = |name: &str| name.contains(".oldbin-") && !name.ends_with("-new");
        let kept = kept.into_iter().find(|path| is_backup(&path.to_string_lossy())).unwrap();
        // A copy: what came up need not be the file that was kept.
        site.replace_binary(&kept);
    });
    refused(&site.oldbin(&["rollback".into()]), "the old binary serves already");
    let said = upgrade(&site, &new_binary(), &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
}

/// Red when the journal of another boot hides what somebody has begun in this one.
fn by_hand() {
    let site = restarted(|_| {});
    let said = upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]);
    assert_eq!((said.outcome(), said.code), ("held", 0), "{said:?}");
    site.forget_boot();
    refused(&upgrade(&site, &new_binary(), &[]), "an upgrade is already under way");
    let said = site.oldbin(&["recover".into()]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
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
