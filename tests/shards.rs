//! One run in several parts, from outside: every part says what it is, and `oldbin-lab merge` puts them together.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod common;

use std::path::{Path, PathBuf};

use common::lab;
use predicates::prelude::*;
use predicates::str::contains;

const RUN: [&str; 7] = ["explore", "--seed", "7", "--scripts", "200", "--faults", "6"];

/// Plays a part, and returns its file and exit code.
fn part(folder: &Path, shard: &str, more: &[&str]) -> (PathBuf, Option<i32>) {
    let output = lab().args(RUN).args(["--json", "--shard", shard]).args(more).output().unwrap();
    let file = folder.join(format!("{}.json", shard.replace('/', "-of-")));
    std::fs::write(&file, output.stdout).unwrap();
    (file, output.status.code())
}

fn counted(json: &[u8]) -> serde_json::Value {
    let told: serde_json::Value = serde_json::from_slice(json).unwrap();
    assert_eq!(told["schema"], 2);
    told["counted"].clone()
}

#[test]
fn the_parts_of_a_run_add_up_to_it_and_a_missing_one_is_unchecked() {
    let folder = tempfile::tempdir().unwrap();
    let (one, code) = part(folder.path(), "1/2", &[]);
    let (two, _) = part(folder.path(), "2/2", &[]);
    let all = lab().args(RUN).arg("--json").output().unwrap();
    assert_eq!((code, all.status.code()), (Some(0), Some(0)));

    let merged = lab().args(["merge", "--json"]).args([&two, &one, &two]).output().unwrap();

    assert_eq!(merged.status.code(), Some(0));
    assert_eq!(counted(&merged.stdout), counted(&all.stdout));
    lab().arg("merge").arg(&one).assert().code(3).stdout(contains("UNCHECKED  shard 2/2 is missing"));
}

#[test]
fn failures_of_all_parts_are_told_with_their_steps_and_as_junit() {
    let folder = tempfile::tempdir().unwrap();
    let mutant = ["--mutant", "orchestrator.quits-without-looking", "--scripts", "8"];
    let run = |shard| {
        let output =
            lab().args(["explore", "--seed", "7", "--json", "--shard", shard]).args(mutant).output().unwrap();
        let file = folder.path().join(format!("{}.json", &shard[..1]));
        std::fs::write(&file, output.stdout).unwrap();
        (file, output.status.code())
    };
    let ((one, _), (two, _)) = (run("1/2"), run("2/2"));
    let junit = folder.path().join("report.xml");

    let merged = lab().arg("merge").args([&one, &two]).arg("--junit").arg(&junit).assert().code(1);

    merged.stdout(contains("FAILED    seed").and(contains("oldbin upgrade")).and(contains("--strategy ")));
    let report = std::fs::read_to_string(junit).unwrap();
    assert!(report.contains("<failure") && report.contains("oldbin-lab explore --world model"), "{report}");
}

#[test]
fn what_an_engine_says_is_taken_and_told_and_contradictions_exit_with_2() {
    let slurm = |id: &str| {
        let mut command = lab();
        command.args(RUN).env("SLURM_ARRAY_TASK_ID", id).env("SLURM_ARRAY_TASK_COUNT", "4");
        command.env("SLURM_ARRAY_TASK_MIN", "1");
        command
    };

    slurm("4").assert().code(0).stdout(contains("shard 4/4, from SLURM_ARRAY_TASK_ID=4"));
    slurm("0").assert().code(2).stderr(contains("SLURM_ARRAY_TASK_ID=0"));
    slurm("0").args(["--shard", "1/1"]).assert().code(0);
    lab().args(["explore", "--shard", "2/4"]).assert().code(2).stderr(contains("--seed"));
    lab().args(["explore", "--shard", "0/4"]).assert().code(2).stderr(contains("3/16"));
}

#[test]
fn files_that_do_not_belong_together_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (one, _) = part(folder.path(), "1/2", &[]);
    let (other, _) = part(folder.path(), "2/2", &["--strategy", "pct"]);
    let broken = folder.path().join("broken.json");
    std::fs::write(&broken, "{\"schema\":2,\n\"run\":7}").unwrap();

    lab()
        .arg("merge")
        .args([&one, &other])
        .assert()
        .code(2)
        .stderr(contains("2-of-2.json").and(contains("pct")));
    lab().arg("merge").arg(&broken).assert().code(2).stderr(contains("broken.json:2:"));
}

const BOUNDS: [&str; 6] =
    ["explore", "--exhaustive", "--cell", "upgrade binary=5", "--cell", "upgrade fault=full-disk"];

/// Red when a bound that is not there is taken for one that holds, or the two are not added up.
#[test]
fn bounds_of_all_parts_add_up_and_a_missing_one_is_unchecked() {
    let folder = tempfile::tempdir().unwrap();
    let visit = |shard: &str| {
        let output = lab().args(BOUNDS).args(["--json", "--shard", shard]).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let file = folder.path().join(format!("{}.json", &shard[..1]));
        std::fs::write(&file, output.stdout).unwrap();
        file
    };
    let (one, two) = (visit("1/2"), visit("2/2"));

    let merged = lab().args(["merge", "--json"]).args([&two, &one, &two]).output().unwrap();

    assert_eq!(merged.status.code(), Some(0));
    let told: serde_json::Value = serde_json::from_slice(&merged.stdout).unwrap();
    let bounds: Vec<_> = told["cells"].as_array().unwrap().iter().map(|cell| cell["bound"].clone()).collect();
    assert_eq!(bounds, ["upgrade workers=1 binary=5", "upgrade workers=1 fault=full-disk"]);
    let again = folder.path().join("merged.json");
    std::fs::write(&again, &merged.stdout).unwrap();
    let twice = lab().args(["merge", "--json"]).args([&again, &one]).output().unwrap();
    assert_eq!(twice.stdout, merged.stdout);
    lab()
        .arg("merge")
        .arg(&one)
        .assert()
        .code(3)
        .stdout(contains("UNCHECKED  upgrade workers=1 fault=full-disk"));
    let random = part(folder.path(), "1/2", &[]).0;
    lab().arg("merge").args([&one, &random]).assert().code(2).stderr(contains("1-of-2.json:1:"));
}

/// Red when a way to something wrong is kept as a file that does not lead there, or a report leaves it out.
#[test]
fn what_is_wrong_within_a_bound_is_kept_as_a_file_that_replays_and_told_as_junit() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, junit) = (folder.path().join("kept"), folder.path().join("report.xml"));
    let mutant = ["--mutant", "orchestrator.believes-the-pid-file"];

    let explored = lab()
        .args(["explore", "--exhaustive", "--cell", "upgrade"])
        .args(mutant)
        .arg("--keep")
        .arg(&kept)
        .arg("--junit")
        .arg(&junit)
        .assert()
        .code(1);

    explored.stdout(contains("replay  oldbin-lab replay "));
    let file = std::fs::read_dir(kept).unwrap().next().unwrap().unwrap().path();
    lab().arg("replay").arg(&file).args(mutant).assert().code(1).stdout(contains("finds nobody"));
    lab().arg("replay").arg(&file).assert().code(0);
    let report = std::fs::read_to_string(junit).unwrap();
    assert!(
        report.contains("type=\"violated\"")
            && report.contains("subject.type")
            && report.contains("finds nobody"),
        "{report}"
    );
}
