//! Live worlds, on real releases of nginx: what is seen, what is ended, and what is left behind.
//!
//! The laboratory's helpers are this executable itself, so it has a `main` of its own.
#![expect(clippy::unwrap_used, reason = "a test with a main of its own is a test too")]
#![expect(clippy::wildcard_enum_match_arm, reason = "each test picks the events that it is about")]

mod kill;
mod story;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::live;

fn main() -> ExitCode {
    fake_nginx::run_if_stamped();
    if let Some(code) = live::run_if_agent() {
        return code;
    }
    if std::env::args().nth(1).as_deref() == Some(kill::LABORATORY) {
        return kill::laboratory();
    }
    let arguments = Arguments::from_args();
    let has_nginx = !live::nginx::releases().is_empty();
    if !has_nginx {
        eprintln!("no nginx was found (OLDBIN_NGINX_DIR, /var/cache/oldbin/nginx, PATH): nothing is run");
    }
    let trials = story::TRIALS.iter().chain(kill::TRIALS).map(|&(name, run)| {
        Trial::test(name, move || {
            run();
            Ok::<(), Failed>(())
        })
        .with_ignored_flag(!has_nginx)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
