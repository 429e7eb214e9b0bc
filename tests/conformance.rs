//! The fake and real releases side by side: the same command lines, configurations and requests, the same bytes.
//!
//! What turns these red: any text, exit code or header of the fake that a real release says otherwise.
#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails the test")]

#[path = "conformance/command_line.rs"]
mod command_line;
mod common;
#[path = "conformance/conf_errors.rs"]
mod conf_errors;
#[path = "conformance/http_answers.rs"]
mod http_answers;
#[path = "conformance/static_files.rs"]
mod static_files;
#[path = "conformance/wild.rs"]
mod wild;

use common::no_real_nginx;
use libtest_mimic::{Arguments, Trial};

/// A test, and why it waits to be asked for if it does.
type Test = (&'static str, fn(), Option<&'static str>);

const TESTS: &[Test] = &[
    (
        "answers_to_options_are_those_of_real_releases",
        command_line::answers_to_options_are_those_of_real_releases,
        None,
    ),
    ("errors_are_those_of_real_releases", conf_errors::errors_are_those_of_real_releases, None),
    (
        "the_table_of_directives_is_that_of_real_releases",
        conf_errors::the_table_of_directives_is_that_of_real_releases,
        Some("a thousand starts of nginx take most of a minute for each release"),
    ),
    ("answers_are_those_of_real_releases", http_answers::answers_are_those_of_real_releases, None),
    (
        "configurations_from_the_wild_load_as_on_real_releases",
        wild::configurations_from_the_wild_load_as_on_real_releases,
        None,
    ),
    ("files_are_sent_as_by_real_releases", static_files::files_are_sent_as_by_real_releases, None),
];

fn main() {
    let no_real = no_real_nginx();
    let trials = TESTS.iter().map(|&(name, test, waits)| {
        let trial = Trial::test(name, move || {
            test();
            Ok(())
        });
        match no_real.or(waits) {
            Some(why) => trial.with_kind(why).with_ignored_flag(true),
            None => trial,
        }
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
