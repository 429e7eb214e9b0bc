//! Stamped fakes as processes: signals, pid files, logs, titles, requests, upgrades.
//!
//! The test program stamps copies of itself, so its `main` begins as every program's does that makes fakes.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage has failed")]

mod control;
mod endurance;
mod faults;
mod files;
mod life;
mod process;
mod stage;
mod upgrade;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    fake_nginx::run_if_stamped();
    // Daemons fall to this process, so that whatever a test leaves behind can be found and reaped.
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1)).expect("Linux has subreapers");
    let arguments = Arguments::from_args();
    let tests: Vec<(&'static str, fn())> = life::TESTS
        .iter()
        .chain(upgrade::TESTS)
        .chain(control::TESTS)
        .chain(faults::TESTS)
        .chain(endurance::TESTS)
        .chain(files::TESTS)
        .copied()
        .collect();
    if !arguments.list {
        stage::prepare(&[upgrade::stamps(), control::stamps(), faults::stamps()].concat());
    }
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok::<(), Failed>(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
