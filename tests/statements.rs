//! Every statement about nginx beside the tests that check it, and the cases that do so on fake and real alike.
//!
//! A case starts an nginx in a folder of its own, takes some steps, and asserts what `catalogue.rs` says. It runs on
//! the fake as each release and on each real release that is found. `docs/statements.md` is made from the comments
//! above the tests, here and everywhere else.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage has failed")]

#[path = "statements/cases/mod.rs"]
mod cases;
#[path = "statements/catalogue.rs"]
mod catalogue;
mod common;
#[path = "statements/page.rs"]
mod page;
#[path = "../fake-nginx/tests/processes/process.rs"]
mod process;
#[path = "statements/scan.rs"]
mod scan;
#[path = "statements/stage.rs"]
mod stage;

use std::collections::BTreeMap;
use std::panic;

use cases::{CASES, Case};
use common::no_real_nginx;
use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::live::nginx;
use stage::{Stage, Subject};

/// The columns of the page.
pub(crate) const RELEASES: &[&str] = &["1.18.0", "1.22.1", "1.26.3", "1.30.6"];

/// Cases mostly wait, some for seconds: so many run beside each other.
const THREADS: usize = 16;

fn main() {
    fake_nginx::run_if_stamped();
    // Daemons fall to this process, so that whatever a case leaves behind can be found and reaped.
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1)).expect("Linux has subreapers");
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(THREADS));
    no_real_nginx();
    let found: BTreeMap<String, _> =
        nginx::releases().into_iter().map(|release| (release.version.to_string(), release)).collect();
    if !arguments.list {
        stage::prepare(&found);
    }
    let mut trials: Vec<Trial> = Vec::new();
    for case in CASES {
        for &release in RELEASES {
            trials.push(trial(case, Subject { release, is_real: false }));
            let real = trial(case, Subject { release, is_real: true });
            let missing = match found.get(release) {
                None => Some("not found: run scripts/real-nginx"),
                Some(found) if case.needs_stream && found.stream_module().is_none() => {
                    Some("no stream module: run scripts/real-nginx")
                }
                Some(_) => None,
            };
            trials.push(match missing {
                None => real,
                Some(why) => real.with_kind(why).with_ignored_flag(true),
            });
        }
    }
    trials.sort_by_key(|trial| !cases::LONG.iter().any(|long| trial.name().starts_with(long)));
    trials.extend(page::TESTS.iter().map(|&(name, test)| Trial::test(name, move || told(test))));
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(case: &'static Case, subject: Subject) -> Trial {
    Trial::test(format!("{}/{subject}", case.name), move || {
        let differs = case.differs.iter().find(|(on, _)| subject.is(on));
        let stage = Stage::new(subject);
        match (told(|| (case.run)(&stage)), differs) {
            (Ok(()), Some((on, why))) => Err(format!("it does not differ on {on} any more: {why}").into()),
            (Err(_), Some(_)) => Ok(()),
            (Err(failed), None) => {
                Err(format!("{}\n{}", failed.message().unwrap_or_default(), stage.log()).into())
            }
            (Ok(()), None) => Ok(()),
        }
    })
}

/// Runs it and makes a panic a failure, so that what it said is not lost.
fn told(run: impl FnOnce()) -> Result<(), Failed> {
    panic::catch_unwind(panic::AssertUnwindSafe(run)).map_err(|why| {
        let text = why.downcast_ref::<String>().cloned();
        text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default().into()
    })
}
