//! Every story of the catalogue, in the model, on the fake and on real nginx, as `oldbin-lab run` runs it.
//!
//! What turns these red: a lost request, a false claim, a process left over, a pid file that lies, a canary
//! that is not noticed, or a story that no longer reaches the moments that make it a story.

mod common;

use common::{expect_code, lab, no_real_nginx};
use libtest_mimic::{Arguments, Trial};
use scenarios::catalogue;

fn main() {
    let arguments = Arguments::from_args();
    let no_real = no_real_nginx();
    let mut trials = Vec::new();
    for entry in catalogue::SCENARIOS {
        for world in ["model", "fake", "real"] {
            let name = entry.name;
            let run = move || {
                expect_code(
                    &lab().args(["run", name, "--world", world]).output().map_err(|e| e.to_string())?,
                    0,
                )
            };
            let trial = Trial::test(format!("{name} on {world}"), run);
            trials.push(match no_real {
                Some(why) if world == "real" => trial.with_kind(why).with_ignored_flag(true),
                _ => trial,
            });
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
