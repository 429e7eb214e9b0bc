//! `oldbin` as its operators run it, on the fake and on real nginx.
//!
//! Each test runs in a process of its own, a subreaper, so that every nginx that it starts stays below it
//! and is ended by handle, whatever happens. The fakes are stamped once; the real releases are found
//! by `scenarios::live::nginx`, and without them those tests are ignored and say why.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

#[path = "oldbin/chain.rs"]
mod chain;
mod common;
#[path = "oldbin/compiled.rs"]
mod compiled;
#[path = "oldbin/crash_points.rs"]
mod crash_points;
#[path = "oldbin/handoff.rs"]
mod handoff;
#[path = "oldbin/pid_file.rs"]
mod pid_file;
#[path = "oldbin/races.rs"]
mod races;
#[path = "oldbin/restart.rs"]
mod restart;
#[path = "oldbin/site.rs"]
mod site;
#[path = "oldbin/swap.rs"]
mod swap;

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::LazyLock;

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::Signal;
use site::{Site, release};

const TEST: &str = "OLDBIN_TEST";
const RELEASES: &str = "OLDBIN_TEST_RELEASES";
const OLD: &str = "1.22.1";
const NEW: &str = "1.26.3";
const TESTS_PER_CORE: usize = 2;

/// Every test, by the sentence that it proves.
const TESTS: &[(&str, fn())] = &[
    ("an_upgrade_ends_with_the_new_binary_alone", upgraded),
    ("a_held_upgrade_rolls_back_to_the_old_workers", held_and_rolled_back),
    ("a_held_upgrade_is_committed", held_and_committed),
    ("a_finished_upgrade_is_rolled_back_with_the_kept_binary", rolled_back_after_commit),
    ("a_binary_that_exits_at_start_is_rolled_back", exits_at_start),
    ("a_binary_that_loads_for_ever_is_rolled_back", loads_for_ever),
    ("a_new_master_killed_in_the_soak_leaves_no_orphan", killed_in_the_soak),
    ("an_interrupted_upgrade_is_rolled_back", interrupted),
    ("a_killed_oldbin_is_recovered", killed_and_recovered),
    ("a_broken_configuration_is_refused_with_nginx_s_own_words", broken_configuration),
    ("a_text_file_is_refused", text_file),
    ("a_binary_that_needs_the_environment_of_a_shell_is_refused", needs_a_shell),
    ("a_binary_that_does_not_take_the_old_arguments_is_refused", other_arguments),
    ("a_hostile_pid_file_is_refused", hostile_pid_files),
    ("a_dead_nginx_is_refused", no_nginx),
    ("a_relative_program_without_a_folder_is_refused", relative_program),
    ("a_foreground_nginx_under_its_parent_is_refused", foreground),
    ("a_held_upgrade_whose_masters_are_both_killed_is_stuck_and_says_so", stuck),
    ("what_oldbin_does_not_understand_exits_with_2_and_touches_nothing", usage),
    ("a_dry_run_changes_nothing", dry_run),
    ("a_binary_that_the_package_manager_has_replaced_is_upgraded_to", already_replaced),
    ("clients_lose_nothing_while_the_binary_changes", nothing_is_lost),
    ("a_usr2_that_a_script_sent_is_recovered", usr2_by_hand),
    ("a_winch_that_a_script_sent_is_recovered_or_rolled_back", winch_by_hand),
    ("a_quit_that_a_script_sent_too_early_is_recovered", quit_by_hand),
    ("an_old_master_killed_in_a_script_s_upgrade_is_recovered", old_killed_by_hand),
    ("orphans_of_a_killed_new_master_are_recovered", new_killed_by_hand),
    ("a_winch_without_an_upgrade_is_recovered", winch_alone),
    ("status_shows_who_runs_who_is_named_and_who_accepts", status),
];

fn main() -> ExitCode {
    if let Some(code) = crash_points::run_if_rehearsed() {
        return code;
    }
    if let Ok(name) = std::env::var(TEST) {
        return agent(&name);
    }
    let fakes = stamp_fakes();
    let real = common::real_releases(&[OLD, NEW]);
    let mut trials = Vec::new();
    for (name, _) in all() {
        let folder = fakes.path().to_owned();
        let trial = Trial::test(format!("{name} on fake"), move || run(name, &folder));
        trials.push(if why_not_alone(name).is_some() { trial.with_ignored_flag(true) } else { trial });
        let folder = real.clone();
        let trial = Trial::test(format!("{name} on real"), move || match &folder {
            Ok(folder) => run(name, folder),
            Err(why) => Err(why.into()),
        });
        trials.push(match real.as_ref().err().map(String::as_str).or_else(|| why_not_alone(name)) {
            None => trial,
            Some(why) => trial.with_kind(why).with_ignored_flag(true),
        });
    }
    let mut arguments = Arguments::from_args();
    // They mostly wait.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads = arguments.test_threads.or(Some(TESTS_PER_CORE * cores));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Tests that need a machine of their own: its pids and its mounts.
fn alone() -> impl Iterator<Item = &'static (&'static str, fn())> {
    compiled::TESTS.iter().chain(races::ALONE)
}

/// Why a test that needs a machine of its own cannot have one.
fn why_not_alone(name: &str) -> Option<&'static str> {
    let is_meant = alone().any(|(known, _)| *known == name);
    let why = "needs pids and mounts of its own, which only root may have";
    (is_meant && !*MAY_BE_ALONE).then_some(why)
}

static MAY_BE_ALONE: LazyLock<bool> = LazyLock::new(|| {
    let tried = machine(Path::new("true")).stderr(Stdio::null()).status();
    rustix::process::geteuid().is_root() && tried.is_ok_and(|status| status.success())
});

/// Runs a program as the first process of a machine of its own.
fn machine(program: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "--"]).arg(program);
    command
}

/// A folder of fakes that looks like a folder of real releases.
fn stamp_fakes() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    // root's workers are nobody, and oldbin runs the staged file as whoever it is.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for version in chain::RELEASES {
        std::fs::create_dir(folder.path().join(version)).unwrap();
        let output = folder.path().join(version).join("nginx");
        let status = Command::new(env!("CARGO_BIN_EXE_fake-nginx"))
            .args(["stamp", "--version", version, "--output"])
            .arg(output)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "fake-nginx stamp: {status}");
    }
    folder
}

fn all() -> impl Iterator<Item = &'static (&'static str, fn())> {
    let shared = TESTS.iter().chain(swap::TESTS).chain(handoff::TESTS).chain(chain::TESTS);
    let shared = shared.chain(crash_points::TESTS).chain(pid_file::TESTS).chain(races::TESTS);
    shared.chain(restart::TESTS).chain(alone())
}

/// Runs one test in a process of its own.
fn run(name: &str, releases: &Path) -> Result<(), Failed> {
    let me = std::env::current_exe()?;
    let is_alone = alone().any(|(known, _)| *known == name);
    let mut command = if is_alone { machine(&me) } else { Command::new(me) };
    let ran = command.env(TEST, name).env(RELEASES, releases).output()?;
    let told = String::from_utf8_lossy(&ran.stdout);
    let is_count = |line: &&str| line.starts_with("points: ") || line.starts_with("chain: ");
    #[expect(clippy::print_stdout, reason = "how many points, or upgrades, there were is told")]
    for line in told.lines().filter(is_count) {
        println!("{line}");
    }
    if ran.status.success() {
        return Ok(());
    }
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Err(Failed::from(format!("{}\n{}", said[0], said[1])))
}

fn agent(name: &str) -> ExitCode {
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1)).unwrap();
    let (_, test) = all().find(|(known, _)| *known == name).unwrap();
    let is_ok = std::panic::catch_unwind(test).is_ok();
    site::end_everybody();
    if is_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn new_binary() -> PathBuf {
    release(NEW).unwrap()
}

/// A script that answers `-v` and `-T` like the new binary, and otherwise does this.
fn script(site: &Site, does: &str) -> PathBuf {
    let real = new_binary();
    site.executable(
        "script",
        &format!("#!/bin/sh\ncase \"$1\" in -v|-T) exec {} \"$@\";; esac\n{does}\n", real.display()),
    )
}

fn upgrade(site: &Site, new: &Path, more: &[&str]) -> site::Said {
    let mut arguments: Vec<OsString> = vec!["upgrade".into(), "--new".into(), new.into()];
    arguments.extend(more.iter().map(OsString::from));
    site.oldbin(&arguments)
}

fn upgraded() {
    let site = Site::start(OLD);
    let said = upgrade(&site, &new_binary(), &["--soak", "100ms", "--probe", &site.url()]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    assert_eq!((said.text("old_version"), said.text("new_version")), (OLD, NEW));
    site.serves_alone(NEW);
}

fn held_and_rolled_back() {
    let site = Site::start(OLD);
    let said = upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]);
    assert_eq!((said.outcome(), said.code), ("held", 0), "{said:?}");
    assert_eq!(site.answer(), NEW);
    let again = upgrade(&site, &new_binary(), &["--soak", "0"]);
    assert_eq!((again.outcome(), again.code), ("refused", 3), "{again:?}");
    let said = site.oldbin(&["rollback".into()]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 0), "{said:?}");
    site.serves_alone(OLD);
}

fn held_and_committed() {
    let site = Site::start(OLD);
    upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]);
    let said = site.oldbin(&["commit".into()]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
}

fn rolled_back_after_commit() {
    let site = Site::start(OLD);
    upgrade(&site, &new_binary(), &["--soak", "0"]);
    site.serves_alone(NEW);
    let said = site.oldbin(&["rollback".into(), "--soak".into(), "0".into()]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 0), "{said:?}");
    site.serves_alone(OLD);
    let again = site.oldbin(&["rollback".into()]);
    assert_eq!((again.outcome(), again.code), ("refused", 3), "{again:?}");
}

fn exits_at_start() {
    let site = Site::start(OLD);
    let said = upgrade(&site, &script(&site, "exit 1"), &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 4), "{said:?}");
    site.serves_alone(OLD);
}

fn loads_for_ever() {
    let site = Site::start(OLD);
    let new = script(&site, "exec sleep 1000");
    let said = upgrade(&site, &new, &["--soak", "0", "--ready-within", "300ms"]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 4), "{said:?}");
    site.serves_alone(OLD);
}

fn killed_in_the_soak() {
    let site = Site::start(OLD);
    let running = site.start_oldbin(&["upgrade", "--new", new_binary().to_str().unwrap(), "--soak", "60"]);
    site.wait_for("\"soaking\"");
    site::kill(site.pid("nginx.pid"));
    let said = running.end();
    assert_eq!((said.outcome(), said.code), ("rolled-back", 4), "{said:?}");
    site.serves_alone(OLD);
}

fn interrupted() {
    let site = Site::start(OLD);
    let running = site.start_oldbin(&["upgrade", "--new", new_binary().to_str().unwrap(), "--soak", "60"]);
    site.wait_for("\"soaking\"");
    running.interrupt();
    running.interrupt();
    let said = running.end();
    assert_eq!((said.outcome(), said.code), ("rolled-back", 4), "{said:?}");
    site.serves_alone(OLD);
}

fn killed_and_recovered() {
    for (command, version) in [("recover", NEW), ("rollback", OLD), ("commit", NEW)] {
        let site = Site::start(OLD);
        let running = site.start_oldbin(&["upgrade", "--new", new_binary().to_str().unwrap(), "--soak", "1"]);
        site.wait_for("\"soaking\"");
        running.kill();
        let refused = upgrade(&site, &new_binary(), &[]);
        assert_eq!((refused.outcome(), refused.code), ("refused", 3), "{refused:?}");
        let said = site.oldbin(&[command.into()]);
        assert_eq!(said.code, 0, "{command}: {said:?}");
        site.serves_alone(version);
        site::end_everybody();
    }
}

fn broken_configuration() {
    let site = Site::start(OLD);
    site.append_configuration("bogus_directive on;");
    let said = upgrade(&site, &new_binary(), &[]);
    site.was_refused(&said, OLD);
    assert!(said.text("reason").contains("unknown directive \"bogus_directive\""), "{said:?}");
}

/// A binary that rejects the configuration, with these words, unless that is true.
fn picky(site: &Site, condition: &str, words: &str) -> PathBuf {
    let real = new_binary();
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = -v ] || {condition} || {{ echo '{words}' >&2; exit 1; }}\nexec {} \"$@\"\n",
        real.display()
    );
    site.executable("picky", &text)
}

/// Red when the test of the configuration gets the environment of whoever upgrades, which USR2 does not give.
///
/// shows: F36
fn needs_a_shell() {
    let site = Site::start(OLD);
    let said = upgrade(&site, &picky(&site, &format!("[ -n \"${TEST}\" ]"), "no library path"), &[]);
    site.was_refused(&said, OLD);
    assert!(said.text("reason").contains("no library path"), "{said:?}");
}

/// Red when the test of the configuration is made with other arguments than the old master's.
///
/// shows: F37
fn other_arguments() {
    let site = Site::start(OLD);
    let has_no_prefix = "case \" $* \" in *\" -p \"*) false;; esac";
    let said = upgrade(&site, &picky(&site, has_no_prefix, "invalid option: -p"), &[]);
    site.was_refused(&said, OLD);
    assert!(said.text("reason").contains("invalid option: -p"), "{said:?}");
}

/// shows: F38
fn text_file() {
    let site = Site::start(OLD);
    let new = site.executable("text", "hello\n");
    let said = upgrade(&site, &new, &[]);
    site.was_refused(&said, OLD);
    let said = upgrade(&site, &site.path("nothing-here"), &[]);
    site.was_refused(&said, OLD);
}

fn hostile_pid_files() {
    let site = Site::start(OLD);
    let true_pid = site.pid("nginx.pid");
    let stranger = std::process::id().to_string();
    let dead = site::dead_pid().to_string();
    let hostile = [
        "",
        "\n",
        "garbage",
        "0",
        "1",
        "-1",
        "9223372036854775808",
        "12 34",
        stranger.as_str(),
        dead.as_str(),
    ];
    for text in hostile {
        site.write_pid_file(text);
        let said = upgrade(&site, &new_binary(), &[]);
        assert_eq!((said.outcome(), said.code), ("refused", 3), "{text:?}: {said:?}");
    }
    std::fs::remove_file(site.path("nginx.pid")).unwrap();
    std::os::unix::fs::symlink(site.path("elsewhere"), site.path("nginx.pid")).unwrap();
    std::fs::write(site.path("elsewhere"), format!("{true_pid}\n")).unwrap();
    let said = upgrade(&site, &new_binary(), &[]);
    assert_eq!((said.outcome(), said.code), ("refused", 3), "{said:?}");
    std::fs::remove_file(site.path("nginx.pid")).unwrap();
    site.write_pid_file(&format!("{true_pid}\n"));
    site.serves_alone(OLD);
}

/// shows: F11
fn no_nginx() {
    let site = Site::start(OLD);
    let pid = site.pid("nginx.pid");
    site::end_everybody();
    site.write_pid_file(&format!("{pid}\n"));
    let said = upgrade(&site, &new_binary(), &[]);
    assert_eq!((said.outcome(), said.code), ("refused", 3), "{said:?}");
}

/// shows: F35
fn relative_program() {
    let site = Site::start_as(OLD, "nginx");
    let said = upgrade(&site, &new_binary(), &[]);
    site.was_refused(&said, OLD);
}

/// shows: F25 F26
fn foreground() {
    let site = Site::start_in_foreground(OLD);
    let said = upgrade(&site, &new_binary(), &[]);
    site.was_refused(&said, OLD);
}

fn stuck() {
    let site = Site::start(OLD);
    upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]);
    site::kill(site.pid("nginx.pid.oldbin"));
    site::kill(site.pid("nginx.pid"));
    let said = site.oldbin(&["rollback".into()]);
    assert_eq!((said.outcome(), said.code), ("stuck", 5), "{said:?}");
    assert!(!said.text("remedy").is_empty(), "{said:?}");
}

fn usage() {
    let site = Site::start(OLD);
    for arguments in
        [&["upgrade"][..], &["upgrade", "--new"], &["upgrad"], &["upgrade", "--new", "x", "--soak", "soon"]]
    {
        let code = site.exit_code(&arguments.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(code, Some(2), "{arguments:?}");
    }
    site.serves_alone(OLD);
}

fn dry_run() {
    let site = Site::start(OLD);
    let before = site.listing();
    let said = upgrade(&site, &new_binary(), &["--dry-run"]);
    assert_eq!((said.outcome(), said.code), ("planned", 0), "{said:?}");
    assert_eq!(site.listing(), before);
    site.serves_alone(OLD);
}

/// shows: F20
fn already_replaced() {
    let site = Site::start(OLD);
    site.replace_binary(&new_binary());
    let path = site.path("sbin/nginx");
    let said = upgrade(&site, &path, &["--soak", "0"]);
    assert_eq!((said.outcome(), said.code), ("upgraded", 0), "{said:?}");
    site.serves_alone(NEW);
    let said = site.oldbin(&["rollback".into(), "--soak".into(), "0".into()]);
    assert_eq!((said.outcome(), said.code), ("rolled-back", 0), "{said:?}");
    site.serves_alone(OLD);
}

fn nothing_is_lost() {
    let site = Site::start(OLD);
    let load = site.load();
    for _ in 0..3 {
        assert_eq!(upgrade(&site, &new_binary(), &["--soak", "0"]).outcome(), "upgraded");
        assert_eq!(site.oldbin(&["rollback".into(), "--soak".into(), "0".into()]).outcome(), "rolled-back");
        assert_eq!(upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]).outcome(), "held");
        assert_eq!(site.oldbin(&["rollback".into()]).outcome(), "rolled-back");
    }
    let (served, lost) = load.end();
    assert!(served > 100, "only {served} requests");
    assert_eq!(lost, Vec::<String>::new());
    site.serves_alone(OLD);
}

/// What a script does before it dies: the new binary at the path, and USR2.
fn half_upgraded() -> Site {
    let site = Site::start(OLD);
    site.replace_binary(&new_binary());
    site.signal_master(Signal::USR2);
    site.until("both serve", || site.path("nginx.pid.oldbin").exists() && site.has_workers());
    site
}

fn ends(site: &Site, command: &str, (outcome, version): (&str, &str)) {
    let load = site.light_load();
    let said = site.oldbin(&[command.into()]);
    let (_, lost) = load.end();
    assert_eq!(said.outcome(), outcome, "{command}: {said:?}");
    assert_eq!(lost, Vec::<String>::new(), "{command}: {said:?}");
    site.serves_alone(version);
    let again = site.oldbin(&["recover".into()]);
    assert_eq!((again.outcome(), again.code), ("refused", 3), "{again:?}");
}

/// shows: F17
fn usr2_by_hand() {
    for (command, end) in [("recover", ("upgraded", NEW)), ("rollback", ("rolled-back", OLD))] {
        ends(&half_upgraded(), command, end);
        site::end_everybody();
    }
}

fn winch_by_hand() {
    for (command, end) in [("recover", ("upgraded", NEW)), ("rollback", ("rolled-back", OLD))] {
        let site = half_upgraded();
        let old = site.pid("nginx.pid.oldbin");
        site::signal(old, Signal::WINCH);
        site.until("the old workers are gone", || site::workers_of(old).is_empty());
        ends(&site, command, end);
        site::end_everybody();
    }
}

fn quit_by_hand() {
    let site = half_upgraded();
    site::signal(site.pid("nginx.pid.oldbin"), Signal::QUIT);
    // It may be over by then, or drain still: recover ends well, or finds nothing.
    let said = site.oldbin(&["recover".into()]);
    assert!(["upgraded", "refused"].contains(&said.outcome()), "{said:?}");
    site.until("the old master is gone", || !site.path("nginx.pid.oldbin").exists());
    site.serves_alone(NEW);
}

/// shows: F14 F15
fn old_killed_by_hand() {
    let site = half_upgraded();
    site::kill(site.pid("nginx.pid.oldbin"));
    ends(&site, "recover", ("upgraded", NEW));
}

/// shows: F15
fn new_killed_by_hand() {
    let site = half_upgraded();
    let old = site.pid("nginx.pid.oldbin");
    site::kill(site.pid("nginx.pid"));
    site.until("the pid file names the old master", || site.names("nginx.pid", old));
    ends(&site, "recover", ("rolled-back", OLD));
}

fn winch_alone() {
    let site = Site::start(OLD);
    let master = site.pid("nginx.pid");
    site::signal(master, Signal::WINCH);
    site.until("nobody works", || site::workers_of(master).is_empty());
    ends(&site, "recover", ("rolled-back", OLD));
}

fn status() {
    let site = Site::start(OLD);
    upgrade(&site, &new_binary(), &["--soak", "0", "--hold"]);
    let said = site.oldbin(&["status".into()]);
    assert_eq!((said.outcome(), said.code), ("status", 0), "{said:?}");
    for (nth, (version, file, workers)) in
        [(OLD, "nginx.pid.oldbin", 0), (NEW, "nginx.pid", 2)].into_iter().enumerate()
    {
        let part = |name: &str| said.part(&format!("/nginx/0/generations/{nth}/{name}")).clone();
        assert_eq!(part("version"), version, "{said:?}");
        assert_eq!(part("master"), site.pid(file), "{said:?}");
        assert_eq!(part("named_by"), site.path(file).to_str().unwrap(), "{said:?}");
        assert_eq!(part("workers").as_array().unwrap().len(), workers, "{said:?}");
    }
    assert_eq!(*said.part("/nginx/0/listeners/0/held_by"), serde_json::json!([1, 2]), "{said:?}");
    assert_eq!(*said.part("/nginx/0/listeners/0/accepted_by"), serde_json::json!([2]), "{said:?}");
    assert_eq!(*said.part("/upgrades/0/phase"), "held", "{said:?}");
    assert_eq!(*said.part("/orphans"), serde_json::json!([]), "{said:?}");
    let new = site.pid("nginx.pid");
    site::signal(new, Signal::WINCH);
    site.until("nobody works", || site::workers_of(new).is_empty());
    let said = site.oldbin(&["status".into()]);
    assert_eq!(*said.part("/nginx/0/listeners/0/accepted_by"), serde_json::json!([]), "{said:?}");
}
