//! The words that an operator reads, and the rules that the sources keep.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use orchestrator::Refusal;
use orchestrator::machine::{Outcome, StuckState};

/// `oldbin`'s own help, asked from a process of its own: this one is also `oldbin`.
fn help(arguments: &[&str]) -> String {
    let me = std::env::current_exe().unwrap();
    let ran = Command::new(me)
        .env("OLDBIN_HELP", arguments.join(" "))
        .env("COLUMNS", "100")
        .args(["--exact", "help_itself", "--nocapture", "--quiet"])
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    let (_, rest) = text.split_once("<<<\n").unwrap();
    rest.split_once(">>>").unwrap().0.to_owned()
}

/// Prints help if it is asked for; otherwise it has nothing to prove.
#[test]
fn help_itself() {
    let Ok(arguments) = std::env::var("OLDBIN_HELP") else { return };
    let argv = std::iter::once("oldbin").chain(arguments.split(' ')).map(Into::into).collect();
    println!("<<<");
    let _ = orchestrator::cli::main_from(argv);
    println!(">>>");
}

#[test]
fn the_help_names_every_command() {
    insta::assert_snapshot!(help(&["--help"]), @r#"
    Change the binary of a running nginx without dropping a connection

    Usage: oldbin <COMMAND>

    Commands:
      upgrade      Replace a running nginx binary without dropping a connection
      rollback     Go back to the binary that served before
      commit       Let the old master of a held upgrade go
      recover      Finish or undo an upgrade whose oldbin was killed, or that a script left half-done
      status       Tell which generations run, who accepts on which socket, and where an upgrade stands
      completions  Print a completion script
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Every command but `status` leaves nginx as it was, or says exactly what it left.
    "#);
}

#[test]
fn the_help_of_upgrade_promises_before_it_lists() {
    insta::assert_snapshot!(help(&["upgrade", "-h"]), @r#"
    Replace a running nginx binary without dropping a connection

    Usage: oldbin upgrade [OPTIONS] --new <PATH>

    Options:
          --new <PATH>              Binary to change to
          --binary <PATH>           Path that nginx executes, and that the new binary takes [default:
                                    found from the master]
          --soak <SECONDS>          Serve from the new binary this long before committing (30, 0.5,
                                    200ms, 5m) [default: 30]
          --probe <URL>             Request that must succeed at every step, http:// only (can be
                                    repeated)
          --check <COMMAND>         Shell command that must succeed at every step, within 10 s (can be
                                    repeated)
          --slower <TIMES>          A probe that takes this many times as long as with the old binary
                                    fails; 0: it may take as long as it likes [default: 10]
          --error-budget <COUNT>    Failures of the new binary to forgive: a probe or check that fails
                                    twice running, a worker that ends, a line at alert or emerg in the
                                    error log, a connection that a full queue dropped [default: 0]
          --no-knock                Do not open a connection to each listening socket to see who takes
                                    it
          --ready-within <SECONDS>  Roll back if the new binary does not accept within this time
                                    [default: 60]
          --drain-within <SECONDS>  Wait no longer than this for requests that old workers still serve
                                    [default: as long as they need]
          --drain-then <WHAT>       Behind that time: cut them, or leave them to the old master, which
                                    ends with the last one [default: cut] [possible values: cut, leave]
          --watch <SECONDS>         Watch the new binary this long behind the commit point [default: a
                                    tenth of the soak]
          --drop-listeners          Go on although the new configuration accepts on fewer sockets:
                                    clients of the others hang until the commit
          --wait-for-old <SECONDS>  Wait this long for the old master of an earlier upgrade that still
                                    drains [default: refuse at once]
          --hold                    Stop after the soak, with the old master in reserve: `oldbin commit`
                                    or `oldbin rollback` decides
          --dry-run                 Print the plan and send no signal
          --pid-file <PATH>         Pid file of the running master [default: found from the master]
          --state-dir <PATH>        Folder of the journal [default: /var/lib/oldbin]
          --json                    Print the result as one JSON object
          --trace <PATH>            Write what was done and seen, as JSON Lines
      -h, --help                    Print help (see more with '--help')

    Exit codes:
       0  upgraded: the new binary serves alone (with --hold: the old master is in reserve;
          with --drain-then leave: it may still end its last connections)
       2  wrong usage
       3  refused: nothing was touched
       4  rolled back: the old binary serves as before
       5  stuck: neither is certain; see the message, a person must look
      70  a bug in this program

    Example:
      oldbin upgrade --new /opt/nginx-1.30.6/nginx --probe http://127.0.0.1/healthz
    "#);
}

#[test]
fn a_refusal_says_what_where_and_what_next() {
    let path = Path::new("/run/nginx.pid").to_owned();
    let refusals = [
        Refusal::NoNginx,
        Refusal::BadPidFile { path: path.clone(), why: "it is empty".to_owned() },
        Refusal::StalePidFile { path: path.clone(), pid: 4711 },
        Refusal::Stranger { path, pid: 4711, title: "sshd".to_owned() },
        Refusal::UpgradeInFlight { what: "master 2 was started by master 1, which still runs".to_owned() },
        Refusal::Unfinished { phase: "held".to_owned() },
        Refusal::NotUpgradable { why: "its parent is outside of this container".to_owned() },
        Refusal::BadBinary { path: "/tmp/text".into(), why: "it is not executable".to_owned() },
        Refusal::ConfigTestFailed { status: "exit status: 1".to_owned(), stderr: "[emerg] …".to_owned() },
    ];
    let text: Vec<_> = refusals.iter().map(|refusal| format!("{refusal}\n  {}", refusal.remedy())).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    no nginx master runs here
      Start nginx, or run oldbin where it runs.
    /run/nginx.pid is no pid file: it is empty
      Pass the right path with --pid-file.
    /run/nginx.pid names pid 4711, and no such process runs
      Start nginx, or write the running master's pid to the file.
    /run/nginx.pid names pid 4711, which is no nginx master but `sshd`
      Correct the pid file, or pass the right one with --pid-file.
    an upgrade is already under way: master 2 was started by master 1, which still runs
      Run `oldbin recover` to finish it or `oldbin rollback` to undo it, whoever began it; or wait until the old master is gone.
    an earlier upgrade is not finished: it stands at `held`
      Run `oldbin recover`, `oldbin commit` or `oldbin rollback`.
    nginx would ignore USR2: its parent is outside of this container
      Run nginx with `daemon on;`, or restart it instead.
    /tmp/text cannot be the new binary: it is not executable
      Pass an nginx executable with --new.
    the new binary rejects the configuration (exit status: 1):
    [emerg] …
      Fix the configuration, then run the upgrade again.
    "#);
}

/// The machine is told, it does not ask.
#[test]
fn the_machine_imports_nothing_of_the_world() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/machine");
    let banned =
        ["std::time", "std::fs", "std::process", "std::env", "std::net", "std::io", "rustix", "nix::"];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            let found = banned.iter().find(|name| line.contains(**name));
            assert!(found.is_none(), "{}: {line}", path.display());
            let is_crate_import = line.contains("crate::") && !line.contains("crate::machine");
            assert!(!is_crate_import, "{}: {line}", path.display());
        }
    }
}

/// Red when an end is told in the words of another one, or in none.
#[test]
fn every_end_has_words_of_its_own_and_every_stuck_state_a_remedy() {
    let states = [
        StuckState::NoMaster,
        StuckState::OnlyUnfitNewMaster,
        StuckState::NewMasterDiedAfterCommit,
        StuckState::NewWorkersMissing,
        StuckState::OldMasterStays,
        StuckState::OldWorkersMissing,
        StuckState::NewGenerationStays,
        StuckState::PidFileWrong,
        StuckState::PidFileLost,
        StuckState::FileNotRestored,
        StuckState::NewFileNotInstalled,
        StuckState::WayBackUndone,
    ];
    let said: BTreeSet<_> = states.iter().map(|state| state.says()).collect();
    assert_eq!(said.len(), states.len());
    assert!(states.iter().all(|state| state.remedy().ends_with('.')));
    let ends = [Outcome::Upgraded, Outcome::Draining, Outcome::Held, Outcome::RolledBack, Outcome::Refused];
    let names: Vec<_> = ends.into_iter().chain([Outcome::Stuck(states[0])]).map(Outcome::name).collect();
    assert_eq!(names, ["upgraded", "draining", "held", "rolled-back", "refused", "stuck"]);
}
