//! The laboratory's command line: its exit codes, its help, and what it says of files that are no scenarios.

mod common;

use common::lab;
use predicates::prelude::*;
use predicates::str::contains;

#[test]
fn what_is_not_understood_exits_with_2() {
    lab().arg("runn").assert().code(2).stderr(contains("run"));
    lab().args(["run", "no-such-story"]).assert().code(2).stderr(contains("oldbin-lab list"));
    lab().args(["run", "/nowhere/story.kdl"]).assert().code(2).stderr(contains("/nowhere/story.kdl"));
    lab().args(["report", "/nowhere/trace.jsonl"]).assert().code(2).stderr(contains("/nowhere/trace.jsonl"));
    lab()
        .args(["run", "--mutant", "fake.sleeps"])
        .assert()
        .code(2)
        .stderr(contains("fake.forgets-to-rename-oldbin-back"));
}

#[test]
fn a_file_with_mistakes_exits_with_2_and_every_mistake_has_its_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("story.kdl");
    let text = "scenario \"story\" schema=1 {\n    why \"it\"\n    olld \"1.22.1\"\n    new \"1.26.3\" wrokers=2\n}\n";
    std::fs::write(&file, text).unwrap();

    let assert = lab().arg("run").arg(&file).assert().code(2);

    assert.stderr(
        contains("story.kdl:3:5")
            .and(contains("old"))
            .and(contains("story.kdl:4:18"))
            .and(contains("workers")),
    );
}

#[test]
fn a_story_of_another_schema_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("story.kdl");
    std::fs::write(&file, "scenario \"story\" schema=99 {\n}\n").unwrap();

    lab().arg("run").arg(&file).assert().code(2).stderr(contains("schema 99"));
}

#[test]
fn without_a_real_release_world_real_exits_with_3_and_says_how_to_get_one() {
    let empty = tempfile::tempdir().unwrap();

    lab()
        .args(["run", "orchestrator-upgrade", "--world", "real"])
        .env("OLDBIN_NGINX_DIR", empty.path())
        .assert()
        .code(3)
        .stderr(contains("scripts/real-nginx"));
}

#[test]
fn without_a_real_release_the_fake_runs_and_what_is_left_out_is_said() {
    let empty = tempfile::tempdir().unwrap();

    lab()
        .args(["run", "orchestrator-upgrade"])
        .env("OLDBIN_NGINX_DIR", empty.path())
        .assert()
        .code(0)
        .stdout(contains("World real is left out").and(contains("scripts/real-nginx")));
}

#[test]
fn a_program_is_put_to_the_test_in_the_worlds_that_have_programs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("liar.kdl");
    let text = r#"scenario "liar" schema=1 {
        why "A script that does nothing and says that all is well."
        old "1.22.1" workers=1
        new "1.26.3" workers=1
        act "command" "/bin/true" claims="upgraded"
        load fresh-per-second=50
        expect { violates "claim-is-true"; }
    }"#;
    std::fs::write(&file, text).unwrap();

    lab().arg("run").arg(&file).assert().code(0).stdout(contains("World model is left out for liar"));
    lab().args(["run", "--world", "model"]).arg(&file).assert().code(2).stderr(contains("no programs"));
}

/// Red when a story is run where it says nothing, or is left out in silence.
#[test]
fn a_story_is_left_out_of_the_worlds_that_it_is_not_for_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("choosy.kdl");
    let text = r#"scenario "choosy" schema=1 {
        why "A story for one world."
        worlds "model" because="nothing elsewhere is as it should be"
        old "1.22.1" workers=1
        new "1.26.3" workers=1
        act "orchestrator" "upgrade" "--soak" "0" claims="upgraded"
        load fresh-per-second=50
        expect ends-on="new" { sometimes "new-master.born"; }
    }"#;
    std::fs::write(&file, text).unwrap();
    let why = "World fake is left out for choosy: nothing elsewhere is as it should be.";

    lab().arg("run").arg(&file).assert().code(0).stdout(contains(why));
    lab().args(["run", "--world", "fake"]).arg(&file).assert().code(3).stderr(contains(why));
}

#[test]
fn a_runbook_beside_its_scenario_is_found_in_every_world() {
    let folder = tempfile::tempdir().unwrap();
    let story = r#"scenario "idle" schema=1 {
        why "A person who does nothing and says that all is well."
        old "1.22.1" workers=1
        new "1.26.3" workers=1
        act "runbook" "does-nothing" claims="upgraded"
        load fresh-per-second=50
        expect { violates "claim-is-true"; }
    }"#;
    let book = "runbook \"does-nothing\" schema=1 {\n    why \"To be found.\"\n    sleep \"10ms\"\n    claims \"upgraded\"\n}\n";
    std::fs::write(folder.path().join("idle.kdl"), story).unwrap();
    std::fs::write(folder.path().join("does-nothing.kdl"), book).unwrap();

    for world in ["model", "fake"] {
        lab().args(["run", "--world", world]).arg(folder.path().join("idle.kdl")).assert().code(0);
    }
}

#[test]
fn a_trace_is_judged_again_from_its_file_with_the_same_verdict() {
    let folder = tempfile::tempdir().unwrap();
    lab().args(["run", "manual-upgrade", "--world", "fake", "--trace"]).arg(folder.path()).assert().code(0);
    let trace = folder.path().join("001-manual-upgrade-fake.jsonl");

    lab().arg("report").arg(&trace).assert().code(0).stdout(contains("manual-upgrade").and(contains("held")));
    std::fs::write(&trace, "{\"schema\":99}\n").unwrap();
    lab().arg("report").arg(&trace).assert().code(2).stderr(contains("format 99"));
}

#[test]
fn json_is_one_object_per_run() {
    let output = lab()
        .args(["run", "orchestrator-upgrade", "--world", "fake", "--json", "--times", "2"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let runs: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    assert_eq!(runs.len(), 2, "{said}");
    assert!(runs.iter().all(|run| run["verdict"] == "held" && run["lost"] == 0), "{said}");
    assert_eq!((&runs[0]["seed"], &runs[1]["seed"]), (&1.into(), &2.into()));
}

#[test]
fn the_short_help_names_every_command() {
    let output = lab().arg("-h").output().unwrap();

    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r#"
    Prove that an nginx upgrade loses no request

    Usage: oldbin-lab [COMMAND]

    Commands:
      run          Run scenarios and print their verdicts
      explore      Play random scripts of commands, kills, crashes and faulty new binaries
      merge        Add up what the shards of one `explore` have found
      list         List the scenarios, the runbooks and the nginx releases that were found
      report       Print the verdict and the report of a trace that `run --trace` wrote
      replay       Play a kept failure again: what random scripts once found must hold now
      verify       Play random steps on the fake and on real nginx, and compare what is seen after each
      bench        Measure upgrade and rollback: orchestrator, bare signals and nginx's own `make
                   upgrade`, in turns
      completions  Print a completion script for a shell
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Exit codes:
       0  held: every scenario ended as it should, canaries included
       1  violated: the report marks the first bad step
       2  wrong usage, or a file that is no scenario
       3  unchecked: the evidence for something is missing, and the scenario does not say why
      70  a bug in this program

    Example:
      oldbin-lab run orchestrator-upgrade --world real --trace traces
    "#);
}

#[test]
fn the_help_of_run_names_every_option_and_exit_code() {
    let output = lab().args(["run", "-h"]).output().unwrap();

    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r#"
    Run scenarios and print their verdicts

    Usage: oldbin-lab run [OPTIONS] [SCENARIOS]...

    Arguments:
      [SCENARIOS]...  Names of the catalogue, or files that end in .kdl [default: the whole catalogue]

    Options:
          --world <WORLD>    Where to run [default: all] [possible values: model, fake, real, all]
          --times <N>        Run each scenario this many times [default: 1]
          --seed <SEED>      Where random picks begin [default: 1]
          --trace <FOLDER>   Write the trace of every run into this folder, as JSON Lines
          --moments          Tell every moment of every process in the traces (model and fake)
          --json             Print one JSON object per run instead of a table
          --no-namespaces    Do without namespaces, even where they can be had
          --mutant <DEFECT>  Run a deliberately defective fake or orchestrator, to see that the
                             laboratory notices
      -h, --help             Print help (see more with '--help')

    Exit codes:
       0  held: every scenario ended as it should, canaries included
       1  violated: the report marks the first bad step
       2  wrong usage, or a file that is no scenario
       3  unchecked: the evidence for something is missing, and the scenario does not say why
      70  a bug in this program

    Example:
      oldbin-lab run orchestrator-upgrade --world real --trace traces
    "#);
}

#[test]
fn without_the_wanted_pair_nothing_is_verified_and_verify_exits_with_3() {
    let empty = tempfile::tempdir().unwrap();

    lab()
        .arg("verify")
        .env("OLDBIN_NGINX_DIR", empty.path())
        .assert()
        .code(3)
        .stderr(contains("scripts/real-nginx"));
    lab().args(["verify", "--pair", "1.22.1"]).assert().code(2).stderr(contains("1.22.1:1.26.3"));
}

#[test]
fn completions_are_written_for_a_shell() {
    lab().args(["completions", "bash"]).assert().code(0).stdout(contains("complete -F"));
    lab().args(["completions", "tcsh"]).assert().code(2);
}

#[test]
fn a_kept_failure_is_played_again_and_a_mutant_turns_it_red() {
    let name = "orphans-of-the-old-master-meet-a-full-disk";
    let replay = |more: &[&str]| {
        let output = lab().args(["replay", name, "--json"]).args(more).output().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told["verdict"].as_str().unwrap().to_owned())
    };

    assert_eq!(replay(&[]), (Some(0), "held".to_owned()));
    assert_eq!(replay(&["--mutant", "orchestrator.ignores-orphans"]), (Some(1), "violated".to_owned()));
}

#[test]
fn a_file_that_is_no_kept_failure_is_refused_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.kdl");
    std::fs::write(
        &file,
        "regression \"mine\" schema=1 { why \"x\"; workers 2; type \"upgrad\"; wrong \"y\"; }",
    )
    .unwrap();

    let output = lab().arg("replay").arg(&file).output().unwrap();

    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("mine.kdl:1:"), "{told}");
}
