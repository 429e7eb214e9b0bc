//! Every story of the catalogue, in the model, on the fake and on real nginx, as `oldbin-lab run` runs it.
//!
//! What turns these red: a lost request, a false claim, a process left over, a pid file that lies, a canary
//! that is not noticed, or a story that no longer reaches the moments that make it a story.

mod common;

use common::{expect_code, lab, no_real_nginx};
use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::catalogue;
use scenarios::live::nginx;
use scenarios::scenario::WorldKind;

/// How many stories run at once on each core.
const STORIES_PER_CORE: usize = 2;

/// Stories that take more than five seconds, because somebody in them sleeps: they begin first.
const LONG: [&str; 2] =
    ["fedora-upgrade-quits-whatever-has-become-of-it", "alpine-upgrade-drains-before-there-are-new-workers"];

fn main() {
    let mut arguments = Arguments::from_args();
    // A story mostly waits.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads = arguments.test_threads.or(Some(STORIES_PER_CORE * cores));
    let no_real = no_real_nginx();
    let mut trials: Vec<Trial> = Vec::new();
    for entry in catalogue::SCENARIOS {
        let scenario = catalogue::scenario(entry.name).and_then(Result::ok);
        for world in WorldKind::ALL {
            let name = entry.name;
            let run = move || {
                expect_code(
                    &lab()
                        .args(["run", name, "--world", world.name()])
                        .output()
                        .map_err(|e| e.to_string())?,
                    0,
                )
            };
            let trial = Trial::test(format!("{name} on {world}"), run);
            let is_not_for = scenario.as_ref().and_then(|scenario| scenario.is_not_for(world));
            trials.push(match is_not_for.or(no_real.filter(|_| world == WorldKind::Real)) {
                Some(why) => trial.with_kind(why).with_ignored_flag(true),
                None => trial,
            });
        }
    }
    trials.sort_by_key(|trial| !LONG.iter().any(|long| trial.name().starts_with(long)));
    let one = Trial::test("a single real release is upgraded to a copy of itself", single_release);
    trials.push(match no_real {
        Some(why) => one.with_kind(why).with_ignored_flag(true),
        None => one,
    });
    libtest_mimic::run(&arguments, trials).exit();
}

/// Only one release is there: the laboratory says so and goes on with a copy of it.
fn single_release() -> Result<(), Failed> {
    let releases = nginx::releases();
    let release = releases.first().ok_or("no release")?;
    let version = release.version.to_string();
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join(&version))?;
    std::os::unix::fs::symlink(&release.path, folder.path().join(&version).join("nginx"))?;

    let run = ["run", "orchestrator-upgrade", "--world", "real"];
    let output = lab().args(run).env("OLDBIN_NGINX_DIR", folder.path()).output()?;

    expect_code(&output, 0)?;
    let said = String::from_utf8_lossy(&output.stdout);
    for wanted in ["a copy of itself".to_owned(), format!("{version} → {version}")] {
        if !said.contains(&wanted) {
            return Err(format!("no \"{wanted}\" in\n{said}").into());
        }
    }
    Ok(())
}
