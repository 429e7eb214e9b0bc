//! L: HUP to a master without a new binary.

use std::fs;

use rustix::process::Signal;

use crate::stage::{Conf, Stage};

/// checks: L1 L2 L3 L5 L6
pub(super) fn a_reload_replaces_workers_and_nothing_else(stage: &Stage) {
    let master = stage.start(1);
    let old = stage.workers(master, 1)[0];
    let socket = stage.listeners(master);
    let own = fs::read_link(format!("/proc/{master}/exe")).unwrap();
    stage.write("nginx.conf", "bogus;\n");
    stage.signal(master, Signal::HUP);
    stage.logged("[emerg] unknown directive \"bogus\"");
    stage.barrier(master);
    assert_eq!(stage.workers(master, 1), [old]);

    // Another binary lies there now, and the words of the main context change.
    stage.put("exits");
    let main = "daemon off; master_process off;";
    stage.configure(Conf { workers: 2, main, location: "return 200 two;", ..Conf::default() });
    stage.signal(master, Signal::HUP);
    stage.gone(old);
    let workers = stage.workers(master, 2);
    assert!(stage.get().ends_with("two"));
    assert_eq!((stage.listeners(master), socket.len()), (socket, 1));
    for worker in workers {
        let its = fs::read_link(format!("/proc/{worker}/exe")).unwrap();
        let name = |path: &std::path::Path| path.display().to_string().replace(" (deleted)", "");
        assert_eq!(name(&its), name(&own));
    }
    let log = stage.log();
    let place = |what: &str| log.rfind(what).unwrap_or_else(|| panic!("{what}: {log}"));
    assert!(place("] reconfiguring\n") < place("] start worker processes\n"), "{log}");
    assert!(place("] start worker process ") < place("] gracefully shutting down\n"), "{log}");
}

/// checks: L4 U20
pub(super) fn a_new_pid_path_deletes_the_old_file_even_if_the_reload_fails(stage: &Stage) {
    let master = stage.start(1);
    stage.write("taken", "");
    stage.configure(Conf { pid: "other.pid", server: "listen unix:FOLDER/taken;", ..Conf::default() });
    stage.signal(master, Signal::HUP);
    stage.logged("[emerg] still could not bind()");
    assert!(!stage.exists("nginx.pid"));
    assert_eq!(stage.pid_in("other.pid"), master);
    stage.signal(master, Signal::USR2);
    stage.logged("failed before executing new binary process");
}
