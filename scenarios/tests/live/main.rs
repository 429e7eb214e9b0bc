//! Live worlds: what is seen, what is ended, and what is left behind.
//!
//! The laboratory's helpers are this executable itself, so it has a `main` of its own.
#![expect(clippy::unwrap_used, reason = "a test with a main of its own is a test too")]
#![expect(clippy::wildcard_enum_match_arm, reason = "each test picks the events that it is about")]

mod kill;
mod moments;
mod story;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::live;
use scenarios::scenario::WorldKind;

fn main() -> ExitCode {
    fake_nginx::run_if_stamped();
    if let Some(code) = live::run_if_agent() {
        return code;
    }
    if std::env::args().nth(1).as_deref() == Some(kill::LABORATORY) {
        return kill::laboratory();
    }
    let mut arguments = Arguments::from_args();
    // They mostly wait.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads = arguments.test_threads.or(Some(2 * cores));
    let has_nginx = !live::nginx::releases().is_empty();
    if !has_nginx {
        eprintln!(
            "no nginx was found (OLDBIN_NGINX_DIR, /var/cache/oldbin/nginx, PATH): world real is not run"
        );
    }
    let mut trials = Vec::new();
    for world in [WorldKind::Fake, WorldKind::Real] {
        for &(name, run) in story::TRIALS {
            let trial = trial(name, move || run(world)).with_kind(world.to_string());
            trials.push(trial.with_ignored_flag(world == WorldKind::Real && !has_nginx));
        }
    }
    trials.extend(moments::TRIALS.iter().map(|&(name, run)| trial(name, run).with_kind("fake")));
    trials.extend(kill::TRIALS.iter().map(|&(name, run)| trial(name, run)));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        run();
        Ok::<(), Failed>(())
    })
}
