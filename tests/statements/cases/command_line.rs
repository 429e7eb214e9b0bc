//! C: options, tests of the configuration, signals by name.

use std::os::unix::net::UnixListener;

use crate::stage::{Conf, Stage, ask};

/// checks: C1 C2 C3
pub(super) fn versions_are_printed_and_nothing_is_sent(stage: &Stage) {
    let version = format!("nginx version: nginx/{}\n", stage.subject.release);
    for (options, begins) in [(["-v"], true), (["-V"], true), (["-h"], true), (["-?"], true)] {
        let ended = stage.nginx(&options);
        assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
        assert_eq!(ended.err.starts_with(&version), begins, "{ended:?}");
    }
    // Nobody runs: a signal would fail.
    assert_eq!(stage.nginx(&["-v", "-s", "stop"]).err, version);
    assert_eq!(stage.nginx(&["-vsstop"]).code, Some(0));
    let ended = stage.nginx(&["-vt"]);
    assert!(ended.err.starts_with(&version) && ended.err.ends_with("test is successful\n"), "{ended:?}");
    let folder = format!("-tqp{}", stage.path("").display());
    assert_eq!(stage.command(&[&folder]).output().unwrap().status.code(), Some(0));
}

/// checks: C4 C5 C6 C7
pub(super) fn a_test_tells_of_the_configuration_and_leaves_an_empty_pid_file(stage: &Stage) {
    let path = stage.path("nginx.conf").display().to_string();
    let conf = Conf { server: "listen unix:FOLDER/web;", ..Conf::default() };
    stage.configure(conf);

    let sound = stage.nginx(&["-t"]);
    assert_eq!(sound.code, Some(0), "{sound:?}");
    let lines = format!(
        "nginx: the configuration file {path} syntax is ok\nnginx: configuration file {path} test is successful\n"
    );
    assert_eq!(sound.err, lines);
    assert_eq!(stage.text("nginx.pid"), "");
    assert!(stage.exists("nginx.pid") && !stage.exists("web"));

    let _taken = UnixListener::bind(stage.path("web")).unwrap();
    stage.write("nginx.pid", "17\n");
    let quiet = stage.nginx(&["-t", "-q"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (Some(0), ""), "a taken address is no error");
    assert_eq!(stage.text("nginx.pid"), "17\n");
    let dump = stage.nginx(&["-T", "-q"]);
    assert_eq!(dump.out, format!("# configuration file {path}:\n{}\n", stage.text("nginx.conf")));

    stage.write("nginx.conf", "bogus;\n");
    let broken = stage.nginx(&["-tq"]);
    let error = format!("nginx: [emerg] unknown directive \"bogus\" in {path}:1\n");
    assert_eq!(broken.err, format!("{error}nginx: configuration file {path} test failed\n"));
    assert_eq!((broken.code, stage.nginx(&["-T"]).out.as_str()), (Some(1), ""));
}

/// checks: C8 C9 C10 C11 C12
pub(super) fn signals_by_name_read_the_configuration_first(stage: &Stage) {
    let path = stage.path("nginx.pid").display().to_string();
    let fails = |text: &str, line: &str| {
        stage.write("nginx.pid", text);
        let ended = stage.nginx(&["-s", "reload"]);
        assert_eq!((ended.code, ended.err), (Some(1), format!("nginx: {line}\n")));
    };
    fails("", &format!("[error] invalid PID number \"\" in \"{path}\""));
    fails(" 17\n", &format!("[error] invalid PID number \" 17\" in \"{path}\""));
    fails("4194304\n", "[alert] kill(4194304, 1) failed (3: No such process)");
    stage.remove("nginx.pid");
    let ended = stage.nginx(&["-s", "stop"]);
    let missing = format!("nginx: [error] open() \"{path}\" failed (2: No such file or directory)\n");
    assert_eq!((ended.code, ended.err), (Some(1), missing));

    let master = stage.start(1);
    let ended = stage.nginx(&["-s", "usr2"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(1), "nginx: invalid option: \"-s usr2\"\n"));
    assert_eq!(stage.nginx(&["-t", "-s", "stop"]).code, Some(0));
    let sound = stage.text("nginx.conf");
    stage.write("nginx.conf", "bogus;\n");
    assert_eq!(stage.nginx(&["-s", "stop"]).code, Some(1));
    stage.write("nginx.conf", &sound);
    let silent = |word: &str| {
        let ended = stage.nginx(&["-s", word]);
        assert_eq!((ended.code, ended.err.as_str(), ended.out.as_str()), (Some(0), "", ""));
    };
    silent("reopen");
    stage.logged("reopening logs");
    assert!(!stage.log_of(master).contains("SIGTERM"), "{}", stage.log());
    silent("reload");
    stage.logged("exited with code 0");
    // During an upgrade it is the new master that is told.
    let new = stage.upgrade(master, 1);
    silent("quit");
    stage.gone(new);
    stage.vanished("nginx.pid.oldbin");
    silent("stop");
    stage.gone(master);
    let log = stage.log_of(master);
    let names = ["SIGUSR1", "SIGHUP", "SIGTERM"];
    assert!(names.iter().all(|name| log.contains(name)) && !log.contains("SIGQUIT"), "{log}");
}

/// checks: C13 C14 C15 C17 C18
pub(super) fn words_on_the_command_line_are_refused_as_nginx_does(stage: &Stage) {
    let refused = |options: &[&str], line: &str| {
        let ended = stage.nginx(options);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains(line), "{line}: {ended:?}");
    };
    refused(&["-x"], "nginx: invalid option: \"x\"\n");
    refused(&["foo"], "nginx: invalid option: \"foo\"\n");
    refused(&["-s"], "nginx: option \"-s\" requires parameter\n");
    refused(&["-p"], "nginx: option \"-p\" requires directory name\n");
    if stage.since(1, 19, 5) {
        refused(&["-e"], "nginx: option \"-e\" requires file name\n");
    } else {
        refused(&["-e", "x"], "nginx: invalid option: \"e\"\n");
    }
    refused(&["-g", "pid x;"], "[emerg] \"pid\" directive is duplicate in ");
    refused(&["-g", "daemon maybe;"], " in command line\n");
    refused(&["-g", "daemon off"], "[emerg] unexpected end of parameter, expecting \";\" in command line\n");
    let missing = stage.path("none.conf").display().to_string();
    refused(
        &["-c", "none.conf"],
        &format!("[emerg] open() \"{missing}\" failed (2: No such file or directory)\n"),
    );
    // Includes stand beside the file, other paths under the prefix.
    std::fs::create_dir(stage.path("conf")).unwrap();
    stage.write("conf/part.conf", "events {}\n");
    stage.write("conf/whole.conf", "pid here.pid;\nerror_log here.log;\ninclude part.conf;\n");
    assert_eq!(stage.nginx(&["-t", "-c", "conf/whole.conf"]).code, Some(0));
    assert!(stage.exists("here.pid") && stage.exists("here.log"));
    let master = stage.start(1);
    assert!(ask(&mut stage.connect()).ends_with("one"));
    stage.signal(master, rustix::process::Signal::INT);
    stage.gone(master);
}
