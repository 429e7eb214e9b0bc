//! S: from the launcher to the first wait.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use rustix::process::Signal;

use crate::stage::{Conf, Stage, wait_for};

/// checks: S1 S5 S6 S8
pub(super) fn a_daemon_has_its_pid_file_session_and_titles(stage: &Stage) {
    stage.write("nginx.pid", "the last one, and longer\n");
    let output = stage.command(&[]).current_dir(stage.path("")).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let master = stage.pid_in("nginx.pid");
    let worker = stage.workers(master, 1)[0];

    assert_eq!(stage.text("nginx.pid"), format!("{master}\n"));
    assert_eq!(fs::metadata(stage.path("nginx.pid")).unwrap().mode() & 0o777, 0o644);
    let of = |name: &str| fs::read_link(format!("/proc/{master}/{name}")).unwrap();
    assert_eq!((of("fd/0"), of("fd/1")), ("/dev/null".into(), "/dev/null".into()));
    assert_eq!((of("fd/2"), of("cwd")), (stage.path("error.log"), stage.path("")));
    assert_eq!(session(&master.to_string()), master.to_string());
    let folder = stage.path("").display().to_string();
    let words = format!("{folder}nginx -p {} -c nginx.conf", folder.trim_end_matches('/'));
    assert_eq!(stage.title(master), format!("nginx: master process {words}"));
    let log = stage.log();
    let places = [
        "using the \"epoll\" event method\n",
        "start worker processes\n",
        &format!("start worker process {worker}\n"),
    ]
    .map(|line| log.find(line).unwrap_or_else(|| panic!("{line}: {log}")));
    assert!(places.is_sorted(), "{log}");
}

/// The session of a process; `0` if its leader is outside the pid namespace, as getsid(2) would have it too.
fn session(pid: &str) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().to_owned()
}

/// checks: S2 S7 C16 N1
pub(super) fn a_taken_path_is_tried_five_times(stage: &Stage) {
    stage.configure(Conf { server: "listen unix:FOLDER/web;", ..Conf::default() });
    drop(std::os::unix::net::UnixListener::bind(stage.path("web")).unwrap());
    let ended = stage.nginx(&[]);
    assert_eq!(ended.code, Some(1), "the launcher tells");
    let socket = stage.path("web").display().to_string();
    let bind = format!("[emerg] bind() to unix:{socket} failed (98: Address already in use)\n");
    let end = "[emerg] still could not bind()\n";
    assert_eq!(ended.err, format!("{}nginx: {end}", format!("nginx: {bind}").repeat(5)));
    let round = format!("{bind}[notice] try again to bind() after 500ms\n");
    assert_eq!(stage.log(), format!("{}{end}", round.repeat(5)));
    stage.remove("web");
    stage.start(1);
    assert_eq!(fs::metadata(stage.path("web")).unwrap().mode() & 0o777, 0o666);
}

/// checks: S13
pub(super) fn a_signal_to_a_start_that_binds_kills_it(stage: &Stage) {
    stage.configure(Conf { server: "listen unix:FOLDER/web;", ..Conf::default() });
    stage.write("web", "");
    let mut child = stage.command(&[]).stderr(Stdio::null()).spawn().unwrap();
    stage.logged("try again to bind() after 500ms");
    stage.signal(child.id().cast_signed(), Signal::TERM);
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert!(!stage.log().contains("SIGTERM"));
}

/// checks: S10
pub(super) fn workers_of_root_become_the_configured_user(stage: &Stage) {
    stage.configure(Conf { main: "user nobody nogroup;", ..Conf::default() });
    let ended = stage.nginx(&["-t"]);
    let is_root = nix::unistd::geteuid().is_root();
    let warns = ended.err.contains("[warn] the \"user\" directive makes sense only ");
    assert_eq!((ended.code, warns), (Some(0), !is_root), "{ended:?}");
    if is_root {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid.as_raw();
        let master = stage.start(1);
        let owner = |pid: i32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            status.split_once("Uid:\t").unwrap().1.split('\t').next().unwrap().parse::<u32>().unwrap()
        };
        assert_eq!((owner(master), owner(stage.workers(master, 1)[0])), (0, nobody));
        stage.configure(Conf { main: "user nosuchuser;", ..Conf::default() });
        let ended = stage.nginx(&["-t"]);
        assert!(
            ended.code == Some(1) && ended.err.contains("[emerg] getpwnam(\"nosuchuser\") failed"),
            "{ended:?}"
        );
    }
}

/// checks: S12 G1 G5 G6 M2
pub(super) fn in_the_foreground_usr2_waits_for_the_parents_end(stage: &Stage) {
    // With NGINX it stays in the foreground and counts as a daemon.
    let mut child = stage.command(&[]).env("NGINX", "").stderr(Stdio::null()).spawn().unwrap();
    let master = stage.pid_in("nginx.pid");
    assert_eq!(master, child.id().cast_signed());
    stage.workers(master, 1);
    stage.signal(master, Signal::USR2);
    stage.logged("[crit] the changing binary signal is ignored: ");
    assert!(
        stage.log_of(master).contains(", changing binary, ignoring\n")
            || stage.log_of(master).contains(", ignoring\n")
    );
    stage.signal(master, Signal::WINCH);
    stage.workers(master, 0);
    stage.signal(master, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));

    // Without it WINCH is nothing, and USR2 is refused only while the starting process lives.
    let mut shell = std::process::Command::new("/bin/sh")
        .args(["-c", "\"$0\" \"$@\" & read line"])
        .arg(stage.path("nginx"))
        .arg("-p")
        .arg(stage.path(""))
        .args(["-c", "nginx.conf", "-g", "daemon off;"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let master = stage.pid_in("nginx.pid");
    stage.workers(master, 1);
    stage.signal(master, Signal::WINCH);
    stage.signal(master, Signal::USR2);
    stage.logged_times("[crit] the changing binary signal is ignored: ", 2);
    assert!(!stage.log_of(master).contains("stop accepting"), "{}", stage.log());
    drop(shell.stdin.take());
    shell.wait().unwrap();
    wait_for("another parent", || {
        stage
            .processes()
            .iter()
            .any(|it| it.pid == master && it.parent != shell.id().cast_signed())
            .then_some(())
    });
    stage.upgrade(master, 1);
}

/// checks: S14
pub(super) fn without_a_level_no_notice_is_logged(stage: &Stage) {
    stage.configure(Conf { main: "error_log FOLDER/error.log;", ..Conf::default() });
    let master = stage.start(1);
    let worker = stage.workers(master, 1)[0];
    stage.signal(worker, Signal::KILL);
    stage.logged("exited on signal 9");
    stage.signal(master, Signal::QUIT);
    stage.gone(master);
    let log = stage.log();
    let levels = ["[notice]", "[info]", "[warn]"];
    assert!(levels.iter().all(|level| !log.contains(level)) && log.contains("[alert]"), "{log}");
}

/// checks: S15
pub(super) fn sockets_need_connections(stage: &Stage) {
    stage.configure(Conf { server: "listen unix:FOLDER/web;", ..Conf::default() });
    let text = stage.text("nginx.conf").replace("worker_connections 64", "worker_connections 1");
    stage.write("nginx.conf", &text);
    let ended = stage.nginx(&[]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.err.contains("[emerg] 1 worker_connections are not enough for 2 listening sockets\n"),
        "{ended:?}"
    );
}

/// checks: S9
pub(super) fn one_process_alone_is_a_daemon_with_a_pid_file(stage: &Stage) {
    stage.configure(Conf { main: "master_process off;", ..Conf::default() });
    assert_eq!(stage.nginx(&[]).code, Some(0));
    let own = stage.pid_in("nginx.pid");
    assert!(stage.get().ends_with("one"));
    let processes = stage.processes();
    assert_eq!((processes.len(), processes[0].pid), (1, own));
    assert!(!processes[0].title.starts_with("nginx: "), "{processes:?}");
    let mut silent = stage.silent(&[own]);
    stage.signal(own, Signal::QUIT);
    stage.gone(own);
    assert_eq!(crate::stage::rest(&mut silent), "", "it does not drain");
    assert!(!stage.exists("nginx.pid"));

    // `daemon off` stays in its session, and its pid file has the mode that the caller wants.
    stage.configure(Conf { main: "daemon off;", ..Conf::default() });
    let mut child = stage.command(&[]).stderr(Stdio::null()).spawn().unwrap();
    let master = stage.pid_in("nginx.pid");
    stage.workers(master, 1);
    assert_eq!(master, child.id().cast_signed());
    assert_eq!(session(&master.to_string()), session("self"));
    stage.signal(master, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// checks: S4
pub(super) fn debians_launcher_tells_of_a_pid_file_that_it_cannot_write(stage: &Stage) {
    stage.configure(Conf { pid: "none/nginx.pid", ..Conf::default() });
    let ended = stage.nginx(&[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let runs = |title: &str| stage.processes().into_iter().find(|process| process.title.starts_with(title));
    wait_for("a worker all the same", || runs("nginx: worker process"));
}

/// checks: S3
pub(super) fn a_stock_launcher_does_not_know_whether_the_pid_file_was_written(stage: &Stage) {
    if !stage.subject.is_real {
        stage.put(&format!("stock-{}", stage.subject.release));
    }
    stage.configure(Conf { pid: "none/nginx.pid", ..Conf::default() });
    let ended = stage.nginx(&[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    stage.logged("none/nginx.pid\" failed (2: No such file or directory)");
    wait_for("nobody", || stage.processes().is_empty().then_some(()));
}

/// checks: W6 W3 C18
pub(super) fn workers_that_cannot_enter_their_folder_are_not_replaced(stage: &Stage) {
    fs::create_dir(stage.path("work")).unwrap();
    fs::set_permissions(stage.path("work"), fs::Permissions::from_mode(0o755)).unwrap();
    stage.configure(Conf { main: "working_directory FOLDER/none;", ..Conf::default() });
    assert_eq!(stage.nginx(&[]).code, Some(0));
    let master = stage.pid_in("nginx.pid");
    stage.logged("exited with fatal code 2 and cannot be respawned");
    assert!(stage.lives(master));
    stage.configure(Conf { main: "working_directory FOLDER/work;", ..Conf::default() });
    stage.signal(master, Signal::HUP);
    let worker = stage.workers(master, 1)[0];

    // The master is killed: its worker serves, blocks a start, and can be told to quit.
    stage.signal(master, Signal::KILL);
    stage.gone(master);
    assert!(stage.get().ends_with("one"));
    assert_eq!(stage.nginx(&[]).code, Some(1), "its socket still listens");
    stage.signal(worker, Signal::QUIT);
    stage.gone(worker);
    stage.start(1);
}
